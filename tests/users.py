"""Who runs a command: whoever runs the tests, or for root also somebody without any privilege."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ORDINARY = 60801
"""Uid and gid of the ordinary user: as the plan's BUILDER, one that no system gives to anybody."""

_NAME = "cstest"


@dataclass(frozen=True, slots=True)
class User:
    """Who runs a command. `prefix` is put before it; it changes the user, and more if a test wants that."""

    name: str
    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        return self.uid == 0


def me() -> User:
    """Whoever runs the tests."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return User(name, os.getuid(), os.getgid())


def ordinary(folder: Path, shown: Iterable[Path], groups: Iterable[int] = ()) -> User:
    """An unprivileged user, with supplementary `groups`, whom root becomes for one command. Nothing of the system is
    changed for it, so nothing has to be taken back.

    The command runs in a mount namespace of its own. There the user has an account (its files lie in `folder`) and
    further ids for user namespaces (subuid(5)), and what is `shown` can be reached though it may lie in root's own
    home: each closed folder on the way is an empty one with just those trees in it, at their usual paths.
    """
    accounts = {
        "passwd": f"{_NAME}:x:{ORDINARY}:{ORDINARY}::/home/{_NAME}:/bin/sh\n",
        "group": f"{_NAME}:x:{ORDINARY}:\n",
        "subuid": f"{_NAME}:300000:65536\n",
        "subgid": f"{_NAME}:300000:65536\n",
    }
    script = ["set -e", "mount -t tmpfs -o mode=755 staging /mnt"]
    for name, line in accounts.items():
        place = Path("/etc", name)
        if not place.exists():
            continue
        others = [entry for entry in place.read_text().splitlines(True) if not entry.startswith(_NAME)]
        (folder / name).write_text("".join(others) + line)
        script.append(f"mount --bind '{folder / name}' /etc/{name}")
    for top, paths in _closed(shown).items():
        for number, path in enumerate(paths):
            script += [f"mkdir /mnt/{number}", f"mount --rbind '{path}' /mnt/{number}"]
        script.append(f"mount -t tmpfs -o mode=755 home '{top}'")
        for number, path in enumerate(paths):
            script += [f"mkdir -p '{path}'", f"mount --move /mnt/{number} '{path}'", f"rmdir /mnt/{number}"]
    script += ["umount /mnt", 'cd "$PWD"', 'exec "$@"']
    prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh")
    member = ",".join(map(str, groups))
    prefix += ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}")
    prefix += (f"--groups={member}" if member else "--clear-groups", "--")
    return User(_NAME, ORDINARY, ORDINARY, prefix)


def _closed(shown: Iterable[Path]) -> Mapping[Path, list[Path]]:
    """By closed folder, what of it has to be shown."""
    needed, found = set(shown), dict[Path, list[Path]]()
    for path in sorted(needed):
        if any(path != other and path.is_relative_to(other) for other in needed):
            continue
        blocking = next((top for top in reversed(path.parents) if not top.stat().st_mode & stat.S_IXOTH), None)
        if blocking is not None:
            found.setdefault(blocking, []).append(path)
    return found


def with_mounts(user: User, script: str) -> User:
    """The same user, who runs each command by a shell script with a mount namespace of its own and the right to mount:
    RUN in it stands for the command, which has no such right."""
    if user.is_root:
        space, run = (), '"$@"'
    else:
        space = ("--user", "--map-root-user")
        run = f'unshare --user --map-user={user.uid} --map-group={user.gid} "$@"'
    prefix = ("unshare", *space, "--mount", "--propagation", "private", "sh", "-c", script.replace("RUN", run), "sh")
    return replace(user, prefix=prefix)


def daemons_group() -> int:
    """The group whose members may use the Docker daemon: that of its socket."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    assert host.startswith("unix://"), f"DOCKER_HOST={host}: only of a socket is it clear who may use it"
    return os.stat(host.removeprefix("unix://")).st_gid
