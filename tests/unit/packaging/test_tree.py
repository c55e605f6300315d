"""What belongs to the project, and nothing that a tool has left beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOP = frozenset(
    ".ci .gitignore CONTRIBUTING.md LICENSE-APACHE LICENSE-MIT README.md SECURITY.md docs examples hatch_build.py "
    "images profiles pyproject.toml sandbox scripts tests".split()
)
LARGEST = 1 << 20


def test_the_tree_holds_what_was_agreed_and_no_file_that_nobody_can_review() -> None:
    """A tool that downloads into the current directory needs one careless `git add` to be part of the project."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
        printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        files = [Path(name) for name in printed.decode().split("\0") if name]
    else:
        files = [path.relative_to(ROOT) for path in ROOT.iterdir()]
    assert {path.parts[0] for path in files} <= TOP
    assert [str(path) for path in files if (ROOT / path).is_file() and (ROOT / path).stat().st_size > LARGEST] == []
