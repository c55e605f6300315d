"""Fetches RustSec's advisory database: git in the resolve container, which has network and sees no project."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from sandbox.cli.options import Settings
from sandbox.errors import SandboxError, UsageError
from sandbox.run.checked import cache_of
from sandbox.trace.locks import lock, open_lock

URL = "https://github.com/rustsec/advisory-db"
VARIABLE = "CARGO_SANDBOX_ADVISORY_URL"
"""Names another place, a mirror for instance."""

NAME = "advisory-db"


class DatabaseNotFetched(SandboxError):
    """Git could not fetch the database, or what it fetched is none. The one from before is still there."""

    exit_code = 101


def fetch(settings: Settings, env: Mapping[str, str]) -> str:
    """Put a fresh clone in the place of the one from before; gives its folder. A second fetch waits for the first.

    Nothing of git's own configuration is read, no hook runs, and no link is made. Raises UsageError for a URL that is
    not https (loopback may be http), DatabaseNotFetched, and what an engine raises.
    """
    url = env.get(VARIABLE) or URL
    if not is_taken(url):
        raise UsageError(f"{VARIABLE}={url!r} is no https address", hint=f"unset it for {URL}")
    folder = os.fspath(cache_of(dict(env)))
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        with _locked(folder):
            return _fetch(settings, url, folder)
    except OSError as error:
        raise DatabaseNotFetched(f"the advisory database can't be put into {folder}: {error}") from error


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    dir_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = open_lock(f"{NAME}.lock", dir_fd)
        try:
            lock(fd)
            yield
        finally:
            os.close(fd)
    finally:
        os.close(dir_fd)


def is_taken(url: str) -> bool:
    """Whether git may be sent to this URL: https, or http to this machine itself; without a user in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or " " in url or "@" in parts.netloc or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host == "127.0.0.1")


def _fetch(settings: Settings, url: str, folder: str) -> str:
    """Under the lock. Whoever was killed between the two renames left the old one aside: that goes back first."""
    place, fresh, before = (os.path.join(folder, name) for name in (NAME, f"{NAME}.new", f"{NAME}.old"))
    if os.path.lexists(before) and not os.path.lexists(place):
        os.rename(before, place)
    for left in (fresh, before):
        shutil.rmtree(left, ignore_errors=True)
    os.mkdir(fresh, 0o700)
    try:
        _clone(settings, url, fresh)
        clone = os.path.join(fresh, NAME)
        if not os.path.isdir(os.path.join(clone, "crates")):
            raise DatabaseNotFetched(f"what is at {url} is no advisory database", hint="it has no folder `crates`")
        _swap(clone, place, before)
        return place
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if os.path.lexists(place):
            shutil.rmtree(before, ignore_errors=True)


def _swap(clone: str, place: str, before: str) -> None:
    """Raises OSError, and then the old one is at its place."""
    if not os.path.lexists(place):
        os.rename(clone, place)
        return
    os.rename(place, before)
    try:
        os.rename(clone, place)
    except OSError:
        os.rename(before, place)
        raise


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
    command = ("env", "GIT_CONFIG_NOSYSTEM=1", "git", *options, *clone)
    plan = outside_projects(["check"], settings, engine, choose_stdio, command=command, writes=folder)
    done = capture(engine, plan, lambda line: None)
    if done.status != 0:
        words = done.err.decode("utf-8", "replace").strip()
        raise DatabaseNotFetched(
            f"the advisory database could not be fetched from {url}: {words[-500:] or 'git said nothing'}",
            hint=f"is there a network, and git? {VARIABLE} names a mirror; or clone it by hand and use --advisory-db",
        )
