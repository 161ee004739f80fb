# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.postgresql_url import parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://", {}),
        ("postgresql://db", {"host": "db"}),
        ("postgresql://db:5433/state", {"host": "db", "port": "5433", "dbname": "state"}),
        (" postgresql+psycopg://me@db/state\n", {"host": "db", "user": "me", "dbname": "state"}),
        ("postgresql://me:se:cret%40%2f@db/state", {"host": "db", "user": "me", "password": "se:cret@/", "dbname": "state"}),
        ("postgresql://me:@db/", {"host": "db", "user": "me"}),
        ("postgresql:///state", {"dbname": "state"}),
        ("postgresql:///state?host=/run/postgresql", {"dbname": "state", "host": "/run/postgresql"}),
        ("postgresql://%2Frun%2Fpostgresql/state", {"dbname": "state", "host": "/run/postgresql"}),
        ("postgresql://:5433/state", {"dbname": "state", "port": "5433"}),
        ("postgresql://[2001:db8::1]:5433/state", {"host": "2001:db8::1", "port": "5433", "dbname": "state"}),
        ("postgresql://[::1]/state", {"host": "::1", "dbname": "state"}),
        ("postgresql://one:1,two:2/state", {"host": "one,two", "port": "1,2", "dbname": "state"}),
        ("postgresql://one,two:2/state", {"host": "one,two", "port": ",2", "dbname": "state"}),
        ("postgresql://?service=guard", {"service": "guard"}),
        ("postgresql://db/s?sslmode=verify-full&options=-c%20geqo%3Doff", {"host": "db", "dbname": "s", "sslmode": "verify-full", "options": "-c geqo=off"}),
        ("postgresql://db/s?password=a=b", {"host": "db", "dbname": "s", "password": "a=b"}),
    ],
)
def test_parts_of_a_url_are_libpqs_parameters(url, parameters):
    assert parse(url, "shown").parameters == parameters


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db/state",
        "postgresql+asyncpg://db/state",
        "postgresql:/db/state",
        "postgresql://me:with@CANARY@db/state",
        "postgresql://me:with/CANARY@db/state",
        "postgresql://me:with?CANARY@db/state",
        "postgresql://me:with#CANARY@db/state",
        "postgresql://me:12/CANARY@db/state",
        "postgresql://me:CANARY",
        "postgresql://me:CANARY%zz@db/state",
        "postgresql://me:CANARY%00@db/state",
        "postgresql://db:port/state",
        "postgresql://db/a/b",
        "postgresql://db/state?sslmode",
        "postgresql://db/state?SSLMODE=require",
        "postgresql://db/state#CANARY",
    ],
)
def test_what_could_be_taken_differently_is_refused_without_being_quoted(url):
    with pytest.raises(BadInput) as caught:
        parse(url, "shown")
    assert caught.value.message.startswith("expected ")
    assert "shown" in caught.value.message
    assert "CANARY" not in str(caught.value)


def test_secrets_are_known_and_not_printed():
    address = parse("postgresql://me:CANARY@db/state?sslpassword=CANARY2", "shown")
    assert address.secrets == ("CANARY", "CANARY2")
    assert "CANARY" not in repr(address)
