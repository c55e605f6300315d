"""Compromised crates: what changed since the lock state that was last accepted, and what the index says of versions.

Which packages have come to run code at build time is told by `sandbox.policy.graph` (CS0401 to CS0403).
"""

from sandbox.preflight.changes import lock
from sandbox.preflight.model import Answer, Check, Subject


def _contents(subject: Subject) -> Answer:
    # Imported late: builds make the fast checks alone, and archives are dear to import.
    from sandbox.preflight.changes import content

    return content.run(subject)


CHECKS: tuple[Check, ...] = (
    Check("swapped", "accepted versions still have their checksum", lock.swapped, fast=True),
    Check("yanked", "no version is yanked", lock.yanked, fast=True),
    Check("fresh", "versions are as old as the project wants", lock.fresh, fast=True),
    Check("changes", "packages that are new or updated", lock.graph, fast=False),
    Check("changed-files", "what updates changed in their packages", _contents, fast=False),
)
