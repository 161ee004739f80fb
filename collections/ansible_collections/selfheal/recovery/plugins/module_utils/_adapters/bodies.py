# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documents and events as text: canonical JSON, so that equal state is equal bytes in every store."""

from __future__ import annotations

import json
from typing import Any, Mapping

from .._domain.errors import BadInput
from .._domain.events import Event
from .store_errors import StateCorrupt


def encode(what: str, body: Mapping[str, Any]) -> str:
    """``body`` as ASCII JSON with sorted keys and no spaces; ``BadInput`` names ``what`` when it is no JSON object."""
    try:
        return json.dumps(dict(body), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"expected a JSON object as the {what}, found a {type(body).__name__} that is none: {error}") from None


def decode(what: str, text: object) -> dict[str, Any]:
    """The object that ``encode`` wrote; ``StateCorrupt`` names ``what`` for anything else. The text itself is never quoted."""
    if not isinstance(text, str):
        raise _damaged(what, f"a value of type {type(text).__name__}")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged(what, f"{len(text)} characters that do not parse") from None
    if not isinstance(body, dict):
        raise _damaged(what, f"a JSON {type(body).__name__}")
    return body


def decode_event(what: str, text: object) -> Event:
    """The event that ``encode`` wrote; ``StateCorrupt`` for anything else."""
    body = decode(what, text)
    try:
        return Event.from_json(body)
    except TypeError:
        raise _damaged(what, f"an object with the keys {', '.join(sorted(body)) or '(none)'}") from None


def _damaged(what: str, found: str) -> StateCorrupt:
    return StateCorrupt(
        f"expected a JSON object as the {what}, found {found}",
        "Nothing was changed. Restore the state from a backup, or correct this one entry by hand",
    )
