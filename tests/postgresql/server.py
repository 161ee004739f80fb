# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL server of one's own: its cluster in a temporary directory, on a unix socket there, or also on one address."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from tests.lab import LabError, wait

SUPERUSER = "admin"
PASSWORD = "only-for-tests"
START_SECONDS = 30
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "40", "shared_buffers": "16MB", "max_wal_senders": "2", "lc_messages": "C"}


def binary(name: str) -> Path | None:
    """A program of the newest server on this machine."""
    below = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    found = below[-1] if below else shutil.which(name)
    return Path(found) if found else None


def missing() -> str:
    """Why no server can run here; empty when one can."""
    return "" if binary("initdb") and binary("postgres") else "no PostgreSQL server here: make lab installs it (Debian package postgresql)"


class Server:
    """A running server. As a context manager it leaves nothing behind.

    ``enter`` is put before every command, for example to run it in a network namespace; ``listen`` is an address there, besides the socket.
    ``standby_of`` makes it a copy of another server that follows it.
    """

    def __init__(self, enter: Sequence[str] = (), listen: str = "", standby_of: Server | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="selfheal-pg-"))
        self.port = 5432 if enter or not listen else _free_port(listen)
        self._enter = enter
        self._primary = standby_of
        self._settings = {**_SETTINGS, **(settings or {}), "listen_addresses": listen, "port": str(self.port), "unix_socket_directories": str(self.directory)}
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged()
        if self._user:
            shutil.chown(self.directory, self._user)

    def __enter__(self) -> Server:
        try:
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def url(self, database: str, user: str = SUPERUSER, password: str = PASSWORD, host: str = "", **query: str) -> str:
        """The URL of a database here: over the socket, or over TCP with ``host``."""
        place = host or quote(str(self.directory), safe="")
        options = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{place}/{database}" + (f"?{options}" if options else "")

    def sql(self, statement: str, database: str = "postgres", user: str = SUPERUSER) -> list[tuple[Any, ...]]:
        """Run one statement by itself and return its rows."""
        import psycopg

        with psycopg.connect(**self._reach(database, user), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self._argv("postgres", "-D", self.data, *options), stdout=log, stderr=log, **self._as_user())
        wait.until("PostgreSQL to answer", self._answers, seconds=START_SECONDS)

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """End it: at once, with SIGINT in order."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(START_SECONDS)

    def freeze(self) -> None:
        """Stop every process of it in mid-sentence: the socket still takes connections, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None:
            self.thaw()
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make(self) -> None:
        if self._primary is not None:
            source = f"host={self._primary.directory} port={self._primary.port} user={SUPERUSER} password={PASSWORD}"
            self._run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-d", source)
            return
        secret = self.directory / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-D", self.data, "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync")
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all scram-sha-256\n")

    def _reach(self, database: str, user: str) -> dict[str, Any]:
        return {"host": str(self.directory), "port": self.port, "dbname": database, "user": user, "password": PASSWORD, "connect_timeout": 2}

    def _answers(self) -> bool:
        import psycopg

        if self._process is None or self._process.poll() is not None:
            raise LabError(f"PostgreSQL ended:\n{self.log}")
        try:
            self.sql("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, name: str, *arguments: str | Path) -> None:
        done = subprocess.run(self._argv(name, *arguments), check=False, capture_output=True, text=True, timeout=120, **self._as_user())
        if done.returncode:
            raise LabError(f"{name}: {done.stderr}")

    def _argv(self, name: str, *arguments: str | Path) -> list[str]:
        program = binary(name)
        if program is None:
            raise LabError(missing())
        return [*self._enter, *self._become(), str(program), *map(str, arguments)]

    def _become(self) -> list[str]:
        """The server refuses root; after ``nsenter`` only a command can change the user."""
        return ["setpriv", f"--reuid={self._user}", f"--regid={pwd.getpwnam(self._user).pw_gid}", "--clear-groups", "--"] if self._user else []

    def _as_user(self) -> dict[str, Any]:
        return {"cwd": self.directory, "stdin": subprocess.DEVNULL, "env": {**os.environ, "LC_ALL": "C", "PGPASSWORD": PASSWORD}}

    def _signal_all(self, number: int) -> None:
        if self._process is None:
            return
        postmaster = self._process.pid
        for pid in (postmaster, *_children(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as listener:
        return int(listener.getsockname()[1])


def _unprivileged() -> str:
    """The user that the server runs as; empty for the one that runs this."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
