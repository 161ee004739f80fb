# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a lab consists of, worked out before anything is made: names, addresses and paths, all derived from one record.

Whatever `up` makes has a name that stands here, so that `down` can clear up after an `up` that was killed at any point.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .engines import STOCK, check_known
from .errors import LabError

_NAME = re.compile(r"[a-z][a-z0-9-]{0,23}")
_LONGEST_STATE = 70  # a unix socket's path has at most 107 characters; ssh and Ansible append up to 37 below the state directory
_FIRST_HOST = 11
_FIRST_CONTROLLER = 2
_MOST_CONTROLLERS = 8
_MOST_HOSTS = 200


def default_state(name: str) -> Path:
    """Where a lab keeps its files unless told otherwise."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime or "/run") / "selfheal-lab" / name


def default_subnet(name: str) -> str:
    """A network of 198.18.0.0/15 (RFC 2544: for benchmarks, routed nowhere, apart from Docker's own pools)."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big") % 512
    return f"198.{18 + number // 256}.{number % 256}.0/24"


@dataclass(frozen=True)
class Plan:
    """A lab's record. Two labs of one name in two state directories do not share a single name."""

    name: str
    state: Path
    hosts: int
    subnet: str
    boot: str
    engine_names: tuple[str, ...] = ()
    controllers: int = 0

    @classmethod
    def make(
        cls, name: str, state: Path | None = None, hosts: int = 3, subnet: str | None = None, engine_names: Sequence[str] = (), controllers: int = 0
    ) -> Plan:
        if not _NAME.fullmatch(name):
            raise LabError(f"lab name {name!r}: expected a letter, then up to 23 lower-case letters, digits or hyphens")
        if not 1 <= hosts <= _MOST_HOSTS:
            raise LabError(f"{hosts} hosts: expected 1 to {_MOST_HOSTS}")
        if not 0 <= controllers <= _MOST_CONTROLLERS:
            raise LabError(f"{controllers} control nodes of their own: expected 0 to {_MOST_CONTROLLERS}")
        check_known(engine_names)
        if len(engine_names) > hosts:
            raise LabError(f"{len(engine_names)} engines for {hosts} hosts: expected at most one for each")
        where = (state or default_state(name)).absolute()
        if len(str(where)) > _LONGEST_STATE:
            raise LabError(f"state directory {where}: longer than {_LONGEST_STATE} characters, too long for ssh's control sockets; choose a shorter one")
        chosen = subnet or default_subnet(name)
        try:
            network = ipaddress.IPv4Network(chosen)
        except ValueError as error:
            raise LabError(f"subnet {chosen!r}: {error}") from error
        if network.prefixlen != 24:
            raise LabError(f"subnet {chosen!r}: expected a /24")
        return cls(name, where, hosts, chosen, Path("/proc/sys/kernel/random/boot_id").read_text().strip(), tuple(engine_names), controllers)

    @classmethod
    def read(cls, state: Path) -> Plan | None:
        """The plan of the lab that was, or was to be, made with this state directory."""
        try:
            data = json.loads((state / "record.json").read_text())
        except FileNotFoundError:
            return None
        return cls(
            data["name"], Path(data["state"]), data["hosts"], data["subnet"], data["boot"], tuple(data.get("engine_names", ())), data.get("controllers", 0)
        )

    def write(self) -> None:
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.state / "record.json.new"
        draft.write_text(json.dumps(asdict(self) | {"state": str(self.state)}, indent=2) + "\n")
        draft.rename(self.record)

    @property
    def identity(self) -> str:
        """The name, made unique on this machine by the state directory."""
        return f"{self.name}-{hashlib.sha256(str(self.state).encode()).hexdigest()[:4]}"

    @property
    def record(self) -> Path:
        return self.state / "record.json"

    @property
    def lock(self) -> Path:
        return self.state.with_name(self.state.name + ".lock")

    @property
    def numbers(self) -> range:
        return range(1, self.hosts + 1)

    @property
    def control(self) -> str:
        """The network namespace that holds the bridge, the registry and whatever runs against the hosts."""
        return f"lab-{self.identity}"

    @property
    def namespaces(self) -> list[str]:
        return [self.control, *(namespace for namespace, _port, _address in self.cables)]

    @property
    def cables(self) -> list[tuple[str, str, str]]:
        """Who is plugged into the bridge: its namespace, the bridge's end of its cable, its address."""
        hosts = [(self.namespace(number), self.port(number), self.address(number)) for number in self.numbers]
        return hosts + [(self.controller(number), f"node{number}", self._address(_FIRST_CONTROLLER - 1 + number)) for number in range(1, self.controllers + 1)]

    @property
    def gateway(self) -> str:
        return self._address(1)

    @property
    def registry(self) -> str:
        return f"{self.gateway}:5000"

    @property
    def control_sockets(self) -> Path:
        return self.state / "cp"

    def controller(self, number: int) -> str:
        """The network namespace of a control node of its own, beside the one at the bridge."""
        return f"{self.control}-node{number}"

    def host_name(self, number: int) -> str:
        return f"host{number}"

    def engine(self, number: int) -> str:
        """Which engine a host runs: those named are the first hosts', in that order."""
        return self.engine_names[number - 1] if number <= len(self.engine_names) else STOCK

    def namespace(self, number: int) -> str:
        return f"{self.control}-{self.host_name(number)}"

    def cgroup(self, number: int) -> str:
        return f"selfheal-lab-{self.identity}-{self.host_name(number)}"

    def port(self, number: int) -> str:
        """The bridge's end of a host's cable, inside the control namespace."""
        return f"port{number}"

    def address(self, number: int) -> str:
        return self._address(_FIRST_HOST - 1 + number)

    def directory(self, number: int) -> Path:
        return self.state / self.host_name(number)

    def files(self) -> list[Path]:
        """Everything a lab leaves in its state directory, the record last: while it is there, there is something to clear up."""
        names = ["registry", "cp", "id_ed25519", "id_ed25519.pub", "known_hosts"]
        return [*(self.directory(number) for number in self.numbers), *(self.state / name for name in names), self.state / "record.json.new", self.record]

    def _address(self, last: int) -> str:
        return str(ipaddress.IPv4Network(self.subnet)[last])
