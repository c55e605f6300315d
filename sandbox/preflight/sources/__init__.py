"""Where packages come from: dependency confusion and substitution, by what the lock file, cargo's configuration, the
manifests and the project's own rules say. Nothing is downloaded, but by `private-index`, and only where the caller
gives it the means."""

from __future__ import annotations

from sandbox.preflight.model import Check
from sandbox.preflight.sources import lookup, replaced, requirements, rules, shadow, transport

CHECKS: tuple[Check, ...] = (
    Check("sources", "packages come from the sources that the rules name", rules.run, fast=True),
    Check("replacements", "nothing stands in for a source or package", replaced.run, fast=True),
    Check("registries", "no registry shadows another", shadow.run, fast=True),
    Check("transport", "sources are fetched safely, at a fixed revision", transport.run, fast=True),
    Check(
        "requirements", "internal names have bounded requirements and credible versions", requirements.run, fast=True
    ),
    Check("private-index", "no name of a private index was taken from the public one", lookup.run, fast=False),
)
