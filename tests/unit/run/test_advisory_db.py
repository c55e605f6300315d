"""Putting a fetched database in its place: the one from before is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.run import advisory_db


def test_when_the_new_one_can_not_be_put_there_the_old_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, place, before = (str(tmp_path / name) for name in ("clone", "db", "db.old"))
    for folder in (clone, place):
        os.mkdir(folder)
    Path(place, "old").touch()
    rename = os.rename

    def full(source: str, target: str) -> None:
        if source == clone:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        advisory_db._swap(clone, place, before)
    assert os.listdir(place) == ["old"] and not os.path.lexists(before)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://github.com/rustsec/advisory-db", True), ("http://127.0.0.1:8080/db", True),
        ("http://127.0.0.1:80@evil.invalid/x", False), ("http://127.0.0.1.evil.invalid/", False), ("https://", False),
        ("https://a@evil.invalid/", False), ("ext::sh -c id", False), ("--upload-pack=x", False), ("https://[x", False),
        ("https://a.invalid/\n", False), ("file:///etc", False),
    ],
)  # fmt: skip
def test_git_is_sent_to_https_alone_or_to_this_machine(url: str, taken: bool) -> None:
    assert advisory_db.is_taken(url) is taken
