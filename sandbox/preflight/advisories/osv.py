"""Reads a record in the Open Source Vulnerability format, as far as it is about packages of crates.io.

Source: the OSV schema 1.7 (ossf.github.io/osv-schema), "Evaluation"; GitHub's and OSSF's records.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.cargo.files import Unreadable
from sandbox.cargo.semver import Version
from sandbox.preflight.advisories.model import UNCUT, Advisory, Kind, table, text, texts
from sandbox.preflight.advisories.ranges import Span, Versions, version_of
from sandbox.preflight.advisories.rustsec import ID, kind

ECOSYSTEM = "crates.io"
MAX_AFFECTED = 10_000
"""Most packages, and most events or versions of one, that a record may have."""

_EVENTS = ("fixed", "introduced", "last_affected")
"""The order in which events of the same version are taken: whoever is in doubt stays affected."""


def parse(content: str) -> tuple[Advisory, ...]:
    """As `read`, from the record's JSON."""
    return read(load(content))


def read(data: dict[str, Any]) -> tuple[Advisory, ...]:
    """What the record says, one advisory for each entry on a package of crates.io; none when it is about others only.

    Raises Unreadable for what is no record. A record is about malware when its id begins with `MAL-`, when it says
    where it comes from as OSSF's malicious-packages does, or by RustSec's fields. `limit` events are passed over: they
    only ever narrow down. An entry with neither versions nor ranges is about every version.
    """
    identifier = text(data.get("id"), "id")
    if not ID.fullmatch(identifier):
        raise Unreadable("it has no proper id")
    own = table(data.get("database_specific"), "database_specific")
    title = text(data.get("summary"), "summary") or text(data.get("details"), "details").partition("\n")[0]
    malware = identifier.startswith("MAL-") or "malicious-packages-origins" in own
    day = text(data.get("published"), "published") or text(data.get("modified"), "modified")
    found = []
    for entry in _list(data.get("affected"), "affected"):
        if (package := _package(entry)) is None:
            continue
        said = table(entry.get("database_specific"), "affected.database_specific")
        by_fields = kind(
            text(said.get("informational"), "informational"), texts(said.get("categories"), "categories"), title
        )
        what: Kind = "malware" if malware else by_fields
        special = table(entry.get("ecosystem_specific"), "affected.ecosystem_specific")
        affects = table(special.get("affects"), "affects")
        versions, mended = _versions(entry)
        found.append(
            Advisory(
                id=identifier,
                package=package,
                kind=what,
                versions=versions,
                title=title,
                date=day[:10],
                aliases=texts(data.get("aliases"), "aliases"),
                vectors=_vectors(data.get("severity")) + _vectors(entry.get("severity")),
                rating=text(own.get("severity"), "severity"),
                mended=mended,
                functions=texts(affects.get("functions"), "functions"),
                systems=texts(affects.get("os"), "os"),
                architectures=texts(affects.get("arch"), "arch"),
                url=f"https://osv.dev/vulnerability/{identifier}",
                withdrawn=bool(data.get("withdrawn")),
            )
        )
    return tuple(found)


def load(content: str) -> dict[str, Any]:
    """The record's JSON. Raises Unreadable, also for absurd nesting and numbers."""
    try:
        data = json.loads(content)
    except (RecursionError, ValueError) as error:
        raise Unreadable(f"invalid JSON: {error}") from None
    if not isinstance(data, dict):
        raise Unreadable("it is no OSV record")
    return data


def _package(entry: Any) -> str | None:
    package = table(table(entry, "affected").get("package"), "affected.package")
    if text(package.get("ecosystem"), "ecosystem").partition(":")[0] != ECOSYSTEM:
        return None
    name = text(package.get("name"), "package.name")
    if not name:
        raise Unreadable("an affected package has no name")
    return name


def _versions(entry: dict[str, Any]) -> tuple[Versions, tuple[str, ...]]:
    """The versions, and those that mend it as requirements. A range of commits (GIT) is for others."""
    ranges, listed = _list(entry.get("ranges"), "ranges"), _list(entry.get("versions"), "versions")
    if not ranges and not listed:
        return Versions((Span(),)), ()
    spans: list[Span] = []
    mended: list[str] = []
    usable = [table(item, "ranges") for item in ranges if table(item, "ranges").get("type") in ("SEMVER", "ECOSYSTEM")]
    if not usable and not listed:
        raise Unreadable("it has ranges of commits only")
    for item in usable:
        events = _events(_list(item.get("events"), "events"))
        spans += _spans(events)
        mended += [f">= {written}" for _, name, written in events if name == "fixed"]
    # Some list what is no version (a tag): nothing can be locked to that.
    exact = []
    for written in listed:
        try:
            exact.append(version_of(text(written, "versions", limit=UNCUT)))
        except Unreadable:
            if not isinstance(written, str):
                raise
    return Versions(tuple(spans), tuple(exact)), tuple(mended)


def _events(events: list[Any]) -> list[tuple[Version, str, str]]:
    """The events by version."""
    found = []
    for event in events:
        for name, written in table(event, "events").items():
            if name in _EVENTS:
                found.append((version_of(text(written, name, limit=UNCUT)), name, text(written, name)))
            elif name != "limit":
                raise Unreadable(f"unknown event {name[:40]!r}")
    return sorted(found, key=lambda item: (item[0], _EVENTS.index(item[1])))


def _spans(events: list[tuple[Version, str, str]]) -> list[Span]:
    spans, start = [], None
    for version, name, written in events:
        if name == "introduced":
            # "0" is before every version, pre-releases of 0.0.0 among them.
            begin = Span(None if written == "0" else version)
            start = start or begin
        elif start is not None:
            spans.append(start._replace(high=version, high_in=name == "last_affected"))
            start = None
    return [*spans, start] if start is not None else spans


def _vectors(value: Any) -> tuple[str, ...]:
    entries = [table(item, "severity") for item in _list(value, "severity")]
    return tuple(text(item.get("score"), "score") for item in entries if str(item.get("type")).startswith("CVSS_"))


def _list(value: Any, what: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_AFFECTED:
        raise Unreadable(f"`{what}` is no list of at most {MAX_AFFECTED} entries")
    return value
