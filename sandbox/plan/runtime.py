"""What a build can have in an OCI runtime that the user named: the decision, from what a probe found there. Pure.

gVisor knows syscall filters, but neither user notification nor Landlock (google/gvisor#14627, #13439: EINVAL and
ENOSYS); some virtual machines' kernels are built without Landlock. Such a runtime still builds, since the user asked
for the stronger wall around the build; what is missing stands in the plan, and no run there is ever complete.
"""

from __future__ import annotations

from sandbox.errors import SetupError
from sandbox.plan.facts import RuntimeFacts
from sandbox.record import record

STOCK = "runc"
"""The runtime that every Docker daemon has by this name (moby, daemon/runtime_unix.go, `defaultRuntimeName`)."""


@record
class Fit:
    """`alone`: the guard can't be asked by its filter there, so nothing is recorded. `landlock`: units can be kept
    apart. `subreaper`: what a unit leaves running can be ended with it. `missing` says what is not so, in words that
    begin with the runtime's name; empty where everything stands."""

    alone: bool = False
    landlock: bool = True
    subreaper: bool = True
    missing: tuple[str, ...] = ()


def fit(runtime: RuntimeFacts | None) -> Fit:
    """The decision. None stands for the engine's own runtime, where nothing may be missing: the guard sees to that.

    Raises SetupError where not even the refused calls can be refused, or no container runs at all.
    """
    if runtime is None:
        return Fit()
    name = runtime.name
    if runtime.error:
        raise SetupError(
            f"the runtime {name} runs no container",
            wall="container",
            why=runtime.error,
            fix="see docker info for the runtimes that the daemon knows, and its log for what this one said",
        )
    lacking = [
        words
        for works, words in ((runtime.no_new_privs, "no_new_privs"), (runtime.filters, "a syscall filter"))
        if not works
    ]
    if lacking:
        raise SetupError(
            f"the runtime {name} can't hold a build",
            wall="kernel surface",
            why=f"{' and '.join(lacking)} can't be had there{f': {runtime.why}' if runtime.why else ''}",
            fix="use another runtime, or leave out --runtime",
        )
    missing = []
    if not runtime.notify:
        missing.append(f"runtime {name}: the guard can't record there: no user notification")
    if not runtime.landlock:
        words = "units are not kept apart there (wall: other crates' outputs): no Landlock"
        missing.append(f"runtime {name}: {words}")
    if not runtime.subreaper:
        words = "what a unit leaves running lives until the build ends (wall: outliving the build): no child subreaper"
        missing.append(f"runtime {name}: {words}")
    return Fit(not runtime.notify, runtime.landlock > 0, runtime.subreaper, tuple(missing))


def resolve_runtime(runtime: RuntimeFacts | None, network: bool) -> str:
    """The runtime of a resolve step. It runs cargo alone and no crate's code, but often needs the host's network, which
    neither gVisor nor a virtual machine shares; there it is the daemon's stock runtime that makes the container."""
    if runtime is None:
        return ""
    return runtime.name if runtime.network or not network else STOCK
