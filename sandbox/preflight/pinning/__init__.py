"""How well the project is pinned: lock file, requirements, toolchain, CI. Advice, each with the line to write."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sandbox.judge.model import Finding
from sandbox.preflight.model import Answer, Check, Subject
from sandbox.preflight.pinning import ci, lock, requirements, toolchain
from sandbox.preflight.pinning.files import Files

__all__ = ["CHECKS"]

MAX_FINDINGS = 200
"""Most findings that are told; there may be more."""


def _check(subject: Subject) -> Answer:
    if subject.root is None:
        return Answer("pinning", "not done", why="a lock file alone does not say how its project is pinned")
    files = Files(subject.root, subject.manifests)
    found = tuple(islice(_all(subject, files), MAX_FINDINGS + 1))
    notes = list(files.notes)
    if len(found) > MAX_FINDINGS:
        notes.append(f"only the first {MAX_FINDINGS} findings are told")
    return Answer(
        "pinning",
        "not done" if files.unread else "done",
        found[:MAX_FINDINGS],
        why="; ".join(files.unread[:3]),
        notes=tuple(notes),
        looked_at=files.looked_at,
        unit="files",
    )


def _all(subject: Subject, files: Files) -> Iterator[Finding]:
    yield from lock.check(subject, files)
    yield from requirements.check(subject, files)
    yield from toolchain.check(subject, files)
    yield from ci.check(files)


CHECKS: tuple[Check, ...] = (
    Check("pinning", "lock file, requirements, toolchain and CI of the project", _check, fast=False),
)
