"""From facts to checks to tiers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.doctor import bubblewrap, docker, kernel, others, versions
from sandbox.doctor.facts import Host
from sandbox.doctor.known_bad import KnownBad
from sandbox.doctor.model import WALLS, Check, Diagnosis
from sandbox.doctor.tier import ENGINES, Reason, Standing

_INSIDE = ("docker-landlock", "docker-notify", "docker-wait-killable", "docker-sync-wakeup", "docker-seccomp")


def checks(host: Host, entries: Sequence[KnownBad]) -> tuple[Check, ...]:
    """All checks, in the order of the report."""
    found = kernel.general_checks(host) + bubblewrap.checks(host) + docker.checks(host)
    return (*found, *versions.checks(host, entries), *others.checks(host))


def diagnose(host: Host, entries: Sequence[KnownBad], engine: str = "auto") -> Diagnosis:
    """Everything. `engine` is what the user chose (`--engine`)."""
    found = checks(host, entries)
    standings = [standing(name, found) for name in ENGINES]
    for name in docker.strong_runtimes(host.docker):
        if name != host.docker.default_runtime:
            standings.append(strong_standing(f"docker --runtime {name}", found))
    if docker.is_strong(host.docker.default_runtime):
        standings[1] = strong_standing("docker", found)
    return Diagnosis(choose(standings, engine), tuple(standings), found)


def choose(standings: Sequence[Standing], engine: str) -> Standing:
    """The standing of the engine that a build would get: the one that was named, else the first that can be used."""
    named = [entry for entry in standings if entry.engine == engine]
    if named:
        return named[0]
    return next((entry for entry in standings if entry.usable), standings[0])


def standing(engine: str, found: Iterable[Check]) -> Standing:
    """`standard` if every wall was seen to stand; anything weak or unseen, or a wall without a check, makes it less."""
    own = [check for check in found if engine in check.engines]
    missing = [_reason(check) for check in own if check.state == "missing"]
    if missing or not own:
        return Standing(engine, "none", tuple(missing))
    reasons = [_reason(check) for check in own if check.state in ("weak", "unseen")]
    held = {wall for check in own for wall in check.walls}
    reasons += [Reason("", f"nothing was seen that holds the wall: {wall}") for wall in WALLS if wall not in held]
    return Standing(engine, "degraded" if reasons else "standard", tuple(reasons))


def strong_standing(engine: str, found: Iterable[Check]) -> Standing:
    """Docker with a kernel of its own for the container: what runc and our kernel lack does not matter there.

    The daemon must be sound all the same. The reasons say what was not tried inside.
    """
    kept = [
        check
        for check in found
        if "docker" in check.engines
        and check.id not in _INSIDE
        and not check.id.startswith(("known-runc", "known-linux", "known-libseccomp", "known-crun"))
    ]
    bad = [_reason(check) for check in kept if check.state == "missing"]
    if bad or not kept:
        return Standing(engine, "none", tuple(bad))
    weak = [_reason(check) for check in kept if check.state in ("weak", "unseen")]
    words = "the guard was not tried in this runtime; where it can't record there, the verdict of a run is incomplete"
    return Standing(engine, "degraded" if weak else "strong", (*weak, Reason("docker-runtime", words)))


def _reason(check: Check) -> Reason:
    return Reason(check.id, f"{check.title}: {check.found}", check.means, check.fix)
