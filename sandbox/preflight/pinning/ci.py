"""CS0594: commands of a CI that let cargo change the lock file. Read line by line, as text: YAML can hold bombs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sandbox.judge.model import Finding
from sandbox.preflight.model import finding
from sandbox.preflight.pinning.files import MAX_BYTES, Files

_COMMAND = re.compile(
    r"(?<![\w./@-])(cargo(?:-sandbox|[ \t]+sandbox)?(?:[ \t]+\+[\w.-]+)?(?:[ \t]+-[\w=-]+)*[ \t]+"
    r"(?:build|b|check|c|test|t|run|r|clippy|doc|d|bench|rustc|install|fetch|publish|nextest|llvm-cov|tarpaulin))"
    r"(?![\w:/.-])([^;&|\n#]{0,2000})",
    re.ASCII,
)
_WORDS_ONLY = re.compile(r"\s*(-\s+)?[\"']?(name|key|restore-keys|title|description|if|uses|id)[\"']?\s*:", re.ASCII)
_LONG_LINE = 4096


def check(files: Files) -> Iterator[Finding]:
    """One finding for each command that builds without --locked or --frozen."""
    paths = [*files.listed(files.top / ".github" / "workflows", (".yml", ".yaml")), files.top / ".gitlab-ci.yml"]
    for path in paths:
        text = files.text(path, MAX_BYTES, top=files.top)
        if text is not None:
            yield from _commands(path, text)


def _commands(path: Path, text: str) -> Iterator[Finding]:
    for number, line in _lines(text):
        if _WORDS_ONLY.match(line):
            continue
        for found in _COMMAND.finditer(line):
            command, rest = found.group(1), found.group(2)
            words = f"{command} {rest.partition(' -- ')[0]}".split()
            if "--locked" in words or "--frozen" in words:
                continue
            said = " ".join((command + rest).split()).rstrip("\"'`)], ")
            new = " ".join(f"{command} --locked{rest}".split()).rstrip("\"'`)], ")
            yield finding(
                "CS0594", None, f"{said[:200]}: cargo may take other versions than the lock file's",
                subject=f"{path}:{number}", help=f"write: {new[:220]}",
            )  # fmt: skip


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, those that go on after a backslash in one, without comments."""
    held, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line[:_LONG_LINE].rstrip("\r")
        if line.lstrip().startswith("#"):
            continue
        first = first or number
        if line.endswith("\\") and len(held) < _LONG_LINE:
            held += line[:-1] + " "
            continue
        yield first, held + line
        held, first = "", 0
    if held:
        yield first, held
