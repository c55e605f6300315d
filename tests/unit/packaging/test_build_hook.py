"""The wheel's build hook, with a fake cargo on PATH."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

FAKE_CARGO = """\
#!/bin/sh
if [ "$1" = -vV ]; then echo "cargo 1.95.0"; echo "host: $FAKE_HOST"; exit 0; fi
echo "$PWD: $*" >>"$FAKE_LOG"
case "$FAKE_FAILS:$*" in
    static:*crt-static*) echo "ld: cannot find -lc" >&2; exit 101;;
    always:*) echo "error: no such crate" >&2; exit 101;;
esac
built=$CARGO_TARGET_DIR/$FAKE_HOST/release
mkdir -p "$built"
printf '#!/bin/sh\\necho cargo-sandbox-guard 0.1.0\\n' >"$built/guard"
case "$FAKE_FAILS:$*" in crashes:*crt-static*) printf '#!/bin/sh\\nexit 139\\n' >"$built/guard";; esac
chmod 755 "$built/guard"
"""


class Workplace:
    """A copy of what a wheel is made of, and a place for the fake cargo and its log."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.dist = folder / "dist"
        self.log = folder / "log"
        self.programs = folder / "bin"
        self.cache = folder / "cache"
        ignore = shutil.ignore_patterns("bin", "__pycache__", "target")
        for name in ("sandbox", "profiles", "images"):
            shutil.copytree(ROOT / name, self.tree / name, ignore=ignore)
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE-MIT", "LICENSE-APACHE"):
            shutil.copy(ROOT / name, self.tree / name)
        self.programs.mkdir()
        self.add_cargo()

    def add_cargo(self) -> None:
        cargo = self.programs / "cargo"
        cargo.write_text(FAKE_CARGO)
        cargo.chmod(0o755)

    def build(self, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the backend as a frontend would; cargo is found in `programs` only."""
        clean = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "HOME": str(self.tree.parent),
            "TMPDIR": str(self.tree.parent),
            "XDG_CACHE_HOME": str(self.cache),
            "FAKE_LOG": str(self.log),
            "FAKE_HOST": "x86_64-unknown-linux-gnu",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(self.dist)],
            cwd=self.tree,
            env=clean | env,
            capture_output=True,
            text=True,
            check=False,
        )

    def wheel(self) -> Path:
        (wheel,) = self.dist.glob("*.whl")
        return wheel


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_the_wheel_holds_the_guard_the_profiles_and_the_images(place: Workplace) -> None:
    done = place.build({})
    assert done.returncode == 0, done.stderr
    assert place.wheel().name == "cargo_sandbox-0.1.0-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(place.wheel()) as wheel:
        names = set(wheel.namelist())
        assert wheel.getinfo("sandbox/guard/bin/guard").external_attr >> 16 & 0o111 == 0o111
    assert {
        "sandbox/cli/main.py",
        "sandbox/guard/bin/guard",
        "sandbox/_data/profiles/seccomp/inner-standard-x86_64.bpf",
        "sandbox/_data/profiles/doctor/known-bad.yaml",
        "sandbox/doctor/schema/doctor-v1.schema.json",
        "sandbox/report/schema/report-v1.schema.json",
        "sandbox/_data/images/README.md",
        "sandbox/_data/images/builder/packages.txt",
        "sandbox/_data/images/builder/Dockerfile",
        "sandbox/builder/__main__.py",
        "cargo_sandbox-0.1.0.dist-info/licenses/LICENSE-MIT",
        "cargo_sandbox-0.1.0.dist-info/licenses/LICENSE-APACHE",
    } <= names
    assert not [name for name in names if name.endswith(".rs") or "Cargo." in name]


def test_the_tag_names_the_architecture_that_cargo_runs_on(place: Workplace) -> None:
    assert place.build({"FAKE_HOST": "aarch64-unknown-linux-gnu"}).returncode == 0
    assert place.wheel().name.endswith("-py3-none-linux_aarch64.whl")


def test_cargo_is_asked_for_a_locked_static_release_and_leaves_nothing_in_the_tree(place: Workplace) -> None:
    before = set(place.tree.rglob("*"))
    assert place.build({}).returncode == 0
    (line,) = place.log.read_text().splitlines()
    assert re.sub("metadata=[0-9a-f]{16}", "metadata=DIGEST", line) == (
        f"{place.tree}/sandbox/guard: rustc --locked --release --bin guard --target x86_64-unknown-linux-gnu"
        " -- -C metadata=DIGEST -C target-feature=+crt-static"
    )
    assert set(place.tree.rglob("*")) == before
    assert (place.cache / "cargo-sandbox" / "guard-target").is_dir()
    assert not list(place.tree.parent.glob("cargo-sandbox-*"))


def test_other_sources_are_never_taken_for_compiled_already_whatever_their_dates_say(place: Workplace) -> None:
    source = place.tree / "sandbox/guard/src/main.rs"
    dates = source.stat()
    assert place.build({}).returncode == 0
    source.write_text(source.read_text().replace("guard", "GUARD", 1))
    os.utime(source, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert place.build({}).returncode == 0
    before, after = place.log.read_text().splitlines()
    assert before != after


@pytest.mark.parametrize("fails", ["static", "crashes"])
def test_where_a_static_guard_is_impossible_a_dynamic_one_is_made_with_a_notice(place: Workplace, fails: str) -> None:
    done = place.build({"FAKE_FAILS": fails})
    assert done.returncode == 0, done.stderr
    assert "could not link the guard statically" in done.stderr
    assert len(place.log.read_text().splitlines()) == 2


def test_a_guard_that_does_not_compile_fails_the_build_with_advice(place: Workplace) -> None:
    done = place.build({"FAKE_FAILS": "always"})
    assert done.returncode != 0
    assert "error: no such crate" in done.stderr
    assert "could not compile its guard" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_cargo_the_build_says_how_to_get_it(place: Workplace) -> None:
    (place.programs / "cargo").unlink()
    (place.programs / "python").symlink_to(sys.executable)
    done = place.build({"PATH": str(place.programs)})
    assert done.returncode != 0
    assert "needs cargo to compile its guard" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cargo_that_is_named_by_the_environment_is_used(place: Workplace) -> None:
    (place.programs / "cargo").rename(place.tree.parent / "my-cargo")
    done = place.build({"CARGO": str(place.tree.parent / "my-cargo"), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr


def test_another_system_than_linux_is_refused(place: Workplace) -> None:
    done = place.build({"FAKE_HOST": "aarch64-apple-darwin"})
    assert done.returncode != 0
    assert "runs on Linux only" in done.stderr


def test_a_cache_that_cannot_be_written_is_done_without(place: Workplace) -> None:
    place.cache.write_text("in the way")
    done = place.build({})
    assert done.returncode == 0, done.stderr
    assert not list(place.tree.parent.glob("cargo-sandbox-*"))


def test_an_editable_install_gets_the_guard_beside_its_sources(place: Workplace) -> None:
    script = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    for made in (place.tree.parent / "one", place.tree.parent / "two"):
        made.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", script, str(made)],
            cwd=place.tree,
            env={
                "PATH": f"{place.programs}:/usr/bin:/bin",
                "HOME": str(place.tree.parent),
                "FAKE_LOG": str(place.log),
                "FAKE_HOST": "x86_64-unknown-linux-gnu",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert os.listdir(place.tree / "sandbox" / "guard" / "bin") == ["guard"]
    with zipfile.ZipFile(next(place.tree.parent.glob("one/*.whl"))) as wheel:
        assert not [name for name in wheel.namelist() if name.startswith("sandbox/")]
