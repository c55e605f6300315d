"""What stands in for something else: `[source]` replacement, `[patch]`, `[replace]`, `paths` (CS0504, CS0507).

Source: the Cargo Book, "Source Replacement" and "Overriding Dependencies".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.cargo.config import CargoConfig, Value
from sandbox.cargo.files import Unreadable, load_toml, stays_below
from sandbox.cargo.values import Node, origin_of, plain
from sandbox.judge.model import Finding, Severity
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.sources.source import CRATES_IO, Source, clip, key, scheme

_MAX_HOPS = 16
_KINDS = ("registry", "directory", "local-registry", "git")


class StandIn(NamedTuple):
    """Where a replaced source really comes from. `kind` is a key of `[source.NAME]` (`registry`, `directory`,
    `local-registry`, `git`), empty when it is not defined; `value` is a URL or an absolute path."""

    name: str
    kind: str
    value: str

    @property
    def remote(self) -> bool:
        """Whether it is on some other machine, or could be."""
        return self.kind in ("registry", "git") and scheme(self.value) != "file"

    def __str__(self) -> str:
        return f"`{clip(self.name)}`, " + (f"{self.kind} {clip(self.value)}" if self.kind else "which is not defined")


def run(subject: Subject) -> Answer:
    """Reads the configuration and the workspace's root manifest."""
    found: list[Finding] = []
    if subject.config is not None:
        found += [*_sources(subject.config, subject), *_paths(subject.config), *_config_patches(subject.config)]
    why = "" if subject.root else "there is no workspace here: its [patch] is not seen"
    if subject.root is not None:
        try:
            found += _manifest(subject.root / "Cargo.toml")
        except FileNotFoundError:
            why = f"{subject.root} has no Cargo.toml"
        except Unreadable as error:
            why = f"{subject.root / 'Cargo.toml'} can't be read: {error}"
    if subject.config is None:
        why = "; ".join(filter(None, (why, "cargo's configuration is not known")))
    return Answer("replacements", "not done" if why else "done", tuple(found), clip(why), looked_at=len(subject.locked))


def stand_in(config: CargoConfig | None, source: Source) -> StandIn | None:
    """What replaces a registry, or a git repository at the revision that was asked for; None when nothing does."""
    if source.kind not in ("registry", "git"):
        return None
    for name, table in _tables(config):
        if _is_of(source, name, table):
            return _follow(config, name, table)
    return None


def _is_of(source: Source, name: str, table: dict[str, Node]) -> bool:
    """Whether that is the table of the source."""
    if source.kind == "git":
        own = _text(table.get("git"))
        return bool(own) and key(own) == source.key and _asked(table) == _reference(source)
    own = _text(table.get("registry"))
    return key(own) == source.key if own else name == CRATES_IO and source.public


def _asked(table: dict[str, Node]) -> tuple[str, str]:
    """As cargo takes it: the first of these that there is."""
    return next(((word, _text(table[word])) for word in ("branch", "tag", "rev") if word in table), ("", ""))


def _reference(source: Source) -> tuple[str, str]:
    return next(((word, source.asked(word)) for word, _ in source.query if word in ("branch", "tag", "rev")), ("", ""))


def _tables(config: CargoConfig | None) -> Iterator[tuple[str, dict[str, Node]]]:
    tables = config.get("source") if config else None
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _follow(config: CargoConfig | None, name: str, table: dict[str, Node]) -> StandIn | None:
    """The end of a chain of `replace-with`; None when there is not even one."""
    known = dict(_tables(config))
    registries = config.registries() if config else {}
    for hop in range(_MAX_HOPS):
        target = _text(table.get("replace-with"))
        if not target:
            return _described(name, table) if hop else None
        if target not in known:
            # Cargo takes the name of a registry there as well.
            return StandIn(target, "registry", registries[target]) if target in registries else StandIn(target, "", "")
        name, table = target, known[target]
    return StandIn(name, "", "")


def _described(name: str, table: dict[str, Node]) -> StandIn:
    for kind in _KINDS:
        node = table.get(kind)
        if isinstance(node, Value) and isinstance(node.value, str):
            return StandIn(name, kind, node.value if kind in ("registry", "git") else str(node.path()))
    return StandIn(name, "", "")


def _sources(config: CargoConfig, subject: Subject) -> Iterator[Finding]:
    for name, table in _tables(config):
        replacement = _follow(config, name, table)
        if replacement is None:
            continue
        node = table["replace-with"]
        detail = f"the source `{clip(name)}` by {replacement} ({origin_of(node)})"
        code = "CS0507" if replacement.remote else "CS0504"
        if replacement.remote:
            detail = f"every package of {detail}"
        yield finding(
            code, None, detail, subject=f"source.{clip(name)}", severity=_mild(node) or _wanted(replacement, subject)
        )


def _wanted(replacement: StandIn, subject: Subject) -> Severity | None:
    """Sources that are vendored into the tree are read with it; a mirror may stand on the list of allowed sources."""
    if replacement.kind in ("directory", "local-registry"):
        root, folder = subject.root, replacement.value
        return "low" if root is not None and "\0" not in folder and stays_below(Path(folder), root) else None
    allowed = {key(url) for url in subject.wishes.allowed_sources}
    return "low" if replacement.kind == "registry" and key(replacement.value) in allowed else None


def _paths(config: CargoConfig) -> Iterator[Finding]:
    for item in config.path_overrides():
        detail = f"packages of the same names by {clip(str(item.path()))} (`paths` in {item.origin})"
        yield finding("CS0504", None, detail, subject=clip(str(item.path())), severity=_mild(item))


def _mild(node: Node | None) -> Severity | None:
    """What the user's own configuration puts in place (a company's mirror) is the user's will."""
    return "low" if isinstance(node, Value) and node.origin.trusted else None


def _config_patches(config: CargoConfig) -> Iterator[Finding]:
    node = config.get("patch")
    for source, entries in node.items() if isinstance(node, dict) else ():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            words = next(iter(entry.values()), None) if isinstance(entry, dict) else entry
            yield _patched(name, source, plain(entry), f"[patch] in {origin_of(entry)}", _mild(words))


def _manifest(path: Path) -> Iterator[Finding]:
    """Raises FileNotFoundError and Unreadable."""
    table = load_toml(path)
    patches = table.get("patch")
    for source, entries in patches.items() if isinstance(patches, dict) else ():
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            yield _patched(name, source, entry, f"[patch] in {path}", "low")
    replaces = table.get("replace")
    for name, entry in replaces.items() if isinstance(replaces, dict) else ():
        yield _patched(name, "", entry, f"[replace] in {path}", "low")


def _patched(name: str, source: str, entry: Any, where: str, severity: Severity | None) -> Finding:
    """A project's own manifest says openly what it patches, and Cargo.lock names it: that is mild. A configuration
    file in the tree is where nobody looks."""
    table = entry if isinstance(entry, dict) else {"version": entry}
    real = table.get("package", name)
    new = ", ".join(
        f"{word} {clip(str(table[word]))}"
        for word in ("path", "git", "rev", "tag", "branch", "registry", "registry-index", "version")
        if word in table
    )
    of = f" of {clip(source)}" if source else ""
    detail = f"`{clip(str(real))}`{of} by {new or 'nothing that is understood'} ({where})"
    return finding("CS0504", None, detail, subject=clip(str(real)), severity=severity)


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, Value) and isinstance(node.value, str) else ""
