# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is remembered between runs: a service's document and an environment's document, and their JSON form.

A document that does not have the form written here is unreadable state: the reader gets ``StateUnreadable`` and refuses to act. It is never
read as a fresh one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Mapping, TypeVar

from .breaker import CLOSED, DEFAULT_THRESHOLDS, DEPLOYMENT, OPEN, RECOVERY, Track
from .errors import BadInput, RecoveryError
from .policy import Policy
from .times import from_text
from .verdict import DEGRADED, HEALTHY

WAITING = "waiting"
ACTING = "acting"
DONE = "done"


class StateUnreadable(RecoveryError):
    """A stored document is not what this code, or an older version of it, writes."""

    reason = "state_unreadable"


@dataclass(frozen=True)
class Sample:
    """One verdict: over everything measured, and over what a rung can cure; ``sick`` is whether it counts as sick for the fleet's numbers."""

    at: str
    verdict: str
    ladder: str
    sick: bool = False

    @property
    def serves(self) -> bool:
        """Whether the instance served, as far as anybody could tell."""
        return self.ladder in (HEALTHY, DEGRADED)


@dataclass(frozen=True)
class StepResult:
    """How one step of an attempt ended. ``mutated``: a change reached the engine, or may have."""

    step: int
    rung: str
    outcome: str
    reason: str = ""
    detail: str = ""
    mutated: bool = False


@dataclass(frozen=True)
class Attempt:
    """What a session does on one instance: written before it acts.

    ``waiting`` until its wave is released, ``acting`` from the moment its host may be touched, ``done`` when no step is left. ``step`` is
    the position in ``rungs`` of the step that runs or runs next. ``boot_id`` and ``clock_s`` are the host's own clock as it was just before
    ``begun_at``.
    """

    reason: str
    rungs: tuple[str, ...]
    begun_at: str
    policy: Policy
    boot_id: str = ""
    clock_s: float = 0.0
    wave: int = 0
    state: str = WAITING
    step: int = 0
    results: tuple[StepResult, ...] = ()


@dataclass(frozen=True)
class Session:
    """One admitted run on one service: the holder of its lease."""

    id: str
    token: int
    holder: str
    triggered_by: str
    begun_at: str
    expires_at: str
    deadline: str
    lease_s: int
    attempts: Mapping[str, Attempt] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A settled attempt that counts: it acted, or may have. ``outcome`` is ``recovered``, ``proven``, ``relapsed`` or ``failed``."""

    session_id: str
    started_at: str
    settled_at: str
    outcome: str
    reason: str
    rung: str
    triggered_by: str
    detail: str = ""


@dataclass(frozen=True)
class Provisional:
    """A verified recovery that still has to prove itself."""

    session_id: str
    recovered_at: str
    proven_after_s: int
    redeployed: bool = False


@dataclass(frozen=True)
class Pause:
    """An operator's word to leave something alone until a time."""

    reason: str
    by: str
    until: str


@dataclass(frozen=True)
class Instance:
    """One instance: its recovery track and what was seen of it. ``cooling_until`` ends the waiting time after a failed attempt."""

    recovery: Track = Track(RECOVERY)
    samples: tuple[Sample, ...] = ()
    records: tuple[Record, ...] = ()
    provisional: Provisional | None = None
    cooling_until: str = ""
    starting_since: str = ""
    pause: Pause | None = None


@dataclass(frozen=True)
class Service:
    """A service's document.

    ``configured`` holds the thresholds of the inventory as the last run knew them, ``commanded`` those a person set by command; a command
    stands above the inventory. ``hold`` is the recovery track as a person opened it for the whole service; nothing counts on it.
    ``fence`` is the token of the newest session and only ever grows.
    """

    deployment: Track = Track(DEPLOYMENT)
    hold: Track = Track(RECOVERY)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    session: Session | None = None
    fence: int = 0
    configured: Mapping[str, int] = field(default_factory=dict)
    commanded: Mapping[str, int] = field(default_factory=dict)
    pause: Pause | None = None

    def instance(self, name: str) -> Instance:
        """The instance of that name, a new one when nothing is known of it."""
        return self.instances.get(name, Instance())

    def with_instance(self, name: str, instance: Instance) -> Service:
        """This service with one instance replaced."""
        return replace(self, instances={**self.instances, name: instance})

    def threshold(self, track: str) -> int:
        """The threshold in force: a person's command, else the inventory's, else the default."""
        return self.commanded.get(track) or self.configured.get(track) or DEFAULT_THRESHOLDS[track]


@dataclass(frozen=True)
class Environment:
    """An environment's document: which sessions run in it, which services turned sick when, and an operator's pause.

    ``sessions`` maps a session's id to the time its place is free again, ``sick`` a service's name to the time it turned sick.
    """

    sessions: Mapping[str, str] = field(default_factory=dict)
    sick: Mapping[str, str] = field(default_factory=dict)
    pause: Pause | None = None
    adopts: tuple[str, ...] = ()


def to_json(document: Service | Environment) -> dict[str, Any]:
    """The stored form of a document."""
    return asdict(document)


def service_from_json(scope: str, data: Mapping[str, Any] | None) -> Service:
    """The service a stored document holds; a scope nobody has written yet is a new service."""
    return Service() if data is None else _guarded(scope, data, _service)


def environment_from_json(scope: str, data: Mapping[str, Any] | None) -> Environment:
    """The environment a stored document holds; a scope nobody has written yet is a new environment."""
    return Environment() if data is None else _guarded(scope, data, _environment)


Decoded = TypeVar("Decoded")

_TIMES = frozenset(
    "at begun_at expires_at deadline started_at settled_at recovered_at until cooling_until starting_since opened_at closed_at budget_from"
    " last_failure_time".split()
)


def _guarded(scope: str, data: Mapping[str, Any], decode: Any) -> Any:
    try:
        return decode(data)
    except (TypeError, ValueError, KeyError, AttributeError, BadInput) as error:
        raise StateUnreadable(
            f"the stored document of {scope!r} does not have the form this version writes ({error})",
            "Nothing was changed. Restore the state from a backup, or look at the document before anything acts on it",
        ) from None


def _service(data: Mapping[str, Any]) -> Service:
    return _flat(
        Service,
        data,
        deployment=_track(data["deployment"], DEPLOYMENT),
        hold=_track(data["hold"], RECOVERY),
        instances={name: _instance(value) for name, value in data["instances"].items()},
        session=_optional(data.get("session"), _session),
        configured=_counts(data.get("configured", {})),
        commanded=_counts(data.get("commanded", {})),
        pause=_optional(data.get("pause"), lambda value: _flat(Pause, value)),
    )


def _environment(data: Mapping[str, Any]) -> Environment:
    return _flat(
        Environment,
        data,
        sessions=_times(data["sessions"]),
        sick=_times(data["sick"]),
        pause=_optional(data.get("pause"), lambda value: _flat(Pause, value)),
        adopts=tuple(data.get("adopts", ())),
    )


def _times(data: Mapping[str, Any]) -> dict[str, str]:
    for value in data.values():
        from_text(value)
    return dict(data)


def _instance(data: Mapping[str, Any]) -> Instance:
    return _flat(
        Instance,
        data,
        recovery=_track(data["recovery"], RECOVERY),
        samples=tuple(_flat(Sample, each) for each in data["samples"]),
        records=tuple(_flat(Record, each) for each in data["records"]),
        provisional=_optional(data.get("provisional"), lambda value: _flat(Provisional, value)),
        pause=_optional(data.get("pause"), lambda value: _flat(Pause, value)),
    )


def _session(data: Mapping[str, Any]) -> Session:
    return _flat(Session, data, attempts={name: _attempt(value) for name, value in data["attempts"].items()})


def _attempt(data: Mapping[str, Any]) -> Attempt:
    if data["state"] not in (WAITING, ACTING, DONE):
        raise ValueError(f"an attempt cannot be {data['state']!r}")
    rungs, step = tuple(data["rungs"]), data["step"]
    Policy(ladder=rungs)  # whoever can write state must not name what runs: names of roles, and nothing else
    if not rungs or not 0 <= step <= len(rungs) or (step == len(rungs) and data["state"] != DONE):
        raise ValueError(f"step {step} is none of its {len(rungs)} rungs")
    return _flat(
        Attempt,
        data,
        rungs=rungs,
        policy=Policy.from_json(data["policy"]),
        results=tuple(_flat(StepResult, each) for each in data["results"]),
        clock_s=float(data["clock_s"]),
    )


def _track(data: Mapping[str, Any], name: str) -> Track:
    count = data["failure_count"]
    if data["name"] != name or data["status"] not in (CLOSED, OPEN) or isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ValueError(f"that is no {name} track")
    return _flat(Track, data)


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    if not all(isinstance(value, int) and value >= 1 for value in data.values()):
        raise ValueError("thresholds are whole numbers from 1")
    return dict(data)


def _flat(cls: type[Decoded], data: Mapping[str, Any], **decoded: Any) -> Decoded:
    """An object of ``cls`` from the keys of ``data`` that are its fields, those in ``decoded`` already made."""
    plain = {"str": str, "int": int, "bool": bool}
    kinds = {each.name: str(each.type) for each in fields(cls)}  # type: ignore[arg-type]
    for name, value in data.items():
        if name not in kinds:
            raise ValueError(f"{name!r} is not a part of it")
        expected = plain.get(kinds[name], ())
        if name not in decoded and (not isinstance(value, expected) or isinstance(value, bool) != (expected is bool)):
            raise ValueError(f"{name!r} should be {kinds[name]}, found {value!r:.80}")
        if name in _TIMES and value:
            from_text(value)
    return cls(**{**data, **decoded})


def _optional(data: Any, decode: Any) -> Any:
    return None if data is None else decode(data)
