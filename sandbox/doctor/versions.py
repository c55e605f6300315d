"""Checks against the versions that are known to be bad. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.doctor.facts import Host
from sandbox.doctor.known_bad import KnownBad, of
from sandbox.doctor.model import Check, State
from sandbox.doctor.version import is_distribution_s

_BOTH = ("bubblewrap", "docker")
_BACKPORT = ", or see its changelog: this is a distribution's version, into which the fix may be back-ported"


def checks(host: Host, entries: Sequence[KnownBad]) -> list[Check]:
    """One check for each entry that a version of this host falls under; none for what is fixed or not there."""
    found = []
    for component, version, engines in _versions(host):
        for entry in of(entries, component):
            check = _check(entry, version, engines)
            if check is not None:
                found.append(check)
    return found


def _versions(host: Host) -> list[tuple[str, str, tuple[str, ...]]]:
    docker = host.docker
    known: list[tuple[str, str, tuple[str, ...]]] = [("linux", host.kernel.release, _BOTH), ("python", host.python, ())]
    known += [
        ("cargo", program.version, _BOTH) for program in host.programs if program.name == "cargo" and program.path
    ]
    if not docker.error:
        known.append(("docker", docker.version, ("docker",)))
        known += [("runc", docker.runc, ("docker",)), ("libseccomp", docker.libseccomp, ("docker",))]
        if "crun" in docker.runtimes:
            known.append(("crun", "", ("docker",)))
    return known


def _check(entry: KnownBad, version: str, engines: tuple[str, ...]) -> Check | None:
    answer = entry.answer(version)
    if answer in ("fixed", "elsewhere"):
        return None
    state: State
    if answer == "bad":
        state = "weak" if entry.weakens else "note"
        found = f"{version}, fixed in {', '.join(entry.fixed_in)}"
    else:
        state = "unseen" if entry.weakens else "note"
        found = f"{version or 'version not known'}; not known if the fix is in it"
    bugs = ", ".join(entry.cve) or entry.id.removeprefix(f"{entry.component}-").replace("-", " ")
    title = f"{entry.component}: {bugs}"
    fix = entry.fix + (_BACKPORT if answer == "bad" and is_distribution_s(version) else "")
    return Check(f"known-{entry.id}", title, state, found, f"{entry.allows}; here: {entry.here}", fix, engines)
