"""`cargo-sandbox doctor`: what this host offers, and what that means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.doctor.diagnose import diagnose, engine_with
from sandbox.doctor.known_bad import load
from sandbox.doctor.look import look
from sandbox.doctor.look_runtime import try_runtime
from sandbox.doctor.standing import demand
from sandbox.doctor.tier import TIERS
from sandbox.errors import EngineUnavailable, UsageError
from sandbox.report import doctor, terminal

_USAGE = USAGES["doctor"]


@dataclass(frozen=True)
class Wish:
    """What the command line asks for; `require` is empty when nothing is demanded."""

    json: bool = False
    require: str = ""


def parse(words: Sequence[str]) -> Wish:
    """The words after `doctor`. Raises UsageError."""
    as_json, require, rest = False, "", list(words)
    while rest:
        word, given, value = rest.pop(0).partition("=")
        if word == "--json" and not given:
            as_json = True
        elif word == "--require" and (given or rest):
            require = value if given else rest.pop(0)
            if require not in TIERS[1:]:
                raise UsageError(f"{require!r} is not a tier", hint=_USAGE)
        else:
            raise UsageError(f"doctor: {word!r} is not understood", hint=_USAGE)
    return Wish(as_json, require)


def run(words: Sequence[str], settings: Settings) -> int:
    """Look, print, and say by the exit code what is demanded.

    0; 125 when no engine can be used and nothing was demanded. Raises SetupError (121) when `--require` is not met, or
    the guard is missing, after everything has been printed; UsageError.
    """
    wish = parse(words)
    host = look(os.environ)
    engine = settings.engine
    if settings.runtime:
        host, engine = replace(host, runtime=try_runtime(settings.runtime, os.environ)), engine_with(settings.runtime)
    diagnosis = diagnose(host, load(), engine)
    if wish.json:
        print(doctor.to_json(diagnosis, host))
    else:
        print(doctor.text(diagnosis, terminal.use_colour(os.isatty(1), None, os.environ)))
    if wish.require or settings.strict:
        demand(diagnosis.chosen, wish.require or "standard")
    return 0 if diagnosis.chosen.usable else EngineUnavailable.exit_code
