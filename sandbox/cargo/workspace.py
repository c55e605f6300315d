"""Finds the workspace of a command and every directory it needs, by reading manifests only.

The rules are those of cargo's `src/workspace/workspace.rs` (`find_root`, `find_members`). What cargo would complain
about, a missing dependency or a package that is in no workspace, is left for cargo to complain about.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sandbox.cargo import config as cargo_config
from sandbox.cargo.config import CargoConfig
from sandbox.cargo.files import below, stays_below
from sandbox.cargo.globs import Budget, expand
from sandbox.cargo.homes import cargo_home
from sandbox.cargo.manifest import Manifest, Manifests, PathDependency, normal
from sandbox.errors import WorkspaceError
from sandbox.record import record


@record
class Workspace:
    """What one command builds, as absolute paths.

    root             directory of the workspace's manifest, or of the package when it is in no workspace
    manifest         the manifest that the command selects (`--manifest-path`, or the next one upward)
    root_manifest    the manifest of `root`
    lock_file        where Cargo.lock is or will be
    members          manifests of all members; default_members those that a command without `-p` works on
    path_roots       directories outside `root` that cargo must see (path dependencies, patches, overrides, links)
    ancestors        single files outside all of these that cargo reads: manifests above, configuration files
    manifests        every manifest that was read (a freshness key needs them)
    """

    root: Path
    manifest: Path
    root_manifest: Path
    lock_file: Path
    members: tuple[Path, ...]
    default_members: tuple[Path, ...]
    path_roots: tuple[Path, ...]
    ancestors: tuple[Path, ...]
    manifests: tuple[Path, ...]


def discover(
    cwd: Path,
    manifest_path: str | None,
    env: Mapping[str, str],
    *,
    config: CargoConfig | None = None,
    lockfile_path: str | Path | None = None,
) -> Workspace:
    """The workspace for a command called in `cwd`, with `--manifest-path` if given.

    `config` is loaded when it is not given. `lockfile_path` (relative to `cwd`) moves the lock file, for a cargo that
    honours such a setting. Raises WorkspaceError when there is no manifest, or for one that can't be read.
    """
    home = cargo_home(env, cwd)
    config = config if config is not None else cargo_config.load(cwd, home)
    return _Search(config, home).run(locate(cwd, manifest_path), cwd / lockfile_path if lockfile_path else None)


def locate(cwd: Path, manifest_path: str | None) -> Path:
    """The manifest that a command selects. Raises WorkspaceError with cargo's words when there is none."""
    if manifest_path is None:
        for folder in (cwd, *cwd.parents):
            if os.path.exists(folder / "Cargo.toml"):
                return folder / "Cargo.toml"
        raise WorkspaceError(f"could not find `Cargo.toml` in `{cwd}` or any parent directory")
    path = normal(cwd / manifest_path)
    if not os.path.exists(path):
        raise WorkspaceError(f"manifest path `{manifest_path}` does not exist")
    if os.path.isdir(path):
        raise WorkspaceError(f"manifest path `{manifest_path}` is a directory but expected a file")
    if path.name != "Cargo.toml":
        raise WorkspaceError(f"the manifest-path must be a path to a Cargo.toml file: `{path}`")
    return path


class _Search:
    def __init__(self, config: CargoConfig, home: Path) -> None:
        self._config = config
        self._home = home
        self._manifests = Manifests()
        self._budget = Budget()
        self._roots: dict[Path, Path | None] = {}

    def run(self, manifest: Path, lock_file: Path | None) -> Workspace:
        current = self._manifests.load(manifest)
        if current is None:
            raise WorkspaceError(f"the manifest {manifest} is gone", file=str(manifest))
        found = self._find_root(manifest)
        root = self._manifests.load(found) if found else None
        members: tuple[Path, ...] = (manifest,)
        default: tuple[Path, ...] = (manifest,)
        if root is not None and root.workspace is not None:
            members = self._members(root)
            default = self._default_members(root, current, members)
        else:
            root = current
        top = root.directory
        path_roots = self._outside(root, members)
        visible = (top, *path_roots)
        return Workspace(
            root=top,
            manifest=manifest,
            root_manifest=root.path,
            lock_file=lock_file or top / "Cargo.lock",
            members=members,
            default_members=default,
            path_roots=path_roots,
            ancestors=tuple(self._ancestors(visible)),
            manifests=self._manifests.read,
        )

    def _find_root(self, manifest: Path) -> Path | None:
        if manifest not in self._roots:
            self._roots[manifest] = self._search_root(manifest)
        return self._roots[manifest]

    def _search_root(self, manifest: Path) -> Path | None:
        for candidate in (manifest, *self._above(manifest)):
            loaded = self._manifests.load(candidate)
            if loaded is None:
                continue
            if loaded.workspace is not None:
                if not loaded.excludes(manifest):
                    return candidate
            elif loaded.pointer is not None:
                return normal(loaded.directory / loaded.pointer / "Cargo.toml")
        return None

    def _above(self, manifest: Path) -> Iterator[Path]:
        """Manifests that could be the root, nearest first; the walk ends at the cargo home, and at `target/package`."""
        last = None
        for folder in manifest.parent.parents:
            if folder.parts[-2:] == ("target", "package") or last == self._home:
                return
            last = folder
            yield folder / "Cargo.toml"

    def _members(self, root: Manifest) -> tuple[Path, ...]:
        assert root.workspace is not None
        members: dict[Path, None] = {}
        seen: set[Path] = set()
        pending: list[tuple[Path, bool]] = [(root.path, False)]
        for pattern in reversed(root.workspace.members or ()):
            found = expand(root.directory, pattern, self._budget)
            pending.extend((normal(folder / "Cargo.toml"), False) for folder in reversed(found))
        while pending:
            manifest, by_path = pending.pop()
            if manifest in seen or root.excludes(manifest):
                continue
            if by_path and not below(manifest.parent, root.directory) and self._find_root(manifest) != root.path:
                continue
            loaded = self._manifests.load(manifest)
            if loaded is None:
                continue
            seen.add(manifest)
            if loaded.is_package:
                members[manifest] = None
                pending.extend((path, True) for path in reversed(list(self._dependencies(loaded, loaded.dependencies))))
        return tuple(members)

    def _default_members(self, root: Manifest, current: Manifest, members: tuple[Path, ...]) -> tuple[Path, ...]:
        assert root.workspace is not None
        patterns = root.workspace.default_members if current is root else None
        if patterns is not None:
            folders = (folder for pattern in patterns for folder in expand(root.directory, pattern, self._budget))
            wanted = dict.fromkeys(normal(folder / "Cargo.toml") for folder in folders)
            return tuple(path for path in wanted if path in members)
        return (current.path,) if current.is_package else members

    def _dependencies(self, manifest: Manifest, found: Iterable[PathDependency]) -> Iterator[Path]:
        """Manifests of the directories that a manifest's entries name; they may be missing."""
        for dependency in found:
            folder = manifest.directory
            if dependency.inherits:
                root = self._find_root(manifest.path)
                loaded = self._manifests.load(root) if root else None
                shared = loaded.workspace.dependencies.get(dependency.inherits) if loaded and loaded.workspace else None
                if loaded is None or shared is None:
                    continue
                folder, dependency = loaded.directory, shared
            start = self._base(dependency.base, manifest) if dependency.base else folder
            if start is not None:
                yield normal(start / dependency.path / "Cargo.toml")

    def _base(self, name: str, manifest: Manifest) -> Path | None:
        base = self._config.path_base(name)
        if base is None and name == "workspace":
            root = self._find_root(manifest.path)
            return root.parent if root else None
        return base

    def _outside(self, root: Manifest, members: tuple[Path, ...]) -> tuple[Path, ...]:
        top = root.directory
        member_set = set(members)
        pending = [*members, *self._dependencies(root, root.replaced)]
        pending += [normal(value.path() / "Cargo.toml") for value in self._config.patch_paths()]
        pending += [normal(value.path() / "Cargo.toml") for value in self._config.path_overrides()]
        found: dict[Path, None] = {}
        seen: set[Path] = set()
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            loaded = self._manifests.load(path)
            if loaded is None:
                continue
            self._show(loaded.directory, top, found)
            if not below(loaded.directory, top):
                outer = self._find_root(path)
                if outer is not None and self._manifests.load(outer) is not None:
                    self._show(outer.parent, top, found)
            # Cargo never looks at the development dependencies of a package that it does not build itself.
            wanted = [item for item in loaded.dependencies if path in member_set or not item.dev]
            pending.extend(self._dependencies(loaded, wanted))
        for value in self._config.source_directories():
            if value.origin.trusted or _holds_packages(value.path()):
                self._show(normal(value.path()), top, found)
        for value in self._config.path_overrides():
            if value.origin.trusted:
                self._show(normal(value.path()), top, found)
        return tuple(sorted(path for path in found if not any(path != other and below(path, other) for other in found)))

    def _show(self, folder: Path, top: Path, found: dict[Path, None]) -> None:
        """Adds a directory that lies outside, and the place where it really is when a link leads out."""
        if not os.path.isdir(folder):
            return
        if not below(folder, top):
            found[folder] = None
        if not stays_below(folder, top):
            found[Path(os.path.realpath(folder))] = None

    def _ancestors(self, visible: tuple[Path, ...]) -> Iterator[Path]:
        """Files that are read though no visible directory holds them. A link that leads elsewhere is not shown."""
        for path in self._manifests.read:
            if not any(below(path, folder) for folder in visible) and stays_below(path, path.parent):
                yield path
        for path in self._config.files:
            if not below(path, self._config.cargo_home) and not any(below(path, folder) for folder in visible):
                yield path


def _holds_packages(folder: Path) -> bool:
    """True for vendored packages or a local registry. A file of the tree could name any other directory too."""
    if os.path.isdir(folder / "index"):
        return True
    try:
        return any(os.path.exists(folder / name / ".cargo-checksum.json") for name in os.listdir(folder))
    except OSError:
        return False
