"""`cargo-sandbox tree`: the dependency tree with what is known of each package, or a summary of the licences.

The summary is a way to look at the tree's packages (same filters, same JSON), so it is here and not in `sbom`, which
writes documents for other programs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, Words, parse
from sandbox.errors import UsageError

_USAGE = USAGES["tree"]
_SWITCHES = ("--json", "--no-dedupe", "--licences")
_OPTIONS = MANIFEST | dict.fromkeys(("-p", "--package", "--invert", "--only", "--depth", "--lock"), False)


def run(words: Sequence[str], settings: Settings) -> int:
    """Print it. Raises SandboxError."""
    from sandbox.cli.audit import answers
    from sandbox.cli.inventory import gather, which
    from sandbox.preflight.inventory import summary, tree, tree_json
    from sandbox.preflight.inventory.view import Asked, view
    from sandbox.report.terminal import use_colour

    found = parse(words, _USAGE, _SWITCHES, _OPTIONS)
    asked, depth = Asked(*_package(found), _only(found)), _depth(found)
    lock, manifest = which(found, _USAGE)
    if found.names or found.rest:
        raise UsageError("tree takes options alone", hint=_USAGE)
    inventory, _ = gather(settings, lock, answers(settings, lock, manifest), manifest)
    seen = view(inventory, asked)
    groups = None
    if "--licences" in found.switches:
        from sandbox.preflight.inventory.licences import spdx_ids

        groups = summary.groups(inventory, seen, spdx_ids())
    if "--json" in found.switches:
        more = {} if groups is None else {"licences": summary.to_json(groups)}
        print(tree_json.to_json(inventory, seen, more))
        return 0
    if groups is not None:
        print(summary.text(groups, inventory.notes))
        return 0
    look = tree.Look(
        colour=use_colour(os.isatty(1), None, os.environ),
        drawn=tree.can_draw(sys.stdout.encoding),
        depth=depth,
        dedupe="--no-dedupe" not in found.switches,
    )
    print(tree.text(inventory, seen, look))
    return 0


def _package(found: Words) -> tuple[str, bool]:
    down = [*found.values.get("-p", ()), *found.values.get("--package", ())]
    up = found.values.get("--invert", [])
    if len(down) + len(up) > 1:
        raise UsageError("-p or --invert, one of them, once", hint=_USAGE)
    if "" in (*down, *up):
        raise UsageError("the name of a package is missing", hint=_USAGE)
    return (down or up or [""])[0], bool(up)


def _only(found: Words) -> tuple[str, ...]:
    from sandbox.preflight.inventory.view import ONLY

    names = [name for value in found.values.get("--only", ()) for name in value.split(",")]
    for name in names:
        if name not in ONLY:
            raise UsageError(f"--only {name!r}: there is no such filter", hint=_USAGE)
    return tuple(names)


def _depth(found: Words) -> int | None:
    text = found.one("--depth")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise UsageError(f"--depth {text!r} is no number", hint=_USAGE)
    return int(text)
