# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m tests.lab up|down|run|status|purge`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from . import engines, rootfs
from .errors import LabError
from .host import Host
from .lab import Lab
from .requirements import lab_unavailable


def main(arguments: list[str] | None = None) -> int:
    """Exit 0 done, 1 the answer is no (status), 2 it could not be done; `run` exits as its command does."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.verb(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default="lab", help="the lab's name (default: lab); labs of different names run side by side")
    common.add_argument("--state", type=Path, help="directory for its files (default: selfheal-lab/NAME below $XDG_RUNTIME_DIR or /run)")
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="A sealed network of real Docker hosts on this machine.")
    verbs = parser.add_subparsers(required=True, metavar="up|down|run|status|purge")
    up = verbs.add_parser("up", parents=[common], help="start the lab; what a killed run left is cleared up first")
    up.add_argument("--hosts", type=int, default=3, help="how many hosts (default: 3)")
    up.add_argument("--subnet", help="a /24 (default: derived from the name)")
    up.add_argument("--engine", action="append", default=[], choices=list(engines.ENGINES), help="the next host's engine (default: stock, for all)")
    up.set_defaults(verb=_up)
    down = verbs.add_parser("down", parents=[common], help="clear the lab up; harmless when there is none")
    down.set_defaults(verb=_down)
    run = verbs.add_parser("run", parents=[common], help="run a command inside the lab's network: run -- CMD ...")
    run.add_argument("command", nargs="+", metavar="CMD")
    run.set_defaults(verb=_run)
    status = verbs.add_parser("status", parents=[common], help="say what runs; exit 1 unless all of it does")
    status.add_argument("--json", action="store_true")
    status.set_defaults(verb=_status)
    purge = verbs.add_parser("purge", parents=[common], help="clear the lab up and remove the cached root file systems")
    purge.set_defaults(verb=_purge)
    return parser


def _up(options: argparse.Namespace) -> int:
    reason = lab_unavailable()
    if reason:
        raise LabError(reason)
    lab = Lab(options.name, options.hosts, state=options.state, subnet=options.subnet, engine_names=options.engine)
    built = rootfs.ensure()
    if built:
        print(f"root file system built in {built:.1f} s: {rootfs.path()}")
    fetched = engines.ensure(options.engine)
    if fetched:
        print(f"engines fetched in {fetched:.1f} s")
    seconds = lab.up()
    print(f"lab {lab.name}: {len(lab.hosts)} hosts up in {seconds:.2f} s ({', '.join(host.address for host in lab.hosts)}; registry {lab.registry})")
    return 0


def _down(options: argparse.Namespace) -> int:
    Lab(options.name, state=options.state).down()
    return 0


def _run(options: argparse.Namespace) -> int:
    argv = Lab.attach(options.name, state=options.state).enter(options.command)
    os.execvp(argv[0], argv)


def _status(options: argparse.Namespace) -> int:
    lab = Lab.attach(options.name, state=options.state)
    up = lab.is_up()
    hosts = [{"name": host.name, "address": host.address, "pid": _pid(host)} for host in lab.hosts]
    if options.json:
        print(json.dumps({"name": lab.name, "up": up, "state": str(lab.state), "control": lab.plan.control, "registry": lab.registry, "hosts": hosts}))
    else:
        print(f"lab {lab.name}: {'up' if up else 'not (all) up'}; files in {lab.state}, control namespace {lab.plan.control}, registry {lab.registry}")
        for host in hosts:
            print(f"  {host['name']}  {host['address']}  {'pid ' + str(host['pid']) if host['pid'] else 'not running'}")
    return 0 if up else 1


def _pid(host: Host) -> int | None:
    try:
        return host.pid
    except LabError:
        return None


def _purge(options: argparse.Namespace) -> int:
    Lab(options.name, state=options.state).down()
    for path in rootfs.purge():
        print(f"removed {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
