"""The checks of build-time code and of what packages carry, and their findings."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandbox.judge.model import Finding, Severity
from sandbox.preflight.model import Answer, Check, Subject, finding
from sandbox.preflight.reader.cache import Cache
from sandbox.preflight.reader.explain import carried_lines, reason_lines
from sandbox.preflight.reader.helpers import Helpers
from sandbox.preflight.reader.packages import Place, Root, locate
from sandbox.preflight.reader.payload import Cargo, Carried, examine
from sandbox.preflight.reader.ranks import Judgement
from sandbox.preflight.reader.unit import Unit

_CODES = {"attack-like combination": "CS0570", "reaches": "CS0571"}
_COMPILED = ("executable", "library")
_NOT_STARTED = ("WebAssembly", "a Java class")
_IMPORT_LIBRARIES = re.compile(r"windows_\w+_(?:msvc|gnu|gnullvm)\Z|winapi-\w+-pc-windows-gnu\Z")
_NAMED = 12
_LONG = 300


def read_code(subject: Subject) -> Answer:
    """Reads the build scripts and macros of all packages whose sources are here."""
    places = locate(subject)
    helpers = Helpers(places.found, Cache(subject.cache))
    findings: list[Finding] = []
    undone: list[str] = []
    count = 0
    for at, place in enumerate(places.found):
        if place.fault:
            findings.append(finding("CS0573", place.package, place.fault))
        for root in place.roots:
            count += 1
            name = f"{place.package.name} {place.package.version}"
            try:
                unit, judged = helpers.judged(at, root)
            except Exception as error:  # one hostile package may not take the findings of all others along
                why = f"its {root.role} can't be read: {type(error).__name__}: {error}"[:_LONG]
                findings.append(finding("CS0573", place.package, why))
                undone.append(f"{name}: its {root.role}")
                continue
            findings.extend(judged_finding(place, root, judged))
            findings.extend(unread_finding(place, root, unit))
            undone.extend(f"{name}: {file}" for file, _ in unit.undone)
    why = _why(places.missing, undone)
    return Answer("build-code", "not done" if why else "done", tuple(findings), why, (), count, "scripts and macros")


def list_payloads(subject: Subject) -> Answer:
    """Lists executables, scripts, archives and blobs in all packages whose sources are here."""
    places = locate(subject)
    apart = frozenset({subject.facts.target_dir} if subject.facts else ())
    findings: list[Finding] = []
    notes: list[str] = []
    undone: list[str] = []
    looked_at = 0
    for place in places.found:
        cargo = examine(str(place.folder), apart, whole=place.package.source is not None)
        looked_at += cargo.looked_at
        findings.extend(carried_finding(place, cargo))
        name = f"{place.package.name} {place.package.version}"
        notes.extend(
            f"{name}: {line}" for line in carried_lines(one for one in cargo.files if one.form != "executable")
        )
        undone.extend(f"{name}: {what}" for what in cargo.undone)
    why = _why(places.missing, undone)
    return Answer("payloads", "not done" if why else "done", tuple(findings), why, tuple(notes), looked_at, "files")


CHECKS: tuple[Check, ...] = (
    Check("build-code", "build scripts and macros, read before they run", read_code, fast=False),
    Check("payloads", "executables and hidden files in packages", list_payloads, fast=False),
)


def judged_finding(place: Place, root: Root, judged: Judgement) -> Iterable[Finding]:
    """CS0570 or CS0571 for what a script or macro reaches for, or nothing."""
    code = _CODES.get(judged.rank)
    if code is None:
        return
    reasons = [reason for reason in judged.reasons if reason.rule.rank == judged.rank]
    said = "; ".join(dict.fromkeys(reason.rule.why for reason in reasons))
    yield finding(code, place.package, f"its {root.role} {said}", evidence=tuple(reason_lines(judged)))


def unread_finding(place: Place, root: Root, unit: Unit) -> Iterable[Finding]:
    """CS0573 for what of it can't be read as the compiler does, or nothing."""
    trouble = (*unit.unread, *unit.undone)
    if trouble:
        files = ", ".join(f"{file} ({why})" for file, why in trouble[:_NAMED])
        evidence = tuple(f"{file}: {why}" for file, why in trouble[:_NAMED])
        yield finding("CS0573", place.package, f"its {root.role} is not wholly read: {files}", evidence=evidence)
    elif unit.doubts:
        # The words were read and judged; only their order is in doubt.
        evidence = tuple(f"{file}: {why}" for file, why in unit.doubts[:_NAMED])
        detail = f"its {root.role} has syntax that the grammar does not know: {unit.doubts[0][0]}"
        yield finding("CS0573", place.package, detail, severity="low", evidence=evidence)


def carried_finding(place: Place, cargo: Cargo) -> Iterable[Finding]:
    """CS0572 for the compiled code that a package carries, or nothing."""
    found = [one for one in cargo.files if one.form in _COMPILED]
    if not found:
        return
    severity, why = _severity(place.package.name, found)
    first = sorted(found, key=lambda one: one.form != "executable")
    names = ", ".join(one.path for one in first[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    detail = f"{names}{': ' + why if why else ''}"
    yield finding("CS0572", place.package, detail, severity=severity, evidence=tuple(carried_lines(first)))


def _severity(name: str, found: list[Carried]) -> tuple[Severity, str]:
    """What no system starts by itself is less of a matter."""
    executables = [one for one in found if one.form == "executable"]
    if any(one.what not in _NOT_STARTED for one in executables):
        return "medium", ""
    if executables:
        return "low", "none that a system starts by itself"
    if _IMPORT_LIBRARIES.match(name):
        return "low", "import libraries, which name the functions of Windows and hold none"
    return "low", "compiled code that can be linked, but not started"


def _why(missing: list[str], undone: list[str]) -> str:
    said = []
    if missing:
        said.append(f"no sources here of {_some(missing)}")
    if undone:
        said.append(f"not read: {_some(undone)}")
    return "; ".join(said)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
