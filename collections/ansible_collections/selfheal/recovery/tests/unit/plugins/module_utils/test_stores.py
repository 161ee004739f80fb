# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.postgresql import PostgresqlStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite import SqliteStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import default_url, open_store, redacted, resolve_url
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///state.db", "/project/state.db"),
        ("sqlite:///below/state.db", "/project/below/state.db"),
        ("sqlite:///../state.db", "/state.db"),
        ("sqlite:////srv/state.db", "/srv/state.db"),
        ("sqlite:////srv/with space%20.db", "/srv/with space%20.db"),
        ("sqlite:///~/state.db", "/home/me/state.db"),
        ("sqlite:////~/state.db", "/~/state.db"),
        (" sqlite:////srv/state.db\n", "/srv/state.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(monkeypatch, url, path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(os, "getcwd", lambda: "/project")
    store = open_store(url, deadline=3.0)
    assert isinstance(store, SqliteStore)
    assert store.path == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        "/var/lib/state.db",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////srv/",
        "sqlite:///a\0b",
        "sqlite:///state.db?mode=memory",
        "sqlite://host/state.db",
        "sqlite+pysqlite:///state.db",
        "SQLITE:///state.db",
        "file:///state.db",
        "mysql://host/db",
    ],
)
def test_what_is_no_supported_store_is_refused_and_told_what_is(url):
    with pytest.raises(BadInput) as caught:
        open_store(url)
    assert caught.value.message.startswith("expected ")
    assert "sqlite:////absolute/path.db" in caught.value.advice


def test_store_of_a_later_release_is_named_as_such():
    with pytest.raises(BadInput, match=r"arrives with a later release\. Supported now: sqlite:///"):
        open_store("github://owner/repo")


@pytest.mark.parametrize("url", ["postgresql://host/db", "postgresql+psycopg://me:secret@one,two:5433/db?sslmode=require", "postgresql:///db", "postgresql://"])
def test_url_of_postgresql_is_a_store_and_nothing_is_touched_yet(url):
    store = open_store(url)
    assert isinstance(store, PostgresqlStore)
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:CANARY@host/db",
        "postgresql://CANARY@host:5432/db",
        "postgresql://me:CANARY",
        "postgresql://me:with/CANARY@host/db",
        "postgresql://me:with@CANARY@host/db",
        "postgresql://me:with?CANARY@host/db",
        "postgresql://me:with#CANARY@host/db",
        "postgresql://host/db?user=me&password=CANARY",
        "postgresql://host/db?password=with@CANARY",
        "postgresql://host/db#CANARY",
        "github://CANARY@owner/repo",
        "mysql://me:CANARY@host/db",
        "sqlite://me:CANARY@host/state.db",
        "sqlite:///state.db?key=CANARY",
        "https://CANARY@api.github.com/repos",
        "host=db password=CANARY",
        "ghp_CANARY",
        "postgresql:me:CANARY@host",
        "postgresql://me:\nCANARY@host",
    ],
)
def test_no_message_shows_a_credential(url):
    assert "CANARY" not in redacted(url)
    assert "CANARY" not in shown_of(url)


def shown_of(url):
    """What the refusal of a URL says, or what is kept of it that could be printed."""
    try:
        return repr(vars(open_store(url)))
    except BadInput as error:
        return str(error)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db.example.org:5432/state?sslmode=require", "postgresql://***@db.example.org:5432/state?***"),
        ("postgresql://db/state", "postgresql://db/state"),
        ("postgresql://me@one:5432,two/state", "postgresql://***@one:5432,two/state"),
        ("postgresql:///state?host=/run/postgresql", "postgresql:///state?***"),
        ("postgresql://%2Frun%2Fpostgresql/state", "postgresql://%2Frun%2Fpostgresql/state"),
        ("github://owner/repo", "github://owner/repo"),
        ("sqlite:////srv/a@b/state.db", "sqlite:////srv/a@b/state.db"),
        ("/srv/state.db", "'/srv/state.db'"),
    ],
)
def test_what_is_harmless_is_shown(url, shown):
    assert redacted(url) == shown


@pytest.mark.parametrize(
    ("user", "environ", "url"),
    [
        (0, {"XDG_STATE_HOME": "/x"}, "sqlite:////var/lib/selfheal/state.db"),
        (1000, {"XDG_STATE_HOME": "/x/state"}, "sqlite:////x/state/selfheal/state.db"),
        (1000, {"XDG_STATE_HOME": ""}, "sqlite:////home/me/.local/state/selfheal/state.db"),
        (1000, {"XDG_STATE_HOME": "relative"}, "sqlite:////home/me/.local/state/selfheal/state.db"),
        (1000, {}, "sqlite:////home/me/.local/state/selfheal/state.db"),
    ],
)
def test_default_is_the_machines_for_root_and_the_users_own_otherwise(monkeypatch, user, environ, url):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("HOME", "/home/me")
    assert default_url(environ) == url
    assert resolve_url(None, environ) == url


def test_explicit_url_comes_before_the_environment_before_the_default(monkeypatch):
    environ = {"RECOVERY_STATE": "sqlite:///from-environment.db"}
    assert resolve_url("sqlite:///explicit.db", environ) == "sqlite:///explicit.db"
    assert resolve_url(None, environ) == "sqlite:///from-environment.db"
    assert resolve_url(None, {"RECOVERY_STATE": ""}) == default_url({})


@pytest.mark.parametrize("explicit", ["", "  "])
def test_explicit_url_that_is_empty_is_a_mistake_not_a_default(explicit):
    with pytest.raises(BadInput, match="empty text"):
        resolve_url(explicit, {"RECOVERY_STATE": "sqlite:///from-environment.db"})
