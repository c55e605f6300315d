"""Nothing of the host is changed, and nothing is seen of it that a build does not need."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack import listeners
from tests.attack.arena import Acts, Arena, workspace
from tests.attack.kernel_calls import numbers
from tests.engines import core
from tests.harness import Lab, sysroot

pytestmark = [pytest.mark.attack, pytest.mark.engine]

REFUSED = {"EACCES", "EROFS", "EXDEV", "EPERM", "ENOENT"}
RLIB = "glob:{deps}/libcsbench_victim-*.rlib"
RMETA = "glob:{deps}/libcsbench_victim-*.rmeta"
GENERATED = "glob:{build}/csbench-victim-*/out/generated.rs"


def picture(*tops: Path) -> dict[str, str]:
    """All that can be told of the files below some folders: kind, mode, times, content."""
    found = {}
    for top in tops:
        for folder, folders, names in os.walk(top):
            for name in (*folders, *names):
                path = os.path.join(folder, name)
                state = os.lstat(path)
                content = b""
                if os.path.islink(path):
                    content = os.readlink(path).encode()
                elif os.path.isfile(path):
                    content = Path(path).read_bytes()
                facts = (state.st_mode, state.st_mtime_ns, state.st_nlink, hashlib.sha256(content).hexdigest())
                found[path] = f"{facts}"
    return found


def sources(arena: Arena) -> list[Path]:
    """The workspace's own folders, without the target dir and the acts."""
    return [path for path in arena.project.dir.iterdir() if path.is_dir() and not path.name.endswith("target")]


def on_sources(arena: Arena) -> Acts:
    """Each kind of change, in the workspace and in cargo's home."""
    tree, home = arena.project.dir, arena.project.home
    victim = f"{tree}/csbench-victim/src/lib.rs"
    return {
        "source-append": ("append", victim, "// csbench"),
        "source-put": ("put", f"{tree}/csbench-victim/src/new.rs", "x"),
        "source-truncate": ("truncate", victim),
        "source-unlink": ("unlink", victim),
        "source-rename": ("rename", victim, "{out}/stolen.rs"),
        "source-replace": ("rename", "{out}/mine.rs", victim),
        "source-link": ("link", victim, "{out}/link.rs"),
        "source-symlink": ("symlink", "/etc/passwd", f"{tree}/csbench-victim/passwd"),
        "source-mkdir": ("mkdir", f"{tree}/csbench-victim/new"),
        "source-chmod": ("chmod", "777", victim),
        "source-touch": ("touch", victim),
        "source-xattr": ("xattr", victim),
        "source-reopen": ("reopen", victim, "// csbench"),
        "source-mmap": ("mmap", victim),
        "source-copy": ("copy-in", victim, "// csbench"),
        "own-source": ("append", "{here}/build.rs", "// csbench"),
        "manifest": ("append", f"{tree}/Cargo.toml", "# csbench"),
        "lock": ("append", f"{tree}/Cargo.lock", "# csbench"),
        "git-hook": ("put", f"{tree}/.git/hooks/post-checkout", "#!/bin/sh"),
        "tree-config": ("put", f"{tree}/.cargo/config.toml", "[alias]"),
        "cargo-config": ("put", f"{home}/.cargo/config.toml", "[alias]"),
        "registry": ("append", f"{home}/.cargo/registry/src/index/csbench-1.0.0/src/lib.rs", "// csbench"),
        "registry-new": ("put", f"{home}/.cargo/registry/cache/new", "x"),
    }


def on_outputs(arena: Arena) -> Acts:
    """What other units made, in the shared folder and elsewhere below the target dir."""
    target = arena.project.target
    return {
        "rlib-append": ("append", RLIB, "csbench"),
        "rlib-truncate": ("truncate", RLIB),
        "rlib-unlink": ("unlink", RLIB),
        "rlib-rename": ("rename", RLIB, "{out}/stolen.rlib"),
        "rlib-replace": ("rename", "{out}/mine.rs", RLIB),
        "rlib-link": ("link", RLIB, "{out}/link.rlib"),
        "rlib-reopen": ("reopen", RLIB, "csbench"),
        "rlib-mmap": ("mmap", RLIB),
        "rlib-copy": ("copy-in", RLIB, "csbench"),
        "rlib-exchange": ("call", str(numbers()["renameat2"]), "-100", "str:{out}/mine.rs", "-100", f"str:{RLIB}", "2"),
        "rmeta-append": ("append", RMETA, "csbench"),
        "deps-new": ("put", "{deps}/libcsbench_new-0000000000000000.rlib", "csbench"),
        "generated": ("append", GENERATED, "// csbench"),
        "binary": ("append", f"{target}/debug/csbench-app", "csbench"),
        "target-new": ("put", f"{target}/debug/csbench-new", "csbench"),
        "token": ("put", f"{arena.project.build_dir}/.cargo-sandbox-token", "csbench"),
        "fingerprint": ("put", "glob:{build}/../.fingerprint/csbench-victim-*/invoked.timestamp", "csbench"),
        "script-binary": ("append", "glob:{build}/csbench-victim-*/build-script-build", "csbench"),
    }


def on_attributes() -> Acts:
    """Modes, times and attributes of other units' outputs, which Landlock does not know; by name and by a link."""
    acts: dict[str, tuple[str, ...]] = {"made-link": ("symlink", RLIB, "{out}/link")}
    for way, path in (("", RLIB), ("-by-link", "{out}/link")):
        acts |= {
            f"rlib-chmod{way}": ("chmod", "600", path),
            f"rlib-touch{way}": ("touch", path),
            f"rlib-utimes{way}": ("call", str(numbers()["utimensat"]), "-100", f"str:{path}", "buf", "0"),
            f"rlib-xattr{way}": ("xattr", path),
            f"rlib-chown{way}": ("call", str(numbers()["fchownat"]), "-100", f"str:{path}", "-1", "-1", "0"),
        }
    return acts


SANDBOX: Acts = {
    "guard": ("reopen", "/run/cargo-sandbox/guard", "csbench"),
    "guard-new": ("put", "/run/cargo-sandbox/csbench", "x"),
    "guard-replace": ("rename", "{out}/mine.rs", "/run/cargo-sandbox/guard"),
    "roles": ("put", "/run/cargo-sandbox/roles", "break"),
    "rustdoc": ("unlink", "/run/cargo-sandbox/rustdoc"),
    "run": ("put", "/run/csbench", "x"),
    "system": ("put", "/usr/bin/csbench", "x"),
    "etc": ("put", "/etc/csbench", "x"),
    "preload": ("put", "/etc/ld.so.preload", "x"),
    "passwd": ("append", "/etc/passwd", "x"),
    "rc-file": ("append", "{home}/.bashrc", "x"),
    "home": ("put", "{home}/csbench", "x"),
    "authorized-keys": ("append", "{home}/.ssh/authorized_keys", "x"),
    "shm": ("put", "/dev/shm/csbench", "x"),
    "device": ("put", "/dev/csbench", "x"),
    "core-pattern": ("put", "/proc/sys/kernel/core_pattern", "|/bin/false"),
    "sysrq": ("put", "/proc/sysrq-trigger", "x"),
    "oom-of-cargo": ("put", "/proc/2/oom_score_adj", "1000"),
}


def everything(arena: Arena) -> Acts:
    """All of them, with a file to begin with."""
    acts: dict[str, tuple[str, ...]] = {"mine": ("put", "{out}/mine.rs", "pub fn stolen() {}")}
    toolchain = {
        "toolchain": ("put", f"{sysroot()}/lib/rustlib/csbench", "x"),
        "compiler": ("reopen", f"{sysroot()}/bin/rustc", "x"),
        "compiler-new": ("put", f"{sysroot()}/bin/csbench", "x"),
    }
    for name, words in (on_sources(arena) | on_outputs(arena) | SANDBOX | toolchain).items():
        acts[name] = tuple(word.replace("{home}", str(arena.project.home)) for word in words)
    return acts


@pytest.fixture(params=["arena", "weak"])
def furnished(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """An arena with something in cargo's home and a git folder."""
    arena: Arena = request.getfixturevalue(request.param)
    files = {
        "~/.cargo/registry/src/index/csbench-1.0.0/src/lib.rs": "// a fetched crate\n",
        "~/.cargo/registry/cache/index/csbench-1.0.0.crate": "x",
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/hooks/sample": "",
        ".cargo/other": "",
    }
    arena.project.write(files)
    yield arena
    arena.project.remove(".git", ".cargo")


@core
@pytest.mark.parametrize("furnished", ["arena"], indirect=True)
def test_no_write_act_of_a_script_or_of_a_macro_changes_anything_that_is_not_its_own(furnished: Arena) -> None:
    arena = furnished
    acts = everything(arena)
    by_macro = {
        f"m-{name}": words
        for name, words in acts.items()
        if not any(place in "".join(words) for place in ("{out}", "{build}", "{deps}"))  # rustc has no OUT_DIR
    }
    arena.attack(script={"warm": ("ids",)}, macro={"warm": ("ids",)})
    watched = [*sources(arena), arena.project.home / ".cargo", arena.project.home / ".ssh"]
    before = picture(*watched)
    found = arena.attack(script=acts, macro=by_macro)
    assert found.done.code == 0, found.done.shown
    after = picture(*watched)
    acted = {path for path in before | after if path.endswith("/acts")}
    assert {path: facts for path, facts in after.items() if path not in acted} == {
        path: facts for path, facts in before.items() if path not in acted
    }
    assert found.script["mine"] == "ok"
    told = {name: text for name, text in (found.script | found.macro).items() if name != "mine"}
    assert set(told) == set(acts) - {"mine"} | set(by_macro)
    busy = {name for name, text in told.items() if text == "ETXTBSY"}  # the kernel looks at that before any wall
    assert busy <= {"guard", "m-guard", "compiler", "m-compiler"}
    assert {name: text for name, text in told.items() if text not in REFUSED and name not in busy} == {}
    assert not (found.codes() & {"CS0108", "CS0109"}), "no seal is broken"
    # Each attempt is charged to its crate.
    for unit, prefix in ((found.script_unit, ""), (found.macro_unit, "m-")):
        denied = found.select(unit=unit, outcome="denied")
        tried = {event[key] for event in denied for key in ("path", "path2") if key in event}
        for name, words in acts.items():
            path = words[-1] if words[0] in ("rename", "symlink", "link", "chmod") else words[1]
            if (
                prefix + name in told
                and words[0] not in ("mmap", "link", "touch")
                and "glob:" not in path
                and "{" not in path
                and words[0] != "call"
                # In a container of Docker's, runc's own threads have had number 2 before cargo was there.
                and (name, told[prefix + name]) != ("oom-of-cargo", "ENOENT")
            ):
                assert path in tried, f"{prefix}{name}: {path}"
    assert "CS0103" in found.codes("csbench-script") and "CS0103" in found.codes("csbench-consumer")


def test_nobody_changes_modes_times_and_attributes_of_another_units_output(arena: Arena, weak: Arena) -> None:
    found = arena.attack(script=on_attributes())
    assert found.done.code == 0, found.done.shown
    told = {name: text for name, text in found.script.items() if name != "made-link"}
    assert {name: text for name, text in told.items() if text != "EPERM"} == {}
    assert not (found.codes() & {"CS0108", "CS0109"})
    kinds = {event["kind"] for event in found.select(unit=found.script_unit, outcome="denied")}
    assert {"chmod", "chown", "xattr"} <= kinds
    fallen = weak.attack(script=on_attributes(), removed=("deny",))
    assert {text for name, text in fallen.script.items() if "xattr" not in name} == {"ok", "ok:0"}, fallen.script
    assert "CS0108" in fallen.codes(), "the seal is the second wall"
    assert not weak.attack().codes()


def test_a_workspace_in_the_scratch_folder_has_the_same_walls(lab: Lab, arena: Arena) -> None:
    """Everybody may write /tmp, so a target dir in it must not be part of that permission."""
    with tempfile.TemporaryDirectory(prefix="csbench-", dir="/tmp") as folder:
        project = Lab(Path(folder)).project(workspace())
        inner = Arena(project, arena.guard, breakable=False)
        done = inner.attack().done
        if done.code == 121:
            assert "wall:" in done.stderr and "help:" in done.stderr
            return
        acts = {"mine": ("put", "{out}/mine.rs", "x"), **on_outputs(inner), **on_sources(inner)}
        found = inner.attack(script=acts)
        told = {name: text for name, text in found.script.items() if name != "mine"}
        assert {name: text for name, text in told.items() if text not in REFUSED} == {}


def test_without_landlock_the_mounts_still_hold_but_other_units_outputs_fall(weak: Arena, engine: str) -> None:
    acts = {"mine": ("put", "{out}/mine.rs", "x"), **on_sources(weak), **on_outputs(weak)}
    gone = ("rlib-truncate", "rlib-unlink", "rlib-rename", "rlib-replace", "rlib-exchange")
    kept = [name for name in acts if name not in gone]
    found = weak.attack(script={name: acts[name] for name in kept}, removed=("landlock",))
    for name in set(on_sources(weak)) - {"cargo-config"}:  # cargo's home is a fresh folder in memory
        assert found.script[name] in REFUSED, name
    assert not (weak.project.home / ".cargo/config.toml").exists()
    fallen = {name for name in on_outputs(weak) if name in kept and found.script[name].startswith("ok")}
    # Root's build under Docker is another user's, and the token in the build dir is root's own.
    held = {"rlib-mmap", "token"} if engine == "docker" and weak.project.user.is_root else {"rlib-mmap"}
    assert fallen == {name for name in on_outputs(weak) if name in kept} - held


def test_without_its_stand_in_a_script_is_not_confined_at_all(weak: Arena) -> None:
    weak.project.remove("target")  # the stand-in is put there when the script is compiled
    try:
        found = weak.attack(script={"new": ("put", "{deps}/csbench-new", "x")}, removed=("replace",))
        assert (weak.project.build_dir / "debug/deps/csbench-new").is_file(), found.done.shown
        assert found.script == {}, "and nobody speaks for it"
    finally:
        weak.project.remove("target")
    again = weak.attack(script={"new": ("put", "{deps}/csbench-new", "x")})
    assert again.script["new"] == "EACCES", again.done.shown


@pytest.mark.parametrize("furnished", ["weak"], indirect=True)
def test_without_read_only_mounts_landlock_still_holds_and_without_both_sources_fall(
    furnished: Arena, engine: str
) -> None:
    acts = {
        name: words
        for name, words in on_sources(furnished).items()
        if name in ("source-put", "own-source", "registry", "registry-new")
    }
    held = furnished.attack(script=acts, removed=("readonly",))
    assert {held.script[name] for name in acts} == {"EACCES"}
    fallen = furnished.attack(script=acts, removed=("readonly", "landlock"))
    if engine == "docker" and furnished.project.user.is_root:
        assert {fallen.script[name] for name in acts} == {"EACCES"}, "root's sources are not the builder's to change"
        return
    assert {fallen.script[name] for name in acts} == {"ok"}
    new = furnished.project.dir / "csbench-victim/src/new.rs"
    assert new.read_text() == "x"
    new.unlink()
    build = furnished.project.dir / "csbench-script/build.rs"
    build.write_text(build.read_text().removesuffix("// csbench"))


@core
def test_files_of_the_host_that_no_build_needs_are_not_there(arena: Arena, weak: Arena) -> None:
    home = arena.project.home
    other = home.parent / "somebody"
    other.mkdir(exist_ok=True)
    (other / "diary.txt").write_text("csbench diary")
    state = next((arena.project.state / "cargo-sandbox").glob("ledger/*/units.jsonl"))
    with listeners.unix(other / "docker.sock"):
        acts = {
            "shadow": ("read", "/etc/shadow"),
            "host-name": ("read", "/etc/hostname"),
            "other-home": ("read", str(other / "diary.txt")),
            "root-home": ("list", "/root/.ssh"),
            "neighbours": ("list", str(home.parent)),
            "docker": ("unix", "/var/run/docker.sock"),
            "docker-here": ("unix", str(other / "docker.sock")),
            "sockets": ("sockets", "/run", "/var", "/tmp", "/dev", str(home.parent)),
            "state": ("read", str(state)),
            "state-write": ("append", str(state), "csbench"),
            "cache": ("list", str(arena.project.lab.cache / "cargo-sandbox")),
            "host-root": ("read", f"/proc/1/root{other}/diary.txt"),
            "host-cwd": ("proc", "1", "cwd"),
            "boot": ("list", "/boot"),
            "sys": ("list", "/sys/kernel"),
            "kallsyms": ("search", "csbench", "/var/log"),
            "tmp": ("list", "/tmp"),
        }
        found = arena.attack(script=acts)
        shown = weak.attack(script=acts, removed=(f"show={other}",))
    for name in (
        "shadow",
        "other-home",
        "docker",
        "docker-here",
        "state",
        "state-write",
        "cache",
        "boot",
        "sys",
    ):
        assert found.script[name] in ("ENOENT", "EACCES"), (name, found.script[name])
    assert found.script["root-home"] in ("ENOENT", "EACCES")
    # Docker puts a file there, with the name that we gave the container.
    assert found.script["host-name"] in ("ENOENT", "EACCES", "ok:build|")
    assert found.script["neighbours"] == f"ok:{home.name}"
    assert found.script["sockets"] == found.script["kallsyms"] == "ok"
    assert found.script["host-root"] in ("ENOENT", "EACCES") and found.script["host-cwd"] == "EACCES"
    assert all(name.startswith("cs-") for name in found.script["tmp"].removeprefix("ok").removeprefix(":").split())
    assert shown.script["other-home"] == "ok:csbench diary" and "docker.sock" in shown.script["sockets"]
