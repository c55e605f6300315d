"""Where a package stands in Cargo.lock, and what a run's record keeps of that so that a later report says the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.cargo import lockfile
from sandbox.cargo.files import Unreadable, read_text
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Facts
from sandbox.judge.model import Finding
from sandbox.report.formats import Context, Key, Place, key_of

_Locked = tuple[str, str, str | None]
Places = Mapping[_Locked, Place]
"""The place of each package of a lock file, by name, version and source."""
_HEADER = re.compile(r"\[")
_VALUE = re.compile(r'(name|version|source) = "([^"\\]*)"')


def lines_of(text: str) -> dict[_Locked, Place]:
    """The place of each package, by name, version and source, in a lock file as cargo writes it.

    It is the line with the version: that one changes when a package is added and when it is updated, and code scanning
    shows in a pull request only what stands on changed lines. Empty when the text reads otherwise by line than as TOML
    (a string over several lines may hold what looks like a package), or can't be read at all.
    """
    try:
        packages = lockfile.parse(text)
    except Unreadable:
        return {}
    found = _scan(text)
    if [entry[0] for entry in found] != [(item.name, item.version, item.source) for item in packages]:
        return {}
    return dict(found)


def note(
    facts: Facts, workspace: str, lock_file: str, findings: Iterable[Finding], places: Places | None = None
) -> dict[str, Any]:
    """What result.json keeps for reports: per package the chain and the line, and the file that the line is in.

    `places` are the lock file's, if somebody has looked already.
    """
    keys = dict.fromkeys(map(key_of, findings))
    if places is None:
        places = places_of(lock_file) if keys else {}
    entries = []
    for name, version, folder in keys:
        entry: dict[str, Any] = {"package": name, "version": version, "manifest_dir": folder}
        entry["chain"] = list(facts.chain(name, version, folder))
        package = facts.find(name, version, folder) if name else None
        source = package.source if package else None
        place = places.get((name, version, source)) or _only(places, name, version)
        if place:
            entry["line"], entry["width"] = place
        entries.append(entry)
    file = lock_file if os.path.isfile(lock_file) else os.path.join(workspace, "Cargo.toml")
    return {"chains": entries, "anchor": _in_repository(file, workspace)}


def context_of(header: Mapping[str, Any], noted: Mapping[str, Any], **more: Any) -> Context:
    """The context that a record gives: run.json, and what `note` made. A damaged part of it is left out."""
    chains: dict[Key, tuple[str, ...]] = {}
    places: dict[Key, Place] = {}
    for entry in noted.get("chains") or ():
        if not isinstance(entry, dict):
            continue
        key = str(entry.get("package")), str(entry.get("version")), str(entry.get("manifest_dir"))
        chains[key] = tuple(map(str, entry.get("chain") or ()))
        line, width = entry.get("line"), entry.get("width")
        if type(line) is int and type(width) is int and line > 0 and width > 0:
            places[key] = Place(line, width)
    anchor = noted.get("anchor")
    anchor = anchor if isinstance(anchor, str) and anchor else "Cargo.lock"
    return Context(header=header, chains=chains, places=places, anchor=anchor, **more)


def places_of(lock_file: str) -> Places:
    """The places in a lock file; none where there is no such file, or it can't be read."""
    try:
        return lines_of(read_text(Path(lock_file), lockfile.MAX_BYTES))
    except (FileNotFoundError, Unreadable):
        return {}


def _only(places: Places, name: str, version: str) -> Place | None:
    """The place of a name and version that stand there once: metadata may spell a git source otherwise."""
    found = [place for (other, its, _), place in places.items() if (other, its) == (name, version)]
    return found[0] if len(found) == 1 else None


def _scan(text: str) -> list[tuple[_Locked, Place]]:
    found: list[tuple[_Locked, Place]] = []
    values: dict[str, str] | None = None
    place = Place(1, 1)
    # Only a line feed ends a line for TOML and for an editor; splitlines knows others.
    for number, line in enumerate([*text.split("\n"), "[end]"], 1):
        line = line.removesuffix("\r")
        if _HEADER.match(line):
            if values is not None:
                found.append((_locked(values), place))
            values = {} if line == "[[package]]" else None
            place = Place(number, len(line))
        elif values is not None and (match := _VALUE.fullmatch(line)):
            values[match[1]] = match[2]
            if match[1] == "version":
                place = Place(number, len(line.encode("utf-16-le", "surrogatepass")) // 2)
    return found


def _locked(values: Mapping[str, str]) -> _Locked:
    item = LockedPackage(values.get("name", ""), values.get("version", ""), values.get("source"))
    return item.name, item.version, item.source


def _in_repository(file: str, workspace: str) -> str:
    """The path below the folder that holds `.git`, else below the workspace. Nothing of git is run or read."""
    top = folder = workspace
    while folder != os.path.dirname(folder):
        if os.path.lexists(os.path.join(folder, ".git")):
            top = folder
            break
        folder = os.path.dirname(folder)
    path = os.path.relpath(file, top)
    return os.path.basename(file) if path.startswith("..") else path
