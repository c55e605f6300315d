"""Where the guard and the package's data are found, and how the guard's digest is kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import resources
from sandbox.errors import SetupError
from sandbox.guard import guard

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "guard"
    path.write_bytes(b"\x7fELF one")
    path.chmod(0o755)
    return path


def test_a_checkout_listens_to_the_variable_of_the_tests(program: Path) -> None:
    assert guard.find({guard.TEST_VARIABLE: str(program)}) == program


@pytest.mark.parametrize("name", ["relative/guard", "/nonexistent/guard", "/etc/passwd"])
def test_a_guard_that_is_no_program_is_a_missing_wall(name: str) -> None:
    with pytest.raises(SetupError, match="guard is missing") as caught:
        guard.find({guard.TEST_VARIABLE: name})
    assert name in caught.value.why


def test_an_installed_package_uses_its_own_guard_and_data_whatever_the_environment_says(
    tmp_path: Path, program: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(ROOT / "sandbox", site / "sandbox", ignore=shutil.ignore_patterns("bin", "src", "__pycache__"))
    shutil.copytree(ROOT / "profiles", site / "sandbox" / "_data" / "profiles")
    (site / "pyproject.toml").write_text("# a stranger's file beside the package\n")
    packaged = site / "sandbox" / "guard" / "bin" / "guard"
    packaged.parent.mkdir()
    shutil.copy(program, packaged)
    script = (
        "from sandbox.guard import guard; from sandbox.plan import seccomp; from sandbox import resources\n"
        "print(guard.find()); print(len(seccomp.load('aarch64').program) % 8)\n"
        "print(resources.profile('seccomp/calls.yaml'))"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env={"PYTHONPATH": str(site), guard.TEST_VARIABLE: str(program)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(packaged), "0", f"{site}/sandbox/_data/profiles/seccomp/calls.yaml"]


def test_the_digest_is_that_of_the_content_and_follows_it(program: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = guard.digest(program, cache)
    assert first == "sha256:" + hashlib.sha256(b"\x7fELF one").hexdigest()
    assert guard.digest(program, cache) == first
    program.write_bytes(b"\x7fELF two")
    assert guard.digest(program, cache) == "sha256:" + hashlib.sha256(b"\x7fELF two").hexdigest()
    assert len(list((cache / "guard-digest").iterdir())) == 1


@pytest.mark.parametrize("content", ["", "sha256:", "sha256:00", "sha512:" + "00" * 32, "\xff"])
def test_a_damaged_answer_in_the_cache_is_not_believed(program: Path, tmp_path: Path, content: str) -> None:
    right = guard.digest(program, tmp_path)
    (kept,) = (tmp_path / "guard-digest").iterdir()
    kept.write_text(content)
    assert guard.digest(program, tmp_path) == right
    assert kept.read_text() == right


def test_a_cache_that_cannot_be_written_is_done_without(program: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    assert guard.digest(program, tmp_path / "cache").startswith("sha256:")


def test_a_guard_that_cannot_be_read_is_a_missing_wall(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="can't be read"):
        guard.digest(tmp_path / "nothing", tmp_path)


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/passwd", "", "seccomp//calls.yaml", "./seccomp"])
def test_a_resource_outside_its_folder_has_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        resources.profile(name)


def test_resources_are_found_from_any_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert resources.profile("seccomp/calls.yaml").is_file()
    assert resources.image("README.md").is_file()
