"""The workspace in which the attacks take place, and how a test tells its crates what to do.

    arena.attack(script={"web": ("tcp", "192.0.2.1:80")}).script["web"] == "ENETUNREACH"

`crates/csbench-actor` acts: as the build script of `csbench-script` and of `csbench-neighbour` (both run at the same
time), and as the proc macro `csbench-macro` while rustc compiles `csbench-consumer`. `csbench-victim` is whom they
attack. The crates are inert without the marker files, which only stand in the copies that the tests build.
"""

from __future__ import annotations

import errno
import itertools
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.harness import Done, Lab, Project, Run, plain, sandboxed

CRATES = Path(__file__).parent / "crates"
Acts = Mapping[str, Sequence[str]]

_NONCE = itertools.count()
_SESSION = secrets.token_hex(4)
_TOLD = re.compile(r"^(?:cargo:)?csbench-([\w.-]+)=(.*)$", re.MULTILINE)
_SCRIPT = 'fn main() {\n    csbench_actor::script(env!("CARGO_MANIFEST_DIR"));\n}\n'
_VICTIM_SCRIPT = """\
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/generated.rs"), "pub fn generated() -> u32 { 7 }").unwrap();
    println!("cargo:rerun-if-changed=build.rs");
}
"""
_MACRO = """\
use proc_macro::TokenStream;

#[proc_macro]
pub fn act(_: TokenStream) -> TokenStream {
    csbench_actor::expansion(&std::env::var("CARGO_MANIFEST_DIR").unwrap());
    TokenStream::new()
}
"""


def tag(name: str) -> str:
    """A word for command lines, by which no other test session on this machine finds its processes."""
    return f"{name}-{_SESSION}"


def manifest(name: str, extra: str = "") -> str:
    """A Cargo.toml of a fixture."""
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\npublish = false\n\n{extra}'


def package(name: str, extra: str = "", **files: str) -> dict[str, str]:
    """A fixture's files; `files` are named with `__` for `/` and without `.rs`."""
    found = {f"{name}/Cargo.toml": manifest(name, extra), f"{name}/src/lib.rs": ""}
    return found | {f"{name}/{key.replace('__', '/')}.rs": text for key, text in files.items()}


def actor_script(name: str, more: str = "", body: str = "") -> dict[str, str]:
    """A library whose build script acts. `body` is code of its main after the acts."""
    script = _SCRIPT.replace("}\n", f"{body}}}\n") if body else _SCRIPT
    extra = f'[build-dependencies]\ncsbench-actor = {{ path = "../csbench-actor" }}\n{more}'
    return package(name, extra, build=script) | {f"{name}/acts": "", f"{name}/csbench-marker": ""}


def actor_source() -> dict[str, str]:
    """The crate that acts."""
    top = CRATES / "csbench-actor"
    files = (path for path in top.rglob("*") if path.suffix in (".toml", ".rs"))
    return {f"csbench-actor/{path.relative_to(top)}": path.read_text() for path in files}


def application(*dependencies: str, profile: str = "debug = 0\nincremental = false") -> dict[str, str]:
    """The workspace's root: a program that needs all of them."""
    needed = "".join(f'{name} = {{ path = "{name}" }}\n' for name in dependencies)
    text = manifest("csbench-app", f"[workspace]\n\n[profile.dev]\n{profile}\n\n[dependencies]\n{needed}")
    return {"Cargo.toml": text, "src/main.rs": "fn main() {}\n"}


def workspace() -> dict[str, str]:
    """All crates of the arena."""
    victim = '[build-dependencies.csbench-victim]\npath = "../csbench-victim"\n'
    uses = "[dependencies]\n"
    uses += "".join(f'{name} = {{ path = "../{name}" }}\n' for name in ("csbench-macro", "csbench-victim"))
    macro = '[lib]\nproc-macro = true\n\n[dependencies]\ncsbench-actor = { path = "../csbench-actor" }\n'
    return (
        application("csbench-consumer", "csbench-neighbour", "csbench-script", "csbench-victim")
        | actor_source()
        | actor_script("csbench-script", victim)
        | actor_script("csbench-neighbour", victim)
        | package("csbench-victim", build=_VICTIM_SCRIPT)
        | {"csbench-victim/src/lib.rs": 'include!(concat!(env!("OUT_DIR"), "/generated.rs"));\n'}
        | package("csbench-macro", macro)
        | {"csbench-macro/src/lib.rs": _MACRO}
        | package("csbench-consumer", uses)
        | {
            "csbench-consumer/src/lib.rs": 'csbench_macro::act!();\npub const ACTS: &str = include_str!("../acts");\n',
            "csbench-consumer/acts": "",
            "csbench-consumer/csbench-marker": "",
            "src/main.rs": 'fn main() { println!("{}", csbench_victim::generated()); }\n',
        }
    )


def acts_file(acts: Acts) -> str:
    """The text that csbench-actor reads; a number in it makes each text new, so that cargo runs the unit again."""
    lines = ["\t".join((name, *words)) for name, words in acts.items()]
    assert all("\n" not in line for line in lines)
    return "".join(line + "\n" for line in [f"{next(_NONCE)}", *lines])


def outcomes(told: str) -> dict[str, str]:
    """How acts ended: `ok`, `ok:…` with what was seen, the name of an error, or `failed:…`."""
    found = {}
    for name, text in _TOLD.findall(told):
        kind, _, number = text.partition(":")
        found[name] = errno.errorcode.get(int(number), number) if kind == "errno" else text
    return found


@dataclass(frozen=True)
class Attack:
    """A build in which crates acted."""

    done: Done

    @cached_property
    def run(self) -> Run:
        return self.done.run

    @cached_property
    def script(self) -> dict[str, str]:
        """Outcomes of csbench-script's acts, from the record: its directives."""
        return self.told("csbench-script")

    @cached_property
    def macro(self) -> dict[str, str]:
        """Outcomes of csbench-macro's acts, from cargo's standard error."""
        return outcomes(self.done.stderr)

    def told(self, package: str) -> dict[str, str]:
        """Outcomes of the acts of a package's build script."""
        directives = (self.unit_record("script", package)["end"] or {}).get("directives") or []
        return outcomes("\n".join(map(str, directives)))

    def unit_record(self, role: str, package: str) -> dict[str, Any]:
        """The one unit of a role and package."""
        found = self.run.units(role, package)
        assert len(found) == 1, f"{len(found)} {role} units of {package}\n{self.done.shown}"
        return found[0]

    @cached_property
    def script_unit(self) -> str:
        return str(self.unit_record("script", "csbench-script")["unit"])

    @cached_property
    def macro_unit(self) -> str:
        return str(self.unit_record("rustc", "csbench-consumer")["unit"])

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return self.run.events()

    def select(self, **wanted: Any) -> list[dict[str, Any]]:
        """Events with these fields. A tuple stands for any of its values."""

        def fits(event: Mapping[str, Any], name: str, value: Any) -> bool:
            return event.get(name) in value if isinstance(value, tuple) else event.get(name) == value

        return [event for event in self.events if all(fits(event, name, value) for name, value in wanted.items())]

    def codes(self, package: str | None = None) -> set[str]:
        """Codes of the findings, of one package if asked for."""
        return {found["code"] for found in self.run.findings() if package in (None, found["package"])}

    def acts(self, package: str | None = None) -> set[str]:
        """Codes of the findings of single acts (`Run.acts`), without what rules say of the same."""
        return {found["code"] for found in self.run.acts() if package in (None, found["package"])}


@dataclass(frozen=True)
class Arena:
    """A built copy of the workspace. `guard` is the guard to use, `breakable` whether walls can be taken down in it."""

    project: Project
    guard: Path
    breakable: bool

    @classmethod
    def make(cls, lab: Lab, guard: Path, breakable: bool) -> Arena:
        """Copy the workspace, and build it once, so that there is something to attack."""
        project = lab.project(workspace())
        lab.made.remove(project)  # it outlives the test that needs it first
        arena = cls(project, guard, breakable)
        done = arena.attack().done
        assert done.code == 0, done.shown
        return arena

    def attack(
        self,
        *,
        script: Acts | None = None,
        macro: Acts | None = None,
        neighbour: Acts | None = None,
        removed: Sequence[str] = (),
        verb: Sequence[str] = ("build",),
        options: Sequence[str] = ("--deny", "never", "--on-violation", "report"),
        env: Mapping[str, str] | None = None,
    ) -> Attack:
        """Give the crates their acts and build, with some walls removed if asked for."""
        for name, acts in (("script", script), ("neighbour", neighbour), ("consumer", macro)):
            path = self.project.dir / f"csbench-{name}" / "acts"
            if acts or path.stat().st_size:
                path.write_text(acts_file(acts) if acts else "")
        return Attack(build(self.project, self.guard, *verb, removed=removed, options=options, env=env))

    def plain(self, **acts: Acts) -> Done:
        """The same by cargo alone: no wall at all."""
        for name in ("script", "neighbour", "consumer"):
            given = acts.get("macro" if name == "consumer" else name)
            (self.project.dir / f"csbench-{name}" / "acts").write_text(acts_file(given) if given else "")
        return plain(self.project, "build", "-vv", "--target-dir", "plain-target", env={"CSBENCH": "1"})


def build(
    project: Project,
    guard: Path,
    *verb: str,
    removed: Sequence[str] = (),
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> Done:
    """`cargo-sandbox VERB` with fixtures awake and walls removed."""
    variables = {"CSBENCH": "1", "CARGO_SANDBOX_TEST_GUARD": str(guard), **(env or {})}
    if removed:
        variables["CARGO_SANDBOX_TEST_BREAK"] = ",".join(removed)
    return sandboxed(project, *verb, env=variables, options=("--allow-env", "CSBENCH", *options))


def copy_tree(source: Path, to: Path) -> None:
    """A copy with links as links."""
    shutil.copytree(source, to, symlinks=True)
