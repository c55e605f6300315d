"""What the doctor found, for people and as JSON (schema: sandbox/doctor/schema/doctor-v1.schema.json)."""

from __future__ import annotations

import json
from dataclasses import asdict

from sandbox import __version__
from sandbox.doctor.facts import Host
from sandbox.doctor.model import Check, Diagnosis
from sandbox.doctor.tier import Standing
from sandbox.report.render import render_untrusted as safe

SCHEMA = "cargo-sandbox/doctor-v1"

_WORD = {"good": "ok", "note": "note", "weak": "weak", "unseen": "not seen", "missing": "missing"}
_COLOUR = {"good": "32", "note": "36", "weak": "1;33", "unseen": "1;33", "missing": "1;31"}
_TIER_COLOUR = {"strong": "1;32", "standard": "1;32", "degraded": "1;33", "none": "1;31"}
_TIER_WORDS = {
    "strong": "strong: gVisor or a virtual machine stands around the build as well",
    "standard": "standard: every wall stands",
    "degraded": "degraded: a wall or the record is weaker, or could not be looked at",
    "none": "none: it can't be used here",
}
_LONG = 1000


def text(diagnosis: Diagnosis, colour: bool) -> str:
    """The whole report for a terminal."""
    chosen = diagnosis.chosen
    head = f"Sandbox tier of this host with {safe(chosen.engine)}: {chosen.tier}"
    lines = [_painted(head, _TIER_COLOUR[chosen.tier], colour), "", "engines"]
    for standing in diagnosis.standings:
        lines += _standing(standing, colour)
    lines += ["", "checks"]
    for check in diagnosis.checks:
        lines += _check(check, colour)
    return "\n".join(lines)


def to_json(diagnosis: Diagnosis, host: Host) -> str:
    """The whole report and the facts behind it as one JSON object, indented."""
    data = {
        "schema": SCHEMA,
        "cargo_sandbox": __version__,
        "tier": diagnosis.chosen.tier,
        "engine": diagnosis.chosen.engine,
        "standings": [standing.to_json() for standing in diagnosis.standings],
        "checks": [check.to_json() for check in diagnosis.checks],
        "facts": asdict(host),
    }
    return json.dumps(data, indent=2)


def _standing(standing: Standing, colour: bool) -> list[str]:
    words = _painted(_TIER_WORDS[standing.tier], _TIER_COLOUR[standing.tier], colour)
    return [f"  {safe(standing.engine)}: {words}", *(f"    - {safe(reason.words)}" for reason in standing.reasons)]


def _check(check: Check, colour: bool) -> list[str]:
    word = f"{_WORD[check.state]:<8}"
    line = f"  {_painted(word, _COLOUR[check.state], colour)} {safe(check.title)}: {safe(check.found)}"
    if check.state == "good":
        return [line + (f" ({safe(check.means, _LONG)})" if check.means else "")]
    lines = [line]
    if check.means:
        lines.append(f"           = means: {safe(check.means, _LONG)}")
    if check.fix:
        lines.append(f"           = help: {safe(check.fix, _LONG)}")
    return lines


def _painted(words: str, mark: str, colour: bool) -> str:
    return f"\x1b[{mark}m{words}\x1b[0m" if colour else words
