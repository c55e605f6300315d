"""What the packages' files tell of changes: CS0533, CS0534, CS0535 and CS0538. Reads sources, so it is for audits."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.cargo.lockfile import LockedPackage
from sandbox.judge.model import Finding, Severity
from sandbox.preflight.changes import blobs
from sandbox.preflight.changes.lines import changed_code, changed_files, diff
from sandbox.preflight.changes.pairs import Update, compare, new_needs
from sandbox.preflight.model import Answer, Subject, finding
from sandbox.preflight.names.known import known
from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.contents import Contents
from sandbox.preflight.packages.find import ABSENT, Packages
from sandbox.preflight.packages.scripts import build_files
from sandbox.preflight.sources.source import clip

FEW_LINES = 20
"""Changed lines of code up to which a new dependency is about all that changed: arrayref 0.3.10 changed none."""

MAX_UPDATES = 300
"""Updates whose files are compared; of more the rest is told to be not done."""

_SHOWN = 60
_FEW = 5


@dataclass(frozen=True, slots=True)
class Sides:
    """Both versions of an updated package, each None where its files or its manifest can't be read."""

    update: Update
    old: tuple[Contents, Card] | None
    new: tuple[Contents, Card] | None


def sides_of(update: Update, packages: Packages) -> Sides:
    """Reads both."""
    return Sides(update, read(packages, update.old), read(packages, update.new))


def read(packages: Packages, package: LockedPackage) -> tuple[Contents, Card] | None:
    """A package's files and card; None where they aren't here or aren't proper."""
    contents = packages.contents(package)
    card = packages.card(package, contents)
    return (contents, card) if contents is not None and card is not None else None


def run(subject: Subject) -> Answer:
    """Compares each updated package with the version that was accepted. Where one is here and the other is not, or
    can't be read, it is "not done"; packages that nobody fetched (another platform's) are only noted."""
    if subject.accepted is None:
        return Answer("changed-files", "not done", why="no lock state was accepted yet: cargo-sandbox baseline accept")
    updates = [one for one in compare(subject.accepted, subject.locked).updated if one.new.source]
    packages = Packages(subject.cargo_home, subject.facts, subject.config)
    brought = Brought(subject, packages)
    found: list[Finding] = []
    away: list[str] = []
    blind: list[str] = []
    for update in updates[:MAX_UPDATES]:
        sides = sides_of(update, packages)
        found += judge(sides, brought)
        if sides.new is None and packages.why(update.new) == ABSENT:
            away.append(f"{update.new.name} {update.new.version}")
        elif sides.new is None or sides.old is None:
            package = update.new if sides.new is None else update.old
            blind.append(f"{clip(package.name)} {clip(package.version)}: {clip(packages.why(package))}")
    seen = min(len(updates), MAX_UPDATES) - len(blind) - len(away)
    why = [*blind[:_FEW], *([f"and {len(blind) - _FEW} others"] if len(blind) > _FEW else [])]
    if len(updates) > MAX_UPDATES:
        why.append(f"{len(updates) - MAX_UPDATES} more updates were not compared")
    if updates and not seen:
        why.append(f"the files of none of {len(updates)} updates are here in both versions")
    others = " and others" if len(away) > _FEW else ""
    notes = (f"the files of {', '.join(away[:_FEW])}{others} are not here",) if away else ()
    return Answer(
        "changed-files", "not done" if why else "done", tuple(found), "; ".join(why), notes=notes, looked_at=seen
    )


class Brought:
    """What is to be known of a dependency that a package has gained."""

    def __init__(self, subject: Subject, packages: Packages) -> None:
        self._accepted = {one.name for one in subject.accepted or ()}
        self._by_name: dict[str, list[LockedPackage]] = {}
        for one in subject.locked:
            self._by_name.setdefault(one.name, []).append(one)
        self._packages = packages

    def is_new(self, name: str) -> bool:
        """Whether the accepted graph had no package of the name."""
        return name not in self._accepted

    def runs(self, name: str) -> str:
        """What it runs at build time, in words: `a build script`, or `unknown`; empty for nothing."""
        cards = [found[1] if (found := read(self._packages, one)) else None for one in self._by_name.get(name, ())]
        said = [card.brings for card in cards if card and card.brings]
        return said[0] if said else "unknown" if None in cards or not cards else ""


def judge(sides: Sides, brought: Brought) -> list[Finding]:
    """The findings about one update."""
    found = _needs(sides, brought)
    if sides.old is not None and sides.new is not None:
        found += _repository(sides.update, sides.old[1], sides.new[1])
        found += _blobs(sides.update, sides.old[0], sides.new)
        found += _script(sides.update, sides.old, sides.new)
    return found


def _needs(sides: Sides, brought: Brought) -> list[Finding]:
    update = sides.update
    # What the old version could need already, by a feature that was off, did not come with the update.
    could = sides.old[1].needs if sides.old else frozenset()
    gained = [name for name in new_needs(update) if brought.is_new(name) and name not in could]
    if not gained:
        return []
    lines = None
    if sides.old is not None and sides.new is not None:
        lines = changed_code(sides.old[0], sides.new[0])
        if lines > FEW_LINES:
            return []
    elif not update.patch:
        return []
    what = f"{lines} lines of code changed"
    if lines is None:
        what = "how much else changed is not known, for its files are not here"
    told: list[str] = []
    severity: Severity = "medium"
    for name in gained:
        runs = brought.runs(name)
        strange = name not in known().projects
        told.append(f"`{name}` ({_said(runs)}{', not a well-known crate' if strange else ''})")
        if lines is not None and strange:
            severity = "high"
    detail = f"{update.old.version} did not need {', '.join(told)}; {what}"
    return [finding("CS0533", update.new, detail, severity=severity)]


def _said(runs: str) -> str:
    if runs == "unknown":
        return "whether it runs code at build time is not known"
    return f"it brings {runs}" if runs else "it runs nothing at build time"


def _repository(update: Update, old: Card, new: Card) -> list[Finding]:
    if not old.repository or new.repository:
        return []
    return [finding("CS0534", update.new, f"{update.old.version} named {old.repository[:200]}, this one names none")]


def _blobs(update: Update, old: Contents, new: tuple[Contents, Card]) -> list[Finding]:
    contents, card = new
    found = blobs.newly(old, contents)
    if not found:
        return []
    grave = any(not one.replaced and (not one.aside or card.script) for one in found)
    worst: Severity = "medium" if grave else "low"
    lines = tuple(f"{one.path}: {one.what}, {one.size} bytes" for one in found[:20])
    had = "carried other data as" if found[0].replaced else "did not carry"
    detail = f"{update.old.version} {had} {found[0].path[:200]} ({found[0].what}, {found[0].size} bytes)"
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return [finding("CS0535", update.new, detail + more, severity=worst, evidence=lines)]


def _script(update: Update, old: tuple[Contents, Card], new: tuple[Contents, Card]) -> list[Finding]:
    """Only of what ran code before: what has come to do so is CS0402, and the same version's other script CS0403."""
    if not new[1].runs_code or not old[1].runs_code or update.old.version == update.new.version:
        return []
    before, after = build_files(*old), build_files(*new)
    changed = changed_files(old[0], new[0], (*before, *after))
    if not changed:
        return []
    # A macro's whole library is its code, which each release changes.
    of_script = new[1].script and set(changed) & set(build_files(new[0], _only_script(new[1])))
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    detail = f"{', '.join(changed[:3])}{more} changed since {update.old.version}"
    shown = diff(old[0], new[0], changed[:5])[:_SHOWN]
    severity: Severity | None = None if of_script else "low"
    return [finding("CS0538", update.new, detail, subject=changed[0], severity=severity, evidence=shown)]


def _only_script(card: Card) -> Card:
    return Card(script=card.script)
