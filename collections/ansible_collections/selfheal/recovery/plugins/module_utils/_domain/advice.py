# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person is told to do, by reason code."""

from __future__ import annotations

import shlex

from .decide import PATIENT

_CLOSE = "selfheal breaker close --scope {scope}"
_STATUS = "selfheal breaker status --scope {scope}"
_HISTORY = "selfheal breaker history --scope {scope}"

_NEXT: dict[str, tuple[str, ...]] = {
    "breaker_open": (_HISTORY, _CLOSE),
    "blast_radius": ("Look for what these instances share: their database, their network, their last deployment.",),
    "storm": ("Look for what these services share: name resolution, network, storage. Nobody was touched.",),
    "cooling_down": ("To try again without waiting: ansible-playbook recover.yml -e recovery_reason=manually_forced",),
    "container_missing": ("Start the container again by the means it was made with; a restart needs one that exists.",),
    "container_paused": ("docker unpause it on its host, when whoever paused it agrees.",),
    "state_unreadable": ("selfheal state info",),
    "unreachable": ("Check the host, its network and ssh: ansible -m ping {instance}",),
    "unknown": ("Check the engine on its host: systemctl status docker; docker version",),
    "starting_too_long": ("docker logs on its host says what it waits for.",),
    "report_only": ("No repair would help: follow the message of the check.",),
    "no_candidate": ("Deploy a version that works.",),
    "recurring": (_HISTORY, "Look for the cause: the repair works, and does not last."),
    "bad_input": ("Mend what the inventory says about it.",),
    "foreign_store": ("Decide which state store guards this host: the run above names the command that hands it over.",),
    "guard_unreadable": ("Look at the guard directory on its host: the run above names the file.",),
    "last_serving_instance": ("Look at its slow or failing checks while it still serves.",),
    "in_progress": (),
    "lease_held": (),
    "paused": ("selfheal breaker resume --scope {scope}",),
}
_OTHERWISE = (_STATUS, _HISTORY, "Look at the evidence on the host, and at docker logs.")


def needs_person(outcome: str, reason: str) -> bool:
    """Whether a run that ended so for an instance ends with status 2 (contract, "Outcome of a playbook run")."""
    if outcome in ("none", "recovered"):
        return False
    return not (outcome == "refused" and reason in PATIENT)


def next_commands(outcome: str, reason: str, scope: str, breaker_is_open: bool = False) -> list[str]:
    """What to do next about one instance, as commands that run as they stand, or sentences."""
    if outcome in ("none", "recovered"):
        return []
    words = {"scope": shlex.quote(scope), "instance": shlex.quote(scope.rsplit("/", 1)[-1])}
    lines = _NEXT.get(reason, _OTHERWISE)
    close = (_CLOSE,) if breaker_is_open and _CLOSE not in lines else ()
    return [line.format(**words) for line in (*lines, *close)]
