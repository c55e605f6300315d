"""What was told of fresh units, kept for the next build in which nothing is new: it would come to the same.

A finding of a fresh unit stays until the unit runs again or somebody accepts it, and whether somebody did takes rules,
population and baselines to say: 60 ms, each time that a developer with one open finding builds. The answer rests on
files alone, so it holds as long as none of them has changed. It lies beside the ledger, out of every unit's reach, and
is believed as the ledger is.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from sandbox import __version__
from sandbox.baseline.places import own_folders
from sandbox.judge.model import Finding
from sandbox.resources import profile
from sandbox.run.finish import Fresh, Late
from sandbox.trace import files

FILE = "told.json"
_SCHEMA = 1
_PACKAGE = Path(__file__).parent.parent
# All code that has a say, so that a checkout that is worked on does not keep what it said before.
_CODE = ("baseline", "behaviour", "cargo", "judge", "judge/rules", "report", "run", "trace")
_PROFILES = ("baselines", "rules")
_SHELF = ("behaviours.jsonl",)


def key_of(fresh: Fresh, grounds: bytes) -> str:
    """A digest of all that the judgement of fresh units rests on: what they are and were found to do, and `grounds`."""
    findings = [finding.to_json() for finding in fresh.findings]
    return hashlib.sha256(files.dump([sorted(fresh.keys), findings]) + grounds).hexdigest()


def grounds_of(folder: Path, lock_file: str, tree: str | None, env: Mapping[str, str]) -> bytes:
    """A digest of the files that the judgement rests on: the shelf in the ledger's `folder`, Cargo.lock, the stores of
    baselines (`tree`: see `Judging`), what ships with us, and our code.

    Files count by the numbers that change when they do (device, inode, size, both times). Ask before judging, as early
    as you like: what changes meanwhile then gives another digest the next time.
    """
    digest = hashlib.sha256(files.dump([_SCHEMA, __version__, tree]))
    paths = [lock_file, *(str(folder / name) for name in _SHELF)]
    stated = [_state(path) for path in paths]
    for place in own_folders(tree, env):
        stated += _states(str(place))
    for name in _PROFILES:
        stated += _states(str(profile(name)))
    for name in _CODE:
        stated += _states(str(_PACKAGE / name), ".py")
    digest.update("\n".join(stated).encode("utf-8", "surrogateescape"))
    return digest.digest()


def recall(folder: Path, key: str) -> Late | None:
    """What was told under this key; None where nothing is kept for it, or it can't be read."""
    try:
        dir_fd = files.open_dir(folder)
    except OSError:
        return None
    try:
        kept = files.read_object(FILE, dir_fd)
    finally:
        os.close(dir_fd)
    if kept is None or kept.get("key") != key:
        return None
    try:
        fresh = tuple(Finding.from_json(data) for data in kept["fresh"])
        number, notes = kept["no_baseline"], tuple(map(str, kept["notes"]))
    except (KeyError, TypeError):
        return None
    return Late(fresh=fresh, no_baseline=number if type(number) is int else None, notes=notes)


def remember(folder: Path, key: str, late: Late) -> None:
    """Keep what was told, unless something could not be judged or was about units that ran. Never raises for the file
    system: the next build judges again then."""
    if late.holes or late.findings or late.uncovered:
        return
    fresh = [finding.to_json() for finding in late.fresh]
    data = files.dump({"key": key, "fresh": fresh, "no_baseline": late.no_baseline, "notes": late.notes})
    try:
        dir_fd = files.open_dir(folder)
        try:
            files.write_atomic(FILE, data, dir_fd)
        finally:
            os.close(dir_fd)
    except OSError:
        return


def _states(folder: str, ending: str = "") -> Iterator[str]:
    """The folder and its files, in order; links count for what they lead to and for themselves."""
    yield _state(folder)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ending))
    except OSError as error:
        yield f"{folder}: {error.errno}"
        return
    for name in names:
        yield _state(f"{folder}/{name}")


def _state(path: str) -> str:
    try:
        state = os.lstat(path)
        told = _numbers(path, state)
        return f"{told} -> {_numbers('', os.stat(path))}" if stat.S_ISLNK(state.st_mode) else told
    except OSError as error:
        return f"{path}: {error.errno}"


def _numbers(path: str, state: os.stat_result) -> str:
    return f"{path}: {state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
