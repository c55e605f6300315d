"""What the checks look at, put together: a workspace, or a lock file alone. Starts nothing and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from sandbox.cargo import lockfile
from sandbox.cargo.config import CargoConfig
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts
from sandbox.cargo.workspace import Workspace
from sandbox.cli.options import Settings
from sandbox.errors import WorkspaceError
from sandbox.policy.files import BASELINES
from sandbox.policy.graph import Graph
from sandbox.policy.model import ProjectPolicy, Supply
from sandbox.policy.supply import DEFAULT_AGE_DAYS
from sandbox.preflight.model import SourceRule, Subject, Wishes


def wishes_of(settings: Settings, project: ProjectPolicy | None) -> Wishes:
    """What policy says to the checks."""
    said = project.supply if project else Supply()
    return Wishes(
        sources=tuple(SourceRule(*pair) for pair in said.sources),
        allowed_sources=said.allowed_sources,
        internal=said.internal,
        names=said.names,
        advisories=said.advisories,
        advisory_db=settings.advisory_db,
        max_age_days=DEFAULT_AGE_DAYS if said.max_age_days is None else said.max_age_days,
        cooldown_days=said.cooldown_days or 0,
    )


def of_workspace(
    tree: Workspace,
    config: CargoConfig,
    env: Mapping[str, str],
    wishes: Wishes,
    *,
    facts: Facts | None,
    untrusted: bool = False,
    lock_current: bool | None = None,
    toolchain: str = "",
    cache: Path | None = None,
) -> Subject:
    """A workspace. With `untrusted` what its tree says was accepted was accepted by nobody.

    Raises WorkspaceError for a lock file, PolicyError for an accepted graph that can't be read.
    """
    return Subject(
        lock_file=tree.lock_file,
        locked=lockfile.read(tree.lock_file),
        today=date.today(),
        wishes=wishes,
        root=tree.root,
        facts=facts,
        config=config,
        cargo_home=config.cargo_home,
        manifests=tuple(dict.fromkeys((tree.root_manifest, *tree.members))),
        accepted=None if untrusted else accepted_state(tree.root),
        cache=cache,
        env=env,
        lock_current=lock_current,
        toolchain=toolchain,
    )


def of_lock(
    path: Path, config: CargoConfig, env: Mapping[str, str], wishes: Wishes, cache: Path | None = None
) -> Subject:
    """A lock file alone. Raises WorkspaceError when there is none, or for one that can't be read."""
    if not os.path.lexists(path):
        raise WorkspaceError(f"there is no lock file {path}", file=str(path), hint="audit --lock FILE")
    return Subject(
        lock_file=path, locked=lockfile.read(path), today=date.today(), wishes=wishes, config=config,
        cargo_home=config.cargo_home, cache=cache, env=env,
    )  # fmt: skip


def accepted_state(root: Path) -> tuple[LockedPackage, ...] | None:
    """The packages of the graph that was last accepted, None when none was. Raises PolicyError."""
    folder = root / BASELINES
    if not os.path.lexists(folder / "graph.lock"):
        return None
    from sandbox.policy.graph_state import load

    graph = load(folder, root)
    return None if graph is None else locked_of(graph)


def locked_of(graph: Graph) -> tuple[LockedPackage, ...]:
    """The accepted graph in the form of a lock file, without dependencies: it does not keep them."""
    found = []
    for node in graph:
        git = node.source.startswith("git+")
        source = f"{node.source}#{node.pin}" if git and node.pin else node.source
        found.append(LockedPackage(node.name, node.version, source or None, None if git else node.pin or None))
    return tuple(found)
