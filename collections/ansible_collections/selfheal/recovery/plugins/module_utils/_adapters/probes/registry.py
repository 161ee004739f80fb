# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All kinds of probes, and from a list of mappings to probes. A new kind is added to ``_NAMES``, and to the doc fragment ``probes``."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, Sequence

from ..._domain.errors import BadInput
from ..._domain.masking import without_credentials
from ..._domain.verdict import LADDER, REPORT
from .kind import Kind, Option, Probe

if TYPE_CHECKING:  # Ansible looks here for what it has to pack with a module.
    from . import command, container, disk, docker, http, logs, roundtrip, storage, tailscale, tcp  # noqa: F401

_NAMES = ("command", "container", "disk", "docker", "http", "logs", "roundtrip", "storage", "tailscale", "tcp")


class _Kinds(Mapping[str, Kind]):
    """Kinds by name, each loaded when it is asked for: hosts compile at every call what they load."""

    def __getitem__(self, name: str) -> Kind:
        if name not in _NAMES:
            raise KeyError(name)
        kind: Kind = importlib.import_module(f"{__package__}.{name}").KIND
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


KINDS: Mapping[str, Kind] = _Kinds()

DEFAULT_PROBES: Sequence[Mapping[str, Any]] = ({"kind": "docker"}, {"kind": "container"})

COMMON: Mapping[str, Option] = {
    "kind": Option("str", required=True, choices=_NAMES),
    "name": Option("str"),
    "critical": Option("bool"),
    "remedy": Option("str", choices=(LADDER, REPORT)),
    "deadline": Option("float"),
}

_LONGEST_NAME = 100
_LONGEST_DEADLINE = 300.0


def parse(probes: Iterable[Mapping[str, Any]]) -> tuple[Probe, ...]:
    """The probes of ``[{kind, name, critical, remedy, deadline, <options of the kind>}]``; the default ones when there are none.

    An option that is ``None`` counts as left out. Raises ``BadInput`` for unknown kinds and options, wrong values, and two of one name.
    """
    parsed = tuple(map(_probe, tuple(probes) or DEFAULT_PROBES))
    names = [probe.name for probe in parsed]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"two probes are named {name!r}", "Give each probe a name of its own (a probe without a name is named after its kind)")
    return parsed


def suboptions() -> dict[str, dict[str, Any]]:
    """The options of every kind together, as Ansible's argument specification writes them; their defaults depend on the kind."""
    merged: dict[str, Option] = dict(COMMON)
    for kind in KINDS.values():
        merged.update(kind.options)
    return {name: _ansible(option, required=name == "kind") for name, option in sorted(merged.items())}


def _ansible(option: Option, required: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"type": option.type, "no_log": option.secret}
    if required:
        spec["required"] = True
    if option.elements:
        spec["elements"] = option.elements
    if option.choices:
        spec["choices"] = list(option.choices)
    return spec


def _probe(data: Mapping[str, Any]) -> Probe:
    if not isinstance(data, Mapping):
        raise BadInput(f"expected a probe like {{kind: http, url: …}}, found a {type(data).__name__}")  # which may hold a password
    given = {str(name): value for name, value in data.items() if value is not None}
    kind = KINDS.get(str(given.get("kind", "")))
    if kind is None:
        raise BadInput(f"expected the kind of a probe, one of {', '.join(sorted(KINDS))}, found {given.get('kind')!r:.80}")
    unknown = sorted(given.keys() - COMMON.keys() - kind.options.keys())
    if unknown:
        allowed = ", ".join([*COMMON, *kind.options])
        raise BadInput(f"a probe of kind {kind.name} has no option {unknown[0]!r:.80}", f"It has {allowed}")
    where = f"probe {given.get('name', kind.name)!r:.80}"
    common = {name: _value(where, name, option, given.get(name)) for name, option in COMMON.items() if name != "kind"}
    name = common["name"] or kind.name
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadInput(f"expected the name of a probe: up to {_LONGEST_NAME} printable characters, found {name!r:.120}")
    deadline = kind.deadline if common["deadline"] is None else common["deadline"]
    if not 0 < deadline <= _LONGEST_DEADLINE:
        raise BadInput(f"{where}: expected a deadline above 0 and up to {_LONGEST_DEADLINE:g} s, found {deadline:g}")
    probe = Probe(
        name=name,
        kind=kind,
        critical=kind.critical if common["critical"] is None else common["critical"],
        remedy=common["remedy"] or "",
        deadline=deadline,
        options={name: _value(where, name, option, given.get(name)) for name, option in kind.options.items()},
    )
    if kind.check is not None:
        kind.check(probe)
    return probe


def _value(where: str, name: str, option: Option, value: Any) -> Any:
    if value is None:
        if option.required:
            raise BadInput(f"{where} needs the option {name}")
        return option.default
    try:
        converted = _CONVERTERS[option.type](value)
        if option.elements:
            converted = [_CONVERTERS[option.elements](item) for item in converted]
    except (TypeError, ValueError):
        kind = f"{option.type} of {option.elements}" if option.elements else option.type
        raise BadInput(f"{where}: expected {name} to be of type {kind}, found {_shown(value, option)}") from None
    if option.choices and converted not in option.choices:
        raise BadInput(f"{where}: expected {name} to be one of {', '.join(option.choices)}, found {converted!r:.80}")
    if option.check is not None:
        option.check(converted)
    return converted


def _shown(value: Any, option: Option) -> str:
    return "(hidden)" if option.secret else without_credentials(repr(value))[:80]


def _text(value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple, bool)):
        raise TypeError
    return str(value)


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in ("true", "yes", "false", "no"):
        raise ValueError(word)
    return word in ("true", "yes")


def _whole(value: Any) -> int:
    if isinstance(value, (bool, float)):
        raise TypeError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise TypeError
    return float(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise TypeError
    return list(value)


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError
    return {_text(key): _text(item) for key, item in value.items()}


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "str": _text,
    "bool": _truth,
    "int": _whole,
    "float": _number,
    "list": _list,
    "dict": _mapping,
}
