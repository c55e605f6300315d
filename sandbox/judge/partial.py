"""What was judged in part only: units that did more than is kept of them (CS0117)."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.behaviour.model import Profile
from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding

CODE = "CS0117"
_ASKED_FOR = "program"


def partly_judged(profile: Profile) -> Iterator[Finding]:
    """One finding for each unit of which a class is not whole.

    Else a script could do ten thousand harmless things first, so that no rule would see the one that it is about. None
    where the record has a hole (the verdict says so), and none for programs that the user asked to run.
    """
    entry = CATALOGUE[CODE]
    for one in () if profile.holes else profile.behaviours:
        if one.cut and one.key.role != _ASKED_FOR:
            classes = ", ".join(one.cut)
            yield Finding(
                code=CODE,
                severity=entry.severity,
                title=entry.title,
                unit=one.unit,
                role=one.key.role,
                package=one.key.package,
                version=one.key.version,
                manifest_dir="",
                subject=classes,
                detail=f"more was done than is kept of one unit or of the run; rules saw a part of: {classes}",
                help=entry.help,
            )
