# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parts of a ``postgresql://`` URL, taken apart here and not by libpq: its messages quote what they cannot parse, and that may be a password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Mapping
from urllib.parse import unquote

from .._domain.errors import BadInput

SUPPORTED = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._%-]*)(?::[0-9]{1,5})?"
_URL = re.compile(
    r"postgresql(?:\+psycopg)?://"
    r"(?:(?P<user>[^@/?#:]*)(?::(?P<password>[^@/?#]*))?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)"
    r"(?:/(?P<database>[^@/?#]*))?"
    r"(?:\?(?P<query>[^@?#]*))?"
)
_PAIR = re.compile(r"(?P<name>[a-z][a-z_]*)=(?P<value>[^=]*(?:=[^=]*)*)")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECRETS = ("password", "sslpassword")


@dataclass(frozen=True)
class Address:
    """libpq's connection parameters by name; what is not among them comes from the environment (``PGPASSWORD``, a service file, …)."""

    parameters: Mapping[str, str] = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may show."""
        return tuple(self.parameters[name] for name in _SECRETS if self.parameters.get(name))


def parse(url: str, shown: str) -> Address:
    """The address in ``url``; ``BadInput``, with nothing but ``shown`` of it, when libpq or a reader could take it differently."""
    found = _URL.fullmatch(url.strip())
    if found is None or _BROKEN.search(url):
        raise BadInput(
            f"expected the URL of a PostgreSQL database, found {shown}",
            f"Write it like {SUPPORTED}; in user and password write @ / ? # : and % as %40 %2F %3F %23 %3A and %25",
        )
    parameters = _hosts(found["hosts"])
    for name, value in (("user", found["user"]), ("password", found["password"]), ("dbname", found["database"])):
        if value:
            parameters[name] = unquote(value)
    for pair in filter(None, (found["query"] or "").split("&")):
        setting = _PAIR.fullmatch(pair)
        if setting is None:
            raise BadInput(f"expected name=value after the ?, separated by &, found something else in {shown}", f"Write it like {SUPPORTED}")
        parameters[setting["name"]] = unquote(setting["value"])
    if any("\0" in value for value in parameters.values()):
        raise BadInput(f"expected text without %00, found some in {shown}", f"Write it like {SUPPORTED}")
    return Address(parameters)


def _hosts(text: str) -> dict[str, str]:
    hosts, ports = [], []
    for each in text.split(","):
        host, separator, port = each.rpartition(":") if re.search(r"(^|[^:\]]|\]):[0-9]+$", each) else (each, "", "")
        hosts.append(unquote(host.strip("[]")) if separator or host else "")
        ports.append(port)
    parameters = {}
    if any(hosts):
        parameters["host"] = ",".join(hosts)
    if any(ports):
        parameters["port"] = ",".join(ports)
    return parameters
