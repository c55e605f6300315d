"""The ledger of a build dir: for each unit that cargo may call fresh, how it behaved and what it left (DESIGN §5).

Cargo runs again only what changed. The ledger, out of every unit's reach, is what lets a later run speak of the units
that did not run: their findings are repeated, their outputs are compared with their seals. It belongs to one build
dir by a random token that both hold; a build dir without it (removed, replaced, touched by an older tool) is not
believed and has to be emptied.

    <state>/ledger/<sha256 of the path, 32 digits>/header.json   {schema, build_dir, token, filled_under}
                                                   units.jsonl   one object a unit, later ones replace earlier ones
    <build dir>/.cargo-sandbox-token
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.record import not_shown, record, replace
from sandbox.trace import files, fingerprints, locks
from sandbox.trace.builddir import CACHE_TAG, TOKEN, open_build_dir, wipe_build_dir
from sandbox.trace.fingerprints import fingerprint_dir
from sandbox.trace.names import LEDGER_SCHEMA
from sandbox.trace.seals import SealBreak, SealError, check_seals, seal_text, unescape, with_times

__all__ = ["Entry", "Ledger", "SealBreak", "SealError", "fingerprint_dir", "make_cache_dir", "wipe_build_dir"]

_HEADER, _UNITS, _LOCK, _BUILD_LOCK = "header.json", "units.jsonl", "lock", "build.lock"
_UNITS_MAX = 1 << 30
_COMPACT_MIN = 64
_CACHE_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This file is a cache directory tag created by cargo-sandbox.\n"
    b"# For information about cache directory tags see https://bford.info/cachedir/\n"
)


@record
class Entry:
    """What is known of a unit since it last ran. `seals` is text for `guard seals`; `cut` tells that it had more
    outputs than the guard lists, so not all of them are sealed. `findings` are in their JSON form."""

    key: str
    run: str
    unit: str
    role: str
    package: str
    version: str
    crate: str
    status: int | None
    cut: bool = False
    hidden: bool = False
    findings: tuple[dict[str, Any], ...] = ()
    seals: str = not_shown(default="")


class Ledger:
    """One build dir's ledger. Not thread-safe; several processes may use it at once.

    No method that records raises for the file system: the reason is kept in `failed`, and the ledger is spoilt on
    disk, so that no later run believes what it says.
    """

    def __init__(self, folder: Path, build_dir: Path, filled_under: str, dir_fd: int) -> None:
        self.folder = folder
        self.build_dir = build_dir
        self.trusted = False
        """Whether build dir and ledger belong together and were filled under this guard (and image)."""
        self.why = ""
        """Why they are not trusted, in words."""
        self.failed: str | None = None
        """Why something could not be recorded; None if all was."""
        self.entries: dict[str, Entry] = {}
        """By fingerprint folder, as an absolute path."""
        self._filled_under = filled_under
        self._dir_fd = dir_fd
        self._build_lock = -1
        self._lines = 0
        self._read_to = (0, 0)
        self._hidden: list[tuple[Mapping[str, Any], Entry]] = []

    @classmethod
    def open(cls, state_dir: Path, build_dir: Path, filled_under: str) -> Ledger:
        """Open the ledger of a build dir (an absolute path; it need not exist), making the ledger's own folder.

        `filled_under` is what units must have run under to be believed: the guard's digest, and the image's if any.

        Raises OSError if the state folder can't be used.
        """
        build_dir = Path(os.path.abspath(build_dir))
        name = hashlib.sha256(os.fsencode(build_dir)).hexdigest()[:32]
        folder = state_dir / "ledger" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger = cls(folder, build_dir, filled_under, files.open_dir(folder))
        ledger._verify()
        return ledger

    def close(self) -> None:
        """Let go of the ledger. Safe to call twice."""
        self.release()
        if self._dir_fd >= 0:
            os.close(self._dir_fd)
            self._dir_fd = -1

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def acquire(self, on_wait: Callable[[], None] | None = None) -> None:
        """Have the build dir alone among all who ask for that, until `release`, and look at the ledger afresh.

        Waits for the process that has it, after a call of `on_wait`. Raises OSError.
        """
        if self._build_lock >= 0:
            return
        fd = locks.open_lock(_BUILD_LOCK, self._dir_fd)
        try:
            if not locks.lock(fd, wait=False):
                if on_wait:
                    on_wait()
                locks.lock(fd)
        except BaseException:
            os.close(fd)
            raise
        self._build_lock = fd
        self.reload()

    def release(self) -> None:
        """Let others have the build dir; the ledger stays usable. Safe to call twice."""
        if self._build_lock >= 0:
            os.close(self._build_lock)
            self._build_lock = -1

    def renew(self, on_wait: Callable[[], None] | None = None) -> bool:
        """Empty the build dir and begin anew; false if that was not needed after all.

        Does `acquire` first. Raises OSError, and SetupError for a folder that is no build dir.
        """
        self.acquire(on_wait)
        self.reload()
        if self.trusted:
            return False
        files.remove(_HEADER, self._dir_fd)  # first: a wipe that is cut short must not leave a ledger that fits
        wipe_build_dir(self.build_dir)
        self.reset()
        return True

    def reset(self) -> None:
        """Begin anew with an empty list and a new token; the build dir is made if it is missing. Raises OSError."""
        self._spoil()
        token = os.urandom(16).hex()
        make_cache_dir(self.build_dir)
        build_fd = open_build_dir(self.build_dir)
        try:
            files.write_atomic(TOKEN, token.encode() + b"\n", build_fd, 0o644)
        finally:
            os.close(build_fd)
        files.write_atomic(_UNITS, b"", self._dir_fd)
        identity = {"build_dir": _text(self.build_dir), "token": token, "filled_under": self._filled_under}
        files.write_atomic(_HEADER, files.dump({"schema": LEDGER_SCHEMA, **identity}), self._dir_fd)
        self.failed = None
        self._hidden.clear()
        self._verify()

    def reload(self) -> None:
        """Read what other processes have done since, if anything."""
        if not self.trusted:
            self._verify()
        elif self._stamp() != self._read_to:
            self._load()

    def begin(self, unit_start: Mapping[str, Any]) -> None:
        """A unit starts: what was known of it counts no more, even if this process dies before the unit ends."""
        key = fingerprint_dir(unit_start)
        if key is not None:
            gone = [key] if key in self.entries else []
        elif fingerprints.is_hidden(unit_start):
            new = _entry("", unit_start, {}, "")
            gone = [old.key for old in self.entries.values() if old.hidden and _same_files(old, new, unit_start)]
        else:
            return
        if gone:
            self._append([{"key": each, "gone": True} for each in gone])
            for each in gone:
                del self.entries[each]

    def record(
        self,
        unit_end: Mapping[str, Any],
        unit_start: Mapping[str, Any],
        run_id: str,
        findings: Iterable[Mapping[str, Any]] = (),
    ) -> str | None:
        """A unit ended: note its outputs and findings; gives its key. Units that cargo never calls fresh give None.

        So does a unit that does not tell its fingerprint folder; it is noted by `settle`.
        """
        key = fingerprint_dir(unit_start)
        if key is None and not fingerprints.is_hidden(unit_start):
            return None
        entry = _entry(key or "", unit_start, unit_end, run_id, tuple(dict(item) for item in findings))
        if entry.status == 0:
            try:
                entry = replace(entry, seals=seal_text(unit_end.get("outputs") or ()))
            except ValueError as error:
                entry = replace(entry, cut=True)
                self._fail(str(error))
        if key is None:
            self._hidden.append((dict(unit_start), replace(entry, hidden=True)))
            return None
        self._put([entry])
        return key

    def settle(self, since_ns: int) -> dict[str, tuple[str, ...]]:
        """Cargo has ended: note the units that did not tell their fingerprint folder under those that they made since
        `since_ns` (`time.time_ns()` from before cargo was started). Gives these keys with their units."""
        merged: dict[str, Entry] = {}
        units: dict[str, tuple[str, ...]] = {}
        for start, entry in self._hidden:
            for key in fingerprints.hidden_fingerprints(self.build_dir, start, since_ns):
                known, before = self.entries.get(key), merged.get(key)
                if known is not None and not known.hidden:
                    continue
                if before is None:
                    merged[key] = replace(entry, key=key)
                else:
                    both, seals = before.findings + entry.findings, before.seals + entry.seals
                    merged[key] = replace(entry, key=key, findings=both, seals=seals)
                units[key] = (*units.get(key, ()), entry.unit)
        self._hidden.clear()
        self._put(list(merged.values()))
        return units

    def amend(self, key: str, findings: Iterable[Mapping[str, Any]]) -> None:
        """Replace the findings of a recorded unit, for what only came to light after its end."""
        entry = self.entries.get(key)
        if entry is not None:
            noted = tuple(dict(item) for item in findings)
            self._append([{"key": key, "findings": noted}])
            self.entries[key] = replace(entry, findings=noted)

    def unknown_fingerprints(self, build_dir: Path | None = None) -> list[Path]:
        """Fingerprint folders that cargo would believe and that have no entry here."""
        return fingerprints.unknown_fingerprints(build_dir or self.build_dir, self.entries)

    def make_stale(self, path: str | Path) -> bool:
        """Remove a fingerprint folder and its entry, so that its unit runs again; false if the folder was gone.

        Raises ValueError for a path that is none in this build dir and OSError if it can't be removed.
        """
        removed = fingerprints.make_stale(self.build_dir, path)
        if str(path) in self.entries:
            self._append([{"key": str(path), "gone": True}])
            del self.entries[str(path)]
        return removed

    def seal_lines(self, keys: Iterable[str] | None = None) -> bytes:
        """Input for `guard seals`: the seals of these entries, or of all."""
        return "".join(self._seals(keys).values()).encode()

    def check(
        self, guard: Path | str, keys: Iterable[str] | None = None, linked: Container[str] = ()
    ) -> list[SealBreak]:
        """Compare the outputs of these entries (or of all) with their seals. Raises SealError.

        Cargo makes hard links of some outputs and dates others back, which moves their times. That is forgiven where
        the content still has its digest, and for the paths in `linked`, at which cargo itself was seen to do so; such
        seals get the new times.
        """
        seals = self._seals(keys)
        broken, moved = check_seals(guard, seals, linked)
        if moved:
            renewed = {key: with_times(text, moved) for key, text in seals.items()}
            changed = [key for key, text in renewed.items() if text != seals[key]]
            self._put([replace(self.entries[key], seals=renewed[key]) for key in changed])
        return broken

    def intact(self, paths: Iterable[str]) -> frozenset[str]:
        """Of these files the outputs that are as their seals say, digest included, if `check` was just asked about all:
        whatever moved their times, their content is what their unit left."""
        wanted, found = set(paths), set()
        for entry in self.entries.values():
            for line in entry.seals.split("\n")[:-1]:
                *numbers, digest, escaped = line.split("\t")
                path = unescape(escaped.encode())
                if path in wanted and digest != "-" and numbers == _numbers(path):
                    found.add(path)
        return frozenset(found)

    def _seals(self, keys: Iterable[str] | None) -> dict[str, str]:
        chosen = self.entries if keys is None else [key for key in keys if key in self.entries]
        return {key: self.entries[key].seals for key in chosen}

    def _verify(self) -> None:
        self.entries, self._lines, self._read_to = {}, 0, (0, 0)
        self.why = self._mismatch()
        self.trusted = not self.why
        if self.trusted:
            self._load()
            if self._lines > max(2 * len(self.entries), _COMPACT_MIN):
                self._compact()

    def _mismatch(self) -> str:
        header = files.read_object(_HEADER, self._dir_fd, 64 << 10)
        if header is None:
            return "there is no ledger for this build dir"
        if header.get("schema") != LEDGER_SCHEMA:
            return "the ledger was written by another version of cargo-sandbox"
        if header.get("build_dir") != _text(self.build_dir):
            return "the ledger belongs to another build dir"
        if header.get("filled_under") != self._filled_under:
            return "the build dir was filled under another guard or in another image"
        try:
            build_fd = open_build_dir(self.build_dir)
        except OSError:
            return "the build dir is gone or is no folder"
        try:
            token = files.read_small(TOKEN, build_fd, 256)
        finally:
            os.close(build_fd)
        known = header.get("token")
        if token is None or not isinstance(known, str) or token.strip() != known.encode():
            return "the build dir is not the one that the ledger describes"
        return "" if self._stamp() != (0, 0) else "the ledger's list of units is gone"

    def _load(self) -> None:
        stamp = self._stamp()
        data = files.read_small(_UNITS, self._dir_fd, _UNITS_MAX) or b""
        entries: dict[str, Entry] = {}
        lines = data.split(b"\n")
        for line in lines:
            value = files.parse_object(line)
            if value is None or not isinstance(key := value.get("key"), str):
                continue
            if "role" in value:
                entry = _parse(value)
            elif "findings" in value and key in entries:
                entry = _parse({**_json(entries[key]), "findings": value["findings"]})
            else:
                entry = None
            if entry is None:
                entries.pop(key, None)
            else:
                entries[key] = entry
        self.entries, self._lines, self._read_to = entries, len(lines), stamp

    def _compact(self) -> None:
        try:
            fd = locks.open_lock(_LOCK, self._dir_fd)
            try:
                locks.lock(fd)
                self._load()
                text = b"".join(files.dump(_json(entry)) for entry in self.entries.values())
                files.write_atomic(_UNITS, text, self._dir_fd)
                self._lines, self._read_to = len(self.entries), self._stamp()
            finally:
                os.close(fd)
        except OSError as error:
            self._fail(f"the ledger can't be compacted: {error.strerror}", spoil=False)

    def _stamp(self) -> tuple[int, int]:
        try:
            status = os.stat(_UNITS, dir_fd=self._dir_fd, follow_symlinks=False)
        except OSError:
            return 0, 0
        return status.st_ino, status.st_size

    def _put(self, entries: list[Entry]) -> None:
        for entry in entries:
            self.entries[entry.key] = entry
        self._append([_json(entry) for entry in entries])

    def _append(self, values: list[dict[str, Any]]) -> None:
        data = b"".join(map(files.dump, values))
        if not data:
            return
        try:
            lock_fd = locks.open_lock(_LOCK, self._dir_fd)
            try:
                locks.lock(lock_fd)
                self._write(data)
            finally:
                os.close(lock_fd)
        except OSError as error:
            self._fail(f"the ledger can't be written: {error.strerror}")

    def _write(self, data: bytes) -> None:
        current = self._stamp() == self._read_to
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(_UNITS, flags, dir_fd=self._dir_fd)
        try:
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            files.write_all(fd, data)
        finally:
            os.close(fd)
        if current:
            self._read_to = self._stamp()

    def _fail(self, reason: str, spoil: bool = True) -> None:
        self.failed = self.failed or reason
        if spoil:
            self._spoil()

    def _spoil(self) -> None:
        """Take header and token away: without them nobody believes the list. Works on a full disk, too."""
        with contextlib.suppress(OSError):
            files.remove(_HEADER, self._dir_fd)
        with contextlib.suppress(OSError):
            build_fd = open_build_dir(self.build_dir)
            try:
                files.remove(TOKEN, build_fd)
            finally:
                os.close(build_fd)


def make_cache_dir(path: Path) -> None:
    """Make a folder with its parents the way cargo makes its own: one that is new or empty is tagged as a cache
    (CACHEDIR.TAG, https://bford.info/cachedir/), others are left as they are. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    fd = files.open_dir(path)
    try:
        if not os.listdir(fd):
            files.write_atomic(CACHE_TAG, _CACHE_TAG, fd, 0o644)
    finally:
        os.close(fd)


def _same_files(old: Entry, new: Entry, start: Mapping[str, Any]) -> bool:
    """Whether a hidden unit writes the files of an earlier one: rustdoc's folder is one for all profiles."""
    alike = (old.role, old.package, old.crate) == (new.role, new.package, new.crate)
    return alike and (new.role == "rustdoc" or old.key.startswith(fingerprints.profile_prefix(start)))


def _text(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _numbers(path: str) -> list[str]:
    """A file as the first fields of a seal have it; none for what can't be looked at."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return []
    return [str(number) for number in (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)]


def _json(entry: Entry) -> dict[str, Any]:
    return vars(entry) | {"findings": list(entry.findings)}


def _parse(value: dict[str, Any]) -> Entry | None:
    """An entry of the list; None for one that is broken or of a later version: its unit counts as never seen."""
    found = value.get("findings", [])
    if not isinstance(found, list) or not all(isinstance(finding, dict) for finding in found):
        return None
    try:
        entry = Entry(**{**value, "findings": tuple(found)})
    except TypeError:
        return None
    return entry if isinstance(entry.seals, str) and isinstance(entry.run, str) else None


def _entry(
    key: str,
    start: Mapping[str, Any],
    end: Mapping[str, Any],
    run_id: str,
    findings: tuple[dict[str, Any], ...] = (),
) -> Entry:
    def word(name: str) -> str:
        value = start.get(name)
        return value if isinstance(value, str) else ""

    return Entry(
        key=key,
        run=run_id,
        unit=word("unit"),
        role=word("role"),
        package=word("package"),
        version=word("version"),
        crate=word("crate"),
        status=end.get("status"),
        cut=bool(end.get("outputs_cut")),
        findings=findings,
    )
