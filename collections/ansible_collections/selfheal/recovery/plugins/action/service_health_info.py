# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Mapping

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.outcomes import UNREACHABLE
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import to_text
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import UNKNOWN, Health
from ansible_collections.selfheal.recovery.plugins.module_utils._measure import prober_of
from ansible_collections.selfheal.recovery.plugins.modules.service_health_info import argument_spec
from ansible_collections.selfheal.recovery.plugins.plugin_utils._action import FactsAction, Silence


class ActionModule(FactsAction):
    """A host that cannot be asked has the verdict ``unknown``. The policy of the instance stays on the control node."""

    module = "selfheal.recovery.service_health_info"
    function = "_measure.service_health_info"
    withheld = ("policy",)

    def spec(self) -> Mapping[str, Any]:
        return argument_spec()

    def check(self, params: Mapping[str, Any]) -> object:
        return prober_of(params, params["session_id"])

    def handed_through(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"policy": params["policy"]}

    def silence(self, params: Mapping[str, Any], why: Silence) -> dict[str, Any]:
        what = {UNREACHABLE: "the host is unreachable"}.get(why.reason, "the host could not be measured")
        health = Health(
            timestamp=to_text(datetime.now(UTC)),
            session_id=params["session_id"],
            scope=params["scope"],
            host=str(self._play_context.remote_addr or ""),
            overall_status=UNKNOWN,
            errors=(f"{what}: {why.detail}",),
        )
        return {
            "changed": False,
            "scope": params["scope"],
            "health": health.to_json(),
            "observed": {},
            "stable": False,
            "waited_s": 0.0,
            "unreachable_host": why.reason == UNREACHABLE,
        }
