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


def card_of(contents: Contents) -> Card:
    """The card of a package. Raises Unreadable without a proper manifest."""
    manifest = contents.files.get("Cargo.toml")
    if manifest is None:
        raise Unreadable("it has no Cargo.toml")
    if manifest.size > MAX_MANIFEST:
        raise Unreadable(f"its Cargo.toml is larger than {MAX_MANIFEST} bytes")
    table = parse_toml(contents.text("Cargo.toml") or "")
    package = _table(table, "package") or _table(table, "project")
    return Card(
        script=_script(package.get("build"), contents),
        proc_macro=any(_table(table, "lib").get(key) is True for key in ("proc-macro", "proc_macro"))
        or "proc-macro" in _strings(_table(table, "lib").get("crate-type")),
        links=_string(package.get("links")),
        repository=_string(package.get("repository")),
        homepage=_string(package.get("homepage")),
        description=" ".join(_string(package.get("description")).split()),
        authors=_strings(package.get("authors")),
        needs=frozenset(_needs(table)),
    )


def _script(build: Any, contents: Contents) -> str:
    if build is False:
        return ""
    if isinstance(build, str):
        return build.removeprefix("./")
    if isinstance(build, list):
        # `multiple-build-scripts` of nightly cargo: the first stands for all.
        return next((one for one in build if isinstance(one, str)), "")
    return "build.rs" if "build.rs" in contents.files else ""


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
