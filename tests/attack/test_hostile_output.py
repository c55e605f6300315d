"""What a build leaves behind for those who read it on the host: nothing outside is read, written or followed, and
nothing hangs. Programs that the user runs have the whole target dir; scripts have their OUT_DIR."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attack.arena import CRATES
from tests.attack.test_host_files import picture
from tests.attack.watched import Watch
from tests.engines import core
from tests.harness import Done, Lab, Project, sandboxed

pytestmark = [pytest.mark.attack, pytest.mark.engine]

# Longer than any of these takes, much shorter than for ever.
PATIENCE_S = 90.0
BUILD = "BUILD"
"""Stands for the build dir, whose name the engine has a say in."""
HASH = "0123456789abcdef"


@dataclass
class Litter:
    """The project, and a folder outside that looks like the worst thing a link could lead to: a build dir."""

    project: Project
    outside: Path
    in_order: bool = False

    def build(self, *words: str) -> Done:
        options = ("--allow-env", "CSBENCH", "--deny", "never", "--on-violation", "report")
        env = {"CSBENCH": "1"}
        return sandboxed(self.project, *words, env=env, options=options, timeout=PATIENCE_S)

    def find(self, pattern: str) -> str:
        """The place of a pattern, which is there exactly once; a name without `*` need not be there."""
        pattern = pattern.replace(BUILD, os.path.relpath(self.project.build_dir, self.project.dir))
        if "*" not in pattern:
            return str(self.project.dir / pattern)
        (found,) = [path for path in self.project.dir.glob(pattern) if path.suffix == ""]
        return str(found)

    def remove(self, name: str) -> None:
        """rm(1) has no trouble with depth, as shutil has; a closed folder it can't enter either."""
        path = self.project.dir / name
        if path.is_dir() and not path.is_symlink():
            subprocess.run(["chmod", "-R", "u+rwX", path], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", path], check=True)

    def renew(self) -> None:
        """Without the target dir, as `cargo clean` leaves it: everything must work again."""
        self.remove("target")
        done = self.build("build")
        assert done.code == 0, done.shown


@pytest.fixture(scope="module")
def place_of_litter(lab: Lab) -> Iterator[Litter]:
    crate = CRATES / "csbench-litter"
    files = {str(path.relative_to(crate)): path.read_text() for path in crate.rglob("*") if path.is_file()}
    project = lab.project(files | {"csbench-marker": ""}, name="litter")
    outside = project.home / "outside"
    for name in (f"debug/.fingerprint/a-{HASH}/bin-a", f".fingerprint/a-{HASH}/bin-a", f"a-{HASH}/bin-a", "build/x"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("precious")
    (outside / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    (outside / ".cargo-sandbox-token").write_text("0" * 32)
    (outside / "secret").write_text("canary")
    made = Litter(project, outside)
    yield made
    made.remove("target")


@pytest.fixture
def litter(place_of_litter: Litter) -> Litter:
    """In order again, whatever the last test left."""
    if not place_of_litter.in_order:
        place_of_litter.renew()
    place_of_litter.in_order = False
    return place_of_litter


FOLDERS = ("target/.cargo-sandbox", BUILD, f"{BUILD}/debug", f"{BUILD}/debug/.fingerprint", f"{BUILD}/debug/deps")
FILES = (f"{BUILD}/.cargo-sandbox-token", "target/CACHEDIR.TAG", "target/debug/csbench-litter",
         f"{BUILD}/debug/deps/csbench_litter-*")  # fmt: skip
TABLE = [
    *(("symlink", place) for place in (*FOLDERS, *FILES)),
    *(("fifo", place) for place in (f"{BUILD}/debug/.fingerprint", FILES[0], FILES[1], FILES[3])),
    ("folder", f"{BUILD}/.cargo-sandbox-token"),
    ("sparse", f"{BUILD}/debug/deps/csbench_litter-*"),
    ("socket", f"{BUILD}/debug/deps/s"),
    ("names", f"{BUILD}/debug/deps/names"),
    ("deep", f"{BUILD}/debug/.fingerprint/deep-{HASH}"),
    ("closed", f"{BUILD}/debug/.fingerprint/closed-{HASH}"),
]


@pytest.mark.parametrize(("kind", "place"), TABLE)
def test_no_reader_on_the_host_leaves_the_target_dir_or_waits_for_ever(litter: Litter, kind: str, place: str) -> None:
    to = litter.outside / "secret" if place in FILES else litter.outside
    before = picture(litter.outside)
    watch = Watch(litter.outside)
    left = litter.build("run", "-q", "--", kind, litter.find(place), str(to))
    # Root's build under Docker is somebody else's, and the folder around its build dir stays root's.
    held = place == BUILD and litter.project.lab.engine == "docker" and litter.project.user.is_root
    assert left.stdout.strip() == ("File exists (os error 17)" if held else "ok"), left.shown
    after = litter.build("build")
    seen = watch.seen()
    watch.close()
    assert seen == []
    assert picture(litter.outside) == before
    # 101: cargo itself stumbles in the container. 121: refused, with what to do.
    assert after.code in (0, 101, 121), after.shown
    if after.code == 121:
        assert "= help: " in after.stderr, after.shown
    assert "\x1b]52" not in after.stderr and "\nSandbox clean\n" not in after.stderr
    litter.in_order = after.code == 0


@pytest.mark.parametrize("place", [f"{BUILD}/debug/.fingerprint", f"{BUILD}/debug/deps"])
def test_folders_that_are_swapped_for_links_while_we_look_lead_nobody_outside(litter: Litter, place: str) -> None:
    before = picture(litter.outside)
    watch = Watch(litter.outside)
    # Something to do for the build, so that the record is compared with the disk while the program swaps.
    os.utime(litter.project.dir / "src/main.rs")
    done = litter.build("run", "-q", "--", "swap", litter.find(place), str(litter.outside))
    seen = watch.seen()
    watch.close()
    assert done.stdout.strip() == "ok", done.shown
    assert seen == []
    assert picture(litter.outside) == before


@core
def test_one_of_everything_in_a_script_s_folder_is_taken_and_can_be_removed(litter: Litter) -> None:
    (litter.project.dir / "script-acts").touch()
    done = litter.build("build")
    assert done.code == 0, done.shown
    (unit,) = done.units("script")
    told = dict(
        str(line).partition("csbench-")[2].split("=", 1) for line in unit["end"]["directives"] if "csbench-" in line
    )
    assert told.pop("device") != "ok"
    assert set(told.values()) == {"ok"}, told
    assert litter.build("build").code == 0
    # Another ledger: the build dir is not believed and has to be emptied by us.
    shutil.rmtree(litter.project.state / "cargo-sandbox" / "ledger")
    again = litter.build("build")
    assert again.code == 0, again.shown
    assert again.units("script")
    (litter.project.dir / "script-acts").unlink()


@pytest.mark.parametrize("kind", ["symlink", "fifo"])
def test_a_lock_file_that_is_planted_leads_nobody_outside(litter: Litter, kind: str) -> None:
    lock = litter.project.dir / "Cargo.lock"
    kept = lock.read_text()
    lock.unlink()
    if kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.symlink_to(litter.outside / "secret")
    before = picture(litter.outside)
    watch = Watch(litter.outside)
    done = litter.build("build")
    seen = watch.seen()
    watch.close()
    lock.unlink()
    lock.write_text(kept)
    assert seen == [], done.shown
    assert picture(litter.outside) == before
    assert done.code in (101, 121), done.shown


@pytest.mark.parametrize("to", ["outside", "nowhere", "loop"])
def test_a_target_dir_that_is_planted_as_a_link_leads_nobody_outside(litter: Litter, to: str) -> None:
    litter.remove("target")
    (litter.outside / "CACHEDIR.TAG").rename(litter.outside / "aside")
    leads = {"outside": litter.outside, "nowhere": litter.project.home / "nowhere/at/all", "loop": Path("target")}
    litter.project.target.symlink_to(leads[to])
    before = picture(litter.outside)
    done = litter.build("build")
    assert done.code == 121, done.shown
    assert picture(litter.outside) == before
    assert not (litter.project.home / "nowhere").exists()
    (litter.outside / "aside").rename(litter.outside / "CACHEDIR.TAG")
