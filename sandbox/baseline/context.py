"""Where a package version's facts come from: features, target and toolchain. Told with a baseline, never compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.baseline.model import VersionEntry
from sandbox.behaviour.model import Behaviour, Profile

_SEVERAL = ", "
_NONE = "none on record"


@dataclass(frozen=True, slots=True)
class Context:
    """What is not known is empty. `target`: the triples that the package was compiled for, in order, with commas."""

    features: tuple[str, ...] = ()
    target: str = ""
    toolchain: str = ""

    def rows(self) -> Iterator[tuple[str, str]]:
        """Each part with its value in words."""
        yield "features", _SEVERAL.join(self.features)
        yield "target", self.target
        yield "toolchain", self.toolchain


def contexts(profile: Profile, toolchain: str, host: str) -> dict[tuple[str, str], Context]:
    """The context of each package version in a run, by what all its compiles were told. `host`: what a compile is for
    that names no target."""
    features: dict[tuple[str, str], set[str]] = {}
    targets: dict[tuple[str, str], set[str]] = {}
    for one in profile.behaviours:
        if one.key.role != "rustc":
            continue
        package = one.key.package, one.key.version
        features.setdefault(package, set()).update(one.features)
        # A build script runs here, whatever the package is for.
        if not _is_script(one):
            targets.setdefault(package, set()).add(one.target or host)
    names = dict.fromkeys((one.key.package, one.key.version) for one in profile.behaviours)
    return {
        name: Context(tuple(sorted(features.get(name, ()))), joined(*targets.get(name, ())), toolchain)
        for name in names
    }


def of_entry(entry: VersionEntry) -> Context:
    """What was accepted under."""
    return Context(entry.features, entry.target, entry.toolchain)


def joined(*targets: str) -> str:
    """The targets of several, each of which may be several already."""
    return _SEVERAL.join(sorted({part for target in targets for part in target.split(_SEVERAL) if part}))


def changes(accepted: Context, now: Context, known_only: bool = False) -> Iterator[str]:
    """What is another now, in words; a part that is not known today is none, nor with `known_only` one that was not
    known then."""
    for (name, before), (_, after) in zip(accepted.rows(), now.rows(), strict=True):
        if after and before != after and (before or not known_only):
            yield f"{name}: {after} (accepted with {before or _NONE})"


def _is_script(one: Behaviour) -> bool:
    return one.key.crate_types == ("bin",) and one.key.crate.startswith("build_script_")
