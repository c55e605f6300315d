"""Rules that were accepted by their id for one content of a package (`baseline accept --rule`), against findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sandbox.baseline.model import BaselineError
from sandbox.baseline.places import has_own
from sandbox.baseline.store import Stores, open_stores, waivers
from sandbox.cargo.metadata import Facts
from sandbox.judge.model import Finding


def accepted(
    findings: tuple[Finding, ...], facts: Facts, tree: str | None, env: Mapping[str, str]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that remain, and those that were accepted, each with the reason among its evidence.

    `facts` is the resolved graph, whose checksums count; `tree` the workspace whose baseline has a say, None for none.
    A baseline that can't be read accepts nothing.
    """
    kept: list[Finding] = []
    waived: list[Finding] = []
    stores: dict[str, Stores] = {}
    try:
        known = has_own(tree, env)
    except BaselineError:
        known = False
    for finding in findings if known else ():
        package = facts.find(finding.package, finding.version, finding.manifest_dir) if finding.package else None
        if package is None or not package.checksum:
            kept.append(finding)
            continue
        if package.name not in stores:
            try:
                stores[package.name] = open_stores(tree, env, [package.name])
            except BaselineError:
                stores[package.name] = Stores()
        rules = waivers(stores[package.name], package.name, package.version, package.checksum)
        reason = next((one.reason for one in rules if one.rule == finding.code), None)
        if reason is None:
            kept.append(finding)
        else:
            words = f"accepted by rule in the baseline of {package.name} {package.version}: {reason}"
            waived.append(replace(finding, evidence=(*finding.evidence, words)))
    return (tuple(kept) if known else findings), tuple(waived)
