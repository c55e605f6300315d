"""`cargo-sandbox baseline …`: accepted behaviours, from the first acceptance to the check in CI (docs/baselines.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sandbox.baseline.accept import Change, plan, unused
from sandbox.baseline.model import Baseline, BaselineError, Waiver
from sandbox.baseline.state import State
from sandbox.cli import graph, place
from sandbox.cli.options import Settings
from sandbox.cli.place import Place
from sandbox.cli.usage import USAGES, hint_of
from sandbox.cli.words import MANIFEST, Words, parse
from sandbox.errors import UsageError
from sandbox.report.render import render_untrusted as safe

_USER = "--user"


def run(words: Sequence[str], settings: Settings) -> int:
    """Dispatch. Raises UsageError, BaselineError, BaselineMissing, StoreError, WorkspaceError."""
    verb, *rest = words
    if verb == "review":
        from sandbox.cli import review

        return review.run(rest, settings)
    act, *rest = rest or [""]
    if act == "init":
        return _init(parse(rest, USAGES["baseline init"], (_USER, "--json"), MANIFEST | {"--reason": False}), settings)
    if act == "accept":
        usage = USAGES["baseline accept"]
        options = MANIFEST | {"--reason": False, "--from": False, "--rule": False}
        return _accept(parse(rest, usage, (_USER, "--json"), options), settings)
    if act == "learn":
        from sandbox.cli import learn

        return learn.run(rest, settings)
    if act in ("status", "diff", "verify"):
        from sandbox.cli import baseline_look

        return baseline_look.run(act, rest, settings)
    if act == "prune":
        return _prune(parse(rest, USAGES["baseline prune"], ("--dry-run", _USER, "--json"), MANIFEST))
    if act == "import":
        usage = USAGES["baseline import"]
        return _import(parse(rest, usage, (_USER, "--json"), MANIFEST | {"--reason": False}), usage)
    if act == "export":
        usage = USAGES["baseline export"]
        return _export(parse(rest, usage, (_USER, "--json"), MANIFEST), usage)
    raise UsageError(f"baseline {act}: not understood" if act else "baseline needs a verb", hint=hint_of("baseline"))


def _init(words: Words, settings: Settings) -> int:
    _no_more(words, 0, "baseline init")
    here = place.find(words.manifest)
    user = _USER in words.switches
    if here.known(user):
        raise BaselineError(
            f"there is a baseline already in {here.folder(user)}",
            hint="go through what is new: cargo-sandbox review; or cargo-sandbox baseline accept --reason TEXT",
        )
    state = here.state()
    reason = words.one("--reason")
    if reason is not None and not reason.strip():
        raise UsageError("--reason is empty", hint="say why this is accepted")
    changes = plan(state, {}, accepted=place.today(), reason=reason or "initial state")
    return commit(here, state, changes, user, "--json" in words.switches, settings)


def _accept(words: Words, settings: Settings) -> int:
    reason = words.one("--reason")
    if not (reason or "").strip():
        raise UsageError(
            "nothing is accepted without a reason",
            hint='look: cargo-sandbox baseline diff; then: baseline accept PKG --reason "why this is right"',
        )
    here = place.find(words.manifest)
    user = _USER in words.switches
    state = here.state(words.one("--from"))
    waiver = _waiver(words, state, str(reason))
    packages = words.names or None
    _all_known(state, packages)
    changes = plan(
        state, here.known(user), accepted=place.today(), reason=str(reason), packages=packages, waiver=waiver
    )
    return commit(here, state, changes, user, "--json" in words.switches, settings, packages)


def _waiver(words: Words, state: State, reason: str) -> Waiver | None:
    """A rule that is accepted by its id, for packages that are named and whose content has a checksum to pin it to."""
    rule = words.one("--rule")
    if rule is None:
        return None
    if not (rule.startswith("CS") and rule[2:].isascii() and rule[2:].isdigit()):
        raise UsageError(f"{rule!r} is not the id of a rule", hint="for instance --rule CS0201")
    if not words.names:
        raise UsageError(
            "--rule needs the package that it is accepted for", hint="baseline accept PKG --rule ID --reason TEXT"
        )
    for package, version in sorted(
        {(one.key.package, one.key.version) for one in state.profile.behaviours if one.key.package in words.names}
    ):
        if not state.checksums.get((package, version)):
            raise BaselineError(
                f"{package} {version} has no checksum in Cargo.lock to pin the rule's acceptance to",
                hint="for path and git packages allow it in cargo-sandbox.toml",
            )
    return Waiver(rule, reason)


def _all_known(state: State, packages: Sequence[str] | None) -> None:
    known = {one.key.package for one in state.profile.behaviours}
    for package in packages or ():
        if package not in known:
            raise BaselineError(
                f"no unit of {package!r} is on record", hint="build first; cargo-sandbox baseline status names packages"
            )


def commit(
    here: Place,
    state: State,
    changes: Sequence[Change],
    user: bool,
    as_json: bool,
    settings: Settings,
    packages: Sequence[str] | None = None,
) -> int:
    """Write what was accepted and say so. In the tree the graph is accepted with it, of `packages` alone if they are
    named."""
    if not user:
        graph.accept(here, settings, place.today(), packages)
    paths = [here.write(user, change.after) for change in changes]
    if as_json:
        rows = [
            {"package": change.package, "versions": list(change.versions), "facts": change.facts, "file": str(path)}
            for change, path in zip(changes, paths, strict=True)
        ]
        print(json.dumps({"schema": 1, "run": state.run, "accepted": rows, "holes": list(state.holes)}, indent=1))
        return 0
    for change in changes:
        print(f"accepted {safe(change.package)} {safe(', '.join(change.versions))}: {change.facts} new entries")
    for hole in state.holes:
        print(f"note: not all is known: {safe(hole)}")
    where = safe(here.folder(user))
    print(
        f"{len(changes)} packages accepted in {where}" if changes else "nothing to accept: all of it is in the baseline"
    )
    return 0


def _prune(words: Words) -> int:
    _no_more(words, 0, "baseline prune")
    here = place.find(words.manifest)
    user, dry = _USER in words.switches, "--dry-run" in words.switches
    if not here.checksums:
        raise BaselineError(f"{here.lock_file} is missing or empty", hint="without it every entry would be unused")
    known = here.known(user)
    gone = unused(known, here.checksums)
    if not dry:
        for package in sorted({package for package, _, _ in gone}):
            baseline: Baseline = known[package]
            for _, version, checksum in (row for row in gone if row[0] == package):
                baseline = baseline.without(version, checksum)
            here.write(user, baseline)
    if "--json" in words.switches:
        rows = [{"package": package, "version": version, "checksum": checksum} for package, version, checksum in gone]
        print(json.dumps({"schema": 1, "removed": not dry, "unused": rows}, indent=1))
        return 0
    for package, version, _ in gone:
        print(f"{'would remove' if dry else 'removed'} {safe(package)} {safe(version)}: Cargo.lock does not have it")
    print(f"{len(gone)} unused entries")
    return 0


def _import(words: Words, usage: str) -> int:
    from sandbox.baseline.share import merged, read

    _no_more(words, 1, usage)
    here = place.find(words.manifest)
    user = _USER in words.switches
    reason = words.one("--reason")
    found = read(Path(words.names[0]))
    known = here.known(user)
    rows = []
    for package, baseline in found.items():
        after = merged(known.get(package), baseline, reason)
        if after != known.get(package):
            rows.append((package, [one.version for one in baseline.versions], here.write(user, after)))
    if "--json" in words.switches:
        data = [{"package": package, "versions": versions, "file": str(path)} for package, versions, path in rows]
        print(json.dumps({"schema": 1, "imported": data}, indent=1))
        return 0
    for package, versions, _ in rows:
        print(f"imported {safe(package)} {safe(', '.join(versions))}")
    print(f"{len(rows)} packages imported into {safe(here.folder(user))}")
    return 0


def _export(words: Words, usage: str) -> int:
    from sandbox.baseline.share import write

    if not words.names:
        raise UsageError("baseline export needs a file or folder", hint=usage)
    target, *packages = words.names
    here = place.find(words.manifest)
    known = here.known(_USER in words.switches)
    for package in packages:
        if package not in known:
            raise BaselineError(f"there is no baseline of {package!r}", hint="see cargo-sandbox baseline status")
    chosen = {name: known[name] for name in (packages or sorted(known))}
    if not chosen:
        raise BaselineError("there is no baseline to export", hint="cargo-sandbox baseline init")
    paths = write(Path(target), chosen)
    if "--json" in words.switches:
        print(json.dumps({"schema": 1, "exported": [str(path) for path in paths]}, indent=1))
    else:
        print(f"{len(chosen)} packages exported to {safe(target)}")
    return 0


def _no_more(words: Words, names: int, usage: str) -> None:
    if len(words.names) != names:
        raise UsageError(f"{len(words.names)} names were given, {names} expected", hint=usage)
