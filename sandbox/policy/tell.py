"""What a user has to know of a project's policy before the build starts."""

from __future__ import annotations

import sys

from sandbox.cli.options import Settings
from sandbox.policy.model import ProjectPolicy
from sandbox.report.render import render_untrusted


def tell(policy: ProjectPolicy, settings: Settings) -> None:
    """On standard error: what the tree makes weaker, or would have. Not with the caller's own --quiet."""
    if settings.quiet and any(field == "quiet" for field, _ in settings.given):
        return
    if policy.loosened:
        words = render_untrusted(", ".join(policy.loosened), 2000)
        sys.stderr.write(f"note: the project's cargo-sandbox.toml loosens: {words}\n")
        sys.stderr.write("  = help: --untrusted lets it tighten only\n")
    if policy.ignored:
        words = render_untrusted(", ".join(policy.ignored), 2000)
        sys.stderr.write(f"note: left out of the project's cargo-sandbox.toml, which may only tighten: {words}\n")
