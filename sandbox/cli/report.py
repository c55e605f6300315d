"""`cargo-sandbox report RUN`: a stored run's report, in any format, on standard output or in a file."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.errors import UsageError
from sandbox.judge.model import Completeness, Finding, RunResult, decide
from sandbox.report.formats import FORMATS, Target, format_of, renderer
from sandbox.trace.reader import RunReader
from sandbox.trace.store import RunStore

_USAGE = USAGES["report"]


def parse(words: Sequence[str]) -> tuple[str, str, str]:
    """Run, format and file (empty: standard output) of the words after `report`. Raises UsageError."""
    given = {"--format": "", "--output": ""}
    runs, rest = [], list(words)
    while rest:
        word, found, value = rest.pop(0).partition("=")
        if word in given:
            if not found and not rest:
                raise UsageError(f"{word} needs a value", hint=_USAGE)
            given[word] = value if found else rest.pop(0)
        elif word.startswith("-"):
            raise UsageError(f"report: {word!r} is not understood", hint=_USAGE)
        else:
            runs.append(word + found + value)
    wanted, output = given["--format"], given["--output"]
    if len(runs) != 1:
        raise UsageError("report needs one run", hint=_USAGE)
    if wanted and wanted not in FORMATS:
        raise UsageError(f"there is no report format {wanted!r}", hint=_USAGE)
    return runs[0], wanted or (format_of(output) if output else "terminal"), output


def run(words: Sequence[str], settings: Settings) -> int:
    """Print or write the report. Raises UsageError, StoreError, ReportError."""
    from sandbox.report import place, terminal, write

    name, wanted, output = parse(words)
    with RunStore().open(name) as reader:
        result, header, noted = result_of(reader), reader.header, reader.result or {}
        plan = reader.plan or {}
    written = [str(mount["source"]) for mount in plan.get("mounts") or () if mount.get("kind") == "rw"]
    built = tuple(path for path in (str(plan.get("target_dir") or ""), *written) if path)
    colour = not output and terminal.use_colour(os.isatty(1), None, os.environ)
    home = os.environ.get("HOME", "")
    context = place.context_of(header, noted, deny=settings.deny, colour=colour, home=home)
    text = renderer(wanted)(result, context)
    if not output:
        print(text)
        return 0
    destinations = write.open_all([Target(wanted, output)], built)
    try:
        destinations[0].write(text)
    finally:
        write.close_all(destinations)
    return 0


def result_of(run: RunReader) -> RunResult:
    """The stored result; for an interrupted run, what its findings so far come to."""
    if run.result is not None:
        return RunResult.from_json(run.result)
    findings = tuple(Finding.from_json(entry) for entry in run.findings())
    complete = Completeness(reasons=(f"the run is {run.status}: it has no result",))
    return RunResult(
        run=run.id, verdict=decide(findings, complete), findings=findings, completeness=complete,
        exit_code=1, cargo_code=None, cargo_signal=None, walls="no result",
    )  # fmt: skip
