# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person commands: open, close, check, thresholds, pause and resume.

Every command is ``(service or environment, order) -> (the same, changed, events)``; a command that changes nothing gives no events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Callable

from . import breaker
from .breaker import DEPLOYMENT, RECOVERY, TRACKS, Cause, Track
from .decide import pause_holds
from .errors import BadInput
from .events import Event
from .policy import DAY
from .scope import Scope
from .state import Environment, Pause, Service
from .times import to_text

BOTH = "both"
_LONGEST_REASON = 500

Transition = Callable[[Track, Cause], "tuple[Track, list[Event]]"]


@dataclass(frozen=True)
class Order:
    """Who commands what, when and why. ``scope`` is a service's or an instance's; ``track`` is ``recovery``, ``deployment`` or ``both``."""

    now: datetime
    scope: Scope
    by: str
    reason: str = ""
    track: str = BOTH

    def __post_init__(self) -> None:
        if self.track not in (*TRACKS, BOTH):
            raise BadInput(f"expected a track: recovery, deployment or both, found {self.track!r:.40}")
        if len(self.reason) > _LONGEST_REASON:
            raise BadInput(f"expected a reason of at most {_LONGEST_REASON} characters, found {len(self.reason)}")
        if self.track == DEPLOYMENT and self.scope.instance:
            raise BadInput("the deployment track belongs to the service, not to one instance", f"Name it: --scope {self.scope.service_key}")

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks meant; of an instance only recovery."""
        wanted = TRACKS if self.track == BOTH else (self.track,)
        return (RECOVERY,) if self.scope.instance else wanted


def open_breaker(service: Service, order: Order) -> tuple[Service, list[Event]]:
    """Open the tracks meant. Recovery of a whole service is held at the service, so that instances nobody has seen yet are blocked as well."""
    if not order.reason.strip():
        raise BadInput("expected a reason for opening the breaker", "Give one: --reason WHY")
    events: list[Event] = []
    if RECOVERY in order.tracks and order.scope.instance:
        service, events = _instances(service, order, breaker.open_)
    elif RECOVERY in order.tracks:
        hold, events = breaker.open_(service.hold, _cause(service, order, RECOVERY))
        service = replace(service, hold=hold)
    if DEPLOYMENT in order.tracks:
        service, more = _deployment(service, order, breaker.open_)
        events = events + more
    return service, events


def close_breaker(service: Service, order: Order, keep_failures: bool = False) -> tuple[Service, list[Event]]:
    """Close the tracks meant: of a service, its own hold and every instance's. Counts start at 0 again unless they are kept."""

    def transition(track: Track, cause: Cause) -> tuple[Track, list[Event]]:
        if not track.is_open and (keep_failures or not track.failure_count):
            return track, []
        return breaker.close(track, cause, keep_failures)

    events: list[Event] = []
    if RECOVERY in order.tracks:
        service, events = _instances(service, order, transition)
        if not order.scope.instance:
            hold, more = transition(service.hold, _cause(service, order, RECOVERY))
            service, events = replace(service, hold=hold), events + more
    if DEPLOYMENT in order.tracks:
        service, more = _deployment(service, order, transition)
        events = events + more
    return service, events


def check_breaker(service: Service, order: Order) -> tuple[Service, list[Event]]:
    """Open every track meant that is at or over its threshold; events tell what was opened."""
    order = replace(order, reason=order.reason or "over its threshold")
    events: list[Event] = []
    if RECOVERY in order.tracks:
        service, events = _instances(service, order, breaker.check)
    if DEPLOYMENT in order.tracks:
        service, more = _deployment(service, order, breaker.check)
        events = events + more
    return service, events


def set_threshold(service: Service, order: Order, track: str, value: int) -> tuple[Service, list[Event]]:
    """Set the service's threshold of one track; it stands above the inventory's from now on."""
    if order.scope.instance:
        raise BadInput("a threshold belongs to the service, not to one instance", f"Name it: --scope {order.scope.service_key}")
    breaker.valid_threshold(value)
    if service.commanded.get(track) == value:
        return service, []
    before = service.threshold(track)
    service = replace(service, commanded={**service.commanded, track: value})
    reason = order.reason or f"from {before} to {value}"
    return service, [_event(order, "threshold", replace(_cause(service, order, track), reason=reason), track)]


def pause_service(service: Service, order: Order, seconds: float) -> tuple[Service, list[Event]]:
    """Leave a service or one of its instances alone for ``seconds``."""
    pause = _pause(order, seconds)
    return _with_pause(service, order, pause), [_event(order, "paused", _cause(service, order, RECOVERY))]


def resume_service(service: Service, order: Order) -> tuple[Service, list[Event]]:
    """End a pause of a service or of one of its instances before its time."""
    paused = service.instance(order.scope.instance).pause if order.scope.instance else service.pause
    if paused is None or not pause_holds(paused, order.now):
        return service, []
    return _with_pause(service, order, None), [_event(order, "resumed", _cause(service, order, RECOVERY))]


def pause_environment(environment: Environment, name: str, order: Order, seconds: float) -> tuple[Environment, list[Event]]:
    """Leave a whole environment alone for ``seconds``."""
    changed = replace(environment, pause=_pause(order, seconds))
    return changed, [replace(_event(order, "paused", Cause(order.now, name, 0, order.reason, order.by)), scope=name)]


def resume_environment(environment: Environment, name: str, order: Order) -> tuple[Environment, list[Event]]:
    """End a pause of an environment before its time."""
    if environment.pause is None or not pause_holds(environment.pause, order.now):
        return environment, []
    changed = replace(environment, pause=None)
    return changed, [replace(_event(order, "resumed", Cause(order.now, name, 0, order.reason, order.by)), scope=name)]


def adopt_hosts(environment: Environment, name: str, order: Order, store_id: str) -> tuple[Environment, list[Event]]:
    """Let this store take over the hosts of an environment that remember the store ``store_id``."""
    if len(store_id) != 32 or not set(store_id) <= set("0123456789abcdef"):
        raise BadInput(f"expected the id of a store: 32 lower-case hex digits, found {store_id!r:.80}", "The refused run names it")
    if not order.reason.strip():
        raise BadInput("expected a reason for taking hosts over from another store", "Give one: --reason WHY")
    if store_id in environment.adopts:
        return environment, []
    changed = replace(environment, adopts=(*environment.adopts, store_id))
    return changed, [replace(_event(order, "adopted", Cause(order.now, name, 0, order.reason, order.by)), scope=name)]


def _pause(order: Order, seconds: float) -> Pause:
    if not order.reason.strip():
        raise BadInput("expected a reason for the pause", "Give one: --reason WHY")
    if not 0 < seconds <= DAY:
        raise BadInput(f"expected a pause of at most 24 h, found {seconds:.0f} s", "A longer stop is a breaker's: selfheal breaker open --reason WHY")
    return Pause(order.reason, order.by, to_text(order.now + timedelta(seconds=seconds)))


def _with_pause(service: Service, order: Order, pause: Pause | None) -> Service:
    if not order.scope.instance:
        return replace(service, pause=pause)
    return service.with_instance(order.scope.instance, replace(service.instance(order.scope.instance), pause=pause))


def _instances(service: Service, order: Order, transition: Transition) -> tuple[Service, list[Event]]:
    names = [order.scope.instance] if order.scope.instance else sorted(service.instances)
    events: list[Event] = []
    for name in names:
        instance = service.instance(name)
        cause = replace(_cause(service, order, RECOVERY), scope=str(order.scope.of(name)))
        track, more = transition(instance.recovery, cause)
        if more:
            service, events = service.with_instance(name, replace(instance, recovery=track)), events + more
    return service, events


def _deployment(service: Service, order: Order, transition: Transition) -> tuple[Service, list[Event]]:
    track, events = transition(service.deployment, _cause(service, order, DEPLOYMENT))
    return replace(service, deployment=track), events


def _cause(service: Service, order: Order, track: str) -> Cause:
    return Cause(order.now, str(order.scope), service.threshold(track), order.reason, order.by)


def _event(order: Order, action: str, cause: Cause, track: str = "") -> Event:
    return Event(to_text(order.now), cause.scope, track, action, cause.reason, order.by, threshold=cause.threshold if track else 0)
