"""A project's own files run nothing on the host and nothing in the resolve container, whatever the verb."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attack.arena import manifest
from tests.engines import core
from tests.harness import Done, Lab, Project, has_rustup, host_triple, plain, sandboxed, sysroot

pytestmark = [pytest.mark.attack, pytest.mark.engine]

VERBS = {
    "build": ("build",),
    "check": ("check",),
    "b": ("b",),
    "test": ("test",),
    "run": ("run",),
    "clippy": ("clippy",),
    "doc": ("doc", "--no-deps"),
    "bench": ("bench",),
    "plan": ("plan", "build"),
}

# Leaves a mark wherever it can: in a folder for everybody (out of reach in any container), in cargo's home (writable
# where cargo resolves) and in what it prints. Then it does what was asked of it, so that its caller goes on.
PROGRAM = """\
#!/bin/sh
for place in {marks} "${{CARGO_HOME:-$HOME/.cargo}}"; do
    echo csbench > "$place/csbench-mark-$(basename "$0")" 2>/dev/null
done
echo "csbench-ran $(basename "$0")" >&2
{then}
"""
# What each planted program does afterwards.
PROGRAMS = {
    "evil-wrapper": 'exec "$@"',
    "evil-workspace-wrapper": 'exec "$@"',
    "evil-rustc": 'exec rustc "$@"',
    "evil-rustdoc": 'exec rustdoc "$@"',
    "evil-linker": 'exec cc "$@"',
    "evil-runner": 'exec "$@"',
    "evil-credentials": "exit 1",
    "evil-fsmonitor": "exit 0",
    "cargo-evil": "exit 0",
    "bwrap": 'exec /usr/bin/bwrap "$@"',
    "git": 'exec /usr/bin/git "$@"',
    "rustc": "exit 1",
    "cc": 'exec /usr/bin/cc "$@"',
}


@dataclass(frozen=True)
class Trap:
    """A hostile tree. `marks` is a folder on the host that everybody may write to."""

    project: Project
    marks: Path

    @property
    def sprung(self) -> list[str]:
        """Names of the planted programs that ran on the host or while cargo resolved."""
        places = (self.marks, self.project.home / ".cargo", self.project.dir)
        return sorted({path.name for place in places for path in place.glob("csbench-mark-*")})

    def reset(self) -> None:
        for place in (self.marks, self.project.home / ".cargo", self.project.dir):
            for path in place.glob("csbench-mark-*"):
                path.unlink()
        self.project.remove("target", "Cargo.lock")

    def run(self, *args: str, **more: Mapping[str, str]) -> Done:
        return sandboxed(self.project, *args, **more)


def config(tree: Path) -> str:
    """Every key of a cargo configuration that makes cargo start a program, but `build.rustc` (see below)."""
    bin = tree / "bin"
    # rustup's cargo calls the compiler by its whole path, another one needs to find it.
    path = f"{bin}:/usr/bin:/bin" if has_rustup() else f"{sysroot()}/bin:{bin}:/usr/bin:/bin"
    return f"""\
paths = ["{tree}/override"]

[build]
rustc-wrapper = "{bin}/evil-wrapper"
rustc-workspace-wrapper = "{bin}/evil-workspace-wrapper"
rustdoc = "{bin}/evil-rustdoc"

[alias]
b = ["evil"]
c = "evil"
sandbox = "evil"
metadata = "evil"

[env]
RUSTC = {{ value = "{bin}/evil-rustc", force = true }}
PATH = {{ value = "{path}", force = true }}
CSBENCH_TREE = "1"

[target.{host_triple()}]
linker = "{bin}/evil-linker"
runner = "{bin}/evil-runner"

[target.'cfg(unix)']
rustflags = ["--cfg", "csbench"]

[registry]
credential-provider = ["{bin}/evil-credentials"]
global-credential-providers = ["{bin}/evil-credentials"]

[registries.csbench]
index = "sparse+https://registry.invalid/"
credential-provider = ["{bin}/evil-credentials"]

[credential-alias]
mine = ["{bin}/evil-credentials"]

[net]
git-fetch-with-cli = true
"""


def tree(lab: Lab, name: str, marks: Path, settings: str | None = None) -> Trap:
    """A program with a test and a bench, and the traps around it."""
    project = lab.project({}, name)
    project.write(
        {
            "Cargo.toml": manifest("csbench-tree", "[workspace]\n"),
            "src/main.rs": 'fn main() { println!("tree"); }\n#[test]\nfn works() {}\n',
            "override/Cargo.toml": manifest("csbench-override", "[workspace]\n"),
            "override/src/lib.rs": "",
            ".cargo/config.toml": config(project.dir) if settings is None else settings,
            ".git/HEAD": "ref: refs/heads/main\n",
            ".git/config": f"[core]\n\tfsmonitor = {project.dir}/bin/evil-fsmonitor\n",
            ".git/objects/info/none": "",
            ".git/refs/heads/none": "",
            "sandbox/__init__.py": f"open('{marks}/csbench-mark-python', 'w')\n",
            "json.py": f"open('{marks}/csbench-mark-json', 'w')\n",
            "~/.cargo/keep": "",
        }
    )
    for program, then in PROGRAMS.items():
        text = PROGRAM.format(marks=marks, then=then)
        project.write({f"bin/{program}*": text})
    for path in marks.iterdir():
        path.unlink()
    return Trap(project, marks)


@pytest.fixture(scope="module")
def marks(lab: Lab) -> Path:
    folder = lab.base / "marks"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def module_trap(lab: Lab, marks: Path) -> Trap:
    return tree(lab, "hostile", marks)


@pytest.fixture
def trap(module_trap: Trap) -> Iterator[Trap]:
    module_trap.reset()
    yield module_trap
    module_trap.reset()


def relative_path(project: Project) -> dict[str, str]:
    """The caller's PATH with entries that lead into the tree."""
    return {"PATH": f":bin:{project.environment()['PATH']}:."}


def test_the_traps_are_live_others_run_them(trap: Trap) -> None:
    """What cargo, git and Python do in such a tree when nobody stands between."""
    for verb in ("build", "test", "doc"):
        plain(trap.project, verb)
    plain(trap.project, "logout", "--registry", "csbench")
    alias = plain(trap.project, "b", env={"PATH": f"{trap.project.dir}/bin:{trap.project.environment()['PATH']}"})
    assert "csbench-ran cargo-evil" in alias.stderr
    for command in (["git", "status"], [sys.executable, "-c", "import json"], [sys.executable, "-c", "import sandbox"]):
        subprocess.run(command, cwd=trap.project.dir, env=trap.project.environment(), capture_output=True, check=False)
    ran = {name.removeprefix("csbench-mark-") for name in trap.sprung}
    assert ran == {
        "evil-wrapper",
        "evil-workspace-wrapper",
        "evil-rustdoc",
        "evil-linker",
        "evil-runner",
        "evil-credentials",
        "evil-fsmonitor",
        "cargo-evil",
        "python",
        "json",
        *(ran & {"cc", "git", "rustc"}),
    }


@pytest.mark.parametrize("locked", [False, True], ids=["without-lock-file", "with-lock-file"])
@pytest.mark.parametrize("verb", VERBS)
def test_no_planted_program_runs_on_the_host_or_in_resolve(trap: Trap, verb: str, locked: bool) -> None:
    if locked:
        text = 'version = 4\n\n[[package]]\nname = "csbench-tree"\nversion = "0.1.0"\n'
        trap.project.write({"Cargo.lock": text})
    done = trap.run(*VERBS[verb], env=relative_path(trap.project))
    assert trap.sprung == [], done.shown
    assert done.code in (0, 120), done.shown
    if verb == "plan":
        assert "csbench-ran" not in done.stderr + done.stdout
        assert done.run_id is None
        return
    # Those that cargo itself is told to run do run, inside: the record has them as events of a unit.
    planted = str(trap.project.dir / "bin")
    ran = {Path(event["path"]).name for event in done.run.events("exec") if str(event["path"]).startswith(planted)}
    assert "cargo-evil" not in ran and "bwrap" not in ran and "evil-credentials" not in ran
    assert "evil-wrapper" in ran
    assert all(event["unit"] != "u0" for event in done.run.events("exec") if str(event["path"]).startswith(planted))


@core
def test_a_compiler_that_the_tree_names_does_not_answer_on_the_host_or_in_resolve(lab: Lab, marks: Path) -> None:
    trap = tree(lab, "named-rustc", marks, settings="")
    trap.project.write({".cargo/config.toml": f'[build]\nrustc = "{trap.project.dir}/bin/evil-rustc"\n'})
    done = trap.run("build")
    assert trap.sprung == [], done.shown
    assert done.code in (0, 120, 101, 121), done.shown
    plain(trap.project, "build")
    assert trap.sprung == ["csbench-mark-evil-rustc"], "plain cargo asks it"


TOOLCHAINS = {
    "absolute path": '[toolchain]\npath = "{dir}/evil-toolchain"\n',
    "relative path": '[toolchain]\npath = "evil-toolchain"\n',
    "channel that climbs": '[toolchain]\nchannel = "../../../../../../../../../..{dir}/evil-toolchain"\n',
    "channel that is a path": '[toolchain]\nchannel = "{dir}/evil-toolchain"\n',
}


@pytest.mark.parametrize("kind", TOOLCHAINS)
def test_a_toolchain_of_the_trees_own_is_refused(lab: Lab, marks: Path, kind: str) -> None:
    trap = tree(lab, "toolchain", marks, settings="")
    for program in ("cargo", "rustc", "rustdoc"):
        text = PROGRAM.format(marks=marks, then="exit 0")
        trap.project.write({f"evil-toolchain/bin/{program}*": text})
    trap.project.write(
        {"evil-toolchain/lib/keep": "", "rust-toolchain.toml": TOOLCHAINS[kind].format(dir=trap.project.dir)}
    )
    if not has_rustup():
        done = trap.run("build")
        assert done.code == 0 and trap.sprung == [], "nobody obeys the file"
        return
    for verb in (("build",), ("plan", "build")):
        done = trap.run(*verb)
        assert done.code == 121 and trap.sprung == [], done.shown
        assert "toolchain" in done.stderr and "help:" in done.stderr
    trap.project.remove("rust-toolchain.toml")
    trap.project.write({"rust-toolchain": f"{trap.project.dir}/evil-toolchain\n"})
    done = trap.run("build")
    assert done.code == 121 and trap.sprung == [], done.shown
    if kind == "absolute path":
        plain(trap.project, "build")
        assert trap.sprung == ["csbench-mark-cargo"], "rustup starts it"


def test_a_preloaded_library_of_the_tree_is_not_loaded_by_the_guard(lab: Lab, marks: Path) -> None:
    """`[env]` reaches each process that cargo starts, and the guard's roles are such processes."""
    trap = tree(lab, "preload", marks, settings="")
    trap.project.write(
        {
            ".cargo/config.toml": f'[env]\nLD_PRELOAD = {{ value = "{trap.project.dir}/nothing.so", force = true }}\n',
        }
    )
    done = trap.run("build", options=("--on-violation", "report", "--deny", "never"))
    opened = [event for event in done.run.events("open") if str(event.get("path")).endswith("nothing.so")]
    assert all(event["pid"] not in _role_pids(done) for event in opened), opened


def _role_pids(done: Done) -> set[int]:
    return {unit["pid"] for unit in done.units() if unit["role"] in ("rustc", "script", "rustdoc", "probe")}


@core
def test_places_that_the_tree_may_not_open_are_refused(lab: Lab, marks: Path) -> None:
    """Dependencies, overrides and target dirs of a hostile tree that would show or open the user's own folders."""
    cases: dict[str, tuple[str, str]] = {
        "dependency in .ssh": ("", '[dependencies]\nstolen = { path = "{home}/.ssh/stolen" }\n'),
        "override in .aws": ('paths = ["{home}/.aws/stolen"]\n', ""),
        "dependency that is the home": ("", '[dependencies]\nstolen = { path = "{home}" }\n'),
        "target dir with the user's files": ('[build]\ntarget-dir = "{home}/Documents"\n', ""),
        "target dir that is the home": ('[build]\ntarget-dir = "{home}"\n', ""),
        "target dir in .ssh": ('[build]\ntarget-dir = "{home}/.ssh/target"\n', ""),
        "target dir for git's hooks": ('[build]\ntarget-dir = ".git/hooks"\n', ""),
        "target dir for login programs": ('[build]\ntarget-dir = "{home}/.config/autostart"\n', ""),
        "target dir in cargo's home": ('[build]\ntarget-dir = "{home}/.cargo/registry"\n', ""),
    }
    for what, (settings, extra) in cases.items():
        trap = tree(lab, "places", marks, settings="")
        home = str(trap.project.home)
        stolen = {"Cargo.toml": manifest("stolen"), "src/lib.rs": ""}
        for place in ("~/", "~/.ssh/stolen/", "~/.aws/stolen/"):
            trap.project.write({place + name: text for name, text in stolen.items()})
        trap.project.write(
            {
                "Cargo.toml": manifest("csbench-tree", "[workspace]\n" + extra.replace("{home}", home)),
                ".cargo/config.toml": settings.replace("{home}", home),
                "~/Documents/diary.txt": "diary",
                "~/.cargo/registry/index/x": "",
            }
        )
        before = sorted(path.name for path in (trap.project.home / "Documents").iterdir())
        done = trap.run("build")
        assert done.code == 121, f"{what}: {done.shown}"
        assert "wall:" in done.stderr and "help:" in done.stderr, f"{what}: {done.shown}"
        assert sorted(path.name for path in (trap.project.home / "Documents").iterdir()) == before, what


@pytest.mark.parametrize("link", ["target", "Cargo.lock", "target/.cargo-sandbox", "build dir"])
def test_a_planted_link_leads_no_write_out_of_the_tree(lab: Lab, marks: Path, link: str) -> None:
    trap = tree(lab, "links", marks, settings="")
    trap.project.write({"~/Documents/diary.txt": "diary", "target/CACHEDIR.TAG": "x"})
    place = trap.project.build_dir if link == "build dir" else trap.project.dir / link
    trap.project.remove(str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(trap.project.home / "Documents" / ("diary.txt" if link == "Cargo.lock" else ""))
    done = trap.run("build")
    assert done.code == (101 if link == "Cargo.lock" else 121), done.shown
    assert [path.name for path in (trap.project.home / "Documents").iterdir()] == ["diary.txt"]
    assert (trap.project.home / "Documents/diary.txt").read_text() == "diary"


def test_an_alias_of_the_tree_does_not_replace_a_verb(lab: Lab, marks: Path) -> None:
    trap = tree(lab, "alias", marks, settings='[alias]\nb = "version"\nbuild = "version"\n')
    done = trap.run("b")
    assert done.code == 0 and (trap.project.target / "debug/csbench-tree").is_file(), done.shown


def test_a_git_transport_that_is_a_command_is_not_run(lab: Lab, marks: Path) -> None:
    trap = tree(lab, "transport", marks, settings="[net]\ngit-fetch-with-cli = true\n")
    dependency = f'[dependencies]\nstolen = {{ git = "ext::sh -c touch% {marks}/csbench-mark-ext%" }}\n'
    trap.project.write({"Cargo.toml": manifest("csbench-tree", f"[workspace]\n\n{dependency}")})
    done = trap.run("build")
    assert done.code == 101 and trap.sprung == [], done.shown


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_our_own_files_may_not_lie_where_the_build_may_write(lab: Lab, marks: Path, variable: str) -> None:
    """The ledger says what is fresh, the cache holds the decoys and the guard's settings."""
    trap = tree(lab, "own-files", marks, settings="")
    done = trap.run("build", env={variable: str(trap.project.target / "inner")})
    assert done.code == 121 and "wall:" in done.stderr and "help:" in done.stderr, done.shown


@pytest.mark.parametrize("name", ["Cargo.lock", "Cargo.toml", ".cargo/config.toml", "rust-toolchain.toml", "target"])
def test_a_pipe_in_a_files_place_keeps_nobody_waiting(lab: Lab, marks: Path, name: str) -> None:
    trap = tree(lab, "pipes", marks, settings="")
    trap.project.remove(name)
    os.mkfifo(trap.project.dir / name)
    done = sandboxed(trap.project, "build", timeout=20)
    if name == "rust-toolchain.toml" and not has_rustup():
        assert done.code == 0, done.shown
        return
    assert done.code in (101, 121) and name in done.stderr, done.shown
