"""The same command by cargo and by cargo-sandbox in the same folder, and what of the two must be equal."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.harness import Done, Project, plain, sandboxed

# Intermediates have a build dir of their own (`build.build-dir`), so a path in a message that is below plain cargo's
# target dir is below our build dir. Nothing else of a path may differ.
# Root's builds under Docker have one with the number of their user.
BUILD_DIR = re.compile(rb"\.cargo-sandbox/build(?:-\d+)?/")
_INTERMEDIATE = frozenset("deps build incremental .fingerprint .cargo-sandbox tmp".split())
# Locks, the mark of a cache, and the names with a hash that plain cargo leaves beside an example.
_NO_ARTIFACT = re.compile(r"(?:^|/)\.[^/]*$|^CACHEDIR.TAG$|-[0-9a-f]{16}(?:\.\w+)?$")
_TIMES = re.compile(
    rb"(?<=finished in )[0-9.]+s|(?<=target\(s\) in )[0-9.]+(?:m [0-9.]+)?s|(?<=ran in )[0-9.]+s|(?<=took )[0-9.]+s"
    rb"|(?<=' \()[0-9]+(?=\) panicked at)"
)
_OURS = re.compile(rb"^(?:\x1b\[[0-9;]*m)?Sandbox .*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a developer sees of a command."""

    code: int
    out: bytes
    err: bytes
    artifacts: frozenset[str]
    tag: bytes | None
    lock: bytes | None


def words(text: bytes) -> bytes:
    """Output without what may differ: times, thread ids, our own last line, the place of intermediates."""
    return _OURS.sub(b"", _TIMES.sub(b"N", BUILD_DIR.sub(b"", text)))


def artifacts(target: Path) -> frozenset[str]:
    """Final artifacts: what cargo leaves outside its folders of intermediates. Paths below the target dir."""
    found = set()
    for top, folders, names in os.walk(target):
        folders[:] = [name for name in folders if name not in _INTERMEDIATE]
        found |= {os.path.relpath(os.path.join(top, name), target) for name in names}
    return frozenset(name for name in found if not _NO_ARTIFACT.search(name))


def outcome(done: Done, project: Project, target: Path) -> Outcome:
    """Take down what a command left behind."""
    lock, tag = project.dir / "Cargo.lock", target / "CACHEDIR.TAG"
    return Outcome(
        code=_shell(done.code),
        out=words(done.out),
        err=words(done.err),
        artifacts=artifacts(target),
        tag=tag.read_bytes() if tag.exists() else None,
        lock=lock.read_bytes() if lock.exists() else None,
    )


def same(
    project: Project,
    *args: str,
    cwd: str = "",
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    target: Path | None = None,
    options: Sequence[str] = (),
    stderr: bool = True,
    any_order: bool = False,
    fresh_after: bool = False,
    each_time: Sequence[str] = (),
) -> Done:
    """Run both on an unbuilt project and assert that they are the same; gives the sandboxed one.

    Equal are: exit code, standard output, final artifacts with their places, the lock file, and, unless `stderr` is
    false, standard error without our last line. With `any_order` the lines may come in any order (several crates at
    once). With `fresh_after` the command runs four more times: sandboxed (nothing may be built but `each_time`), twice
    plain (works, says the same, keeps its own freshness), sandboxed (still nothing to build).
    """
    target = target or project.target
    lock = project.dir / "Cargo.lock"
    before = lock.read_bytes() if lock.exists() else None

    def reset() -> None:
        project.remove(str(target))
        if before is None:
            lock.unlink(missing_ok=True)
        else:
            lock.write_bytes(before)

    reset()
    cargo = outcome(plain(project, *args, cwd=cwd, env=env, stdin=stdin), project, target)
    reset()
    done = sandboxed(project, *args, cwd=cwd, env=env, stdin=stdin, options=options)
    ours = outcome(done, project, target)
    check(cargo, ours, stderr=stderr, any_order=any_order)
    if fresh_after:
        assert_fresh(sandboxed(project, *args, cwd=cwd, env=env, stdin=stdin, options=options), cargo, each_time)
        for compiles in (None, False):
            between = plain(project, *args, cwd=cwd, env=env, stdin=stdin)
            assert (_shell(between.code), words(between.out)) == (cargo.code, cargo.out), between.shown
            assert compiles is None or b"   Compiling" not in between.err, between.shown
        assert_fresh(sandboxed(project, *args, cwd=cwd, env=env, stdin=stdin, options=options), cargo, each_time)
    return done


def assert_fresh(done: Done, cargo: Outcome, each_time: Sequence[str]) -> None:
    """Assert that a repeated run built nothing and says what cargo says."""
    assert (_shell(done.code), words(done.out)) == (cargo.code, cargo.out), done.shown
    assert sorted(done.run.built()) == sorted(each_time), done.shown


def _shell(code: int) -> int:
    """An exit code as a shell shows it: 128 and the signal's number for a program that a signal ended."""
    return 128 - code if code < 0 else code


def check(cargo: Outcome, ours: Outcome, *, stderr: bool = True, any_order: bool = False) -> None:
    """Assert that two outcomes are the same."""

    def seen(text: bytes) -> object:
        return sorted(text.splitlines()) if any_order else text

    assert ours.code == cargo.code, ours.err.decode("utf-8", "replace")
    if stderr:
        assert seen(ours.err) == seen(cargo.err)
    assert seen(ours.out) == seen(cargo.out), ours.err.decode("utf-8", "replace")
    assert ours.artifacts == cargo.artifacts
    assert ours.lock == cargo.lock
    # Where a command is refused early cargo may not have made its target dir yet.
    assert ours.tag == cargo.tag or cargo.tag is None
