"""What a file is by its first bytes. Sources of the formats: the ELF, PE/COFF, Mach-O and WebAssembly specifications,
and file(1)'s magic."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sandbox.preflight.reader.texts import entropy

Form = Literal["executable", "library", "script", "archive", "blob", "binary", "text"]
MAX_FILES = 50_000
"""Most files of one package that are looked at."""
MAX_HASHED = 256 << 20
"""Largest file whose digest is taken, in bytes."""
BLOB_SIZE = 64 << 10
"""From how many bytes on a file without known form is named."""
_HEAD = 4096
_LEFT_OUT = (".git", "target", "node_modules")
_DISORDER = 7.2
_MEDIA = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"wOFF", b"wOF2", b"\x00\x01\x00\x00", b"OTTO", b"true", b"ID3", b"OggS",
    b"fLaC", b"%PDF", b"\x00\x00\x01\x00", b"SQLite", b"ttcf", b"BM", b"II*\x00", b"MM\x00*", b"DKIF", b"\x1aE\xdf\xa3",
    b"TZif",
)  # fmt: skip
_ARCHIVES = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c",
    b"Rar!", b"MSCF", b"\x04\x22\x4d\x18", b"\xed\xab\xee\xdb", b"LZIP",
)  # fmt: skip
_MACH_O = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
_ELF_OBJECT = 1


class Carried(NamedTuple):
    """One file of a package that is no plain text. `what` says the format, `size` is in bytes, `digest` hex SHA-256,
    empty where the file is too large or can't be read whole."""

    path: str
    form: Form
    what: str
    size: int
    digest: str


@dataclass(slots=True)
class Cargo:
    """What a package carries. `undone` says what was not looked at."""

    files: list[Carried] = field(default_factory=list)
    looked_at: int = 0
    undone: list[str] = field(default_factory=list)


def form_of(head: bytes, size: int, mode: int = 0) -> tuple[Form, str]:
    """The form of a file by the beginning of its content (up to 4 KiB), its size and its mode."""
    if head.startswith(b"\x7fELF"):
        kind = int.from_bytes(head[16:18], "big" if head[5:6] == b"\x02" else "little")
        return ("library", "an ELF object") if kind == _ELF_OBJECT else ("executable", "ELF")
    if head.startswith(b"MZ"):
        at = int.from_bytes(head[60:64], "little")
        if size >= 64 and (at + 4 > len(head) or head[at : at + 4] == b"PE\0\0"):
            return "executable", "PE"
    if head.startswith(_MACH_O):
        kind = int.from_bytes(head[12:16], "little" if head[0] in (0xCE, 0xCF) else "big")
        return ("library", "a Mach-O object") if kind == _ELF_OBJECT else ("executable", "Mach-O")
    # A Java class begins like a universal Mach-O; its version stands where that has the number of programs.
    if head.startswith((b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")) and 0 < int.from_bytes(head[4:8], "big") < 30:
        return "executable", "Mach-O (universal)"
    if head.startswith(b"\xca\xfe\xba\xbe"):
        return "executable", "a Java class"
    if head.startswith(b"\0asm"):
        return "executable", "WebAssembly"
    if head.startswith(b"!<arch>\n"):
        return ("archive", "a Debian package") if head[8:21] == b"debian-binary" else ("library", "a static library")
    if head[:2] in (b"\x4c\x01", b"\x64\x86", b"\x64\xaa") and size > 20 and _looks_like_coff(head):
        return "library", "a COFF object"
    if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
        return "archive", "an archive"
    if head.startswith(b"#!") and not head.startswith(b"#![") and mode & 0o111:
        return "script", head[2:80].split(b"\n")[0].decode("utf-8", "replace").strip()
    if b"\0" not in head and _is_text(head, size):
        return "text", "text"
    if (
        size > BLOB_SIZE
        and not head.startswith(_MEDIA)
        and head[8:12] not in (b"WEBP", b"WAVE")
        and head[4:8] != b"ftyp"
    ):
        return "binary", "data"
    return "binary", "data or media"


def examine(top: str, apart: frozenset[str] = frozenset(), whole: bool = False) -> Cargo:
    """All files below a package's folder that are no text. Links are not followed. In a tree that somebody works in,
    packages inside the package (they speak for themselves), `target`, `.git`, `node_modules` and the folders in `apart`
    are left out. Of an unpacked package nothing is: `whole` says that it is one (of git it does not show), and what
    cargo writes into those of registries says so too. Raises nothing: what can't be read is in `undone`."""
    cargo = Cargo()
    for entry, path in _files(top, apart, whole or _is_unpacked(top), cargo):
        cargo.looked_at += 1
        try:
            found = _look(entry.path, path)
        except OSError as error:
            cargo.undone.append(f"{path}: {error.strerror}")
            continue
        if found:
            cargo.files.append(found)
    cargo.files.sort()
    return cargo


def _files(top: str, apart: frozenset[str], whole: bool, cargo: Cargo) -> Iterator[tuple[os.DirEntry[str], str]]:
    waiting, count = [top], 0
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            cargo.undone.append(f"{folder[len(top) + 1 :] or '.'}: {error.strerror}")
            continue
        if folder != top and any(entry.name == "Cargo.toml" for entry in entries) and not whole:
            continue
        for entry in entries:
            if entry.is_symlink():
                continue
            if entry.is_dir():
                if whole or (entry.path not in apart and entry.name not in _LEFT_OUT):
                    waiting.append(entry.path)
            elif entry.is_file():
                count += 1
                if count > MAX_FILES:
                    cargo.undone.append(f"more than {MAX_FILES} files")
                    return
                yield entry, entry.path[len(top) + 1 :]


def _is_unpacked(top: str) -> bool:
    """An unpacked package is one package, whatever manifests it carries."""
    return os.path.exists(os.path.join(top, ".cargo-ok")) or os.path.exists(os.path.join(top, ".cargo-checksum.json"))


def _look(full: str, path: str) -> Carried | None:
    fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        form, what = form_of(os.pread(fd, _HEAD, 0), status.st_size, status.st_mode)
        if form == "text":
            return None
        if form == "binary":
            if what != "data" or entropy(os.pread(fd, 1 << 16, status.st_size // 3)) < _DISORDER:
                return None
            form = "blob"
        return Carried(path, form, what, status.st_size, _digest(fd, status.st_size))
    finally:
        os.close(fd)


def _digest(fd: int, size: int) -> str:
    if size > MAX_HASHED:
        return ""
    digest, at = hashlib.sha256(), 0
    while at < size:
        piece = os.pread(fd, 1 << 20, at)
        if not piece:
            return ""
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest()


def _is_text(head: bytes, size: int) -> bool:
    try:
        head.decode("utf-8")
        return True
    except UnicodeDecodeError as error:
        # The head may end within a character.
        if size > len(head) and error.start >= len(head) - 3:
            return True
    odd = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return odd == 0 and entropy(head) < 6


def _looks_like_coff(head: bytes) -> bool:
    sections = int.from_bytes(head[2:4], "little")
    optional = int.from_bytes(head[16:18], "little")
    name = head[20:28].rstrip(b"\0")
    return 0 < sections < 100 and optional == 0 and name[:1] in (b".", b"/")
