"""An audit for programs. Schema: sandbox/preflight/schema/audit-v1.schema.json. Findings are as in report-v1."""

from __future__ import annotations

import json
from typing import Any

from sandbox import __version__
from sandbox.preflight.audit import Audit
from sandbox.report.fingerprint import ordered
from sandbox.report.formats import Context
from sandbox.report.json_v1 import finding_data
from sandbox.report.render import render_untrusted

SCHEMA = "cargo-sandbox/audit-v1"
_LONG = 4096


def render(audit: Audit, context: Context) -> str:
    """One JSON object, indented, ASCII only."""
    return json.dumps(data(audit, context), indent=2)


def data(audit: Audit, context: Context) -> dict[str, Any]:
    """What `render` writes, as plain data."""
    result = audit.result()

    def findings(which: Any) -> list[dict[str, Any]]:
        return [finding_data(mark, one, result, context) for mark, one in ordered(which, context.workspace)]

    return {
        "schema": SCHEMA,
        "tool": {"name": "cargo-sandbox", "version": __version__},
        "date": audit.subject.today.isoformat(),
        "workspace": _safe(audit.subject.root) if audit.subject.root else None,
        "lock_file": _safe(audit.subject.lock_file),
        "packages": len(audit.subject.locked),
        "verdict": audit.verdict,
        "exit_code": audit.exit_code,
        "deny": audit.deny,
        "complete": not audit.holes,
        "not_looked_at": [_safe(words) for words in audit.holes],
        "checks": [
            {
                "name": _safe(one.check.name),
                "title": _safe(one.check.title),
                "state": "failed" if one.failed else one.answer.state,
                "why": None if one.done else _safe(one.answer.why or "no reason told"),
                "looked_at": one.answer.looked_at,
                "unit": _safe(one.answer.unit),
                "findings": len(one.answer.findings),
                "notes": [_safe(note) for note in one.answer.notes],
            }
            for one in audit.outcomes
        ],
        "findings": findings(audit.findings),
        "allowed": findings(audit.waived),
    }


def _safe(value: object) -> str:
    return render_untrusted(value, _LONG)
