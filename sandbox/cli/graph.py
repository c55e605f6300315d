"""The graph that is accepted with behaviours: resolved as for a build, kept beside the tree's baselines."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.baseline.places import tree_folder
from sandbox.cargo.metadata import Facts
from sandbox.cli.options import Settings
from sandbox.policy import graph_state
from sandbox.policy.graph import graph_of

if TYPE_CHECKING:
    from sandbox.cli.place import Place
    from sandbox.policy.model import ProjectPolicy
    from sandbox.run.invocation import Ground, Invocation


def resolved(settings: Settings, manifest: str | None = None) -> Facts:
    """The facts of the workspace here or of a manifest's, as for `cargo-sandbox check`. Runs nothing of the project;
    cargo is asked, in the resolve container, only if the lock file or a manifest changed since. Raises SandboxError."""
    from sandbox.run.build import with_policy
    from sandbox.run.invocation import find_ground

    words = ["check", *(["--manifest-path", manifest] if manifest is not None else [])]
    ground = find_ground(words)
    settings, project = with_policy(settings, ground)
    return invoked(words, settings, ground, project).facts


def invoked(words: Sequence[str], settings: Settings, ground: Ground, project: ProjectPolicy | None) -> Invocation:
    """The plan of a command that will not be run, for the resolved graph in it. Raises SandboxError."""
    from sandbox.run.build import make_engine
    from sandbox.run.invocation import prepare_invocation
    from sandbox.run.runtime import look_at
    from sandbox.run.stdio import choose_stdio

    engine = make_engine(settings)
    found = look_at(engine, os.environ)
    return prepare_invocation(
        words, settings, engine, choose_stdio, create=False, runtime=found, ground=ground, project=project
    )


def accept(here: Place, settings: Settings, today: str, packages: Collection[str] | None = None) -> None:
    """Make the resolved graph the accepted one. With `packages` only what it says of these; of the others the old one's
    word stands, and without an old one nothing is written. Raises SandboxError."""
    folder = tree_folder(here.workspace)
    old = graph_state.load(folder, Path(here.workspace)) if packages is not None else ()
    if old is None:
        return
    facts = resolved(settings, here.manifest)
    new = graph_of(facts, graph_state.digests(facts))
    if packages is not None:
        new = tuple(
            sorted([*(one for one in old if one.name not in packages), *(one for one in new if one.name in packages)])
        )
    graph_state.save(folder, new, today)
