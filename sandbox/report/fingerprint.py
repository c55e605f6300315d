"""A name for a finding that stays the same from run to run, from machine to machine, and when the lock file moves.

Who (package, version, role) did what (code) to what: the subject without the parts that differ between runs. The
version counts on purpose: whoever has dismissed an act of one version has not looked at the next one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable

from sandbox.judge.model import SEVERITIES, Finding

_HOMES = re.compile(r"(?<![^\s=:,\"'])/(?:home/[^/\s]+|root)(?=/|\s|$)")
# What lies in scratch space is named by chance, mostly; so is only its place left.
_SCRATCH = re.compile(r"(?<![^\s=:,\"'])/(?:tmp|var/tmp|dev/shm)/\S*")
_CARGO_HASH = re.compile(r"-[0-9a-f]{16}(?![0-9a-f])")
_NUMBER = re.compile(r"/\d+(?=/|\s|$)")


def subject_of(finding: Finding, workspace: str) -> str:
    """What was acted on, without what differs between runs. `workspace` is its absolute path, or empty."""
    text = finding.subject
    if workspace.strip("/"):
        text = re.sub(re.escape(workspace.rstrip("/")) + r"(?=/|\s|$)", "$WORKSPACE", text)
    text = _SCRATCH.sub("$TMP/*", text)
    text = _HOMES.sub("~", text)
    return _NUMBER.sub("/*", _CARGO_HASH.sub("-*", text))


def fingerprint(finding: Finding, workspace: str) -> str:
    """32 hex digits."""
    subject = subject_of(finding, workspace)
    parts = ["v1", finding.code, finding.package, finding.version, finding.role, subject]
    # As JSON in ASCII, no two lists of parts give the same text, and a lone surrogate is no obstacle.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def ordered(findings: Iterable[Finding], workspace: str) -> list[tuple[str, Finding]]:
    """The findings, worst first, each with a fingerprint and a number that tells equal ones apart (`HEX:1`)."""
    marked = [(fingerprint(finding, workspace), finding) for finding in findings]
    marked.sort(key=lambda pair: (-SEVERITIES.index(pair[1].severity), pair[1].package, pair[1].code, *_end(pair)))
    counts: Counter[str] = Counter()
    numbered = []
    for mark, finding in marked:
        counts[mark] += 1
        numbered.append((f"{mark}:{counts[mark]}", finding))
    return numbered


def _end(pair: tuple[str, Finding]) -> tuple[str, str, tuple[int, ...]]:
    return pair[0], pair[1].subject, pair[1].events
