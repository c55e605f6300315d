"""Compromised crates: what changed since the lock state that was last accepted, and what the index says of versions.

Which packages have come to run code at build time is told by `sandbox.policy.graph` (CS0401 to CS0403).
"""

from sandbox.preflight.changes import content, lock
from sandbox.preflight.model import Check

CHECKS: tuple[Check, ...] = (
    Check("swapped", "accepted versions with another checksum", lock.swapped, fast=True),
    Check("yanked", "yanked versions", lock.yanked, fast=True),
    Check("fresh", "very fresh versions", lock.fresh, fast=True),
    Check("graph", "packages that are new or updated", lock.graph, fast=False),
    Check("contents", "what updates changed", content.run, fast=False),
)
