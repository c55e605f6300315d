"""Gathers the inventory that `sbom` and `tree` speak of: resolved graph, manifests, last run, baselines."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from sandbox.cli.options import Settings
from sandbox.cli.words import Words
from sandbox.errors import UsageError, WorkspaceError
from sandbox.preflight.inventory.model import Inventory
from sandbox.preflight.model import Answer

_LAST_SECOND = 253402300799  # 9999-12-31, the last that RFC 3339 can write


def gather(
    settings: Settings, lock: str, answers: Collection[Answer], manifest: str | None = None
) -> tuple[Inventory, str]:
    """The inventory and the target dir (empty without one). With `lock` of that file alone: nothing is resolved.

    `answers` are of checks that were made already. Raises SandboxError. Runs nothing of the project.
    """
    from sandbox.preflight.inventory.warnings import warnings_of

    inventory, built = (_of_lock(Path(lock)), "") if lock else _of_workspace(settings, manifest)
    inventory = warnings_of(inventory, answers)
    epoch = source_date(os.environ)
    return (inventory if epoch is None else replace(inventory, stamp=epoch)), built


def which(found: Words, usage: str) -> tuple[str, str | None]:
    """The lock file that is asked for alone (else empty), and the manifest of the workspace. Raises UsageError."""
    lock, manifest = found.one("--lock"), found.manifest
    if lock == "" or manifest == "":
        raise UsageError("the name of a file is missing", hint=usage)
    if lock is not None and manifest is not None:
        raise UsageError("a lock file alone or a workspace, not both", hint=usage)
    return lock or "", manifest


def source_date(env: Mapping[str, str]) -> int | None:
    """SOURCE_DATE_EPOCH (reproducible-builds.org), in seconds; None when it is not set. Raises UsageError."""
    text = env.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 13 and int(text) <= _LAST_SECOND):
        raise UsageError("SOURCE_DATE_EPOCH is no number of seconds", hint="unset it, or: date +%s")
    return int(text)


def _of_lock(path: Path) -> Inventory:
    from sandbox.cargo import lockfile
    from sandbox.preflight.inventory.build import from_lock

    if not path.is_file():
        raise WorkspaceError(f"there is no lock file {path}", file=str(path), hint="--lock FILE names a Cargo.lock")
    packages = lockfile.read(path)
    name = Path(os.path.realpath(path)).parent.name
    made = from_lock(packages, name or "workspace", _changed(path))
    note = "of a lock file alone neither runs nor baselines are looked at"
    return replace(made, notes=(*made.notes, note))


def _of_workspace(settings: Settings, manifest: str | None) -> tuple[Inventory, str]:
    from sandbox.baseline.model import BaselineError
    from sandbox.baseline.places import tree_folder
    from sandbox.baseline.store import Stores, open_stores
    from sandbox.cargo import lockfile
    from sandbox.cli import place
    from sandbox.cli.graph import resolved
    from sandbox.policy import graph_state
    from sandbox.preflight.inventory import runs
    from sandbox.preflight.inventory.build import from_facts
    from sandbox.preflight.inventory.licences import spdx_ids
    from sandbox.preflight.inventory.manifests import Reader
    from sandbox.preflight.inventory.standing import with_accepted, with_baselines
    from sandbox.trace.store import RunStore

    facts = resolved(settings, manifest)
    here = place.find(manifest)
    reader = Reader(facts.root, spdx_ids())
    inventory = from_facts(facts, lockfile.read(here.lock_file), reader.of, _changed(here.lock_file))
    run = runs.last_run(here.workspace, RunStore(here.state_dir / "runs"), here.state_dir)
    inventory = runs.joined(inventory, run)
    if run is not None:
        inventory = replace(inventory, stamp=max(inventory.stamp, run.ran.started_s))
    tree = None if settings.untrusted else here.workspace
    stores: Stores | None = None
    try:
        names = {item.name for item in inventory.items if item.use != "other"}
        stores = open_stores(tree, here.env, names, checksums=here.checksums)
    except BaselineError as error:
        inventory = replace(inventory, notes=(*inventory.notes, f"baselines can't be read: {error.message}"))
    inventory = with_baselines(inventory, stores, here.checksums)
    if tree is None:
        note = "the tree is not trusted: its baseline and accepted graph have no say here"
        return replace(inventory, notes=(*inventory.notes, note)), facts.target_dir
    return with_accepted(inventory, graph_state.load(tree_folder(tree), Path(tree))), facts.target_dir


def _changed(path: Path) -> int:
    """When a lock file was last written; 0 without one."""
    try:
        return max(0, min(int(path.stat().st_mtime), _LAST_SECOND))
    except OSError:
        return 0
