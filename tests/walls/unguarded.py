"""`python -m tests.walls.unguarded ENGINE FOLDER [WALL…]`: FOLDER/probe in a container without the guard, and without
these walls. A process of its own, since the engine's connections end with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sandbox.engine.choose import choose
from sandbox.plan.model import Limits, Mount, Plan
from sandbox.run.capture import capture
from sandbox.run.host import system_entries

_PLACE = "/run/probe"


def main(name: str, folder: str, walls: Sequence[str]) -> int:
    """See above; gives the probe's status."""
    engine = choose(name, "", "", "/nonexistent")
    uid, gid = engine.owner(folder)
    mounts = [Mount("symlink" if one.link else "ro", one.path, one.link or one.path) for one in system_entries()]
    mounts += [
        Mount("proc", "/proc"),
        Mount("dev", "/dev"),
        Mount("tmpfs", "/tmp", mode=0o1777),
        Mount("tmpfs", "/run"),
    ]
    mounts.append(Mount("ro", _PLACE, folder))
    plan = Plan(
        command=(f"{_PLACE}/probe", _PLACE),
        cwd="/",
        mounts=tuple(mounts),
        env=(("CSBENCH", "1"),),
        limits=Limits(wall_s=60),
        recorded=False,
        uid=uid,
        gid=gid,
        removed_walls=tuple(walls),
    )
    done = capture(engine, plan, lambda line: None)
    sys.stdout.write(done.out.decode())
    sys.stderr.write(done.err.decode())
    return done.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
