# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `selfheal breaker status` tells a person: one block per service or instance."""

from __future__ import annotations

import shlex
from typing import Iterator

from ...module_utils._adapters.guard_commands import View
from ...module_utils._domain.breaker import DEPLOYMENT, RECOVERY, Track
from ...module_utils._domain.decide import pause_holds
from ...module_utils._domain.operator import BOTH
from ...module_utils._domain.state import Instance, Session
from ...module_utils._domain.times import from_text
from .words import count, harmless


def block(view: View, track: str = BOTH, options: str = "") -> list[str]:
    """The lines of one scope. ``options`` are added to the command that closes it, so that it means the same state."""
    lines = [f"{harmless(view.scope)}: {view.status()['status']}"]
    if track in (BOTH, RECOVERY):
        lines += _recovery(view)
    if track in (BOTH, DEPLOYMENT):
        lines += _track("deployment", view.service.deployment, view.service.threshold(DEPLOYMENT))
    lines += [f"  paused       {pause}" for pause in _pauses(view)]
    if view.service.session is not None:
        lines.append(f"  session      {_session(view, view.service.session)}")
    lines += _instances(view)
    return lines + [f"  When the cause is mended: {command}" for command in resets(view, options)]


def resets(view: View, options: str = "") -> list[str]:
    """The command that closes what is open, none when nothing is. What is open for a whole service is closed there."""
    service = view.service
    if service.hold.is_open or service.deployment.is_open:
        scope = view.scope.service_key
    elif any(each.recovery.is_open for _name, each in _chosen(view)):
        scope = str(view.scope)
    else:
        return []
    return [f"selfheal breaker close{options} --scope {shlex.quote(scope)}"]


def _recovery(view: View) -> Iterator[str]:
    chosen = _chosen(view)
    threshold = view.service.threshold(RECOVERY)
    if view.service.hold.is_open:
        yield f"  recovery     open for the whole service {_opened(view.service.hold)}"
        return
    tracks = [each.recovery for _name, each in chosen] or [Track(RECOVERY)]
    if len(tracks) == 1:
        yield from _track("recovery", tracks[0], threshold)
        return
    opened = sum(track.is_open for track in tracks)
    state = f"open for {opened} of {count(len(tracks), 'instance')}" if opened else "closed"
    yield f"  recovery     {state}; at most {count(max(track.failure_count for track in tracks), 'failure')}, threshold {threshold}"
    last = max(tracks, key=lambda track: track.last_failure_time)
    yield from _last_failure(last)


def _track(name: str, track: Track, threshold: int) -> Iterator[str]:
    state = f"open {_opened(track)}" if track.is_open else "closed"
    yield f"  {name:<12} {state}; {count(track.failure_count, 'failure')}, threshold {threshold}"
    yield from _last_failure(track)


def _opened(track: Track) -> str:
    return f"since {track.opened_at} by {harmless(track.opened_by) or 'somebody'} ({harmless(track.last_trigger)}: {harmless(track.trigger_reason)})"


def _last_failure(track: Track) -> Iterator[str]:
    if track.last_failure_time:
        yield f"               last failure {track.last_failure_time}: {harmless(track.last_failure_reason)}"


def _pauses(view: View) -> Iterator[str]:
    held = [(view.scope.environment, view.environment.pause), (view.scope.service_key, view.service.pause)]
    held += [(str(view.scope.of(name)), each.pause) for name, each in _chosen(view)]
    for of, pause in held:
        if pause is not None and pause_holds(pause, view.now):
            yield f"{harmless(of)} until {pause.until} by {harmless(pause.by)}: {harmless(pause.reason)}"


def _session(view: View, session: Session) -> str:
    over = view.now >= from_text(session.expires_at)
    lease = f"its lease ended at {session.expires_at}: the next run takes over" if over else f"lease until {session.expires_at}"
    return f"{harmless(session.id)} of {harmless(session.holder)}, begun {session.begun_at} by {harmless(session.triggered_by)}; {lease}"


def _instances(view: View) -> Iterator[str]:
    chosen = _chosen(view)
    if not chosen:
        return
    yield "  instances"
    width = max(len(harmless(name)) for name, _each in chosen)
    for name, each in chosen:
        yield f"    {harmless(name):<{width}}  {'; '.join(_facts(view, each))}"


def _facts(view: View, instance: Instance) -> Iterator[str]:
    track = instance.recovery
    state = f"open {_opened(track)}" if track.is_open else "closed"
    yield f"{state}, {count(track.failure_count, 'failure')}"
    if instance.samples:
        yield f"{harmless(instance.samples[-1].verdict)} at {instance.samples[-1].at}"
    if instance.cooling_until and view.now < from_text(instance.cooling_until):
        yield f"cooling down until {instance.cooling_until}"
    if instance.provisional is not None:
        yield f"recovered {instance.provisional.recovered_at}, still to be proven"


def _chosen(view: View) -> list[tuple[str, Instance]]:
    return [(name, each) for name, each in sorted(view.service.instances.items()) if view.scope.instance in ("", name)]
