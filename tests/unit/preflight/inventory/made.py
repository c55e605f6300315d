"""A made-up workspace with one package of each kind, and what its manifests, lock file and last run say.

app (member, program, build script)
├── csbench-lib          crates.io; on another platform csbench-win as well
│   └── csbench-sys      links, build script by cc
├── csbench-derive       proc macro, with csbench-syn
├── csbench-git          git
├── csbench-private      another registry
└── csbench-check (dev)
csbench-tool (member, a library) needs csbench-lib
"""

from __future__ import annotations

from dataclasses import replace

from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import BuildScript, Dependency, Facts, Package
from sandbox.preflight.inventory.build import from_facts
from sandbox.preflight.inventory.manifests import Stated
from sandbox.preflight.inventory.model import Code, Inventory, Item, Licence, Ran

ROOT = "/ws"
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
PRIVATE = "sparse+https://someone:secret@registry.acme.invalid/index/"
GIT = "git+https://someone:secret@git.acme.invalid/csbench-git?branch=main#0123456789abcdef0123456789abcdef01234567"
STAMP = 1_700_000_000

_NEEDS = {
    "app": [
        ("csbench-lib", "normal"), ("csbench-derive", "normal"), ("csbench-git", "normal"),
        ("csbench-private", "normal"), ("csbench-check", "dev"),
    ],
    "csbench-tool": [("csbench-lib", "normal")],
    "csbench-lib": [("csbench-sys", "normal")],
    "csbench-sys": [("cc", "build")],
    "csbench-derive": [("csbench-syn", "normal")],
}  # fmt: skip
_SOURCES = {"app": None, "csbench-tool": None, "csbench-git": GIT, "csbench-private": PRIVATE}
_SCRIPTS = ("app", "csbench-sys", "csbench-syn")
NAMES = (
    "app", "cc", "csbench-check", "csbench-derive", "csbench-git", "csbench-lib", "csbench-private", "csbench-sys",
    "csbench-syn", "csbench-tool",
)  # fmt: skip
LICENCES = {
    "app": Licence("none"),
    "cc": Licence("expression", "MIT OR Apache-2.0"),
    "csbench-check": Licence("expression", "Apache-2.0 OR MIT"),
    "csbench-derive": Licence("expression", "MIT"),
    "csbench-git": Licence("other", "ask us"),
    "csbench-lib": Licence("expression", "Apache-2.0 WITH LLVM-exception"),
    "csbench-private": Licence("expression", "LicenseRef-acme"),
    "csbench-sys": Licence("file", "COPYING"),
    "csbench-syn": Licence("expression", "MIT OR Apache-2.0"),
    "csbench-tool": Licence("unread", "its manifest is not there"),
}


def checksum(name: str) -> str | None:
    return None if _SOURCES.get(name, CRATES_IO) in (None, GIT) else f"{sum(name.encode()):064x}"


def directory(name: str) -> str:
    return {"app": f"{ROOT}/app", "csbench-tool": "/beside/tool"}.get(name, f"/home/ann/.cargo/src/{name}")


def package(name: str) -> Package:
    place = directory(name)
    scripts = (BuildScript("build_script_build", f"{place}/build.rs"),) if name in _SCRIPTS else ()
    return Package(
        id=name, name=name, version="1.2.3", source=_SOURCES.get(name, CRATES_IO), checksum=checksum(name),
        manifest_path=f"{place}/Cargo.toml", scripts=scripts, proc_macro=name == "csbench-derive",
        links="answer" if name == "csbench-sys" else None, binaries=("app",) if name == "app" else (), sources=(),
    )  # fmt: skip


def facts() -> Facts:
    graph = tuple(tuple(Dependency(NAMES.index(to), (kind,)) for to, kind in _NEEDS.get(name, ())) for name in NAMES)
    members = (NAMES.index("app"), NAMES.index("csbench-tool"))
    return Facts(ROOT, f"{ROOT}/target", tuple(map(package, NAMES)), members, members, graph)


def locked() -> tuple[LockedPackage, ...]:
    """The lock file: as the graph, and one package that is for another platform alone."""
    found = []
    for name in NAMES:
        needs = [to for to, _ in _NEEDS.get(name, ())] + (["csbench-win"] if name == "csbench-lib" else [])
        found.append(LockedPackage(name, "1.2.3", _SOURCES.get(name, CRATES_IO), checksum(name), tuple(needs)))
    return (*found, LockedPackage("csbench-win", "1.2.3", CRATES_IO, "ab" * 32))


def stated(package: Package, member: bool) -> Stated:
    return Stated(LICENCES[package.name], f"https://git.acme.invalid/{package.name}")


def inventory() -> Inventory:
    """As gathered before any run."""
    return from_facts(facts(), locked(), stated, STAMP)


def after_a_run() -> Inventory:
    """As gathered after a run that found something, with a baseline and an accepted graph."""
    ran = Ran("2026-11-20-k3f9", "2026-11-20T10:00:00+00:00", STAMP, "violation", "all of a build was seen")
    changes: dict[str, dict[str, object]] = {
        "app": {"script": "ran", "baseline": "none"},
        "csbench-sys": {
            "script": "ran", "verdict": "violation", "findings": (Code("CS0102", "high"),), "baseline": "changed",
            "store": "tree", "new": True,
        },
        "csbench-syn": {"script": "fresh", "baseline": "known", "store": "pack"},
        "csbench-derive": {"macro": "loaded", "baseline": "other version", "store": "user"},
        "csbench-lib": {"warnings": (Code("CS0551", "high", "RUSTSEC-0000-0000"),)},
    }  # fmt: skip
    base = inventory()
    items = []
    for item in base.items:
        verdict = "not seen" if item.use == "other" else "clean"
        values: dict[str, object] = {"verdict": verdict, "new": None if item.use == "other" else False}
        items.append(replace(item, **(values | changes.get(item.name, {}))))  # type: ignore[arg-type]
    return replace(base, items=tuple(items), ran=ran)


def find(inventory: Inventory, name: str) -> Item:
    return next(item for item in inventory.items if item.name == name)


HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\n<&\"'>\u202e\ufffe\ud800 ]]> `$(id)`"


def hostile() -> Inventory:
    """As `after_a_run`, with text of the worst kind wherever a stranger writes some."""
    base = after_a_run()
    items = tuple(
        replace(
            item, name=item.name + HOSTILE, version=item.version + HOSTILE, links=HOSTILE, programs=(HOSTILE,),
            native=(HOSTILE,), checksum=HOSTILE if at % 2 else item.checksum,
            origin=item.origin._replace(url=HOSTILE, revision=HOSTILE),
            licence=Licence("other", HOSTILE + "A" * 100_000),
        )
        for at, item in enumerate(base.items)
    )  # fmt: skip
    return replace(base, name=HOSTILE, version=HOSTILE, items=items, notes=(HOSTILE,))
