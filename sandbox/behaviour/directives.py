"""What a build script told cargo: its lines, taken apart as cargo does (src/cargo/core/compiler/custom_build.rs)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.behaviour.normalise import Normaliser, escape

KNOWN = frozenset((
    "rustc-flags", "rustc-link-lib", "rustc-link-search", "rustc-link-arg", "rustc-link-arg-bin",
    "rustc-link-arg-bins", "rustc-link-arg-tests", "rustc-link-arg-benches", "rustc-link-arg-examples",
    "rustc-link-arg-cdylib", "rustc-cdylib-link-arg", "rustc-cfg", "rustc-check-cfg", "rustc-env", "warning", "error",
    "rerun-if-changed", "rerun-if-env-changed", "metadata",
))  # fmt: skip


_LIBRARY = re.compile(r"lib(?P<unix>.+?)\.(?:a|so|dylib|so\.[0-9.]+)|(?P<other>.+)\.(?:lib|dll)", re.DOTALL)


def parse(line: str) -> tuple[str, str]:
    """Key and value of a line. A key that cargo does not know is metadata with the old prefix (`cargo:`), where it
    stands before the value as in `cargo::metadata=KEY=VALUE`, and stays itself with the new one (cargo refuses it)."""
    new = line.startswith("cargo::")
    rest = line[7 if new else 6 :]
    key, equals, value = rest.partition("=")
    if not equals:
        return "malformed", rest
    if key in KNOWN and (new or key not in ("metadata", "error")):
        return key, value
    return (key, value) if new else ("metadata", rest)


def fact_of(line: str, names: Normaliser) -> tuple[str, str]:
    """Act and object of a directive's fact, normal."""
    key, value = parse(line)
    return (key if key in KNOWN or key == "malformed" else escape(key)), names.words(value)


@dataclass(frozen=True, slots=True)
class Links:
    """What a script's lines may make rustc link: libraries of these names in these folders, and these files. Raw."""

    folders: frozenset[str]
    names: frozenset[str]
    files: frozenset[str]

    def takes(self, path: str) -> bool:
        """Whether a file is among them."""
        if path in self.files:
            return True
        folder, _, name = path.rpartition("/")
        if folder not in self.folders:
            return False
        found = _LIBRARY.fullmatch(name)
        # With the modifier +verbatim the name is the file's.
        return name in self.names or (found is not None and (found["unix"] or found["other"]) in self.names)


def links_of(lines: Iterable[str]) -> Links:
    """The links that directives ask for."""
    folders: set[str] = set()
    names: set[str] = set()
    files: set[str] = set()
    for line in lines:
        key, value = parse(line)
        if key == "rustc-flags":
            words = value.replace("-l ", "-l").replace("-L ", "-L").split()
            folders |= {_folder(word[2:]) for word in words if word.startswith("-L")}
            names |= {_name(word[2:]) for word in words if word.startswith("-l")}
        elif key == "rustc-link-search":
            folders.add(_folder(value))
        elif key == "rustc-link-lib":
            names.add(_name(value))
        elif key.startswith(("rustc-link-arg", "rustc-cdylib-link-arg")):
            files |= {part[part.find("/") :] for part in value.split(",") if "/" in part}
    return Links(frozenset(folders), frozenset(names), frozenset(files))


def _folder(value: str) -> str:
    kind, equals, folder = value.partition("=")
    return (folder if equals and "/" not in kind else value).rstrip("/")


def _name(value: str) -> str:
    """The library in `[KIND[:MODIFIERS]=]NAME[:RENAME]`."""
    return value.rpartition("=")[2].partition(":")[0]
