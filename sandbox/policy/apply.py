"""Allowances against findings. Pure: the same for a stored run as for a live one.

What is allowed is kept and shown as such, and an allowance that nothing needs any more, or that has expired, is told.
"""

from __future__ import annotations

import json
import os.path
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, NamedTuple

from sandbox.cargo import semver
from sandbox.cargo.metadata import Facts, Package
from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import Finding
from sandbox.plan.secrets import is_within
from sandbox.policy.model import Allowance, ProjectPolicy
from sandbox.record import record, replace

# What a finding without a fact is about. Others than these take a `rule` to be allowed.
_CLASS = {"CS0103": "write", "CS0110": "read", "CS0113": "write", "CS0114": "write", "CS0116": "write"}
_TRUSTED_OWNERS = ("system", "toolchain")


class Waived(NamedTuple):
    """A finding that an allowance took away."""

    finding: Finding
    allowance: Allowance

    @property
    def shown(self) -> Finding:
        """The finding with what allowed it among its evidence."""
        words = f"allowed by {self.allowance.origin}: {self.allowance.reason}"
        return replace(self.finding, evidence=(*self.finding.evidence, words))


@record
class Applied:
    """`findings` are those that remain, with one of CS0405 for each allowance that is `unused` or `expired`."""

    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()
    used: tuple[Allowance, ...] = ()
    unused: tuple[Allowance, ...] = ()
    expired: tuple[Allowance, ...] = ()

    @property
    def line(self) -> str:
        """What a report's reader has to be told of; empty when nothing was allowed."""
        number = len(self.waived)
        return f"{number} finding{'s' if number > 1 else ''} allowed by cargo-sandbox.toml" if number else ""


def apply(
    findings: Iterable[Finding],
    policy: ProjectPolicy | None,
    today: date,
    facts: Facts | None = None,
    ran: Collection[str] | None = (),
) -> Applied:
    """Take away what is allowed.

    `facts` is the resolved graph; without it no allowance with a checksum fits, and no critical finding is taken away.
    `ran` are the names of packages whose units were all judged: only of these it is said that an allowance is unused
    (None: of all). Only the tree's own allowances are told of: the user's and the system's are for many projects.
    """
    found = tuple(findings)
    if policy is None or not policy.allowances:
        return Applied(found)
    kept: list[Finding] = []
    waived: list[Waived] = []
    for finding in found:
        allowance = waives(policy, finding, today, facts)
        if allowance is None:
            kept.append(finding)
        else:
            waived.append(Waived(finding, allowance))
    used = {id(one.allowance) for one in waived}
    expired = tuple(one for one in policy.allowances if one.expired(today))
    unused = tuple(
        one
        for one in policy.allowances
        # What changes a wall is used by the plan, and leaves no finding.
        if id(one) not in used and one not in expired and not one.write and not one.env
        and (ran is None or one.package in ran)
    )  # fmt: skip
    told = [_told(one, f"expired on {one.expires}") for one in expired if one.local]
    told += [_told(one, "nothing that this run saw needs it") for one in unused if one.local]
    return Applied(
        (*kept, *told), tuple(waived), tuple(one for one in policy.allowances if id(one) in used), unused, expired
    )


def waives(policy: ProjectPolicy | None, finding: Finding, today: date, facts: Facts | None = None) -> Allowance | None:
    """The allowance that takes a finding away, if there is one."""
    candidates = policy.allowances if policy else ()
    named = [one for one in candidates if one.package == finding.package and not one.expired(today)]
    if not named:
        return None
    package = facts.find(finding.package, finding.version, finding.manifest_dir) if facts else None
    return next((one for one in named if _fits(one, finding, package)), None)


def walls(
    policy: ProjectPolicy | None, facts: Facts, today: date
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Variables to let in, and (package, path) to let write: what allowances for packages of this graph need.

    The guard knows packages by name, so where only one of two versions may write, neither may.
    """
    env: dict[str, None] = {}
    write: dict[tuple[str, str], None] = {}
    for one in policy.allowances if policy else ():
        packages = [package for package in facts.packages if package.name == one.package]
        if one.expired(today) or not packages:
            continue
        fitting = [is_for(one, package) for package in packages]
        if any(fitting):
            env |= dict.fromkeys(one.env)
        if one.write and all(fitting):
            write |= dict.fromkeys((one.package, path) for path in one.paths if path.startswith("/"))
    return tuple(env), tuple(write)


def is_for(allowance: Allowance, package: Package) -> bool:
    """Whether the allowance is for this package, by name, version and checksum."""
    if allowance.package != package.name:
        return False
    if allowance.version and not semver.matches(allowance.version, package.version):
        return False
    return not allowance.checksum or allowance.checksum == pin_of(package)


def pin_of(package: Package) -> str:
    """What pins a package's content: the checksum of a registry's, the commit of a git one, nothing for a path."""
    if package.checksum:
        return package.checksum
    source = package.source or ""
    return source.rpartition("#")[2] if source.startswith("git+") and "#" in source else ""


def _fits(one: Allowance, finding: Finding, package: Package | None) -> bool:
    if package is not None:
        if not is_for(one, package):
            return False
    elif one.checksum or (one.version and not semver.matches(one.version, finding.version)):
        return False
    if one.rules and finding.code not in one.rules:
        return False
    if finding.severity == "critical" and not _may_waive_hard(one, package):
        return False
    if not (one.paths or one.programs or one.env or one.directives):
        return bool(one.rules)
    kind, act, item, owner = _about(finding)
    named = bool(one.rules)
    return (
        (_path_class(kind, named, one.write) and any(_covers(path, item, finding.subject) for path in one.paths))
        or ((kind == "exec" or named) and any(_is_program(name, item, owner) for name in one.programs))
        or ((kind == "env" or named) and any(_is_variable(name, item) for name in one.env))
        or ((kind == "directive" or named) and any(text in (act, f"{act}={item}") for text in one.directives))
    )


def _may_waive_hard(one: Allowance, package: Package | None) -> bool:
    """A critical finding takes its rule's code, and the content that was looked at: a path's is the user's own."""
    return bool(one.rules) and package is not None and (package.source is None or bool(one.checksum))


def _about(finding: Finding) -> tuple[str, str, str, str]:
    """Class, act, object and owner of what a finding is about."""
    try:
        fact: dict[str, Any] = json.loads(finding.fact) if finding.fact else {}
        kind, act = str(fact.get("class", "")), str(fact.get("act", ""))
        return (
            kind or _CLASS.get(finding.code, ""), act, str(fact.get("object", finding.subject)),
            str(fact.get("owner", "")),
        )  # fmt: skip
    except (ValueError, AttributeError):
        return "", "", finding.subject, ""


def _path_class(kind: str, named: bool, write: bool) -> bool:
    return named or kind in ("read", "used") or (write and kind == "write")


def _covers(path: str, *items: str) -> bool:
    # A name with `..` may lead anywhere.
    return any(".." not in item.split("/") and is_within(item, path) for item in items)


def _is_program(name: str, item: str, owner: str) -> bool:
    """A bare name is one of the system or the toolchain: a payload may be called `cc` as well."""
    if "/" in name:
        return item == name
    return owner in _TRUSTED_OWNERS and os.path.basename(item) == name


def _is_variable(name: str, item: str) -> bool:
    return item.startswith(name[:-1]) if name.endswith("*") else item == name


def _told(one: Allowance, why: str) -> Finding:
    entry = CATALOGUE["CS0405"]
    return Finding(
        code="CS0405", severity=entry.severity, title=entry.title, unit="policy", role="policy", package=one.package,
        version="", manifest_dir="", subject=one.origin, detail=f"{why}: {one.words()}", help=entry.help,
    )  # fmt: skip
