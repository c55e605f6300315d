"""Sources from git: that they are unchanged is not checked, and this says so."""

from __future__ import annotations

from sandbox.preflight.model import Answer, Subject
from sandbox.preflight.sources.source import clip, parse

_SHOWN = 20


def run(subject: Subject) -> Answer:
    """ "not done" as soon as the lock file has a package from git.

    A checkout has no checksum in the lock file but its commit, and to compare with that needs git's objects. Git itself
    runs what the repository's own settings name, so it is not asked here.
    """
    names = [f"{clip(item.name)} {clip(item.version)}" for item in subject.locked if parse(item.source).kind == "git"]
    if not names:
        return Answer("git-checkouts", "done")
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    why = f"checkouts are not compared with their commits: {', '.join(names[:_SHOWN])}{more}"
    return Answer("git-checkouts", "not done", why=why)
