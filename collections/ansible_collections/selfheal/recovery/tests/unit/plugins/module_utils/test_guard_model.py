# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever happens in whatever order, the guard's promises hold: a model that checks every transaction by its events."""

from __future__ import annotations

from datetime import timedelta

import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import Phase, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule  # noqa: E402

from ansible_collections.selfheal.recovery.plugins.module_utils._domain import operator as person  # noqa: E402
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.policy import Policy  # noqa: E402
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope  # noqa: E402
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import from_text, to_text  # noqa: E402
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.paper import KEY, Paper, sessions_of, step_result  # noqa: E402

pytestmark = pytest.mark.property

NAMES = ("web1", "web2", "web3")
VERDICTS = ("healthy", "degraded", "unhealthy", "unknown")
OUTCOMES = ("recovered", "failed", "refused", "not_started", "unreachable")

verdicts = st.fixed_dictionaries({}, optional={name: st.sampled_from(VERDICTS) for name in NAMES}).filter(bool)
outcomes = st.fixed_dictionaries({name: st.sampled_from(OUTCOMES) for name in NAMES})


class Guard(RuleBasedStateMachine):
    """Runs that begin, advance, settle, die and come late; operators who open, close and set thresholds; time that passes."""

    @initialize(threshold=st.integers(1, 4), budget=st.integers(1, 9), proven=st.integers(60, 7200))
    def begin_empty(self, threshold, budget, proven):
        self.paper = Paper(Policy(recovery_threshold=threshold, daily_budget=budget, proven_after_s=proven, max_unhealthy_percent=100))
        self.open_runs = []
        self.counts = dict.fromkeys(NAMES, 0)
        self.opened = dict.fromkeys(NAMES, False)
        self.fence = 0
        self.read = 0

    def check(self):
        """Replay the new events of each instance: they, and nothing else, explain its count and its state."""
        read = self.read
        for event in self.paper.events[self.read :]:
            name = event.scope.rsplit("/", 1)[-1]
            if event.track != "recovery" or name not in NAMES:
                continue
            if event.action == "failure":
                self.counts[name] += 1
            elif event.action == "proven":
                self.counts[name] = 0
            elif event.action == "opened":
                assert not self.opened[name], "an open track does not open again"
                self.opened[name] = True
            elif event.action == "closed":
                self.opened[name], self.counts[name] = False, event.failure_count
            assert event.failure_count == self.counts[name], f"{event.action} of {name}"
            if event.action == "failure" and event.failure_count >= event.threshold:
                assert self.paper.instance(name).recovery.is_open or self.closed_since(event), "the write that reaches the threshold opens"
        self.read = len(self.paper.events)
        for name in NAMES:
            track = self.paper.instance(name).recovery
            assert (track.failure_count, track.is_open) == (self.counts[name], self.opened[name])
            if self.read > read and not track.is_open:
                self.check_budget(name)

    def check_budget(self, name):
        """Closed means: fewer attempts within the last 24 h than the budget, since the last full close."""
        instance = self.paper.instance(name)
        day_ago = to_text(self.paper.now - timedelta(days=1))
        since = [record for record in instance.records if record.started_at >= day_ago and record.started_at > instance.recovery.budget_from]
        kept = instance.recovery.closed_at and instance.recovery.closed_at > instance.recovery.budget_from
        assert kept or len(since) < self.paper.policy.daily_budget

    def closed_since(self, event):
        later = self.paper.events[self.paper.events.index(event) :]
        return any(each.action in ("closed", "proven") for each in later)

    @rule(seen=verdicts)
    def monitor(self, seen):
        before = {name: self.paper.instance(name) for name in NAMES}
        fence = self.paper.service().fence
        session = self.paper.service().session
        known = len(self.paper.events)
        answers = self.paper.begin(*[self.paper.see(name, verdict) for name, verdict in seen.items()])
        events = self.paper.events[known:]
        for name, instance in before.items():
            waiting = instance.provisional
            if waiting is None or name not in seen or (session is not None and name in session.attempts):
                continue
            actions = [event.action for event in events if event.scope.endswith(f"/{name}") and event.session_id == waiting.session_id]
            proven_at = from_text(waiting.recovered_at).timestamp() + waiting.proven_after_s
            proof = seen[name] == "healthy" and self.paper.now.timestamp() >= proven_at
            assert ("failure" in actions) == (seen[name] == "unhealthy"), "a relapse before proof is a failure, nothing else is"
            assert ("proven" in actions) == proof
        for name, answer in answers.items():
            explained = [event for event in events if event.scope.endswith(f"/{name}") and event.action in ("failure", "proven")]
            if not explained:
                assert self.paper.instance(name).recovery.failure_count == before[name].recovery.failure_count
            if seen[name] == "healthy":
                assert not answer.session_id, "a healthy instance is never touched"
            if answer.session_id:
                assert not before[name].recovery.is_open, "an open breaker is never passed"
                assert seen[name] in ("unhealthy", "degraded")
        for name in set(NAMES) - set(seen):
            settled = [event for event in events if event.scope.endswith(f"/{name}")]
            assert settled or self.paper.instance(name).recovery == before[name].recovery, "a sibling's run is none of its business"
        sessions = sessions_of(answers)
        if sessions:
            assert self.paper.service().fence == fence + 1
            self.open_runs.append((sessions, {name: each for name, each in answers.items() if each.session_id}, {}))
        else:
            assert self.paper.service().fence == fence
        self.check()

    @precondition(lambda self: self.open_runs)
    @rule(data=st.data(), ended=outcomes)
    def advance(self, data, ended):
        index = data.draw(st.integers(0, len(self.open_runs) - 1))
        sessions, answers, results = self.open_runs[index]
        results = {**results, **{name: step_result(each, ended[name]) for name, each in answers.items() if each.next.rung}}
        counts = dict(self.counts)
        session = self.paper.service().session
        over = session is not None and self.paper.now >= from_text(session.expires_at)
        answers = self.paper.advance(sessions, results)
        if over or session is None or session.id != sessions[KEY]:
            assert not any(each.next.rung or each.next.wait for each in answers.values()), "no step without the lease"
        assert counts == self.counts
        self.open_runs[index] = (sessions, answers, results)
        self.check()

    @precondition(lambda self: self.open_runs)
    @rule(data=st.data(), ended=outcomes, again=st.booleans())
    def settle(self, data, ended, again):
        index = data.draw(st.integers(0, len(self.open_runs) - 1))
        sessions, answers, results = self.open_runs[index]
        results = {**results, **{name: step_result(each, ended[name]) for name, each in answers.items() if each.next.rung}}
        before = self.paper.service()
        ours = before.session is not None and before.session.id == sessions[KEY]
        self.paper.settle(sessions, results)
        assert ours or self.paper.service() == before, "who does not hold the lease settles nothing"
        if again:
            before = self.paper.service()
            self.paper.settle(sessions, results)
            assert self.paper.service() == before, "settling twice changes nothing"
        self.check()

    @rule(name=st.sampled_from(NAMES), ended=st.sampled_from(OUTCOMES), seconds=st.sampled_from([60, 1900, 7200, 30000]), then=st.sampled_from(VERDICTS))
    def whole_run(self, name, ended, seconds, then):
        """A run that nobody disturbs, and the next measurement: without it proofs and relapses are too rare to be tried."""
        known = len(self.open_runs)
        self.monitor(seen={name: "unhealthy"})
        if len(self.open_runs) > known:
            sessions, answers, _results = self.open_runs.pop()
            self.paper.settle(sessions, {each: step_result(answer, ended) for each, answer in answers.items() if answer.next.rung})
            self.check()
        self.wait(seconds=seconds)
        self.monitor(seen={name: then})

    @rule(seconds=st.sampled_from([1, 60, 300, 601, 660, 1900, 7200, 90000]))
    def wait(self, seconds):
        self.paper.wait(seconds)

    @rule(keep=st.booleans(), name=st.sampled_from((*NAMES, "")))
    def close(self, keep, name):
        scope = Scope.parse(f"{KEY}/{name}" if name else KEY)
        self.paper.change(lambda service: person.close_breaker(service, person.Order(self.paper.now, scope, "ada"), keep))
        for each in [name] if name else NAMES:
            assert not self.paper.instance(each).recovery.is_open
            if not keep:
                assert self.paper.instance(each).recovery.failure_count == 0
        self.check()

    @rule(name=st.sampled_from(NAMES))
    def open(self, name):
        order = person.Order(self.paper.now, Scope.parse(f"{KEY}/{name}"), "ada", "a reason")
        self.paper.change(lambda service: person.open_breaker(service, order))
        self.check()

    @rule(value=st.integers(1, 4))
    def threshold(self, value):
        order = person.Order(self.paper.now, Scope.parse(KEY), "ada")
        self.paper.change(lambda service: person.set_threshold(service, order, "recovery", value))
        self.check()

    @invariant()
    def each_session_counts_once_per_instance(self):
        if not hasattr(self, "paper"):
            return
        seen = set()
        for event in self.paper.events:
            if event.action == "failure":
                assert (event.session_id, event.scope) not in seen, "one attempt, one failure"
                seen.add((event.session_id, event.scope))

    @invariant()
    def fence_only_grows(self):
        if hasattr(self, "paper"):
            assert self.paper.service().fence >= self.fence
            self.fence = self.paper.service().fence

    @invariant()
    def recovery_never_touches_the_deployment_track(self):
        if hasattr(self, "paper"):
            assert self.paper.service().deployment.failure_count == 0


TestGuard = Guard.TestCase
TestGuard.settings = settings(max_examples=120, stateful_step_count=40, deadline=None, phases=(Phase.reuse, Phase.generate))  # shrinking takes minutes
