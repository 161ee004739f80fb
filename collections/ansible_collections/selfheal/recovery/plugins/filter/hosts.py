# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that read what belongs to other hosts than the one a task runs on."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

from ansible.errors import AnsibleFilterError

DEFAULT_ENVIRONMENT = "default"


def registered(hostvars: Mapping[str, Any], hosts: Iterable[str], variable: str) -> dict[str, Any]:
    """What each of ``hosts`` registered as ``variable``; hosts that did not are left out."""
    found = {host: hostvars[host] for host in hosts}  # looked up once: Ansible puts all of a host's variables together each time
    return {host: variables[variable] for host, variables in found.items() if variable in variables}


def agreed(hostvars: Mapping[str, Any], hosts: Iterable[str], variable: str, default: Any) -> Any:
    """The one value ``hosts`` have for ``variable``; it is an error when they differ."""
    values = {host: hostvars[host].get(variable, default) for host in hosts}
    distinct = {str(value) for value in values.values()}
    if len(distinct) > 1:
        raise AnsibleFilterError(f"expected one {variable} for all instances of a run, found {len(distinct)} different ones: run them separately")
    return next(iter(values.values()), default)


def fleet(hostvars: Mapping[str, Any]) -> list[str]:
    """The scopes of every instance of the inventory, whatever ``--limit`` says: hosts that name a service or a container."""
    scopes = []
    for host in hostvars:
        variables = hostvars[host]
        service = variables.get("recovery_service") or variables.get("recovery_container")
        if service:
            scopes.append(f"{variables.get('recovery_environment') or DEFAULT_ENVIRONMENT}/{service}/{host}")
    return scopes


class FilterModule:
    """The collection's filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name to function."""
        return {"registered": registered, "agreed": agreed, "fleet": fleet}
