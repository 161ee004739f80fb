# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trouble made inside a server."""

from __future__ import annotations

from .server import Server


def trouble(server: Server, database: str, body: str, deferred: bool = False) -> None:
    """Let a trigger run `body` (PL/pgSQL) with every event that is written; with `deferred` in the midst of the commit."""
    server.sql("CREATE SEQUENCE trouble", database)
    server.sql(f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN {body} RETURN NEW; END $$", database)
    kind, when = ("CONSTRAINT TRIGGER", "AFTER") if deferred else ("TRIGGER", "BEFORE")
    late = "DEFERRABLE INITIALLY DEFERRED" if deferred else ""
    server.sql(f"CREATE {kind} trouble {when} INSERT ON selfheal.events {late} FOR EACH ROW EXECUTE FUNCTION public.trouble()", database)


def sessions(database: str) -> str:
    """The query for the process ids of a store's connections to a database."""
    return f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'selfheal'"
