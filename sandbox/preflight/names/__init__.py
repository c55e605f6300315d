"""What packages are called: names that look like well-known ones or the project's own, and claimed identities."""

from sandbox.preflight.model import Answer, Check, Subject
from sandbox.preflight.names import lookalike


def _identity(subject: Subject) -> Answer:
    # Imported late: builds make the fast check alone, and archives are dear to import.
    from sandbox.preflight.names import identity

    return identity.run(subject)


CHECKS: tuple[Check, ...] = (
    Check("names", "no name looks like a well-known package's or the project's own", lookalike.run, fast=True),
    Check("identity", "no package claims to be another project's", _identity, fast=False),
)
