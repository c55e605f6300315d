"""CS0593: a toolchain that is another one tomorrow. Source: the rustup book, "Overrides", "The toolchain file"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sandbox.cargo.files import Unreadable, parse_toml
from sandbox.judge.model import Finding
from sandbox.preflight.model import Subject, finding
from sandbox.preflight.pinning.files import Files

_MOVES = re.compile(r"(stable|beta|nightly)(-(?!\d{4}-).*)?", re.ASCII)


def check(subject: Subject, files: Files) -> Iterator[Finding]:
    """At most one finding: no file names a toolchain, or it names a channel that moves."""
    version = subject.toolchain or "X.Y.Z"
    for folder in files.up():
        for name in ("rust-toolchain", "rust-toolchain.toml"):
            text = files.text(folder / name, 64 << 10, top=files.top)
            if text is None:
                continue
            channel, number = _channel(text)
            if channel is not None and _MOVES.fullmatch(channel):
                words = f"{channel[:100]} is another compiler after each release"
                line = f'channel = "{version}"' if number else version
                yield _finding(f"{folder / name}:{number or 1}", words, f"write: {line}{_hint(subject)}")
            return
    words = "no rust-toolchain.toml names one, so each machine builds with its own"
    help = f'write rust-toolchain.toml: [toolchain] channel = "{version}"{_hint(subject)}'
    yield _finding(str(files.root / "rust-toolchain.toml"), words, help)


def _hint(subject: Subject) -> str:
    return "" if subject.toolchain else " (rustc -V tells yours)"


def _channel(text: str) -> tuple[str | None, int]:
    """The channel and its line; line 0 for a file of the old form, which is one line with the channel alone."""
    lines = [line.strip() for line in text.split("\n")]
    if sum(map(bool, lines)) == 1 and not text.strip().startswith("["):
        return text.strip(), 0
    try:
        table = parse_toml(text).get("toolchain")
    except Unreadable:
        return None, 0
    channel = table.get("channel") if isinstance(table, dict) else None
    number = next((at for at, line in enumerate(lines, 1) if line.startswith("channel")), 1)
    return (channel if isinstance(channel, str) else None), number


def _finding(subject: str | Path, detail: str, help: str) -> Finding:
    return finding("CS0593", None, detail, subject=str(subject), help=help)
