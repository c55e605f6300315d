"""Markdown of GitHub's kind, as the summary of a CI job: the verdict, a table of findings, details folded.

All that comes from a build stands in code spans, where nothing is markup. A job summary holds 1 MiB at most (GitHub
Docs, "Workflow commands", step isolation and limits); a longer one would not be shown at all.
"""

from __future__ import annotations

from collections import Counter

from sandbox.judge.model import SEVERITIES, Finding, RunResult
from sandbox.report.fingerprint import ordered
from sandbox.report.formats import Context
from sandbox.report.render import markdown_code as code
from sandbox.report.render import markdown_text as prose
from sandbox.report.seen import gaps, headline
from sandbox.report.terminal import ROLES, count

MAX_BYTES = 1_000_000
_TABLE_BYTES = 400_000


def render(result: RunResult, context: Context) -> str:
    """The whole summary."""
    lines = [f"## cargo-sandbox: {headline(result)}", "", _sums(result), ""]
    hole = "Not looked at" if result.audit else "The record has a hole"
    lines += [f"- **{hole}:** {code(reason)}" for reason in result.completeness.reasons]
    lines += [f"- **Note:** {prose(words)}" for words in gaps(result)]
    lines += [""] * (lines[-1] != "")
    if result.waived:
        names = sorted({f"{finding.code} of {finding.package} {finding.version}".strip() for finding in result.waived})
        lines += ["**Allowed by policy:** " + ", ".join(code(name, 120) for name in names[:50]), ""]
    findings = [finding for _, finding in ordered(result.findings, context.workspace)]
    if findings:
        lines += _table(findings, context)
        lines += _details(findings, result, context, MAX_BYTES - sum(len(line.encode()) + 1 for line in lines))
    lines.append("Audit" if result.audit else f"Run {code(result.run)} · {code(result.walls)}")
    return "\n".join(lines)


def _sums(result: RunResult) -> str:
    counted = Counter(finding.severity for finding in result.findings)
    told = ", ".join(f"{counted[name]} {name}" for name in reversed(SEVERITIES) if counted[name])
    findings = f"**{count(len(result.findings), 'finding')}**"
    if result.audit:
        return f"{findings}{f' ({told})' if told else ''}, exit code {result.exit_code}. Nothing was run."
    scripts, compiles = result.units.get("script", 0), result.units.get("rustc", 0) + result.units.get("rustdoc", 0)
    return (
        f"{findings}{f' ({told})' if told else ''}, exit code {result.exit_code}. "
        f"Units: {count(scripts, 'build script')}, {count(compiles, 'compilation')}, {result.fresh_units} fresh."
    )


def _table(findings: list[Finding], context: Context) -> list[str]:
    lines = ["| severity | rule | package | what | where |", "|---|---|---|---|---|"]
    room = _TABLE_BYTES
    for number, finding in enumerate(findings):
        place = context.place(finding)
        where = code(f"{context.anchor}:{place.line}", 120) if place else "—"
        package = code(f"{finding.package} {finding.version}".strip() or finding.unit, 120)
        what = f"{prose(finding.title, 120)}: {code(finding.subject, 160)}"
        line = f"| {finding.severity} | {code(finding.code, 40)} | {package} | {what} | {where} |"
        room -= len(line.encode()) + 1
        if room < 0:
            lines += ["", f"{len(findings) - number} milder findings are not in this table."]
            break
        lines.append(line)
    return [*lines, ""]


def _details(findings: list[Finding], result: RunResult, context: Context, room: int) -> list[str]:
    lines = ["<details><summary>Details</summary>", ""]
    room -= 1000
    for number, finding in enumerate(findings):
        entry = _entry(finding, result, context)
        room -= sum(len(line.encode()) + 1 for line in entry)
        if room < 0:
            lines += [f"{len(findings) - number} more are left out: a summary may not be longer.", ""]
            break
        lines += entry
    return [*lines, "</details>", ""]


def _entry(finding: Finding, result: RunResult, context: Context) -> list[str]:
    who = prose(ROLES.get(finding.role, "unit of"))
    package = f" {code(f'{finding.package} {finding.version}'.strip())}" if finding.package else ""
    lines = [f"#### {code(finding.code, 40)} {who}{package} {prose(finding.title)}", ""]
    times = f" ({finding.count} times)" if finding.count > 1 else ""
    lines.append(f"- **what:** {code(finding.detail)}{times}")
    if chain := context.chain(finding):
        lines.append("- **chain:** " + " → ".join(code(link, 120) for link in chain[:30]))
    lines += [f"- **evidence:** {code(line)}" for line in finding.evidence]
    if finding.macros and finding.role == "rustc":
        lines.append("- **macros loaded:** " + ", ".join(code(path, 120) for path in finding.macros[:8]))
    lines += [f"- **because:** {code(line.strip())}" for line in finding.tree[:20]]
    if finding.techniques:
        lines.append("- **ATT&CK:** " + ", ".join(code(name, 20) for name in finding.techniques[:20]))
    if finding.rung:
        lines.append(f"- **compared with:** {prose(finding.rung)}")
    if finding.fresh:
        lines.append(f"- **seen in run** {code(finding.run)}; the unit did not run again since")
    lines.append(f"- **help:** {prose(finding.help)}")
    if finding.events:
        lines.append(f"- **next:** {code(f'cargo-sandbox explain {finding.run or result.run}#{finding.events[0]}')}")
    return [*lines, ""]
