"""The fast supply-chain checks of a build, after the resolve step: from what is kept, or made anew."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import __version__
from sandbox.cargo.files import Unreadable, read_bytes
from sandbox.cli.options import Settings
from sandbox.policy import files as policy_files
from sandbox.preflight import cached
from sandbox.preflight.cached import Fast
from sandbox.record import record
from sandbox.resources import profile
from sandbox.run.host import directories
from sandbox.run.invocation import Ground, Invocation
from sandbox.run.resolve import stamp

if TYPE_CHECKING:
    from sandbox.cargo.config import CargoConfig
    from sandbox.judge.model import Finding

_PACKAGE = os.path.dirname(os.path.dirname(cached.__file__))
# All code that has a say, so that a checkout that is worked on does not keep what it said before.
_CODE = ("preflight", "cargo", "judge", "policy")
_LOCK_BYTES = 32 << 20
# Any way in which TOML may write it without an escape.
_NAME = re.compile(rb"""\bname["']?\s*=\s*["']+\s*([\w-]{1,64})""")


@record
class Early:
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
    yield f"{__version__}\0{time.strftime('%Y-%m-%d')}\0{invocation.workspace}\0{home}\0{settings.untrusted}"
    for folder in _CODE:
        yield cached.tree(os.path.join(_PACKAGE, folder))
    yield cached.content(invocation.lock_file)
    tree, config = ground.tree, ground.config
    yield stamp(
        (
            *map(str, tree.manifests), *map(str, config.files), str(profile("names.txt")),
            policy_files.graph_file(invocation.workspace),
        )
    )  # fmt: skip
    names = _locked_names(invocation.lock_file)
    if names is None:
        yield os.urandom(16).hex()
    else:
        names |= {package.name for package in invocation.facts.packages}
        yield stamp(tuple(_indexes(os.path.join(home, "registry"), ground, sorted(names))))
    yield from _stand_ins(config)
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


def _locked_names(lock_file: str) -> set[str] | None:
    """The names in a lock file, and perhaps more; None where they can't be told without reading it as the checks do:
    what cargo writes has no escapes."""
    try:
        data = read_bytes(lock_file, _LOCK_BYTES)
    except FileNotFoundError:
        return set()
    except Unreadable:
        return None
    return None if b"\\" in data else {name.decode("ascii") for name in _NAME.findall(data)}


def _indexes(registry: str, ground: Ground, names: Iterable[str]) -> Iterator[str]:
    """The registries' indexes, and what each has on the packages: one may be yanked, or be there all of a sudden,
    without a change of the lock file. Cargo writes such a file anew in its place, which no folder above it tells."""
    index = os.path.join(registry, "index")
    yield registry
    yield index
    tops = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(index)):
            yield os.path.join(index, name)
            tops.append(os.path.join(index, name, ".cache"))
    # An index may be a folder of this machine.
    urls = (
        *ground.config.registries().values(),
        *(text for name, text in sorted(ground.env.items()) if name.startswith("CARGO_REGISTRIES_")),
    )
    tops += [url.rpartition("file://")[2] for url in urls if "file://" in url and "\0" not in url]
    places = [_place(name.lower()) for name in names]
    for top in tops:
        yield top
        if os.path.isdir(top):
            yield from (f"{top}/{place}" for place in places)


def _place(name: str) -> str:
    """As `preflight.sources.index.place`, which a build need not import."""
    if len(name) <= 2:
        return f"{len(name)}/{name}"
    return f"3/{name[0]}/{name}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}/{name}"


def _stand_ins(config: CargoConfig) -> Iterator[str]:
    """Where the folders lie that stand in for a registry: in the tree they count for less than outside, and a link may
    be turned."""
    for item in config.source_directories():
        path = str(item.path())
        if "\0" not in path:
            yield f"{path}\0{os.path.realpath(path)}"
