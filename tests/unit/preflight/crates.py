"""Makes packages, as `.crate` files in a cargo home, and their entries in a lock file and in the index's cache."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from sandbox.cargo.lockfile import LockedPackage

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
FOLDER = "index.crates.io-0123456789abcdef"


def archive(entries: dict[str, bytes]) -> bytes:
    """A gzipped tar archive with these files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as out:
        for name, data in entries.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def manifest(name: str, version: str, more: str = "", needs: tuple[str, ...] = (), lib: str = "") -> str:
    """A manifest as cargo publishes it."""
    lines = [f'[package]\nname = "{name}"\nversion = "{version}"\n{more}']
    lines += [f"[lib]\n{lib}\n"] if lib else []
    return "\n".join([*lines, "[dependencies]", *(f'{one} = "1"' for one in needs), ""])


def put(
    home: Path, name: str, version: str, files: dict[str, str | bytes], *, more: str = "",
    needs: tuple[str, ...] = (), lib: str = "",
) -> LockedPackage:  # fmt: skip
    """Publish a package: its `.crate` goes to the cargo home. Gives what the lock file says of it."""
    top = f"{name}-{version}"
    entries = {f"{top}/Cargo.toml": manifest(name, version, more, needs, lib).encode()}
    entries |= {f"{top}/{path}": data.encode() if isinstance(data, str) else data for path, data in files.items()}
    packed = archive(entries)
    folder = home / "registry" / "cache" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{top}.crate").write_bytes(packed)
    return LockedPackage(name, version, CRATES_IO, hashlib.sha256(packed).hexdigest(), needs)


def cached(home: Path, package: LockedPackage, *, yanked: bool = False, published: str = "", others: int = 0) -> None:
    """Put a version into the index's cache, after `others` older ones."""
    name = package.name
    path = home / "registry" / "index" / FOLDER / ".cache" / name[:2] / name[2:4] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [("0.0." + str(at), {"name": name, "vers": f"0.0.{at}", "cksum": "0" * 64}) for at in range(others)]
    entry: dict[str, object] = {"name": name, "vers": package.version, "cksum": package.checksum, "yanked": yanked}
    entry |= {"pubtime": published} if published else {}
    lines.append((package.version, entry))
    body = b"".join(version.encode() + b"\0" + json.dumps(line).encode() + b"\0" for version, line in lines)
    path.write_bytes(b"\x03\x02\0\0\0" + b"Unknown\0" + body)
