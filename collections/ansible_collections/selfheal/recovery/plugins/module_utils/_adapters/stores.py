# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which state store a URL names, and which URL applies."""

from __future__ import annotations

import os
import re
from typing import Mapping

from .._domain.errors import BadInput
from .portable import Portable

VARIABLE = "RECOVERY_STATE"

_SUPPORTED = (
    "Supported now: sqlite:///relative/path.db, sqlite:////absolute/path.db, sqlite:///~/path.db, "
    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"
)
_LATER = {"github": "github://"}
_SCHEME = re.compile(r"([a-z][a-z0-9.+-]{0,29})://(.*)", re.DOTALL)
# What may be shown of a URL with a host: nothing that could be a user, a password or a token.
_SHOWN = re.compile(
    r"(?P<user>[^@?#]*@)?(?P<place>(?:[A-Za-z0-9._%-]+(?::[0-9]+)?(?:,[A-Za-z0-9._%-]+(?::[0-9]+)?)*)?(?:/[A-Za-z0-9._-]*){0,2})(?P<query>\?[^@]*)?"
)


def open_store(url: str, deadline: float = 10.0) -> Portable:
    """The store that ``url`` names; ``BadInput`` when it names none. Nothing is opened before the store's first use.

    ``sqlite:///`` follows SQLAlchemy: after the third slash comes the path, so a relative one has three slashes and an absolute one four;
    ``~`` is the home directory. ``postgresql://`` and ``postgresql+psycopg://`` are libpq's URLs; every parameter of libpq may follow the ``?``.
    """
    scheme, rest = _split(url)
    if scheme == "sqlite":
        from .sqlite import SqliteStore

        return SqliteStore(_sqlite_path(url, rest), deadline=deadline)
    if scheme in ("postgresql", "postgresql+psycopg"):
        from .postgresql import PostgresqlStore
        from .postgresql_url import parse

        shown = redacted(url)
        return PostgresqlStore(parse(url, shown), shown, deadline=deadline)
    for name, shown in _LATER.items():
        if scheme.split("+")[0] == name:
            raise BadInput(f"expected a state store that this release supports, found {redacted(url)}: {shown} arrives with a later release", _SUPPORTED)
    raise BadInput(f"expected the URL of a state store, found {redacted(url)}", _SUPPORTED)


def default_url(environ: Mapping[str, str] | None = None) -> str:
    """The embedded store: ``/var/lib/selfheal/state.db`` for root, else in the user's state directory (XDG Base Directory Specification)."""
    if os.geteuid() == 0:
        return "sqlite:////var/lib/selfheal/state.db"
    base = (os.environ if environ is None else environ).get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):  # unset, empty or, by the specification, to be ignored
        base = os.path.expanduser("~/.local/state")
    return f"sqlite:///{os.path.join(base, 'selfheal', 'state.db')}"


def resolve_url(explicit: str | None, environ: Mapping[str, str]) -> str:
    """The URL that applies: ``explicit``, else ``RECOVERY_STATE`` unless it is empty, else the default.

    An ``explicit`` that is empty is refused: it is a mistake in a template, and falling back would look at another state than was meant.
    """
    if explicit is not None:
        if not explicit.strip():
            raise BadInput("expected the URL of a state store, found an empty text", _SUPPORTED)
        return explicit
    return environ.get(VARIABLE, "") or default_url(environ)


def redacted(url: str) -> str:
    """``url`` fit for a message: no user, password, token or query in it; what is not plainly harmless is left out altogether."""
    scheme, rest = _split(url)
    if not scheme:
        return repr(url) if url.startswith(("/", "./", "../", "~/")) else f"a text of {len(url)} characters without 'kind://'"
    if scheme == "sqlite" and rest.startswith("/"):
        return url.partition("?")[0]
    shown = _SHOWN.fullmatch(rest)
    if shown is None:
        return f"{scheme}://***"
    return f"{scheme}://{'***@' if shown['user'] else ''}{shown['place']}{'?***' if shown['query'] else ''}"


def _split(url: str) -> tuple[str, str]:
    found = _SCHEME.fullmatch(url.strip())
    return (found[1], found[2]) if found else ("", url)


def _sqlite_path(url: str, rest: str) -> str:
    path = rest[1:]
    if not rest.startswith("/"):
        raise BadInput(f"expected three slashes before a relative path and four before an absolute one, found {redacted(url)}", _SUPPORTED)
    if path in ("", ":memory:") or path.endswith("/"):
        raise BadInput(f"expected the path of a file that keeps the state, found {redacted(url)}", _SUPPORTED)
    if "?" in path or "\0" in path:
        raise BadInput(f"expected a plain path without options after it, found {redacted(url)} and more", _SUPPORTED)
    return os.path.expanduser(path)
