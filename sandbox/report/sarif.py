"""SARIF 2.1.0 (OASIS), in the part that GitHub's code scanning reads and within its limits.

Limits as GitHub states them ("SARIF support for code scanning", "SARIF results exceed one or more limits"): a file of
10 MB compressed, 25,000 results of which the 5,000 worst are shown, 20 tags a rule, 1,024 characters a description.
What code scanning shows are results alone, and an alert that is in no later upload counts as fixed. So a hole in the
record and what was not seen are results as well: an upload that looks clean would close alerts that nobody fixed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sandbox import __version__
from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding, RunResult, Severity
from sandbox.report.fingerprint import ordered
from sandbox.report.formats import Context
from sandbox.report.render import markdown_text, sarif_text
from sandbox.report.seen import baseline, headline, seen
from sandbox.report.terminal import ROLES

MAX_RESULTS = 25_000
MAX_COMPRESSED = 10_000_000
"""Bytes; GitHub says 10 MB and does not say which."""

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: Mapping[str, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# GitHub: above 9.0 critical, from 7.0 high, from 4.0 medium, below low.
_SCORE: Mapping[str, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
_PLACE = re.compile(r"(/[^\x00-\x1f]{1,4000}):([1-9]\d{0,6})", re.ASCII)
_HOLE, _UNSEEN = "record-incomplete", "not-seen"
_OWN: Mapping[str, tuple[str, Severity, str]] = {
    _HOLE: (
        "the record of the build has a hole",
        "medium",
        "build again; what is missing from the record is not known to be harmless",
    ),
    _UNSEEN: (
        "not all of the build was seen",
        "low",
        "what did not run in this build is not known to be harmless; build again to the end",
    ),
}


def render(result: RunResult, context: Context) -> str:
    """One SARIF log with one run, indented. What does not fit is left out from the mildest on, and that is said."""
    found = ordered(result.findings, context.workspace)
    keep = min(len(found), MAX_RESULTS - len(_OWN))
    while True:
        text = json.dumps(_log(result, context, found, keep), indent=1)
        # Each character is one byte, and compression does not make it longer worth the name.
        if keep == 0 or len(text) < MAX_COMPRESSED or len(gzip.compress(text.encode(), 6)) < MAX_COMPRESSED:
            return text
        keep //= 2


def _log(result: RunResult, context: Context, found: list[tuple[str, Finding]], keep: int) -> dict[str, Any]:
    rules = _rules(result)
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    extent = seen(result)
    whole = result.completeness.whole
    told = [f"{len(found) - keep} milder findings are left out: too many for one file"] if keep < len(found) else []
    notes = [("error", f"the record has a hole: {reason}") for reason in result.completeness.reasons]
    notes += [("warning", extent.why)] * bool(extent.why) + [("warning", words) for words in told]
    notes += [("note", baseline(result))] * (result.no_baseline != 0)
    results = [_result(mark, finding, result, context) for mark, finding in found[:keep]]
    if not whole:
        what = "Not all was looked at" if result.audit else "The record has a hole"
        words = f"{what}: {'; '.join(result.completeness.reasons)}."
        results.append(_statement(_HOLE, words, context))
    if extent.extent != "all":
        results.append(_statement(_UNSEEN, f"Not all of the build was seen: {extent.why}.", context))
    for entry in results:
        entry["ruleIndex"] = index[entry["ruleId"]]
    driver = {"name": "cargo-sandbox", "semanticVersion": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"cargo-sandbox/{_verb(context)}/{_plain(result.run)}"},
        "columnKind": "utf16CodeUnits",
        "invocations": [
            {
                "executionSuccessful": whole and extent.extent == "all",
                "exitCode": result.exit_code,
                "toolExecutionNotifications": [
                    {"level": level, "message": {"text": sarif_text(words)}} for level, words in notes
                ],
            }
        ],
        "results": results,
        "properties": {
            "verdict": result.verdict,
            "headline": headline(result),
            "seen": extent.extent,
            "recordWhole": whole,
            "baselineCompared": result.no_baseline is not None,
            "unitsWithoutBaseline": result.no_baseline,
            "findings": len(found),
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(mark: str, finding: Finding, result: RunResult, context: Context) -> dict[str, Any]:
    place = context.place(finding)
    who = f"{ROLES.get(finding.role, 'unit of')} {finding.package} {finding.version}".strip()
    times = f" ({finding.count} times)" if finding.count > 1 else ""
    words = f"{who[:1].upper()}{who[1:]} {finding.title}: {finding.detail[:300]}{times}."
    chain = context.chain(finding)
    if len(chain) > 1:
        words += f" Chain: {' -> '.join(chain)[:300]}."
    if finding.fresh:
        words += " It was seen in an earlier run; the unit did not run again since."
    width = place.width if place else 1
    return {
        "ruleId": _plain(finding.code),
        "level": _LEVEL[finding.severity],
        "message": {"text": sarif_text(words)},
        "locations": [_own_place(finding, context) or _location(context, place.line if place else 1, width)],
        "partialFingerprints": {"primaryLocationLineHash": mark},
        "properties": {
            "severity": finding.severity,
            "security-severity": _SCORE[finding.severity],
            "package": sarif_text(f"{finding.package} {finding.version}".strip()),
            "subject": sarif_text(finding.subject),
            "evidence": [sarif_text(line, 300) for line in (*finding.evidence, *finding.tree[:20])],
            **({"tags": [sarif_text(name) for name in finding.techniques]} if finding.techniques else {}),
            **({"rung": sarif_text(finding.rung)} if finding.rung else {}),
            **({"explain": sarif_text(f"{finding.run or result.run}#{finding.events[0]}")} if finding.events else {}),
        },
    }


def _statement(rule: str, words: str, context: Context) -> dict[str, Any]:
    mark = hashlib.sha256(rule.encode()).hexdigest()[:32]
    return {
        "ruleId": rule,
        "level": _LEVEL[_OWN[rule][1]],
        "message": {"text": sarif_text(words)},
        "locations": [_location(context, 1, 1)],
        "partialFingerprints": {"primaryLocationLineHash": f"{mark}:1"},
    }


def _own_place(finding: Finding, context: Context) -> dict[str, Any] | None:
    """Where a finding's subject is a line of a file in the repository (`/ws/Cargo.toml:8`), that line."""
    found = _PLACE.fullmatch(finding.subject) if finding.unit == "graph" else None
    folder = os.path.dirname(context.anchor)
    top = context.workspace.removesuffix(f"/{folder}") if folder else context.workspace
    if found is None or not top or not found[1].startswith(top + "/") or ".." in found[1].split("/"):
        return None
    return _location(replace(context, anchor=found[1][len(top) + 1 :]), int(found[2]), 1)


def _location(context: Context, line: int, width: int) -> dict[str, Any]:
    region = {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": width + 1}
    uri = quote(os.fsencode(context.anchor))
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region}}


def _rules(result: RunResult) -> list[dict[str, Any]]:
    """All rules there are, whether they matched or not, and what only a record of another version knows."""
    rules = [_rule(code, entry.title, entry.severity, entry.help, "Code that ran in the build ") for code, entry in
             sorted(CATALOGUE.items())]  # fmt: skip
    rules += [_rule(code, title, severity, advice, "In this run ") for code, (title, severity, advice) in _OWN.items()]
    if result.audit or any(finding.code.startswith("CS05") for finding in result.findings):
        from sandbox.preflight.codes import CODES

        rules += [_rule(code, entry.title, entry.severity, entry.help, "Before the build: ") for code, entry in
                  sorted(CODES.items())]  # fmt: skip
    known = {rule["id"] for rule in rules}
    for finding in result.findings:
        code = _plain(finding.code)
        if code not in known:
            known.add(code)
            rules.append(_rule(code, finding.title, finding.severity, finding.help, "Code that ran in the build "))
    return rules


def _rule(code: str, title: str, severity: Severity, advice: str, subject: str) -> dict[str, Any]:
    short = sarif_text(title[:1].upper() + title[1:], 100)
    full = sarif_text(f"{subject}{title[:100]}.", 150)
    return {
        "id": code,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "defaultConfiguration": {"level": _LEVEL[severity]},
        "help": {
            "text": sarif_text(f"{subject}{title}. What to do: {advice}."),
            "markdown": f"{subject}**{markdown_text(title)}**.\n\n**What to do:** {markdown_text(advice)}.",
        },
        "properties": {"tags": ["security", "supply-chain", "build"], "security-severity": _SCORE[severity]},
    }


def _verb(context: Context) -> str:
    """Of the command line; GitHub keeps the results of different verbs apart by it."""
    words = list(context.header.get("argv") or ())
    return _plain(str(words[1])) if len(words) > 1 else "build"


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isascii() and (char.isalnum() or char in "-_.")) or "unknown"
