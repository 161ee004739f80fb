# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a new measurement does to what is remembered: samples, proof of a recovery, relapse.

Nothing here acts, and an ``unknown`` verdict neither proves nor fails anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from .breaker import DEPLOYMENT, RECOVERY, Cause, fail, prove
from .events import Event
from .inputs import Observation
from .outcomes import PROVEN, RELAPSED
from .policy import JITTER, SAMPLES_KEPT, Policy
from .state import Instance, Provisional, Record, Sample, Service
from .times import from_text, to_text
from .verdict import HEALTHY, UNHEALTHY, UNKNOWN


def observe(service: Service, seen: Observation, now: datetime, triggered_by: str) -> tuple[Service, list[Event]]:
    """Remember one measurement; a recovery waiting for its proof is settled when the measurement settles it."""
    name = seen.scope.instance
    instance = service.instance(name)
    text = to_text(now)
    well = seen.ladder == HEALTHY
    instance = replace(
        instance,
        samples=(*instance.samples, Sample(text, seen.verdict, seen.ladder, is_sick(seen)))[-SAMPLES_KEPT:],
        starting_since=(instance.starting_since or text) if seen.starting and seen.verdict == UNKNOWN else "",
    )
    service = service.with_instance(name, instance)
    waiting = instance.provisional
    acting = service.session is not None and name in service.session.attempts
    if waiting is None or acting or seen.verdict == UNKNOWN or seen.container_state == "paused":
        return service, []
    if seen.ladder == UNHEALTHY:
        return _settled(service, seen, waiting, now, triggered_by, RELAPSED)
    if well and now >= from_text(waiting.recovered_at) + timedelta(seconds=waiting.proven_after_s):
        return _settled(service, seen, waiting, now, triggered_by, PROVEN)
    return service, []


def is_sick(seen: Observation) -> bool:
    """Whether an instance counts as sick for the fleet's numbers: unhealthy, or not to be measured and not just starting."""
    return seen.ladder == UNHEALTHY or (seen.verdict == UNKNOWN and not seen.starting)


def _settled(service: Service, seen: Observation, waiting: Provisional, now: datetime, triggered_by: str, outcome: str) -> tuple[Service, list[Event]]:
    """Settle a recovery that waited for its proof as ``proven`` or ``relapsed``; one that redeployed settles the deployment track too."""
    scope = seen.scope
    transition = prove if outcome == PROVEN else fail
    instance = service.instance(scope.instance)
    cause = Cause(now, str(scope), service.threshold(RECOVERY), outcome, triggered_by, waiting.session_id)
    track, events = transition(instance.recovery, cause)
    instance = replace(
        instance,
        recovery=track,
        provisional=None,
        records=settled_as(instance.records, waiting.session_id, outcome),
        cooling_until="" if outcome == PROVEN else cooling_until(seen.policy, track.failure_count, now, waiting.session_id),
    )
    service = service.with_instance(scope.instance, instance)
    if waiting.redeployed:
        deployment, more = transition(service.deployment, replace(cause, scope=scope.service_key, threshold=service.threshold(DEPLOYMENT)))
        service, events = replace(service, deployment=deployment), events + more
    return service, events


def settled_as(records: tuple[Record, ...], session_id: str, outcome: str) -> tuple[Record, ...]:
    """The records with the one of ``session_id`` settled as ``outcome``."""
    return tuple(replace(record, outcome=outcome) if record.session_id == session_id else record for record in records)


def cooling_until(policy: Policy, failures: int, now: datetime, seed: str) -> str:
    """When the next attempt may begin after ``failures`` failures in a row: the policy's waiting time, give or take 20 %.

    The jitter comes from ``seed`` (the session's id), so that the same facts always give the same answer.
    """
    waiting = policy.backoff_s[min(max(failures, 1), len(policy.backoff_s)) - 1]
    share = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 0xFFFFFFFF
    return to_text(now + timedelta(seconds=waiting * (1 + JITTER * (2 * share - 1))))


def last_sample(instance: Instance, now: datetime, within_s: float) -> Sample | None:
    """The newest sample, when it is not older than ``within_s``."""
    if not instance.samples:
        return None
    newest = instance.samples[-1]
    return newest if (now - from_text(newest.at)).total_seconds() <= within_s else None
