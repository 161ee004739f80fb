# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state store that the options name."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

from ...module_utils._adapters.actor import actor
from ...module_utils._adapters.guard_commands import Guard
from ...module_utils._adapters.portable import Portable
from ...module_utils._adapters.stores import open_store, redacted, resolve_url
from ...module_utils._domain.errors import BadInput

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Opened:
    """A store, a guard on it, its URL as it may be shown, and who uses it."""

    store: Portable
    guard: Guard
    url: str
    by: str


@contextmanager
def opened(arguments: Namespace, deadline: float = 10.0) -> Iterator[Opened]:
    """The store of ``--repo``, else ``--state``, else ``RECOVERY_STATE``, else the embedded one; ``deadline`` is in seconds, for each call."""
    store, url = _store(arguments, deadline)
    by = actor(os.environ)
    try:
        yield Opened(store, Guard(store, by, os.environ), redacted(url), by)
    finally:
        store.close()


def _store(arguments: Namespace, deadline: float) -> tuple[Portable, str]:
    repository = getattr(arguments, "repo", None)
    if repository is None:
        url = resolve_url(getattr(arguments, "state", None), os.environ)
        return open_store(url, deadline), url
    if not _REPOSITORY.fullmatch(repository):
        raise BadInput(f"expected a repository like owner/repo, found {repository!r:.80}")
    url = f"github://{repository}"
    try:
        return open_store(url, deadline), url
    except BadInput as error:
        raise BadInput(error.message, f"Leave --repo out, and name the state by --state URL or RECOVERY_STATE. {error.advice}") from None
