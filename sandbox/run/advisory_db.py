"""Fetches RustSec's advisory database: git in the resolve container, which has network and sees no project."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping

from sandbox.cli.options import Settings
from sandbox.errors import SandboxError, UsageError
from sandbox.run.checked import cache_of

URL = "https://github.com/rustsec/advisory-db"
VARIABLE = "CARGO_SANDBOX_ADVISORY_URL"
"""Names another place, a mirror for instance."""

NAME = "advisory-db"
_TAKEN = re.compile(r"https://[!-~]+|http://127\.0\.0\.1[:/][!-~]*", re.ASCII)


class DatabaseNotFetched(SandboxError):
    """Git could not fetch the database, or what it fetched is none. The one from before is still there."""

    exit_code = 101


def fetch(settings: Settings, env: Mapping[str, str]) -> str:
    """Put a fresh clone in the place of the one from before; gives its folder.

    Nothing of git's own configuration is read, no hook runs, and no link is made. Raises UsageError for a URL that is
    not https (loopback may be http), DatabaseNotFetched, and what an engine raises.
    """
    url = env.get(VARIABLE) or URL
    if not _TAKEN.fullmatch(url):
        raise UsageError(f"{VARIABLE}={url!r} is no https address", hint=f"unset it for {URL}")
    folder = cache_of(dict(env))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = tempfile.mkdtemp(prefix=f"{NAME}.", dir=folder)
    try:
        _clone(settings, url, fresh)
        clone = os.path.join(fresh, NAME)
        if not os.path.isdir(os.path.join(clone, "crates")):
            raise DatabaseNotFetched(f"what is at {url} is no advisory database", hint="it has no folder `crates`")
        return _put(clone, os.path.join(folder, NAME), os.path.join(fresh, "before"))
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _put(clone: str, place: str, before: str) -> str:
    if os.path.lexists(place):
        os.rename(place, before)
    os.rename(clone, place)
    return place


def _clone(settings: Settings, url: str, folder: str) -> None:
    from sandbox.run.build import make_engine
    from sandbox.run.capture import capture
    from sandbox.run.invocation import outside_projects
    from sandbox.run.stdio import choose_stdio

    engine = make_engine(settings)
    scheme = url.partition(":")[0]
    safe = ["protocol.allow=never", f"protocol.{scheme}.allow=always"]
    safe += ["core.symlinks=false", "core.hooksPath=/dev/null"]
    options = [word for one in safe for word in ("-c", one)]
    clone = ("clone", "--quiet", "--depth=1", "--no-tags", "--template=", "--", url, f"{folder}/{NAME}")
    command = ("git", *options, *clone)
    plan = outside_projects(["check"], settings, engine, choose_stdio, command=command, writes=folder)
    done = capture(engine, plan, lambda line: None)
    if done.status != 0:
        words = done.err.decode("utf-8", "replace").strip()
        raise DatabaseNotFetched(
            f"the advisory database could not be fetched from {url}: {words[-500:] or 'git said nothing'}",
            hint=f"is there a network, and git? {VARIABLE} names a mirror; or clone it by hand and use --advisory-db",
        )
