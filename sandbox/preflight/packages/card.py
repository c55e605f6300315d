"""What a package's manifest says of it, as far as the checks need it. Source: the book's "The Manifest Format"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.cargo.files import Unreadable, parse_toml
from sandbox.preflight.packages.contents import Contents

MAX_MANIFEST = 1 << 20
_SECTIONS = ("dependencies", "build-dependencies", "build_dependencies")


@dataclass(frozen=True, slots=True)
class Card:
    """`script` is the build script's path within the package, empty without one. `needs` are the packages' names that
    it depends on (not for development). Texts are empty where the manifest has none."""

    script: str = ""
    proc_macro: bool = False
    links: str = ""
    repository: str = ""
    homepage: str = ""
    description: str = ""
    authors: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()

    @property
    def runs_code(self) -> bool:
        """Whether it brings code that runs while others are built."""
        return bool(self.script) or self.proc_macro

    @property
    def brings(self) -> str:
        """What runs, in words; empty for nothing."""
        return " and ".join(["a build script"] * bool(self.script) + ["a proc macro"] * self.proc_macro)


@dataclass(frozen=True, slots=True)
class BuildParts:
    """What a manifest says of code that runs while others are built: paths within the package, as they are written.
    `library` is the root of the library or macro."""

    scripts: tuple[str, ...] = ()
    macro: bool = False
    library: str = "src/lib.rs"


def build_parts(table: dict[str, Any], has_build_rs: bool) -> BuildParts:
    """The parts that cargo would run, by a manifest's table; `has_build_rs` says whether the package has that file.

    All that any cargo takes counts: `[project]` is the old name of `[package]`, and where there are both some versions
    take the one and some the other; keys with two words have an old form with `_`. Source: cargo's
    `src/util/toml/mod.rs` and `src/util/toml/targets.rs`.
    """
    said = [_table(table, key) for key in ("package", "project") if isinstance(table.get(key), dict)]
    library = _table(table, "lib")
    types = [one for key in ("crate-type", "crate_type") for one in _strings(library.get(key))]
    macro = "proc-macro" in types or any(library.get(key) is True for key in ("proc-macro", "proc_macro"))
    scripts = dict.fromkeys(one for part in said or [{}] for one in _scripts(part.get("build"), has_build_rs))
    path = library.get("path")
    return BuildParts(tuple(scripts), macro, path if isinstance(path, str) else "src/lib.rs")


def card_of(contents: Contents) -> Card:
    """The card of a package. Raises Unreadable without a proper manifest."""
    manifest = contents.files.get("Cargo.toml")
    if manifest is None:
        raise Unreadable("it has no Cargo.toml")
    if manifest.size > MAX_MANIFEST:
        raise Unreadable(f"its Cargo.toml is larger than {MAX_MANIFEST} bytes")
    table = parse_toml(contents.text("Cargo.toml") or "")
    package = _table(table, "package") or _table(table, "project")
    parts = build_parts(table, "build.rs" in contents.files)
    return Card(
        # `multiple-build-scripts` of nightly cargo: the first stands for all.
        script=parts.scripts[0].removeprefix("./") if parts.scripts else "",
        proc_macro=parts.macro,
        links=_string(package.get("links")),
        repository=_string(package.get("repository")),
        homepage=_string(package.get("homepage")),
        description=" ".join(_string(package.get("description")).split()),
        authors=_strings(package.get("authors")),
        needs=frozenset(_needs(table)),
    )


def _scripts(build: Any, has_build_rs: bool) -> tuple[str, ...]:
    if isinstance(build, str):
        return (build,)
    if isinstance(build, list):
        return _strings(build)
    return ("build.rs",) if build is not False and has_build_rs else ()


def _needs(table: dict[str, Any]) -> set[str]:
    found = set()
    for part in (table, *(one for one in _table(table, "target").values() if isinstance(one, dict))):
        for section in _SECTIONS:
            for name, entry in _table(part, section).items():
                real = entry.get("package") if isinstance(entry, dict) else None
                found.add(real if isinstance(real, str) else name)
    return found


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
