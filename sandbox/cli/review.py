"""`cargo-sandbox review`: what is new, one by one, with its evidence. Nothing is accepted without being asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from sandbox.baseline.accept import Change, keep_known, plan
from sandbox.baseline.judge import scores
from sandbox.baseline.model import BaselineError
from sandbox.baseline.novelty import Novelty, novelties
from sandbox.baseline.state import State
from sandbox.baseline.store import Stores
from sandbox.behaviour.model import Fact, Key
from sandbox.cli import place
from sandbox.cli.baseline_look import context_lines, head, unit_json, words
from sandbox.cli.options import Settings
from sandbox.cli.place import Place
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import UsageError
from sandbox.report.render import render_untrusted as safe

_USAGE = USAGES["review"]
Ask = Callable[[str], str]
Picked = list[tuple[Key, Fact]]


def run(rest: Sequence[str], settings: Settings) -> int:
    """Interactive on a terminal; else a list, or an acceptance that names what and why. Raises UsageError,
    BaselineError, StoreError, WorkspaceError."""
    options = MANIFEST | {"--from": False, "--reason": False, "--accept": True}
    given = parse(rest, _USAGE, ("--json", "--accept-all", "--user"), options)
    accepted = given.values.get("--accept", [])
    everything = "--accept-all" in given.switches
    if given.names or (accepted and everything) or ("--json" in given.switches and (accepted or everything)):
        raise UsageError("review: not understood", hint=_USAGE)
    reason = (given.one("--reason") or "").strip()
    if (accepted or everything) and not reason:
        raise UsageError("nothing is accepted without a reason", hint=_USAGE)
    here = place.find(given.manifest)
    state = here.state(given.one("--from"))
    # The pack is nobody's decision here: what it knows is new until it was accepted.
    stores = replace(here.stores(state, settings), pack={})
    if not stores.has_own:
        raise BaselineError("there is no baseline yet", hint="accept today's state: cargo-sandbox baseline init")
    open_ones = [one for one in novelties(state.profile, state.checksums, stores) if is_open(one)]
    user = "--user" in given.switches
    if "--json" in given.switches:
        under = state.contexts()
        units = [unit_json(one, under) for one in open_ones]
        print(json.dumps({"schema": 1, "run": state.run, "units": units, "holes": list(state.holes)}, indent=1))
        return 0
    if accepted or everything:
        return _accept(here, state, open_ones, None if everything else accepted, reason, user, settings)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        for one in open_ones:
            show(one, stores, state)
        print(f"{len(open_ones)} units to review; nothing was accepted")
        return 0
    return interactive(here, state, stores, open_ones, user, input, settings)


def is_open(one: Novelty) -> bool:
    """Whether there is something to decide about a unit."""
    if one.new or one.step.rung == "same version, other checksum":
        return True
    entry = one.step.entry
    if one.step.rung != "same version":
        return True
    return entry is not None and one.key.role == "script" and entry.unit(one.key) is None


def _accept(
    here: Place, state: State, open_ones: Sequence[Novelty], packages: Sequence[str] | None, reason: str, user: bool,
    settings: Settings,
) -> int:  # fmt: skip
    from sandbox.cli.baseline import commit

    names = {one.key.package for one in open_ones}
    for package in packages or ():
        if package not in names:
            raise BaselineError(f"there is nothing to review of {package!r}", hint="cargo-sandbox review --json")
    changes = plan(state, here.known(user), accepted=place.today(), reason=reason, packages=packages or sorted(names))
    return commit(here, state, changes, user, False, settings, packages)


def show(one: Novelty, stores: Stores, state: State) -> None:
    """A unit with the evidence of all that is new in it."""
    print(head(one))
    for line in context_lines(one, state.contexts()):
        print(line)
    if one.step.rung == "same version, other checksum" and one.step.entry is not None:
        was = safe(one.step.entry.checksum or "-")
        print(f"  the content is another: accepted {was}, now {safe(one.checksum or '-')}")
    values = scores(one, stores)
    if not one.new:
        print("  nothing new" if one.step.entry is not None else "  does nothing that could be told")
    for fact in sorted(one.new, key=lambda fact: (-values[fact], fact)):
        print(f"  + {words(fact)}")
        for depth, link in enumerate(fact.chain):
            print(f"      {'  ' * min(depth, 8)}{safe(link)}")
        events = ", ".join(f"#{seq}" for seq in fact.seqs)
        print(f"      score {values[fact]:g}, {fact.count} times" + (f", events {events}" if events else ""))
    for macro in one.macros:
        print(f"  loads {safe(macro)}")


def interactive(
    here: Place, state: State, stores: Stores, open_ones: Sequence[Novelty], user: bool, ask: Ask, settings: Settings
) -> int:
    """One question a unit; what was accepted is written at the end, or when the reviewer quits."""
    picked: Picked = []
    agreed: dict[str, list[str]] = {}
    for number, one in enumerate(open_ones, 1):
        print(f"\n[{number}/{len(open_ones)}]")
        show(one, stores, state)
        answer = _answer(one, here, state, ask, settings)
        if answer == "q":
            break
        if answer == "a":
            reason = _reason(ask)
            if not reason:
                print("  skipped: nothing is accepted without a reason")
                continue
            picked += [(one.key, fact) for fact in one.new]
            agreed.setdefault(one.key.package, []).append(reason)
    if not agreed:
        print("nothing was accepted")
        return 0
    from sandbox.cli.baseline import commit

    chosen = keep_known(state, stores, picked)
    known = here.known(user)
    changes: list[Change] = []
    for package, reasons in sorted(agreed.items()):
        reason = "; ".join(dict.fromkeys(reasons))
        changes += plan(state, known, accepted=place.today(), reason=reason, packages=[package], chosen=chosen)
    return commit(here, state, changes, user, False, settings, sorted(agreed))


def _answer(one: Novelty, here: Place, state: State, ask: Ask, settings: Settings) -> str:
    while True:
        try:
            answer = ask("accept, skip, show events, read its code, quit? [a/s/e/r/q] ").strip().lower()[:1]
        except EOFError:
            return "q"
        if answer in ("a", "s", "q"):
            return answer
        if answer == "e":
            _events(one, state)
        if answer == "r":
            _code(one, here, settings)


def _reason(ask: Ask) -> str:
    for _ in range(3):
        try:
            reason = ask("reason: ").strip()
        except EOFError:
            return ""
        if reason:
            return reason
    return ""


def _code(one: Novelty, here: Place, settings: Settings) -> None:
    """What the package's build-time code reaches for, by its sources (`sandbox.preflight.reader`)."""
    from sandbox.cli.graph import resolved
    from sandbox.errors import SandboxError

    try:
        package = resolved(settings, here.manifest).find(one.key.package, one.key.version)
    except SandboxError as error:
        print(f"  its sources are not known: {safe(error.message)}")
        return
    if package is None:
        print("  its sources are not known: it is not in the graph any more")
        return
    from sandbox.preflight.reader.explain import explain_package

    for line in explain_package(package.directory, whole=package.source is not None):
        print(f"  {line}")


def _events(one: Novelty, state: State) -> None:
    """The raw events that the new facts rest on."""
    from sandbox.trace.reader import StoreError
    from sandbox.trace.store import RunStore

    run = one.units[0].partition("/")[0] if one.units and "/" in one.units[0] else state.run
    wanted = {seq for fact in one.new for seq in fact.seqs}
    try:
        with RunStore().open(run) as reader:
            for event in reader.events():
                if event.get("seq") in wanted:
                    print(f"  {safe(json.dumps(event), 2000)}")
    except StoreError as error:
        print(f"  the events are gone: {safe(error.message)}")
