"""Fingerprint folders are computed as cargo makes them, found when nobody knows them, and removed without a trap."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SetupError
from sandbox.trace import fingerprints as module
from sandbox.trace.builddir import remove_tree, wipe_build_dir
from sandbox.trace.fingerprints import (
    fingerprint_dir,
    hidden_fingerprints,
    is_hidden,
    make_stale,
    unknown_fingerprints,
)

HASH = "8df1fe57ae6afff3"
RUSTC: dict[str, Any] = {"role": "rustc", "package": "my-lib", "crate": "my_lib", "extra": f"-{HASH}"}
SCRIPT: dict[str, Any] = {"role": "script", "package": "my-lib"}


@pytest.mark.parametrize(
    ("start", "want"),
    [
        (RUSTC | {"out_dir": "/b/debug/deps"}, f"/b/debug/.fingerprint/my-lib-{HASH}"),
        (RUSTC | {"out_dir": "/b/debug/deps/"}, f"/b/debug/.fingerprint/my-lib-{HASH}"),
        (RUSTC | {"out_dir": "/b/x86_64-a-b/release/examples"}, f"/b/x86_64-a-b/release/.fingerprint/my-lib-{HASH}"),
        (RUSTC | {"out_dir": f"/b/debug/build/my-lib-{HASH}"}, f"/b/debug/.fingerprint/my-lib-{HASH}"),
        (SCRIPT | {"out_dir": f"/b/debug/build/my-lib-{HASH}/out"}, f"/b/debug/.fingerprint/my-lib-{HASH}"),
        (RUSTC | {"out_dir": f"/b/debug/build/my-lib/{HASH}/out"}, f"/b/debug/build/my-lib/{HASH}/fingerprint"),
        (SCRIPT | {"out_dir": f"/b/debug/build/my-lib/{HASH}/out"}, f"/b/debug/build/my-lib/{HASH}/fingerprint"),
        (RUSTC | {"extra": "", "out_dir": f"/b/d/build/my-lib/{HASH}/out"}, f"/b/d/build/my-lib/{HASH}/fingerprint"),
        (SCRIPT | {"package": "build", "out_dir": f"/b/d/build/build-{HASH}/out"}, f"/b/d/.fingerprint/build-{HASH}"),
        (SCRIPT | {"package": "build", "out_dir": f"/b/d/build/build/{HASH}/out"},
         f"/b/d/build/build/{HASH}/fingerprint"),
        (RUSTC | {"extra": "", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"extra": None, "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"extra": "-custom", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"extra": "/../x", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"out_dir": "/b/debug/elsewhere"}, None),
        (RUSTC | {"out_dir": f"/b/debug/build/other-{HASH}"}, None),
        (RUSTC | {"out_dir": "relative/debug/deps"}, None),
        (RUSTC | {"out_dir": "/b/../debug/deps"}, None),
        (RUSTC | {"out_dir": {"b64": "L2I="}}, None),
        (RUSTC | {"package": "../my-lib", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"package": "", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"role": "rustdoc", "out_dir": "/b/debug/deps"}, None),
        (RUSTC | {"role": "program", "out_dir": "/b/debug/deps"}, None),
        (SCRIPT | {"out_dir": f"/b/debug/build/my-lib-{HASH}"}, None),
        (SCRIPT | {"out_dir": "/out"}, None),
        (SCRIPT, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_folder_follows_from_the_start_record(start: dict[str, Any], want: str | None) -> None:
    assert fingerprint_dir(start) == want


PARTS = st.lists(st.sampled_from(["/", "..", ".", "build", "deps", "out", "a", "-", HASH, "\0", "fingerprint"]))


@given(
    st.dictionaries(st.sampled_from(["package", "out_dir", "extra"]), PARTS.map("".join) | st.none() | st.integers())
)
def test_a_hostile_start_record_gives_a_clean_path_or_none(start: dict[str, Any]) -> None:
    path = fingerprint_dir(start | {"role": "rustc"})
    assert path is None or (path.startswith("/") and ".." not in path.split("/") and module.fingerprint_shape(path))


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["lib", "mac", "app", "c"]\nresolver = "2"\n',
    "lib/Cargo.toml": '[package]\nname = "a-lib"\nversion = "0.1.0"\nedition = "2021"\n',
    "lib/build.rs": 'fn main() { println!("cargo:rustc-check-cfg=cfg(x)"); }\n',
    "lib/src/lib.rs": "pub fn f() -> u8 { 1 }\n#[test] fn t() {}\n",
    "mac/Cargo.toml": '[package]\nname = "mac"\nversion = "0.1.0"\nedition = "2021"\n[lib]\nproc-macro = true\n',
    "mac/src/lib.rs": (
        "extern crate proc_macro;\n"
        "#[proc_macro] pub fn m(t: proc_macro::TokenStream) -> proc_macro::TokenStream { t }\n"
    ),
    "app/Cargo.toml": (
        '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
        '[dependencies]\na-lib = { path = "../lib" }\nmac = { path = "../mac" }\n'
    ),
    "app/src/main.rs": "fn main() { mac::m! { a_lib::f(); } }\n",
    "app/examples/ex-one.rs": "fn main() { }\n",
    "app/tests/it.rs": "#[test] fn t() {}\n",
    "c/Cargo.toml": (
        '[package]\nname = "c-lib"\nversion = "0.1.0"\nedition = "2021"\n[lib]\ncrate-type = ["cdylib", "rlib"]\n'
    ),
    "c/src/lib.rs": "pub fn f() {}\n",
}  # fmt: skip


class Workspace:
    """A real workspace, built by the real cargo with a wrapper that notes every compiler and script it starts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.build_dir = root / "intermediate"
        for name, content in WORKSPACE.items():
            path = root / "ws" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def cargo(self, *words: str) -> list[dict[str, Any]]:
        """Run cargo; gives the start records of the units that it says it ran."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("CARGO_", "RUSTC"))}
        env |= {"CARGO_BUILD_BUILD_DIR": str(self.build_dir), "CARGO_NET_OFFLINE": "true"}
        env |= {key: value for key, value in os.environ.items() if key in ("CARGO_HOME",)}
        command = ["cargo", *words, "-vv", "--color=never"]
        done = subprocess.run(command, cwd=self.root / "ws", env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [start for line in done.stderr.splitlines() if (start := self._start(line))]

    def _start(self, line: str) -> dict[str, Any] | None:
        found = re.fullmatch(r" +Running `(.*)`", line)
        if found is None:
            return None
        words = shlex.split(found[1])
        is_variable = re.compile(r"[A-Za-z_][\w-]*=").match
        env = dict(word.split("=", 1) for word in itertools.takewhile(is_variable, words))
        if "CARGO_PKG_NAME" not in env:
            return None
        argv = words[len(env) :]
        start: dict[str, Any] = {
            "package": env["CARGO_PKG_NAME"],
            "crate": env.get("CARGO_CRATE_NAME", ""),
            "extra": "",
        }
        if Path(argv[0]).name == "rustc":
            options = dict(itertools.pairwise(argv))
            extra = [word.partition("=")[2] for word in argv if word.startswith("extra-filename=")]
            return {**start, "role": "rustc", "out_dir": options["--out-dir"], "extra": "".join(extra)}
        if Path(argv[0]).name == "rustdoc":
            return {**start, "role": "rustdoc", "out_dir": argv[argv.index("-o") + 1]}
        return {**start, "role": "script", "out_dir": env["OUT_DIR"]} if "OUT_DIR" in env else None

    def fingerprints(self) -> set[str]:
        """Every folder with a fingerprint file, found the slow way."""
        return {
            os.path.dirname(path) for path in map(str, self.build_dir.rglob("*.json")) if Path(path[:-5]).is_file()
            and "fingerprint" in os.path.dirname(path)
        }  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, list[dict[str, Any]], int]]:
    workspace = Workspace(tmp_path_factory.mktemp("real"))
    since = time.time_ns()
    yield workspace, workspace.cargo("build", "--workspace", "--all-targets"), since


def test_real_cargo_has_a_fingerprint_where_we_compute_it(
    built: tuple[Workspace, list[dict[str, Any]], int],
) -> None:
    workspace, starts, _ = built
    told = [path for start in starts if (path := fingerprint_dir(start))]
    assert len(told) == len(set(told))
    assert {start["role"] for start in starts} == {"rustc", "script"}
    assert {start["out_dir"].rpartition("/")[2] for start in starts} >= {"deps", "examples", "out"}
    hidden = [start for start in starts if is_hidden(start)]
    assert [start["package"] for start in hidden] == ["c-lib"]
    assert set(told) < workspace.fingerprints()
    (rest,) = workspace.fingerprints() - set(told)
    assert os.path.basename(rest).startswith("c-lib-")


def test_the_unknown_fingerprints_of_a_real_build_dir_are_exactly_those_not_known(
    built: tuple[Workspace, list[dict[str, Any]], int],
) -> None:
    workspace, starts, _ = built
    told = {path: None for start in starts if (path := fingerprint_dir(start))}
    assert {str(path) for path in unknown_fingerprints(workspace.build_dir, {})} == workspace.fingerprints()
    unknown = unknown_fingerprints(workspace.build_dir, told)
    assert {str(path) for path in unknown} == workspace.fingerprints() - set(told)


def test_a_library_without_a_hash_is_found_by_what_cargo_made_in_this_run(
    built: tuple[Workspace, list[dict[str, Any]], int],
) -> None:
    workspace, starts, since = built
    (start,) = [start for start in starts if is_hidden(start)]
    (path,) = hidden_fingerprints(workspace.build_dir, start, since)
    assert path not in {fingerprint_dir(start) for start in starts}
    assert os.path.isfile(f"{path}/lib-c_lib")
    assert hidden_fingerprints(workspace.build_dir, start, time.time_ns() + 10**9) == []
    assert hidden_fingerprints(workspace.build_dir, start | {"out_dir": "/b/release/deps"}, since) == []
    assert hidden_fingerprints(workspace.build_dir, start | {"crate": "other"}, since) == []
    assert hidden_fingerprints(workspace.build_dir, start | {"crate": {"b64": "AA=="}}, since) == []


def test_documentation_is_found_by_what_cargo_made_in_this_run(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.cargo("check", "-p", "a-lib")
    time.sleep(0.05)
    since = time.time_ns()
    starts = workspace.cargo("doc", "-p", "a-lib", "--no-deps")
    (start,) = [start for start in starts if start["role"] == "rustdoc"]
    assert is_hidden(start)
    (path,) = hidden_fingerprints(workspace.build_dir, start, since)
    assert os.path.isfile(f"{path}/doc-lib-a_lib")


def test_a_stale_unit_runs_again_and_nothing_else_does(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    starts = workspace.cargo("build", "-p", "a-lib")
    assert workspace.cargo("build", "-p", "a-lib") == []
    (script,) = [start for start in starts if start["role"] == "script"]
    path = fingerprint_dir(script)
    assert path is not None
    assert make_stale(workspace.build_dir, path)
    assert workspace.cargo("build", "-p", "a-lib") == [script]


def test_a_build_that_failed_leaves_nothing_that_cargo_would_believe(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "ws/lib/src/lib.rs").write_text("this is no Rust")
    with pytest.raises(AssertionError, match="could not compile"):
        workspace.cargo("build", "-p", "a-lib")
    folders = sorted(path.name.rpartition("-")[0] for path in workspace.build_dir.glob("debug/.fingerprint/*"))
    assert folders == ["a-lib"] * 3
    assert len(unknown_fingerprints(workspace.build_dir, {})) == 2


def fake(build_dir: Path, *names: str) -> list[Path]:
    """Fingerprint folders that cargo would believe."""
    for name in names:
        (build_dir / name).mkdir(parents=True)
        (build_dir / name / "lib-x").write_text("0123456789abcdef")
    return [build_dir / name for name in names]


def test_fingerprints_are_found_in_every_profile_triple_and_layout(tmp_path: Path) -> None:
    made = fake(
        tmp_path,
        f"debug/.fingerprint/a-{HASH}",
        f"x86_64-unknown-linux-gnu/release/.fingerprint/a-{HASH}",
        f"custom/build/a/{HASH}/fingerprint",
        f"x86_64-unknown-linux-gnu/debug/build/b/{HASH}/fingerprint",
        f"debug/build/build/{HASH}/fingerprint",
    )
    (tmp_path / f"debug/build/a-{HASH}/out").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    (tmp_path / ".rustc_info.json").write_text("{}")
    assert sorted(unknown_fingerprints(tmp_path, {})) == sorted(made)
    assert unknown_fingerprints(tmp_path, {str(path): 1 for path in made}) == []
    assert unknown_fingerprints(tmp_path / "missing", {}) == []


@pytest.mark.parametrize(
    ("files", "believed"),
    [
        ({}, False),
        ({"invoked.timestamp": "x", "dep-lib-x": "x"}, False),
        ({"lib-x": "", "lib-x.json": "{}"}, False),
        ({"lib-x": "0123456789abcdef", "lib-x.json": "{}"}, True),
        ({"bin-a.json": "0123456789abcdef"}, True),
    ],
)
def test_only_a_written_fingerprint_is_believed(tmp_path: Path, files: dict[str, str], believed: bool) -> None:
    folder = tmp_path / f"debug/.fingerprint/a-{HASH}"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    assert unknown_fingerprints(tmp_path, {}) == [folder] * believed


@pytest.mark.parametrize("name", [f"debug/.fingerprint/a-{HASH}", f"debug/build/a/{HASH}/fingerprint"])
def test_a_fingerprint_folder_is_removed_with_all_in_it(tmp_path: Path, name: str) -> None:
    (made,) = fake(tmp_path, name)
    assert make_stale(tmp_path, made)
    assert not made.exists()
    assert made.parent.is_dir()
    assert not make_stale(tmp_path, str(made))
    shutil.rmtree(tmp_path / "debug")
    assert not make_stale(tmp_path, made)


@pytest.mark.parametrize(
    "name",
    ["", "debug", "debug/deps", "debug/.fingerprint", "debug/.fingerprint/", "debug/.fingerprint/..",
     "debug/.fingerprint/../../x/.fingerprint/a", "../other/debug/.fingerprint/a", "debug/fingerprint"],
)  # fmt: skip
def test_what_is_no_fingerprint_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no fingerprint folder"):
        make_stale(tmp_path / "build", f"{tmp_path}/build/{name}")


def test_a_path_outside_the_build_dir_is_refused(tmp_path: Path) -> None:
    (made,) = fake(tmp_path / "build-other", f"debug/.fingerprint/a-{HASH}")
    with pytest.raises(ValueError, match="beneath"):
        make_stale(tmp_path / "build", made)
    assert made.is_dir()


@pytest.mark.parametrize("link", ["debug", "debug/.fingerprint", f"debug/.fingerprint/a-{HASH}"])
def test_no_link_is_followed_on_the_way_to_a_fingerprint(tmp_path: Path, link: str) -> None:
    (precious,) = fake(tmp_path / "precious", f"debug/.fingerprint/a-{HASH}")
    trap = tmp_path / "build" / link
    trap.parent.mkdir(parents=True)
    trap.symlink_to(tmp_path / "precious" / link)
    if link.endswith(HASH):
        assert make_stale(tmp_path / "build", trap)
        assert not trap.is_symlink()
    else:
        with pytest.raises(OSError, match=r"(Not a directory|symbolic links)"):
            make_stale(tmp_path / "build", tmp_path / f"build/debug/.fingerprint/a-{HASH}")
    assert (precious / "lib-x").is_file()


def test_wiping_empties_a_build_dir_and_follows_no_link(tmp_path: Path) -> None:
    fake(tmp_path / "build", f"debug/.fingerprint/a-{HASH}")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    (tmp_path / "build" / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "build" / "debug" / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "build" / "CACHEDIR.TAG").write_text("Signature: x")
    wipe_build_dir(tmp_path / "build")
    assert os.listdir(tmp_path / "build") == []
    assert (tmp_path / "precious" / "file").read_text() == "mine"
    wipe_build_dir(tmp_path / "build")
    wipe_build_dir(tmp_path / "missing")


@pytest.mark.parametrize("link", ["target/.cargo-sandbox", "target/.cargo-sandbox/build"])
def test_a_build_dir_that_a_hostile_tree_links_elsewhere_is_not_wiped(tmp_path: Path, link: str) -> None:
    (tmp_path / "home" / "build").mkdir(parents=True)
    (tmp_path / "home" / "build" / "CACHEDIR.TAG").write_text("Signature: x")
    (tmp_path / link).parent.mkdir(parents=True)
    (tmp_path / link).symlink_to(tmp_path / "home" / ("build" if link.endswith("build") else ""))
    with pytest.raises(OSError, match=r"(Not a directory|symbolic links)"):
        wipe_build_dir(tmp_path / "target/.cargo-sandbox/build")
    assert (tmp_path / "home" / "build" / "CACHEDIR.TAG").is_file()


def test_a_folder_that_no_build_marked_is_not_wiped(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SetupError, match="no build dir of ours"):
        wipe_build_dir(tmp_path)
    assert json.dumps(os.listdir(tmp_path)) == '["thesis.tex"]'


def require(value: bool) -> None:
    assert value


def as_nobody(folder: Path, act: Callable[[], None]) -> None:
    """Do it as a user for whom modes count: root may open everything."""
    if os.geteuid() != 0:
        act()
        return
    for top, names, files in os.walk(folder):
        for name in (".", *names, *files):
            os.chown(os.path.join(top, name), 65534, 65534, follow_symlinks=False)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, else /proc/self/fd stays root's
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("place", ["debug/.fingerprint", "debug/build", "debug", ""])
def test_no_link_is_followed_in_search_of_fingerprints(tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    fake(outside, f"a-{HASH}", f".fingerprint/b-{HASH}", f"debug/.fingerprint/c-{HASH}", f"d/{HASH}/fingerprint")
    build = tmp_path / "build"
    if place:
        fake(build, f"other/.fingerprint/mine-{HASH}", "debug/build/x", "debug/.fingerprint/x")
        shutil.rmtree(build / place)
    (build / place).parent.mkdir(parents=True, exist_ok=True)
    (build / place).symlink_to(outside)
    found = {path.name for path in unknown_fingerprints(build, {})}
    assert found <= {f"mine-{HASH}", "x"}


def test_a_folder_of_any_depth_is_removed(tmp_path: Path) -> None:
    top = os.open(tmp_path, os.O_RDONLY)
    inner = os.dup(top)
    for _ in range(5000):
        os.mkdir("d" * 200, dir_fd=inner)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = deeper
    os.close(os.open("last", os.O_CREAT, dir_fd=inner))
    os.close(inner)
    try:
        assert remove_tree("d" * 200, top)
        assert os.listdir(tmp_path) == []
    finally:
        os.close(top)
        # pytest's own cleaning up would fail on what is left.
        subprocess.run(["rm", "-rf", tmp_path / ("d" * 200)], check=True)


def test_a_folder_that_was_closed_to_its_owner_is_removed_and_no_link_loses_its_mode(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o500)
    for name in ("a/b/c", "a/d"):
        (tmp_path / "gone" / name).mkdir(parents=True)
        (tmp_path / "gone" / name / "file").touch()
    (tmp_path / "gone/a/link").symlink_to(precious)
    for name in ("a/b/c", "a/b", "a/d", "a", ""):
        (tmp_path / "gone" / name).chmod(0)

    top = os.open(tmp_path, os.O_RDONLY)
    as_nobody(tmp_path, lambda: require(remove_tree("gone", top)))
    os.close(top)
    assert os.listdir(tmp_path) == ["precious"]
    assert precious.stat().st_mode & 0o777 == 0o500
