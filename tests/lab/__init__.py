# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sealed lab of real hosts on one machine, for end-to-end tests, molecule, benchmarks and the demo. See README.md."""

from __future__ import annotations

from .errors import LabError
from .host import Host
from .lab import Lab
from .requirements import lab_unavailable

__all__ = ["Host", "Lab", "LabError", "lab_unavailable"]
