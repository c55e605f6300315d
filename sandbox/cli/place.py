"""Where a command of ours is given: the workspace, its lock file, its stores and its state. Starts nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from sandbox.baseline.model import Baseline, BaselineError
from sandbox.baseline.places import tree_folder, user_folder
from sandbox.baseline.state import State, checksums_of, state_of, state_of_run
from sandbox.baseline.store import Stores, load_all, open_stores, save
from sandbox.cli.options import Settings
from sandbox.trace.store import RunStore


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace. `checksums` are its lock file's; `manifest` is how it was named, None for the one of the working
    directory."""

    workspace: str
    lock_file: Path
    checksums: dict[tuple[str, str], str]
    state_dir: Path
    env: dict[str, str]
    manifest: str | None = None

    def after_build(self) -> Place:
        """With the lock file as it is now: a build makes one where there was none."""
        from sandbox.cargo import lockfile

        return replace(self, checksums=checksums_of(lockfile.read(self.lock_file)))

    def state(self, run: str | None = None) -> State:
        """Today's state, or that of one run. Raises BaselineError, StoreError."""
        runs = RunStore(self.state_dir / "runs")
        if run is not None:
            return state_of_run(self.workspace, self.checksums, run, runs)
        return state_of(self.workspace, self.checksums, runs, self.state_dir)

    def stores(self, state: State, settings: Settings) -> Stores:
        """What the stores say of the state's packages, as a build would read them. Raises BaselineError."""
        packages = {one.key.package for one in state.profile.behaviours if one.key.package}
        tree = None if settings.untrusted else self.workspace
        return open_stores(tree, self.env, packages, checksums=state.checksums)

    def folder(self, user: bool) -> Path:
        """The store that is written: the tree's, or the user's. Raises BaselineError without a home."""
        if not user:
            return tree_folder(self.workspace)
        folder = user_folder(self.env)
        if folder is None:
            raise BaselineError("there is no store of the user's: no home directory", hint="set HOME or XDG_DATA_HOME")
        return folder

    def known(self, user: bool) -> dict[str, Baseline]:
        """All of the store that is written. Raises BaselineError."""
        return load_all(self.folder(user))

    def write(self, user: bool, baseline: Baseline) -> Path:
        """Put a package's file in place. Raises BaselineError."""
        return save(self.folder(user), baseline, 0o600 if user else 0o644)


def find(manifest: str | None = None) -> Place:
    """The workspace of a manifest, by default of the working directory, as for a build. Raises WorkspaceError."""
    from sandbox.cargo import lockfile, workspace
    from sandbox.run.host import directories

    env = dict(os.environ)
    cwd = os.path.realpath(os.getcwd())
    tree = workspace.discover(Path(cwd), manifest, env)
    checksums = checksums_of(lockfile.read(tree.lock_file))
    return Place(str(tree.root), tree.lock_file, checksums, Path(directories(env)[0]), env, manifest)


def today() -> str:
    """The date of an acceptance."""
    return date.today().isoformat()
