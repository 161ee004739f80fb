# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run `ansible-test` on the collection without containers: `python -m tests.setup.run_ansible_test sanity|units [its options]`.

Must be started with the environment's Python (`.venv/bin/python`), which has Ansible and the tools beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = CHECKOUT / "collections" / "ansible_collections" / "selfheal" / "recovery"
ENVIRONMENT = Path(sys.prefix)
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_TARGET = "3.9"
ON_OLDEST = {"sanity": ["--test", "compile", "--test", "import"], "units": ["--venv", "--requirements"]}

# Where ansible-test looks for a pip it has downloaded; Python's own pip saves the download, and works without the Internet.
BOOTSTRAP = "import ensurepip\nensurepip.bootstrap(default_pip=True)\n"


def main(arguments: list[str]) -> int:
    """Prepare, run, and return the worst exit status."""
    if not arguments or arguments[0] not in ON_OLDEST:
        print("usage: python -m tests.setup.run_ansible_test sanity|units [options of ansible-test]", file=sys.stderr)
        return 2
    command, *options = arguments
    provide_pip_bootstrap()
    environment = clean_environment()
    status = run([command, "--python", THIS_PYTHON, *options], environment)
    # Hosts may have an older Python than the control node: what is sent to them must compile, import and work there.
    if not options and has_python(OLDEST_TARGET, environment):
        status = max(status, run([command, *ON_OLDEST[command], "--python", OLDEST_TARGET], environment))
    return status


def run(arguments: list[str], environment: dict[str, str]) -> int:
    """One `ansible-test` in the collection's directory."""
    line = [str(ENVIRONMENT / "bin" / "ansible-test"), *arguments]
    print("+ ansible-test", *arguments, flush=True)
    return subprocess.run(line, cwd=COLLECTION, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


def provide_pip_bootstrap() -> None:
    """Put the bootstrap where this ansible-core looks for it, under the names it uses."""
    import ansible_test

    requirements = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    versions = re.findall(r"""pip=['"]([\d.]+)['"]""", requirements)
    cache = Path("~/.ansible/test/cache").expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        bootstrap = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not bootstrap.exists():
            bootstrap.write_text(BOOTSTRAP, encoding="utf-8")


def clean_environment() -> dict[str, str]:
    """The environment's tools first, then the machine's, without shims: ansible-test wants interpreters, not their stand-ins."""
    path = [str(ENVIRONMENT / "bin")]
    path += [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(entry).name != "shims"]
    path += [str(entry) for entry in sorted(pyenv_root().glob(f"versions/{OLDEST_TARGET}.*/bin"))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTEST_")) and name != "PYTHONPATH"}
    return {**environment, "PATH": os.pathsep.join(path)}


def pyenv_root() -> Path:
    """Where pyenv keeps its interpreters, whether or not there is one."""
    return Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())


def has_python(version: str, environment: dict[str, str]) -> bool:
    """Whether a Python of that version runs; says so when not, because a test is left out then."""
    try:
        subprocess.run([f"python{version}", "-c", "import ensurepip"], env=environment, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        print(f"ansible-test on Python {version} left out: no working python{version} found")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
