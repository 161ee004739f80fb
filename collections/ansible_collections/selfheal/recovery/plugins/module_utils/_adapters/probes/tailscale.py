# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is this node on its tailnet? Asked of Tailscale's own command, on the host or in the container.

Its answer is ``ipnstate.Status`` of https://pkg.go.dev/tailscale.com/ipn/ipnstate as JSON, of which a few fields are read.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Mapping

from ..._domain.container import moment
from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT
from . import inside, outside
from .excerpt import excerpt
from .kind import Context, Kind, Option, Result, Unmeasured

_OUTPUT_LIMIT = 512 * 1024
_DAY_S = 86400
_MOST_DAYS = 3650
_NEVER = "0001-01-01"  # the zero time of Go

_RUNNING = "Running"
_ONLY_A_PERSON = {
    "NeedsLogin": "has to be logged in (tailscale up)",
    "NeedsMachineAuth": "waits to be approved by an admin of the tailnet",
    "InUseOtherUser": "is in use by another user of this host",
}
_DOWN = {
    "NoState": "has not started",
    "Stopped": "is stopped",
}
_STARTING = {"Starting": "is starting"}


def measure(context: Context) -> Result:
    """Judge what the command says about the own node."""
    try:
        return _judge(context, _status(context))
    except inside.NOT_RUNNING as error:
        return Result(FAILED, error.message)


def _judge(context: Context, status: Mapping[str, Any]) -> Result:
    state = _field(status, "BackendState", str)
    metrics = {"backend_state": excerpt(state, context.mask, 40), "warnings": len(_field(status, "Health", list, []))}
    for states, finding, remedy in ((_ONLY_A_PERSON, FAILED, REPORT), (_DOWN, FAILED, ""), (_STARTING, SOFT, "")):
        if state in states:
            return Result(finding, f"Tailscale {states[state]} (state {state})", metrics, remedy)
    if state != _RUNNING:
        raise Unmeasured(f"Tailscale is in a state that is not known here: {metrics['backend_state']!r}")
    return _judge_node(context, _field(status, "Self", dict), metrics)


def _judge_node(context: Context, node: Mapping[str, Any], metrics: dict[str, Any]) -> Result:
    addresses, expiry = _field(node, "TailscaleIPs", list, []), _expiry(node)
    days = (expiry - context.clock.now()).total_seconds() / _DAY_S if expiry else None
    metrics |= {"online": _field(node, "Online", bool, False), "addresses": len(addresses)}
    if days is not None:
        metrics["key_days"] = round(days, 1)
    if _field(node, "Expired", bool, False) or (days is not None and days < 0):
        when = f" on {expiry:%Y-%m-%d %H:%M} UTC" if expiry else ""
        return Result(FAILED, f"the key of this Tailscale node expired{when}: log it in again (tailscale up --force-reauth)", metrics, REPORT)
    if not addresses:
        return Result(FAILED, "Tailscale runs, but has no address", metrics)
    if not metrics["online"]:
        return Result(FAILED, "Tailscale runs, but this node is offline: it does not reach its control server", metrics)
    if days is not None and days < context.options["key_days"]:
        message = f"the key of this Tailscale node expires in {days:.1f} days (less than {context.options['key_days']})"
        return Result(SOFT, f"{message}: log it in again, or disable its key's expiry", metrics, REPORT)
    return Result(HEALTHY, f"Tailscale runs, and this node is online as {excerpt(str(addresses[0]), context.mask, 60)}", metrics)


def _status(context: Context) -> Mapping[str, Any]:
    """What ``status --json`` writes; the peers are left out, because there may be thousands."""
    options = context.options
    socket = [f"--socket={options['tailscale_socket']}"] if options["tailscale_socket"] else []
    argv = [options["tailscale_path"], *socket, "status", "--json", "--peers=false"]
    ran = inside.run(context, argv, _OUTPUT_LIMIT) if options["in_container"] else outside.run(argv, context.deadline, _OUTPUT_LIMIT)
    if ran.status is None:
        raise _overdue(context, argv[0], f": {ran.left}" if ran.left else "")
    if ran.status:
        said = excerpt((ran.output.stderr + ran.output.stdout).decode("utf-8", "replace"), context.mask)
        raise Unmeasured(f"{argv[0]} status ended with status {ran.status}: {said}", "Let whoever measures use Tailscale's socket (root), and start tailscaled")
    try:
        data = json.loads(ran.output.stdout)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Unmeasured(f"{argv[0]} status --json did not answer with a JSON object")
    return data


def _overdue(context: Context, tool: str, left: str) -> Unmeasured:
    """The command waits for a daemon that is not there."""
    return Unmeasured(f"{tool} did not answer within {context.deadline.seconds:.1f} s{left}", "Look whether tailscaled runs (systemctl status tailscaled)")


def _expiry(node: Mapping[str, Any]) -> datetime | None:
    """When the node's key expires; ``None`` for never."""
    text = _field(node, "KeyExpiry", str, "")
    if text.startswith(_NEVER):
        return None
    expiry = moment(text)
    if text and expiry is None:
        raise Unmeasured(f"Tailscale's answer has a KeyExpiry that is no time: {text!r:.60}")
    return expiry


def _field(data: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of the answer; without ``default`` it has to be there."""
    value = data.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind):
        raise Unmeasured(f"Tailscale's answer is not as expected: {name} is {type(value).__name__}, not {kind.__name__}")
    return value


def _check_tool(path: str) -> None:
    if not path or path.startswith("-") or "\0" in path:
        raise BadInput(f"expected tailscale_path to be Tailscale's command, found {path!r:.200}")


def _check_socket(path: str) -> None:
    if not path.startswith("/") or "\0" in path:
        raise BadInput(f"expected tailscale_socket to be an absolute path, found {path!r:.200}")


def _check_days(days: int) -> None:
    if not 0 <= days <= _MOST_DAYS:
        raise BadInput(f"expected key_days from 0 to {_MOST_DAYS}, found {days}")


KIND = Kind(
    name="tailscale",
    measure=measure,
    options={
        **inside.IN_CONTAINER,
        "tailscale_path": Option("str", default="tailscale", check=_check_tool),
        "tailscale_socket": Option("str", default="", check=_check_socket),
        "key_days": Option("int", default=14, check=_check_days),
    },
)
