"""The fast supply-chain checks of a build, after the resolve step: from what is kept, or made anew."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sandbox import __version__
from sandbox.cli.options import Settings
from sandbox.policy import files as policy_files
from sandbox.preflight import cached
from sandbox.preflight.cached import Fast
from sandbox.run.host import directories
from sandbox.run.invocation import Ground, Invocation
from sandbox.run.resolve import stamp

if TYPE_CHECKING:
    from sandbox.judge.model import Finding


class Early(NamedTuple):
    """What was found before anything ran, what could not be looked at, and which checks were made (see `Fast`)."""

    findings: tuple[Finding, ...] = ()
    holes: tuple[str, ...] = ()
    checks: dict[str, str] = {}  # noqa: RUF012 - never changed


def fast_checks(invocation: Invocation, ground: Ground, settings: Settings) -> Fast:
    """What they say of this workspace. Nothing of them is imported while nothing has changed.

    Raises WorkspaceError for a lock file, PolicyError for an accepted graph that can't be read.
    """
    name = hashlib.sha256(os.fsencode(invocation.lock_file)).hexdigest()[:24]
    path = os.path.join(invocation.host.state_dir, "preflight", name)
    key = cached.digest(_rests_on(invocation, ground, settings))
    kept = cached.load(path, key)
    if kept is not None:
        return kept
    made = _make(invocation, ground, settings)
    # What failed may do better next time.
    if not made.holes:
        cached.keep(path, key, made)
    return made


def _make(invocation: Invocation, ground: Ground, settings: Settings) -> Fast:
    from sandbox.preflight import run
    from sandbox.preflight.checks import fast_checks, wanted
    from sandbox.preflight.subject import of_workspace, wishes_of

    wishes = wishes_of(settings, invocation.project)
    subject = of_workspace(
        ground.tree, ground.config, ground.env, wishes, facts=invocation.facts, untrusted=settings.untrusted,
        toolchain=toolchain(invocation), cache=cache_of(ground.env),
    )  # fmt: skip
    outcomes = run.make(fast_checks(), subject)
    return Fast(
        tuple(one.to_json() for one in run.findings(outcomes)),
        run.holes([one for one in outcomes if one.failed or one.check.name in wanted(wishes)]),
        {one.check.name: "done" if one.done else f"not done: {one.answer.why}" for one in outcomes},
    )


def toolchain(invocation: Invocation) -> str:
    """The version of the compiler that builds here, as `1.97.0`; empty if it is not understood."""
    words = invocation.identity.rustc.split()
    return words[1] if len(words) > 1 and words[1][:1].isdigit() else ""


def cache_of(env: dict[str, str]) -> Path:
    """The folder in which checks keep what is dear to find out again."""
    return Path(directories(env)[1]) / "preflight"


def _rests_on(invocation: Invocation, ground: Ground, settings: Settings) -> Iterator[str]:
    """All that the answers rest on. A day is part of it, since dates of allowances and databases are."""
    home = ground.cargo_home
    yield f"{__version__}\0{date.today()}\0{invocation.workspace}\0{home}\0{settings.untrusted}"
    yield cached.tree(os.path.dirname(cached.__file__))
    yield cached.content(invocation.lock_file)
    tree, config = ground.tree, ground.config
    registry = os.path.join(home, "registry")
    yield stamp(
        (
            *map(str, tree.manifests), *map(str, config.files), registry, *_indexes(registry),
            policy_files.graph_file(invocation.workspace),
        )
    )  # fmt: skip
    yield repr(ground.args.config)
    yield repr(sorted(item for item in ground.env.items() if item[0].startswith("CARGO_")))
    yield repr(invocation.project)
    for package in invocation.facts.packages:
        yield f"{package.id}\0{package.checksum}\0{package.manifest_path}\0{len(package.scripts)}{package.proc_macro}"
    # Without one that was named, ours or the one where cargo-audit keeps its own counts.
    named = settings.advisory_db
    usual = [os.path.join(top, "advisory-db") for top in (cache_of(ground.env), home)]
    for folder in [named] if os.path.isdir(named) else named.split(":") if named else usual:
        yield folder
        yield cached.database(folder)


def _indexes(registry: str) -> Iterator[str]:
    """The registries' indexes: what was yanked or is fresh may change without a change of the lock file."""
    index = os.path.join(registry, "index")
    yield index
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(index)):
            yield from (os.path.join(index, name), os.path.join(index, name, ".cache"))
