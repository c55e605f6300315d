"""For root: run a command as an ordinary user who may use the Docker daemon, with this checkout's tools in reach.

    python -m tests.as_ordinary python -m pytest tests/engine

Nothing of the system is changed, and nothing stays: see tests/users.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests import harness
from tests.users import User, daemons_group, ordinary


def main(command: list[str]) -> int:
    """Run it; gives its exit code. Ctrl-C is the command's."""
    if os.geteuid() != 0:
        sys.exit("only root can become somebody else")
    with harness.session() as lab:
        shown = harness.needed(lab.base)
        env = dict(os.environ)
        if breakable := env.get("CARGO_SANDBOX_TEST_BREAKABLE"):
            shown.add(Path(breakable).parent)
        if rustup := shutil.which("rustup"):
            homes = harness.rustup_home()
            shown |= {Path(rustup).parent, *(map(Path, (homes,)) if homes else ())}
            env |= {"RUSTUP_HOME": homes} if homes else {}
        user = ordinary(lab.base, shown, groups())
        with subprocess.Popen([*user.prefix, *command], env=env | own(lab.base, user)) as process:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return process.wait()


def groups() -> list[int]:
    """That of the daemon, if there is one."""
    try:
        return [daemons_group()]
    except FileNotFoundError:
        return []


def own(base: Path, user: User) -> dict[str, str]:
    """Variables that name folders of the user's own."""
    places = {
        "HOME": base / "home",
        "XDG_CACHE_HOME": base / "home/.cache",
        "CARGO_HOME": base / "home/.cargo",
        "CARGO_SANDBOX_TEST_DIR": base / "tests",
        "PYTHONPYCACHEPREFIX": base / "pycache",
        "HYPOTHESIS_STORAGE_DIRECTORY": base / "hypothesis",
        "PYTEST_DEBUG_TEMPROOT": base / "pytest",
    }
    for path in places.values():
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, user.uid, user.gid)
    return {name: str(path) for name, path in places.items()} | {"USER": user.name, "LOGNAME": user.name}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
