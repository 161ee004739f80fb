# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo service: an image of our own, faults that are switched from outside, and how to run it."""

from __future__ import annotations

from .busybox import binary
from .container import healthcheck, run
from .faults import Faults
from .image import CONTAINER_PORT, REPOSITORY, image_archive, load, push, tag

__all__ = ["CONTAINER_PORT", "REPOSITORY", "Faults", "binary", "healthcheck", "image_archive", "load", "push", "run", "tag"]
