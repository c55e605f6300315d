"""What packages are called: names that look like well-known ones or the project's own, and claimed identities."""

from sandbox.preflight.model import Check
from sandbox.preflight.names import identity, lookalike

CHECKS: tuple[Check, ...] = (
    Check("names", "look-alike names", lookalike.run, fast=True),
    Check("identity", "claimed identities", identity.run, fast=False),
)
