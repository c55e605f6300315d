"""`cargo-sandbox sbom`: the software bill of materials of the workspace here, or of a lock file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sandbox import __version__
from sandbox.cli.options import Settings
from sandbox.cli.usage import USAGES
from sandbox.cli.words import MANIFEST, parse
from sandbox.errors import UsageError
from sandbox.preflight.inventory.model import Inventory

FORMATS = ("cyclonedx-json", "cyclonedx-xml", "spdx-json")
_USAGE = USAGES["sbom"]
_ENDS = {".spdx.json": "spdx-json", ".xml": "cyclonedx-xml"}


def run(words: Sequence[str], settings: Settings) -> int:
    """Print or write the document. Raises SandboxError."""
    from sandbox.cli.audit import answers
    from sandbox.cli.inventory import gather, which

    found = parse(words, _USAGE, (), MANIFEST | {"--format": False, "--output": False, "--lock": False})
    output, (lock, manifest) = found.one("--output"), which(found, _USAGE)
    wanted = found.one("--format") or _format_of(output or "")
    if found.names or found.rest or output == "":
        raise UsageError("sbom takes options alone, each with a value", hint=_USAGE)
    if wanted not in FORMATS:
        raise UsageError(f"there is no format {wanted!r}", hint=_USAGE)
    inventory, built = gather(settings, lock, answers(settings, lock, manifest), manifest)
    text = document(inventory, wanted)
    if output is None:
        # As bytes: a document says itself that it is UTF-8, whatever the terminal is.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode() + b"\n")
        return 0
    from sandbox.report import write
    from sandbox.report.formats import Target

    written = (*([built] if built else []), *(path for _, path in settings.allow_write))
    destinations = write.open_all([Target(wanted, output)], written)
    try:
        destinations[0].write(text)
    finally:
        write.close_all(destinations)
    return 0


def document(inventory: Inventory, wanted: str) -> str:
    """The document in one of `FORMATS`."""
    from sandbox.preflight.inventory import cyclonedx, spdx

    if wanted == "spdx-json":
        return spdx.to_json(inventory, __version__)
    make = cyclonedx.to_json if wanted == "cyclonedx-json" else cyclonedx.to_xml
    return make(inventory, __version__)


def _format_of(path: str) -> str:
    return next((wanted for end, wanted in _ENDS.items() if path.endswith(end)), FORMATS[0])
