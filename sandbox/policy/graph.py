"""The resolved graph against the one that was last accepted: what has come to run code at build time since. Pure.

Told before anything runs, for this was the attack on arrayref (2026-08-20): one new dependency with a build script.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.metadata import Facts, Package
from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding, Severity

UNREADABLE = "unreadable"
"""Stands for the digest of a script of which it can't be told what it is made of; equals nothing."""


class Node(NamedTuple):
    """A package of the graph. `source` is where it comes from without revision, empty for a path; `pin` the checksum
    or commit; `script` the digests of its build scripts (`graph_state.digests`), empty when there is none or none was
    read."""

    name: str
    version: str
    source: str
    pin: str
    has_script: bool
    proc_macro: bool
    script: str = ""

    @property
    def runs_code(self) -> bool:
        """Whether it brings code that runs while others are built."""
        return self.has_script or self.proc_macro


Graph = tuple[Node, ...]
"""Sorted by name, version and source; no two nodes are equal in all three."""


def graph_of(facts: Facts, digests: dict[str, str] | None = None) -> Graph:
    """The graph of a resolved workspace. `digests` are of build scripts, by path (`graph_state.digests`)."""
    nodes: dict[tuple[str, str, str], Node] = {}
    for package in facts.packages:
        node = _node(package, digests or {})
        nodes[node.name, node.version, node.source] = node
    return tuple(nodes[key] for key in sorted(nodes))


def compare(old: Graph, new: Graph, facts: Facts) -> tuple[Finding, ...]:
    """Findings CS0401 to CS0403 about what is in `new` and was not so in `old`. `facts` are those of `new`."""
    known = {(node.name, node.version, node.source): node for node in old}
    by_name: dict[tuple[str, str], list[Node]] = {}
    for node in old:
        by_name.setdefault((node.name, node.source), []).append(node)
    found = []
    for node in new:
        if not node.runs_code:
            continue
        same = known.get((node.name, node.version, node.source))
        earlier = _nearest(by_name.get((node.name, node.source), ()), node.version)
        if same is not None:
            found += _changed(same, node, facts)
        elif earlier is not None:
            found += _gained(earlier, node, facts)
        else:
            found.append(_new(node, facts))
    return tuple(found)


def _new(node: Node, facts: Facts) -> Finding:
    return _finding("CS0401", node, facts, f"it brings {_brings(node)} and was not in the accepted graph", _mild(node))


def _gained(old: Node, node: Node, facts: Facts) -> list[Finding]:
    gained = _what(node.has_script and not old.has_script, node.proc_macro and not old.proc_macro)
    if not gained:
        return []
    patch = semver.is_patch(old.version, node.version)
    severity: Severity | None = _mild(node) or ("high" if patch else None)
    size = "a patch-level update" if patch else "an update"
    return [_finding("CS0402", node, facts, f"{old.version} had none; it came with {size}: {gained}", severity)]


def _changed(old: Node, node: Node, facts: Facts) -> list[Finding]:
    gained = _gained(old, node, facts)
    if gained:
        return gained
    same = f"version {node.version} is the one that was accepted"
    severity: Severity | None = "low" if not _from_registry(node) else None
    if old.pin != node.pin:
        # Another commit is an update, whatever the version says; what its script does is the baseline's to tell.
        if not _from_registry(node):
            return []
        # With the checksum all that the package's build-time code is made of may be another: modules, data, macros.
        return [_finding("CS0403", node, facts, f"{same}, its checksum and so its content is another one", severity)]
    if not node.pin and UNREADABLE in (*old.script.split("+"), *node.script.split("+")):
        words = f"{same}, but of which files its build script is made can't be told"
        return [_finding("CS0403", node, facts, words, severity)]
    if not (old.script and node.script) or old.script == node.script:
        return []
    return [_finding("CS0403", node, facts, f"{same}, its build script is another one", severity)]


def _finding(code: str, node: Node, facts: Facts, detail: str, severity: Severity | None) -> Finding:
    entry = CATALOGUE[code]
    package = next(
        (one for one in facts.packages if (one.name, one.version, _source(one.source)) == node[:3]),
        None,
    )
    where = package.scripts[0].source if package and package.scripts else package.manifest_path if package else ""
    return Finding(
        code=code, severity=severity or entry.severity, title=entry.title, unit="graph", role="graph",
        package=node.name, version=node.version, manifest_dir=package.directory if package else "",
        subject=where or node.name, detail=detail, help=entry.help,
    )  # fmt: skip


def _mild(node: Node) -> Severity | None:
    """The user's own packages are the user's to change."""
    return None if node.source else "low"


def _from_registry(node: Node) -> bool:
    return bool(node.source) and not node.source.startswith("git+")


def _nearest(nodes: Iterable[Node], version: str) -> Node | None:
    """Of the accepted versions the one that `version` most likely replaces: the highest that is not above it."""
    ordered = sorted(nodes, key=lambda node: semver.key(node.version))
    below = [node for node in ordered if semver.key(node.version) <= semver.key(version)]
    return below[-1] if below else ordered[0] if ordered else None


def _brings(node: Node) -> str:
    return _what(node.has_script, node.proc_macro)


def _what(script: bool, macro: bool) -> str:
    return " and ".join(["a build script"] * script + ["a proc macro"] * macro)


def _node(package: Package, digests: dict[str, str]) -> Node:
    from sandbox.policy.apply import pin_of

    script = "+".join(digests.get(one.source, "") for one in package.scripts)
    return Node(
        package.name, package.version, _source(package.source), pin_of(package), bool(package.scripts),
        package.proc_macro, script,
    )  # fmt: skip


def _source(source: str | None) -> str:
    """Where a package comes from, without the revision that cargo puts after `?` and `#`."""
    return (source or "").partition("#")[0].partition("?")[0]
