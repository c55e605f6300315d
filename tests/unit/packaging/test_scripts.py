"""scripts/: installing only what is missing, never leaving a test out unseen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SKIPPING = """\
import pytest

def test_that_runs():
    pass

@pytest.mark.skip(reason="no such machine")
def test_that_needs_a_machine():
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_expected_to_fail():
    assert False
"""


def pytest_run(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text(SKIPPING)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.not_run", "--rootdir", folder, folder],
        cwd=ROOT,
        env=env | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_that_did_not_run_is_named_before_the_closing_line(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "")
    assert done.returncode == 0, done.stdout
    assert "1 TESTS DID NOT RUN" in done.stdout
    assert "test_sample.py::test_that_needs_a_machine: Skipped: no such machine" in done.stdout
    assert "1 passed, 1 skipped, 1 xfailed" in done.stdout.splitlines()[-1]


def test_in_ci_a_test_that_did_not_run_is_a_failure(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "true")
    assert done.returncode == 1
    assert "CI=true allows no test to be left out: Skipped: no such machine" in done.stdout
    assert "1 passed, 1 xfailed, 1 error" in done.stdout.splitlines()[-1]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH folder with a fake apt-get that writes down what it is asked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        "bash",
        "sh",
        "dirname",
        "env",
        "cat",
        "sha256sum",
        "mkdir",
        "rm",
        "find",
        "sort",
        "chmod",
        "sleep",
        "seq",
        "tail",
    ):
        (folder / name).symlink_to(shutil.which(name) or name)
    for name, text in {
        "apt-get": f'echo "$*" >>{tmp_path}/apt',
        "id": "echo 0",
        "cc": "exit 0",
        "git": "exit 0",
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


def lib(programs: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". {ROOT}/scripts/lib.sh; {script}"],
        env={"PATH": str(programs), "HOME": str(programs.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_only_missing_packages_are_installed_in_one_go(programs: Path, tmp_path: Path) -> None:
    done = lib(programs, "need git=git no-such-a=package-a no-such-b=package-b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apt").read_text() == "install -y -q --no-install-recommends package-a package-b\n"


def test_nothing_is_installed_when_nothing_is_missing(programs: Path, tmp_path: Path) -> None:
    assert lib(programs, "need git=git cc=gcc").returncode == 0
    assert not (tmp_path / "apt").exists()


def test_the_list_of_packages_is_brought_up_to_date_after_a_failure(programs: Path, tmp_path: Path) -> None:
    (programs / "apt-get").write_text(
        f"#!/bin/sh\necho $1 >>{tmp_path}/apt\n"
        f"case $1 in update) : >{tmp_path}/updated;; install) [ -e {tmp_path}/updated ];; esac\n"
    )
    done = lib(programs, "need no-such-a=package-a")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apt").read_text().split() == ["install", "update", "install"]


def test_without_root_and_sudo_the_script_says_what_it_wanted(programs: Path) -> None:
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")
    done = lib(programs, "need no-such-a=package-a")
    assert done.returncode != 0
    assert "needs root or sudo" in done.stderr
    assert "package-a" in done.stderr


def test_what_cannot_run_is_said_loudly_and_is_a_failure_in_ci(programs: Path) -> None:
    assert "NOT RUN: the moon" in lib(programs, "cannot 'the moon'; echo on").stderr
    done = lib(programs, "CI=true; cannot 'the moon'; echo on")
    assert (done.returncode, done.stdout) == (1, "")


FAKE_PYTHON = """\
#!/bin/sh
case "$*" in
    "-m venv "*)
        [ -e $HOME/apt ] || { echo "ensurepip is not available" >&2; exit 1; }
        mkdir -p "$3/bin"
        printf '#!/bin/sh\\necho "$*" >>$HOME/pip\\n' >"$3/bin/python"
        chmod 755 "$3/bin/python";;
    *print*) echo "3.11 /usr";;
esac
"""


def test_a_python_that_cannot_make_environments_gets_the_missing_package(programs: Path, tmp_path: Path) -> None:
    (programs / "python3").write_text(FAKE_PYTHON)
    (programs / "python3").chmod(0o755)
    done = lib(programs, "enter_venv; echo $VIRTUAL_ENV; echo ${PATH%%:*}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apt").read_text() == "install -y -q --no-install-recommends python3-venv\n"
    environment, path = done.stdout.splitlines()
    assert path == f"{environment}/bin"
    assert environment.startswith(f"{tmp_path}/.cache/cargo-sandbox-dev/venv-")
    assert f"-m pip install -q -e {ROOT}[dev]" in (tmp_path / "pip").read_text()


def test_without_a_python_that_is_new_enough_the_script_says_so(programs: Path) -> None:
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)
    done = lib(programs, "enter_venv; echo on")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 or newer is missing" in done.stderr


def test_a_docker_daemon_is_started_when_none_answers_and_ended_with_the_script(programs: Path, tmp_path: Path) -> None:
    for name, text in {
        "docker": "[ -e $HOME/up ]",
        "dockerd": "echo $$ >$HOME/up; trap 'echo ended >$HOME/ended; kill $!; exit 0' TERM; sleep 60 & wait",
    }.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    done = lib(programs, "start_docker; docker version && echo answers")
    assert (done.returncode, done.stdout) == (0, "answers\n"), done.stderr
    assert (tmp_path / "ended").exists()
    assert not Path("/proc", (tmp_path / "up").read_text().strip()).exists()


def test_a_docker_daemon_that_does_not_come_up_is_told_with_its_last_words(programs: Path) -> None:
    for name, text in {"docker": "exit 1", "dockerd": "echo no bridge; exit 1"}.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    done = lib(programs, "start_docker || echo without")
    assert (done.returncode, done.stdout) == (0, "without\n")
    assert "no bridge" in done.stderr
