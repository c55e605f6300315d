"""The files that a plan mounts and that we make ourselves: decoys, /etc, the guard's settings.

They live in a folder named by their content below the user's cache, made once and moved into place whole, so a run
that changes nothing writes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from sandbox.errors import SetupError
from sandbox.plan.env import looks_secret
from sandbox.plan.secrets import DECOYS


def standard_files(user: str, uid: int, gid: int, home: str) -> dict[str, bytes]:
    """The files that every build container shares, by path inside the prepared folder."""
    passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    group = "root:x:0:\nnogroup:x:65534:\n"
    if uid:
        passwd += f"{user}:x:{uid}:{gid}::{home}:/bin/sh\n"
        group += f"{user}:x:{gid}:\n"
    files = {
        "etc/passwd": passwd.encode(),
        "etc/group": group.encode(),
        "etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 build\n",
        "etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files dns\n",
        # Queries go to loopback, where the guard reads the name and refuses; see DESIGN §5 "Denied calls".
        "etc/resolv.conf": b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "empty": b"",
    }
    files |= {f"decoys/{path}": content.encode() for path, content in DECOYS}
    return files


def home_config_files(cargo_home: str) -> dict[str, bytes]:
    """The user's own cargo configuration without what is secret in it: tokens, and proxies (which may hold a password).

    A file that holds none is shown byte for byte.
    """
    from sandbox.cargo.files import Unreadable, load_toml, read_bytes
    from sandbox.cargo.subset import to_toml

    found = {}
    for name in ("config.toml", "config"):
        path = os.path.join(cargo_home, name)
        if not os.path.exists(path):
            continue
        try:
            table, content = load_toml(path), read_bytes(path)
        except Unreadable:
            # Cargo will say what is wrong with it; a file that we can't read could hold anything.
            found[f"cargo-home/{name}"] = b"[this file could not be read by cargo-sandbox"
            continue
        redacted = _without_secrets(table)
        found[f"cargo-home/{name}"] = content if redacted == table else to_toml(redacted).encode()
    return found


def _without_secrets(table: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("secret-key", "proxy") or looks_secret(key):
            continue
        kept[key] = _without_secrets(value) if isinstance(value, dict) else value
    return kept


def prepare(cache_dir: str, files: Mapping[str, bytes], owner: tuple[int, int]) -> str:
    """Write `files` (path -> content) into a folder named by their digest and return it.

    Decoys can be read by the user and group `owner` alone, as the real files could.
    Raises SetupError when the cache can't be written.
    """
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    other = os.geteuid() == 0 and owner[0] != 0
    if other:
        digest.update(repr(owner).encode())
    top = os.path.join(cache_dir, "prepared")
    folder = os.path.join(top, digest.hexdigest()[:32])
    if os.path.isdir(folder):
        return folder
    import shutil
    import tempfile

    try:
        os.makedirs(top, mode=0o700, exist_ok=True)
        fresh = tempfile.mkdtemp(prefix=".new-", dir=top)
        for name, content in files.items():
            path = os.path.join(fresh, name)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(path, "wb") as out:
                out.write(content)
            os.chmod(path, 0o644 if not name.startswith("decoys/") else 0o600)
            if other and name.startswith("decoys/"):
                os.chown(path, *owner)
        try:
            os.rename(fresh, folder)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not os.path.isdir(folder):
                raise
    except OSError as error:
        raise SetupError(
            f"can't prepare the sandbox's own files in {top}: {error.strerror}",
            wall="secrets",
            why="decoys and settings must exist before anything runs",
            fix="make the cache directory writable or set XDG_CACHE_HOME",
        ) from error
    return folder
