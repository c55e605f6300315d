"""Digests of what a script left: of what is used, if it is what the guard saw."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from sandbox.run import digests
from sandbox.run.digests import Digests

WRITTEN = b"made by a script"


def _output(path: Path) -> dict[str, Any]:
    status = os.stat(path, follow_symlinks=False)
    return {
        "path": str(path), "ino": status.st_ino, "size": status.st_size, "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns, "sha256": None,
    }  # fmt: skip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "build" / "debug" / "build" / "evil-0" / "out"
    folder.mkdir(parents=True)
    return folder


def _digests_of(out: Path, *outputs: dict[str, Any], lines: tuple[str, ...] = (), ran: str = "") -> list[Any]:
    end = {"event": "end", "unit": "u1", "outputs": list(outputs), "directives": list(lines)}
    made = Digests(str(out.parents[3])).added(end, lambda path: path == ran)
    assert [one["path"] for one in made["outputs"]] == [one["path"] for one in outputs]
    return [one["sha256"] for one in made["outputs"]]


def test_what_is_linked_or_was_executed_has_a_digest_and_nothing_else_is_read(out: Path) -> None:
    for name in ("liba.a", "tool", "table.rs"):
        (out / name).write_bytes(WRITTEN)
    outputs = [_output(out / name) for name in ("liba.a", "tool", "table.rs")]
    lines = (f"cargo:rustc-link-search={out}", "cargo:rustc-link-lib=a")
    sha = hashlib.sha256(WRITTEN).hexdigest()
    assert _digests_of(out, *outputs, lines=lines, ran=str(out / "tool")) == [sha, sha, None]


def test_a_file_that_is_another_by_now_has_none(out: Path) -> None:
    (out / "tool").write_bytes(WRITTEN)
    seen = _output(out / "tool")
    (out / "tool").write_bytes(WRITTEN[::-1])
    assert _digests_of(out, seen, ran=str(out / "tool")) == [None]
    (out / "tool").unlink()
    assert _digests_of(out, seen, ran=str(out / "tool")) == [None]
    os.mkfifo(out / "tool")
    assert _digests_of(out, _output(out / "tool"), ran=str(out / "tool")) == [None]


def test_no_link_is_followed_and_nothing_outside_of_the_build_dir_is_read(out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (out / "tool").symlink_to(secret)
    (out / "folder").symlink_to(tmp_path)
    places = (out / "tool", out / "folder" / "secret", secret, out / ".." / ".." / ".." / ".." / ".." / "secret")
    for place in places:
        told = _output(secret) | {"path": str(place)}
        assert _digests_of(out, told, ran=str(place)) == [None]


def test_so_many_bytes_are_read_and_no_more(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "MOST_BYTES", len(WRITTEN) + 1)
    for name in ("liba.a", "libb.a"):
        (out / name).write_bytes(WRITTEN)
    lines = (f"cargo:rustc-link-search={out}", "cargo:rustc-link-lib=a", "cargo:rustc-link-lib=b")
    found = _digests_of(out, _output(out / "liba.a"), _output(out / "libb.a"), lines=lines)
    assert found == [hashlib.sha256(WRITTEN).hexdigest(), None]


@pytest.mark.parametrize("outputs", [None, [7], [{"path": {"b64": "/w=="}}], [{}]])
def test_odd_records_are_left_as_they_are(out: Path, outputs: Any) -> None:
    end = {"event": "end", "unit": "u1", "outputs": outputs}
    assert Digests(str(out.parents[3])).added(end, lambda path: False) == end
