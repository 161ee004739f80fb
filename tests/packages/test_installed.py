# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""However it was installed: it repairs what is sick, from anywhere and from cron, and answers questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.site import Site, now

from .build import CHECKOUT
from .installed import Installed

pytestmark = [pytest.mark.lab, pytest.mark.e2e]


def cron_file() -> tuple[dict[str, str], str]:
    """The variables and the command of the cron file that the README shows."""
    shown = re.search(r"^# /etc/cron\.d/selfheal\n(?P<lines>(?:.+\n)+?)```", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    assert shown
    *variables, job = shown["lines"].splitlines()
    *_when, user, command = job.split(maxsplit=6)
    assert (user, "%" in command) == ("root", False)  # cron makes a new line of each %
    return dict(each.split("=", 1) for each in variables), command


def result(var_lib: Path) -> dict[str, dict[str, str]]:
    """What the newest run came to for each instance, read where root's reports are by default."""
    newest = max(var_lib.glob("selfheal/reports/*/result.json"), key=lambda path: path.stat().st_mtime)
    found: dict[str, dict[str, str]] = json.loads(newest.read_text())["instances"]
    return found


@pytest.mark.parametrize(
    ("door", "cwd", "playbook"),
    [
        ("wheel", "/", "selfheal.recovery.recover"),
        ("galaxy", "/", "selfheal.recovery.recover"),
        ("checkout", str(CHECKOUT), "recover.yml"),
        ("checkout", "/", str(CHECKOUT / "recover.yml")),
        ("checkout", "/", "selfheal.recovery.recover"),
    ],
)
def test_recovery_runs_from_any_directory(request: pytest.FixtureRequest, site: Site, var_lib: Path, door: str, cwd: str, playbook: str) -> None:
    product: Installed = request.getfixturevalue(f"from_{door}")
    (web,) = site.deploy("web")
    web.break_until_restart()
    since = now()

    done = product.run(site.lab, [product.programs / "ansible-playbook", "-i", site.inventory, playbook], var_lib, Path(cwd))

    assert done.returncode == 0, done.stdout + done.stderr
    assert result(var_lib)["web1"]["outcome"] == "recovered"
    assert site.restarts(since) == {"web1": 1}
    assert web.status() == 200


def test_cron_repairs_in_silence_and_speaks_when_a_person_is_needed(product: Installed, site: Site, var_lib: Path) -> None:
    """By the very line that the README shows."""
    variables, line = cron_file()
    command = line.replace("/opt/selfheal/bin", str(product.programs)).replace("/etc/selfheal/hosts.yml", str(site.inventory))
    assert str(site.inventory) in command and str(product.programs) in command
    (web,) = site.deploy("web")
    web.break_until_restart()
    since = now()

    silent = product.run(site.lab, ["/bin/sh", "-c", command], var_lib, variables=variables)

    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    assert result(var_lib)["web1"]["outcome"] == "recovered"
    assert site.restarts(since) == {"web1": 1}

    opened = product.run(site.lab, [*product.selfheal, "breaker", "open", "--reason", "to be told of it"], var_lib)
    assert opened.returncode == 0, opened.stderr
    web.break_until_restart()
    since = now()

    spoken = product.run(site.lab, ["/bin/sh", "-c", command], var_lib, variables=variables)

    assert "to be told of it" in spoken.stdout
    assert "selfheal breaker close" in spoken.stdout
    assert (result(var_lib)["web1"]["outcome"], site.mutations(since)) == ("refused", {})


def test_command_answers(product: Installed, site: Site, var_lib: Path) -> None:
    """Help, the breakers, and a service's health."""
    (web,) = site.deploy("web")

    def ask(*words: str) -> tuple[int, str]:
        done = product.run(site.lab, [*product.selfheal, *words], var_lib)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    status, shown = ask("--help")
    assert (status, shown.splitlines()[0].startswith("usage: selfheal ")) == (0, True)
    status, shown = ask("breaker", "status", "--json")
    assert (status, json.loads(shown)["status"]) == (0, "closed")
    status, shown = ask("health", "--json", "--url", f"http://{web.host.address}:{web.port}")
    assert (status, json.loads(shown)["overall_status"]) == (0, "healthy")
    web.break_for_good()
    assert ask("health", "--url", f"http://{web.host.address}:{web.port}")[0] == 1


def test_documentation_is_readable(product: Installed, site: Site, var_lib: Path) -> None:
    """Every module and role of the collection, by `ansible-doc`."""
    for kind, some in (("module", "service_health_info"), ("role", "recovery"), ("filter", "fleet")):
        doc: list[str | Path] = [product.programs / "ansible-doc", "--type", kind, "--json"]
        names = json.loads(product.run(site.lab, [*doc, "--list", "selfheal.recovery"], var_lib).stdout)
        assert f"selfheal.recovery.{some}" in names
        done = product.run(site.lab, [*doc, *names], var_lib)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert shown.keys() == names.keys()
        if kind == "module":
            assert {Path(each["doc"]["filename"]).parents[2] for each in shown.values()} == {product.collection}


def test_front_doors_answer_from_cron(from_checkout: Installed, site: Site, var_lib: Path) -> None:
    """With the machine's own Python, which knows nothing of the project."""
    (web,) = site.deploy("web")

    def ask(door: str, *words: str) -> tuple[int, str]:
        done = from_checkout.run(site.lab, ["/usr/bin/python3", CHECKOUT / "scripts" / door, *words], var_lib)
        return done.returncode, done.stdout

    status, shown = ask("circuit_breaker.py", "status")
    assert (status, shown.splitlines()[0]) == (0, "default/default: closed")
    status, shown = ask("health_check.py", "--json", "--url", f"http://{web.host.address}:{web.port}")
    assert (status, json.loads(shown)["overall_status"]) == (0, "healthy")
