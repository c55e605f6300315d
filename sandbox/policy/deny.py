"""Build scripts that may not run, found before anything has been started. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sandbox.cargo.metadata import Facts
from sandbox.cargo.semver import script_allowed
from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding


def denied(facts: Facts, allowed: tuple[str, ...]) -> tuple[Finding, ...]:
    """A finding CS0404 for each package of the graph with a build script that the list lacks.

    The graph is cargo's for all features and the wanted targets, so it may hold packages that one command would not
    build: it errs towards stopping.
    """
    entry = CATALOGUE["CS0404"]
    return tuple(
        Finding(
            code="CS0404", severity=entry.severity, title=entry.title, unit="graph", role="graph",
            package=package.name, version=package.version, manifest_dir=package.directory,
            subject=script.source, detail="its build script is not on the list of those that may run; nothing was run",
            help=f"look at the script, then allow it: --allow-build-script {package.name}",
        )
        for package in facts.packages
        if package.scripts and not script_allowed(allowed, package.name, package.version)
        for script in package.scripts
    )  # fmt: skip


def how_to_allow(findings: Sequence[Finding], allowed: Sequence[str]) -> str:
    """The lines for cargo-sandbox.toml with which none of these would be found."""
    names = sorted({*allowed, *(finding.package for finding in findings)})
    return "[build-scripts]\ndeny = true\nallow = [" + ", ".join(json.dumps(name) for name in names) + "]"
