"""The toolchain within an image, asked for once for each image."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict

from sandbox.engine.protocol import Engine
from sandbox.errors import ToolchainError, UsageError
from sandbox.plan.check import check
from sandbox.plan.facts import HostFacts, ToolFacts
from sandbox.plan.model import Limits, Mount, Plan
from sandbox.plan.secrets import is_within
from sandbox.run.resolve import store

_LIMIT_S = 60.0
_NAMES = ("cargo", "rustc", "rustdoc", "clippy-driver")
# Rather the toolchain's own programs than rustup's stand-ins for them, which would look for a home of rustup's.
_QUESTION = f"""\
root=$(rustc --print sysroot) || exit
echo "$root"
for name in {" ".join(_NAMES)}; do
    if [ -x "$root/bin/$name" ]; then echo "$root/bin/$name"; else command -v "$name" || echo; fi
done
"""


def find_toolchain(engine: Engine, host: HostFacts, wanted: str | None, cache_dir: str) -> ToolFacts:
    """The toolchain of the engine's image, by asking in a container without network that shows nothing of the host.

    Raises UsageError when another toolchain is `wanted` (`+name`), ToolchainError when the image has none.
    """
    image = engine.info.image
    if wanted:
        raise UsageError(f"+{wanted} can't be had from an image", hint="choose an image with that toolchain")
    path = os.path.join(cache_dir, "images", image.removeprefix("sha256:"))
    with contextlib.suppress(OSError, ValueError, TypeError), open(path, encoding="utf-8") as stored:
        return _visible(ToolFacts(**json.load(stored)), host)
    from sandbox.run.capture import capture

    uid, gid = host.caller or (host.uid, host.gid)
    mounts = (Mount("proc", "/proc"), Mount("dev", "/dev"), Mount("tmpfs", "/tmp", size=64 << 20, mode=0o1777))
    command = ("/bin/sh", "-c", _QUESTION)
    plan = Plan(
        command,
        "/",
        mounts,
        (("HOME", "/tmp"),),
        Limits(wall_s=_LIMIT_S),
        recorded=False,
        image=image,
        uid=uid,
        gid=gid,
    )
    done = capture(engine, check(plan, host.homes, cache_dir), lambda line: None)
    tool = parse_answer(done.out.decode("utf-8", "replace")) if done.status == 0 else None
    if tool is None:
        words = done.err.decode("utf-8", "replace").strip()
        raise ToolchainError(
            "the image has no cargo and rustc that can be found",
            why=words[:500] or "they are not in its PATH",
            fix="use an image with a Rust toolchain in its PATH, for instance the builder image",
        )
    store(path, json.dumps(asdict(tool)))
    return _visible(tool, host)


def parse_answer(text: str) -> ToolFacts | None:
    """The toolchain from what the container printed; None unless it names absolute paths for all that is needed."""
    lines = text.split("\n")
    if len(lines) != len(_NAMES) + 2 or lines[-1]:
        return None
    root, cargo, rustc, rustdoc, clippy = lines[:-1]
    needed = (root, cargo, rustc, rustdoc)
    if not all(path.startswith("/") and os.path.normpath(path) == path and path.isprintable() for path in needed):
        return None
    clippy = clippy if clippy.startswith("/") else ""
    return ToolFacts(cargo=cargo, rustc=rustc, rustdoc=rustdoc, clippy_driver=clippy, root=root, name="image")


def _visible(tool: ToolFacts, host: HostFacts) -> ToolFacts:
    """Raises ToolchainError when the plan's fresh folders would hide it."""
    for place in (host.home, "/tmp", "/var/tmp", "/run"):
        if is_within(tool.root, place) or is_within(tool.cargo, place):
            raise ToolchainError(
                f"the image's toolchain lies in {place}, where the build gets an empty folder",
                why=f"cargo is {tool.cargo}, its toolchain {tool.root}",
                fix="use an image that has it elsewhere, or set HOME to another directory",
            )
    return tool
