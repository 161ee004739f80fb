# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One probe measured, as the prober would have it measured."""

from __future__ import annotations

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.deadline import Deadline
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Context
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.memory import FORGETFUL
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import parse
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock, container


def measure(cut_short=False, inspect=None, engine=None, clock=None, memory=FORGETFUL, **options):
    """The result of one probe of these options; ``inspect`` is the container, or what asking for it raises."""
    probe = parse([options])[0]

    def look():
        if isinstance(inspect, Exception):
            raise inspect
        return inspect or container()

    context = Context(
        engine=engine or Engine("/nowhere"),
        container="web",
        inspect=look,
        deadline=Deadline(probe.deadline),
        cut_short=cut_short,
        clock=clock or FakeClock(),
        options=probe.options,
        mask=lambda text: text.replace("hunter2-secret", "********"),
        memory=memory,
    )
    return probe.kind.measure(context)
