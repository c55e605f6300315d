"""Whether what was downloaded is what the lock file says, and what was unpacked is what was downloaded.

Cargo checks a package when it downloads it and never again: whatever can write to the cargo home or to a vendored
folder, such as an earlier build without walls, can change what all later builds compile.
"""

from __future__ import annotations

from sandbox.preflight.integrity import checkouts, downloads, vendored
from sandbox.preflight.model import Check

CHECKS: tuple[Check, ...] = (
    Check("unpacked", "downloaded packages and their unpacked sources are unchanged", downloads.run, fast=False),
    Check("vendored", "vendored sources are what their checksums say", vendored.run, fast=False),
    Check("git-checkouts", "checked-out git sources are unchanged", checkouts.run, fast=False),
)
