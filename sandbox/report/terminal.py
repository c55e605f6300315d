"""The terminal report: findings like compiler errors, then one last line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sandbox.judge.model import Finding, RunResult, at_least
from sandbox.report.formats import Context
from sandbox.report.render import render_untrusted as safe

_COLOUR = {"critical": "1;31", "high": "1;31", "medium": "1;33", "low": "1;36"}
_WORD = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
ROLES = {
    "script": "build script of",
    "rustc": "compilation of",
    "rustdoc": "rustdoc run of",
    "program": "program of",
    "probe": "rustc probe for",
    "cargo": "cargo itself",
    "graph": "package",
    "project": "the project:",
    "policy": "allowance for",
}


def use_colour(is_tty: bool, choice: str | None, env: Mapping[str, str]) -> bool:
    """Whether to colour stderr: cargo's --color, then NO_COLOR, CARGO_TERM_COLOR, CLICOLOR_FORCE, then the terminal."""
    choice = choice or env.get("CARGO_TERM_COLOR")
    if choice in ("always", "never"):
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    if env.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return is_tty and env.get("TERM") != "dumb"


def finding_text(finding: Finding, chain: Sequence[str], run: str, colour: bool, home: str = "") -> str:
    """One finding, several lines. `chain` leads from a workspace member to the package."""
    word, mark = _WORD[finding.severity], _COLOUR[finding.severity]
    who = ROLES.get(finding.role, "unit of")
    package = f" {safe(finding.package)} {safe(finding.version)}".rstrip() if finding.package else ""
    code, title = safe(finding.code), safe(finding.title)
    head = f"{word}[{code}]: {who}{package} {title}"
    if colour:
        head = f"\x1b[{mark}m{word}[{code}]\x1b[0m\x1b[1m: {who}{package} {title}\x1b[0m"
    lines = [head, f"  --> {safe(_short(finding.subject, home))}"]
    lines.append(f"   = what: {safe(finding.detail)}" + (f" ({finding.count} times)" if finding.count > 1 else ""))
    if chain:
        lines.append("   = chain: " + " -> ".join(safe(link) for link in chain))
    if finding.macros and finding.role == "rustc":
        names = ", ".join(_macro(path) for path in finding.macros[:8])
        lines.append(f"   = macros loaded by this compiler run: {names}")
    lines += [f"   = evidence: {safe(line)}" for line in finding.evidence]
    if finding.tree:
        lines += [
            "   = because:",
            *(f"     {' ' * (len(line) - len(line.lstrip()))}{safe(line.lstrip())}" for line in finding.tree),
        ]
    if finding.techniques:
        lines.append("   = ATT&CK: " + ", ".join(safe(name) for name in finding.techniques))
    if finding.rung:
        lines.append(f"   = compared with: {safe(finding.rung)}")
    if finding.fresh:
        lines.append(f"   = seen in run {safe(finding.run)}; the unit did not run again since")
    lines.append(f"   = severity: {finding.severity}")
    lines.append(f"   = help: {safe(finding.help)}")
    where = finding.run or run
    if finding.events:
        lines.append(f"   = next: cargo-sandbox explain {safe(where)}#{finding.events[0]}")
    return "\n".join(lines)


def last_line(result: RunResult, colour: bool) -> str:
    """The line that ends every run."""
    scripts, compiles = result.units.get("script", 0), result.units.get("rustc", 0) + result.units.get("rustdoc", 0)
    if scripts or compiles or not result.fresh_units:
        counted = f"{count(scripts, 'build script')}, {count(compiles, 'compile unit')}"
    else:
        counted = f"{count(result.fresh_units, 'unit')} fresh"
    if (scripts or compiles) and result.fresh_units:
        counted += f", {result.fresh_units} fresh"
    if result.no_baseline:
        counted += f", {result.no_baseline} without a baseline"
    walls = safe(result.walls)
    if result.tier not in ("", "standard"):
        walls += f", {safe(result.tier)}" + (": see cargo-sandbox doctor" if result.tier != "strong" else "")
    found = count(len(result.findings), "finding")
    if not result.recorded:
        counted = "no record: units not seen"
        found = f"{found}, others not seen" if result.findings else "findings not seen"
    words = f"Sandbox {result.verdict}: {counted}, {found} ({walls})"
    mark = {"clean": "1;32", "drift": "1;33", "violation": "1;31", "incomplete": "1;33"}[result.verdict]
    if colour:
        words = words.replace(f"Sandbox {result.verdict}", f"\x1b[{mark}mSandbox {result.verdict}\x1b[0m", 1)
    tail = f" · run {safe(result.run)}"
    return words + tail


def report(
    result: RunResult,
    chains: Mapping[tuple[str, str, str], Sequence[str]],
    colour: bool,
    deny: str,
    quiet: bool = False,
    home: str = "",
) -> str:
    """The whole report. With `quiet` a clean run says nothing. `home` is shown as `~`."""
    parts = []
    for finding in sorted(result.findings, key=lambda entry: (-_rank(entry), entry.events or (0,))):
        key = (finding.package, finding.version, finding.manifest_dir)
        parts.append(finding_text(finding, chains.get(key, ()), result.run, colour, home))
    for reason in result.completeness.reasons:
        parts.append(f"warning: the record has a hole: {safe(reason)}")
    if result.waived:
        parts.append(f"note: {count(len(result.waived), 'finding')} allowed by policy: {_allowed(result.waived)}")
    parts += [f"note: {safe(words)}" for words in result.notes]
    if result.stopped:
        parts.append(f"note: {safe(result.stopped)}")
    blocked = sorted({_named(f) for f in result.findings if at_least(f.severity, deny)})
    if blocked:
        names = ", ".join(safe(name) for name in blocked[:6]) + (", …" if len(blocked) > 6 else "")
        parts.append(f"note: what was built from {names} is not to be trusted; those units are built again next time")
    if not (quiet and result.verdict == "clean"):
        parts.append(last_line(result, colour))
    return "\n".join(parts)


def render(result: RunResult, context: Context) -> str:
    """The report of a stored run, or in a file: as `report`, and what nobody sees any more who reads it later."""
    from sandbox.report.seen import gaps

    text = report(result, context.chains, context.colour, context.deny, home=context.home)
    body, _, last = text.rpartition("\n")
    return "\n".join([*([body] if body else []), *(f"note: {safe(words)}" for words in gaps(result)), last])


def _rank(finding: Finding) -> int:
    return ("low", "medium", "high", "critical").index(finding.severity)


def _named(finding: Finding) -> str:
    return f"{finding.package} {finding.version}".strip() or finding.unit


def _allowed(waived: Sequence[Finding]) -> str:
    shown = [f"{safe(finding.code)} of {safe(_named(finding))} ({safe(finding.subject, 80)})" for finding in waived[:3]]
    return ", ".join(shown) + (", …" if len(waived) > 3 else "")


def _short(path: str, home: str) -> str:
    return "~" + path[len(home) :] if home and path.startswith(home + "/") else path


def _macro(path: str) -> str:
    name = os.path.basename(path).removeprefix("lib").removesuffix(".so")
    return safe(name.rpartition("-")[0] or name, 80)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
