"""The comparison for a terminal, for a pull request (GitHub's Markdown) and for a machine (JSON, schema 1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sandbox.preflight.diff.model import GROUPS, UNKNOWN, Change, LockDiff
from sandbox.report.render import markdown_code, markdown_text, render_untrusted

SCHEMA = 1
MAX_SHOWN = 60
"""Changes of one kind that are shown to people; the JSON form has all of them."""

MAX_COMMENT = 60_000
"""Letters of the Markdown form: GitHub takes 65,536 in a comment."""

_BLOCKS = 40_000
_SCRIPT = 120
_WIDTH = 300
_QUIET = ("updated", "removed", "new")


def summary(diff: LockDiff) -> str:
    """One line of numbers."""
    if not diff.changes:
        return "no package differs"
    counts = [
        (len(diff.of("smuggled")), "smuggled in by an update"),
        (len(diff.runs_code), "with build-time code that is new, changed or not known"),
        (sum(not one.before for one in diff.changes), "new"),
        (sum(bool(one.before and one.after) for one in diff.changes), "updated"),
        (len(diff.of("removed")), "removed"),
    ]
    plural = "packages differ" if len(diff.changes) > 1 else "package differs"
    return f"{len(diff.changes)} {plural}: " + ", ".join(f"{count} {what}" for count, what in counts if count)


def text(diff: LockDiff) -> Iterator[str]:
    """Lines for a terminal."""
    yield summary(diff)
    for group in GROUPS:
        changes = diff.of(group.danger)
        if changes:
            yield ""
            yield f"{group.title} ({len(changes)})"
        for one in changes[:MAX_SHOWN]:
            yield f"  {_safe(one.name)} {_safe(one.versions)}{_runs(one)}"
            if one.by and group.danger not in _QUIET:
                yield f"    needed by {_safe(', '.join(one.by))}"
            for line in one.why:
                yield f"    {_safe(line)}"
            for line in _clipped(one.script):
                yield f"    | {_line(line)}"
            for line in one.behaviour:
                yield f"    behaviour {_safe(line)}"
        if len(changes) > MAX_SHOWN:
            yield f"  and {len(changes) - MAX_SHOWN} more (--json has all)"
    for note in diff.notes:
        yield f"note: {_safe(note)}"


def markdown(diff: LockDiff) -> str:
    """A comment for a pull request: what is dangerous in full, the rest folded away, and no more than `MAX_COMMENT`
    letters, notes included. What is left out is said to be."""
    notes = [f"> {markdown_text(note, 2000)}" for note in diff.notes]
    parts = ["### Dependencies", "", markdown_text(summary(diff)), ""]
    blocks, room = _BLOCKS, MAX_COMMENT - 2000 - sum(map(len, notes))
    for group in GROUPS:
        changes = diff.of(group.danger)
        if not changes:
            continue
        quiet = group.danger in _QUIET
        title = f"{group.title} ({len(changes)})"
        parts += [f"<details><summary>{title}</summary>" if quiet else f"#### {title}", ""]
        shown = 0
        for one in changes[:MAX_SHOWN]:
            lines = _item(one)
            code = _code(one)
            size = sum(len(line) + 1 for line in code)
            if size > blocks:
                code = ["  - its code or behaviour is left out here, for the comment is full; the text form has it"]
            else:
                blocks -= size
            lines += code
            room -= sum(len(line) + 1 for line in lines)
            if room < 0:
                break
            parts += lines
            shown += 1
        if shown < len(changes):
            parts.append(f"- and {len(changes) - shown} more, which the text form or the JSON form has")
        parts += ["", "</details>", ""] if quiet else [""]
    return "\n".join([*parts, *notes]).rstrip("\n") + "\n"


def to_json(diff: LockDiff) -> dict[str, Any]:
    """All of it. Texts are as they came: whoever shows them makes them safe."""
    return {
        "schema": SCHEMA, "old": diff.old, "new": diff.new, "summary": summary(diff), "notes": list(diff.notes),
        "changes": [
            {
                "danger": one.danger, "severity": one.severity, "name": one.name, "before": one.before or None,
                "after": one.after or None, "source": one.source or None, "runs": one.runs or None,
                "lines_changed": one.lines, "new_dependencies": list(one.gained), "needed_by": list(one.by),
                "why": list(one.why), "build_time_diff": list(one.script), "behaviour_diff": list(one.behaviour),
            }
            for one in diff.changes
        ],
    }  # fmt: skip


def dumps(diff: LockDiff) -> str:
    """`to_json` as text in ASCII, so that no name can move a cursor."""
    return json.dumps(to_json(diff), indent=1)


def _item(one: Change) -> list[str]:
    head = f"- {markdown_code(one.name)} {markdown_text(one.versions)}{markdown_text(_runs(one)) if one.runs else ''}"
    lines = [head]
    if one.by and one.danger not in _QUIET:
        lines.append(f"  - needed by {', '.join(map(markdown_code, one.by))}")
    lines += [f"  - {markdown_text(line)}" for line in one.why]
    return lines


def _code(one: Change) -> list[str]:
    script = _fenced("build-time code", [_line(line) for line in _clipped(one.script)])
    return script + _fenced("behaviour", [_safe(line) for line in one.behaviour])


def _fenced(title: str, content: list[str]) -> list[str]:
    """A block of code within a list's item. Its fence is longer than any in the content, so nothing gets out."""
    if not content:
        return []
    longest = max((len(run) for line in content for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"  - {title}:", "", f"    {fence}diff", *(f"    {line}" for line in content), f"    {fence}", ""]


def _clipped(lines: tuple[str, ...]) -> list[str]:
    more = [f"… {len(lines) - _SCRIPT} more lines"] if len(lines) > _SCRIPT else []
    return [*lines[:_SCRIPT], *more]


def _runs(one: Change) -> str:
    if not one.runs:
        return ""
    return ": what it runs at build time is not known" if one.runs == UNKNOWN else f": {one.runs}"


def _safe(value: str) -> str:
    return render_untrusted(value, _WIDTH)


def _line(line: str) -> str:
    return render_untrusted(line.replace("\t", "    "), _WIDTH)
