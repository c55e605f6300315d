"""Entry point: finds the verb, maps failures to exit codes. Imports are late, so that a build starts fast."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence

from sandbox import __version__

CARGO_VERBS = frozenset(("build", "b", "check", "c", "test", "t", "run", "r", "clippy", "doc", "d", "bench"))


def entry() -> None:
    """The console script."""
    # Starting makes many objects and no rubbish; a live run lets the collector work again (`sandbox.run.live`).
    gc.disable()
    _fill_closed_streams()
    code = main(sys.argv[1:])
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError as error:
        code = code or (141 if isinstance(error, BrokenPipeError) else 1)
    # Taking the interpreter apart costs 10 ms of each build; no thread, exit handler or open file of ours needs it.
    os._exit(code)


def _fill_closed_streams() -> None:
    """Open /dev/null in the place of a closed standard stream, as cargo's runtime does.

    Else the first file that we open for ourselves would become the standard input of something.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    # A terminal or locale that lacks a character must not end a command.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main(argv: Sequence[str]) -> int:
    """Run one command line and return the exit code. Never raises for what a user or a build can cause."""
    arguments = list(argv)
    # Cargo repeats the subcommand's name: `cargo sandbox build` runs `cargo-sandbox sandbox build`.
    if arguments[:1] == ["sandbox"]:
        del arguments[0]
    if arguments[:1] == ["--version"] or arguments[:1] == ["-V"]:
        print(f"cargo-sandbox {__version__}")
        return 0
    from sandbox.errors import SandboxError

    try:
        return _dispatch(arguments)
    except SandboxError as error:
        say(error)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("CARGO_SANDBOX_DEBUG"):
            raise
        from sandbox.report.render import render_untrusted

        words = render_untrusted(f"{type(error).__name__}: {error}", 2000)
        print(f"error: cargo-sandbox itself failed: {words}", file=sys.stderr)
        print("  = help: this is our bug; CARGO_SANDBOX_DEBUG=1 shows where", file=sys.stderr)
        return 1


def _dispatch(arguments: list[str]) -> int:
    if arguments[:1] == ["help"] and len(arguments) > 1:
        # As cargo has it: `help VERB` is `VERB --help`.
        arguments = [*arguments[1:], "--help"]
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        from sandbox.cli.help import help_text

        print(help_text())
        return 0 if arguments else 2
    from sandbox.cli.options import parse
    from sandbox.errors import UsageError

    settings, rest = parse(arguments, os.environ)
    verb = next((word for word in rest if not word.startswith("+")), "")
    # Cargo takes some of its options before the verb as well (`-q build`, `-vv test`); ours all begin with two dashes.
    if verb in CARGO_VERBS or (verb.startswith("-") and len(verb) > 1):
        from sandbox.run.build import run_cargo

        return run_cargo(rest, settings)
    from sandbox.cli.usage import is_ours, verb_help, wants_help

    if is_ours(verb) and wants_help(own := rest[rest.index(verb) :]):
        print(verb_help(own))
        return 0
    if verb == "plan":
        from sandbox.run.build import print_plan

        index = rest.index("plan")
        return print_plan(rest[:index] + rest[index + 1 :], settings)
    if verb == "doctor":
        from sandbox.cli import doctor

        return doctor.run(rest[rest.index("doctor") + 1 :], settings)
    if verb in ("baseline", "review"):
        from sandbox.cli import baseline

        return baseline.run(rest[rest.index(verb) :], settings)
    if verb == "audit":
        from sandbox.cli import audit

        return audit.run(rest[rest.index("audit") + 1 :], settings)
    if verb == "config":
        from sandbox.cli import config

        return config.run(rest[rest.index("config") + 1 :], settings)
    if verb in ("runs", "report", "explain"):
        from sandbox.cli import records

        return records.run(rest, settings)
    if verb == "sbom":
        from sandbox.cli import sbom

        return sbom.run(rest[rest.index("sbom") + 1 :], settings)
    if verb == "tree":
        from sandbox.cli import tree

        return tree.run(rest[rest.index("tree") + 1 :], settings)
    if not verb:
        raise UsageError("no verb", hint="for instance: cargo-sandbox build; see cargo-sandbox --help")
    raise UsageError(f"no verb {verb!r}", hint="cargo-sandbox knows build check test run clippy doc bench; see --help")


def say(error: Exception) -> None:
    """A failure on standard error: what, why, what to do."""
    from sandbox.report.render import render_untrusted

    for number, line in enumerate(str(error).splitlines() or [type(error).__name__]):
        print(("error: " if number == 0 else "  ") + render_untrusted(line, 2000), file=sys.stderr)
    for label in ("wall", "why", "hint"):
        text = getattr(error, label, "")
        if text:
            shown = "help" if label == "hint" else label
            print(f"  = {shown}: {render_untrusted(text, 2000)}", file=sys.stderr)
