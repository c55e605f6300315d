"""From facts to checks to tiers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.doctor import bubblewrap, docker, kernel, others, versions
from sandbox.doctor.facts import Host
from sandbox.doctor.known_bad import KnownBad
from sandbox.doctor.model import WALLS, Check, Diagnosis
from sandbox.doctor.tier import ENGINES, Reason, Standing
from sandbox.errors import SetupError
from sandbox.plan.facts import RuntimeFacts
from sandbox.plan.runtime import fit

_OF_THE_KERNEL = ("known-runc", "known-linux", "known-libseccomp", "known-crun")
_NOT_TRIED = (
    "the guard was not tried in this runtime (cargo-sandbox --runtime {} doctor does); where it can't record there, "
    "the verdict of a run is incomplete"
)
_UNCONFINED = "runtime {}: the container's own syscall filter is not applied there, only the guard's"
_UNNAMED = "the guard was not tried in this runtime; where it can't record there, a build needs --runtime {}"
_INSIDE = ("docker-landlock", "docker-notify", "docker-wait-killable", "docker-sync-wakeup", "docker-seccomp")


def checks(host: Host, entries: Sequence[KnownBad]) -> tuple[Check, ...]:
    """All checks, in the order of the report."""
    found = kernel.general_checks(host) + bubblewrap.checks(host) + docker.checks(host)
    return (*found, *versions.checks(host, entries), *others.checks(host))


def diagnose(host: Host, entries: Sequence[KnownBad], engine: str = "auto") -> Diagnosis:
    """Everything. `engine` is what the user chose (`--engine`)."""
    found = checks(host, entries)
    standings = [standing(name, found) for name in ENGINES]
    if host.runtime is not None:
        standings.append(runtime_standing(host.runtime, host, found))
    for name in docker.strong_runtimes(host.docker):
        if host.runtime is None or name != host.runtime.name:
            standings.append(strong_standing(engine_with(name), found, _NOT_TRIED.format(name)))
    if docker.is_strong(host.docker.default_runtime):
        standings[1] = strong_standing("docker", found, _UNNAMED.format(host.docker.default_runtime))
    return Diagnosis(choose(standings, engine), tuple(standings), found)


def engine_with(runtime: str) -> str:
    """What Docker with a named runtime is called, as an engine."""
    return f"docker --runtime {runtime}"


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


def strong_standing(engine: str, found: Iterable[Check], *words: str) -> Standing:
    """Docker with a kernel of its own for the container: what runc and our kernel lack does not matter there.

    The daemon must be sound all the same. `words` are further reasons.
    """
    own = (check for check in found if "docker" in check.engines and check.id not in _INSIDE)
    kept = [check for check in own if not check.id.startswith(_OF_THE_KERNEL)]
    bad = [_reason(check) for check in kept if check.state == "missing"]
    if bad or not kept:
        return Standing(engine, "none", tuple(bad))
    weak = [_reason(check) for check in kept if check.state in ("weak", "unseen")]
    reasons = (*weak, *(Reason("docker-runtime", word) for word in words))
    return Standing(engine, "degraded" if weak else "strong", reasons)


def runtime_standing(runtime: RuntimeFacts, host: Host, found: Iterable[Check]) -> Standing:
    """Docker with a runtime that was tried. It is `strong` for what stands around the build, also where the guard can't
    record: that is among the reasons, and `--strict` asks for it by itself (`sandbox.run.runtime.demand`)."""
    engine = engine_with(runtime.name)
    try:
        missing = [*fit(runtime).missing, *([] if runtime.confined else [_UNCONFINED.format(runtime.name)])]
    except SetupError as error:
        return Standing(engine, "none", (Reason("docker-runtime", f"{error.message}: {error.why}", "", error.fix),))
    # A name is no kernel: one that tells the release of ours is ours.
    if docker.is_strong(runtime.name) and runtime.kernel not in ("", host.kernel.release):
        return strong_standing(engine, found, *missing)
    own = [check for check in found if "docker" in check.engines and check.id not in _INSIDE]
    own.append(docker.landlock_of(runtime))
    bad = [_reason(check) for check in own if check.state == "missing"]
    if bad:
        return Standing(engine, "none", tuple(bad))
    weak = [_reason(check) for check in own if check.state in ("weak", "unseen")]
    weak += [Reason("docker-runtime", words) for words in missing]
    return Standing(engine, "degraded" if weak else "standard", tuple(weak))


def _reason(check: Check) -> Reason:
    return Reason(check.id, f"{check.title}: {check.found}", check.means, check.fix)
