"""Reads a RustSec advisory: Markdown that begins with TOML in a ```toml fence.

Source: rustsec 0.33, `src/advisory/parts.rs`, `metadata.rs`, `src/database/entries.rs`; the database's README.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from sandbox.cargo.files import Unreadable, parse_toml
from sandbox.preflight.advisories.model import MAX_ITEMS, UNCUT, Advisory, Kind, table, text, texts
from sandbox.preflight.advisories.ranges import Versions, span

PLACEHOLDER = "RUSTSEC-0000-0000"
"""The id of a draft."""

ID = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9_.]+){1,9}", re.ASCII)
_FENCE = "```toml"
# Of 78 advisories on malware in August 2026, four had no category and said it only so.
_MALICIOUS = re.compile(r"\bremoved from crates\.io\b.*\bmalicious\b|^malicious crate\b", re.IGNORECASE)


def parse(content: str) -> Advisory:
    """The advisory. Raises Unreadable for what rustsec takes for broken in the parts that we use.

    It is malware by its category (`malicious`), or by the title that crates.io's team gives such advisories. Kinds of
    `informational` that nobody knows yet are notices.
    """
    front, title = _parts(content)
    data = parse_toml(front)
    if not isinstance(data.get("advisory"), dict):
        # As old advisories have it.
        data = parse_toml("[advisory]\n" + front)
    about, versions = table(data.get("advisory"), "advisory"), table(data.get("versions"), "versions")
    identifier, package = text(about.get("id"), "id"), text(about.get("package"), "package")
    if not ID.fullmatch(identifier) or not package:
        raise Unreadable("it has no proper id or no package")
    if "patched" not in versions:
        raise Unreadable("`versions.patched` is missing")
    patched = _requirements(versions["patched"], "versions.patched")
    unaffected = _requirements(versions.get("unaffected"), "versions.unaffected")
    affected = table(data.get("affected"), "affected")
    categories = texts(about.get("categories"), "categories")
    url = text(about.get("url"), "url")
    return Advisory(
        id=identifier,
        package=package,
        kind=kind(text(about.get("informational"), "informational"), categories, title),
        versions=Versions(tuple(map(span, dict.fromkeys(patched + unaffected))), inverse=True),
        title=title,
        date=_date(about.get("date")),
        aliases=texts(about.get("aliases"), "aliases"),
        vectors=(vector,) if (vector := text(about.get("cvss"), "cvss")) else (),
        mended=patched,
        functions=tuple(name[:200] for name in _functions(affected)),
        systems=texts(affected.get("os"), "affected.os"),
        architectures=texts(affected.get("arch"), "affected.arch"),
        url=url or (f"https://rustsec.org/advisories/{identifier}" if identifier.startswith("RUSTSEC-") else ""),
        source=text(about.get("source"), "source", limit=UNCUT),
        withdrawn=about.get("withdrawn") is not None,
    )


def kind(informational: str, categories: tuple[str, ...], title: str) -> Kind:
    """What an advisory is about, by RustSec's fields; OSV records made from it have them too."""
    if "malicious" in categories or _MALICIOUS.search(title):
        return "malware"
    if informational == "unsound":
        return "unsound"
    if informational == "unmaintained":
        return "unmaintained"
    return "notice" if informational else "vulnerability"


def _parts(content: str) -> tuple[str, str]:
    """The TOML, and the title, which is empty where there is none."""
    end = content.find("\n```")
    if not content.startswith(_FENCE) or end < len(_FENCE):
        raise Unreadable("it does not begin with a ```toml block")
    rest = content[end + 4 :].lstrip()
    title = rest.partition("\n")[0].strip()
    return content[len(_FENCE) : end].strip(), title[2:302].strip() if title.startswith("# ") else ""


def _requirements(value: Any, what: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in texts([] if value is None else value, what, limit=UNCUT))


def _functions(affected: dict[str, Any]) -> list[str]:
    names = list(table(affected.get("functions"), "affected.functions"))
    if len(names) > MAX_ITEMS:
        raise Unreadable(f"more than {MAX_ITEMS} functions")
    return names


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else ""
    except ValueError:
        return ""
