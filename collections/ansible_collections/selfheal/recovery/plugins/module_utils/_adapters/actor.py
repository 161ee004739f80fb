# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who a person at a shell is, as the events remember them."""

from __future__ import annotations

import os
import pwd
from typing import Mapping

_LONGEST = 100


def actor(environ: Mapping[str, str]) -> str:
    """The name of the person who commands: who called ``sudo``, else the owner of this process, else the number of that user.

    It is a record for honest people, not a proof: whoever may write the state could write any name into it.
    """
    caller = environ.get("SUDO_USER", "")
    if caller and caller.isprintable() and len(caller) <= _LONGEST:
        return caller
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
