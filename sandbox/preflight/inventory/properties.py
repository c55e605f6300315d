"""What we know of a package beyond the standards' fields, as pairs of name and value: the same in every document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sandbox.preflight.inventory.model import Inventory, Item
from sandbox.report.render import render_untrusted

PREFIX = "cargo-sandbox:"
SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX = 1000
_ILLEGAL = str.maketrans({"\ufffe": "\\ufffe", "\uffff": "\\uffff"})


def plain(text: object, limit: int = _MAX) -> str:
    """Text of a stranger as one bounded line without controls. XML 1.0 (§2.2) also has no U+FFFE and U+FFFF."""
    return render_untrusted(text, limit).translate(_ILLEGAL)


def checksum_state(item: Item) -> str:
    """`locked`, `malformed` (no SHA-256 in hexadecimal), or `none`."""
    if not item.checksum:
        return "none"
    return "locked" if SHA256.fullmatch(item.checksum) else "malformed"


def of_item(item: Item) -> Iterator[tuple[str, str]]:
    """The properties of a package, sorted by name; one may come several times."""
    pairs: list[tuple[str, str]] = [("use", item.use), ("source", item.origin.kind)]
    pairs.append(("checksum", checksum_state(item)))
    if item.member:
        pairs.append(("member", "true"))
    pairs.append(("build-script", "unknown" if item.has_script is None else item.script or "none"))
    pairs.append(("proc-macro", "unknown" if item.proc_macro is None else item.macro or "none"))
    if item.links:
        pairs.append(("links", item.links))
    pairs += [("native-code-by", tool) for tool in item.native]
    pairs.append(("licence", item.licence.state))
    if item.licence.state in ("file", "other"):
        pairs.append((f"licence-{'file' if item.licence.state == 'file' else 'stated'}", item.licence.text))
    pairs.append(("verdict", item.verdict or "no run recorded"))
    pairs += [("finding", f"{one.code} {one.severity}") for one in item.findings]
    if item.baseline:
        pairs.append(("baseline", item.baseline))
    if item.store:
        pairs.append(("baseline-store", item.store))
    if item.new is not None:
        pairs.append(("new", "true" if item.new else "false"))
    pairs += [("warning", f"{one.code} {one.severity}") for one in item.warnings]
    for name, value in sorted(pairs):
        yield PREFIX + name, plain(value)


def of_inventory(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """The properties of the whole document."""
    pairs = [("resolved", "true" if inventory.resolved else "false: the lock file alone was read")]
    if inventory.ran is None:
        pairs.append(("run", "no run recorded"))
    else:
        run = inventory.ran
        pairs += [("run", run.id), ("run-started", run.started or "not told")]
        pairs += [("run-verdict", run.verdict), ("run-seen", run.seen)]
    pairs += [("note", note) for note in inventory.notes]
    for name, value in sorted(pairs):
        yield PREFIX + name, plain(value)
