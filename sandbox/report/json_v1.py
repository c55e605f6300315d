"""JSON, version 1: everything that is known of a run. Schema: sandbox/report/schema/report-v1.schema.json.

Texts are what `render_untrusted` makes of them: safe to print, one line each. The raw bytes are in the record.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox import __version__
from sandbox.judge.model import Finding, RunResult
from sandbox.report.fingerprint import ordered
from sandbox.report.formats import Context
from sandbox.report.render import render_untrusted
from sandbox.report.seen import seen

SCHEMA = "cargo-sandbox/report-v1"
_LONG = 4096
"""Characters of the longest text: Linux's PATH_MAX."""


def render(result: RunResult, context: Context) -> str:
    """One JSON object, indented, ASCII only."""
    return json.dumps(data(result, context), indent=2)


def data(result: RunResult, context: Context) -> dict[str, Any]:
    """What `render` writes, as plain data."""
    header, complete = context.header, result.completeness
    extent = seen(result)
    versions = header.get("versions")
    findings = ordered(result.findings, context.workspace)
    return {
        "schema": SCHEMA,
        "tool": {"name": "cargo-sandbox", "version": __version__},
        "run": {
            "id": _safe(result.run),
            "started": _safe(header["started"]) if header.get("started") else None,
            "duration_s": result.duration_s,
            "command": [_safe(word) for word in header.get("argv") or ()],
            "workspace": _safe(context.workspace) or None,
            "versions": {_safe(name): _safe(version) for name, version in versions.items()} if versions else {},
        },
        "verdict": result.verdict,
        "exit_code": result.exit_code,
        "cargo": {"code": result.cargo_code, "signal": result.cargo_signal},
        "stopped": _safe(result.stopped) or None,
        "seen": {
            "extent": extent.extent,
            "why": _safe(extent.why) or None,
            "units": {_safe(role): count for role, count in sorted(result.units.items())},
            "fresh_units": result.fresh_units,
        },
        "record": {
            "whole": complete.whole,
            "holes": [_safe(reason) for reason in complete.reasons],
            "calls_seen": complete.seen,
            "events_listed": complete.listed,
            "acts_counted_only": complete.quiet,
            "calls_unreadable": complete.unreadable,
            "events_lost": complete.lost,
        },
        "baseline": {"compared": result.no_baseline is not None, "units_without": result.no_baseline},
        "sandbox": {
            "engine": _safe(result.engine),
            "walls": _safe(result.walls),
            "tier": _safe(result.tier) or None,
            "tier_reasons": [_safe(reason) for reason in result.tier_reasons],
        },
        "findings": [finding_data(mark, finding, result, context) for mark, finding in findings],
        "allowed": [
            finding_data(mark, finding, result, context) for mark, finding in ordered(result.waived, context.workspace)
        ],
    }


def finding_data(mark: str, finding: Finding, result: RunResult, context: Context) -> dict[str, Any]:
    """One finding as plain data; `mark` is its fingerprint."""
    place = context.place(finding)
    package = {name: _safe(getattr(finding, name)) for name in ("version", "manifest_dir")}
    return {
        "code": _safe(finding.code),
        "severity": finding.severity,
        "title": _safe(finding.title),
        "fingerprint": mark,
        "role": _safe(finding.role),
        "unit": _safe(finding.unit),
        "package": {"name": _safe(finding.package), **package} if finding.package else None,
        "chain": [_safe(link) for link in context.chain(finding)],
        "location": {"file": _safe(context.anchor), "line": place.line} if place else None,
        "subject": _safe(finding.subject),
        "detail": _safe(finding.detail),
        "count": finding.count,
        "evidence": [_safe(line) for line in finding.evidence],
        "events": list(finding.events),
        "run": _safe(finding.run or result.run),
        "fresh": finding.fresh,
        "macros": [_safe(path) for path in finding.macros],
        "techniques": [_safe(name) for name in finding.techniques],
        "evidence_tree": [_safe(line) for line in finding.tree],
        "rung": _safe(finding.rung) or None,
        "score": finding.score or None,
        "help": _safe(finding.help),
    }


def _safe(value: object) -> str:
    return render_untrusted(value, _LONG)
