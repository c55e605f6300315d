"""Advisories of invented packages, as files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.cargo.lockfile import LockedPackage
from sandbox.policy.model import Permit
from sandbox.preflight.advisories import CHECKS
from sandbox.preflight.model import Answer, Subject, Wishes

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
TODAY = date(2026, 8, 1)


def markdown(
    identifier: str, package: str, *, versions: str = "patched = []", title: str = "A title", **fields: Any
) -> str:
    """A RustSec advisory; `fields` are those of `[advisory]`, `affected` is TOML of a table of its own."""
    affected = fields.pop("affected", "")
    fields = {"id": identifier, "package": package, "date": "2026-07-30", **fields}
    lines = [f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in fields.items()]
    parts = ["[advisory]", *lines, "", affected, "[versions]", versions]
    return "```toml\n" + "\n".join(parts) + f"\n```\n\n# {title}\n\nWords.\n"


def put(top: Path, identifier: str, package: str, **fields: Any) -> Path:
    """Write a RustSec advisory to its place in the database `top`."""
    path = top / "crates" / package / f"{identifier}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(identifier, package, **fields), "utf-8")
    return path


def record(identifier: str, package: str, *events: dict[str, str], **fields: Any) -> dict[str, Any]:
    """An OSV record with one range of the events."""
    entry: dict[str, Any] = {"package": {"ecosystem": "crates.io", "name": package}}
    if events:
        entry["ranges"] = [{"type": "SEMVER", "events": list(events)}]
    entry.update(fields.pop("entry", {}))
    return {"id": identifier, "modified": "2026-07-30T00:00:00Z", "summary": "A title", "affected": [entry], **fields}


def put_record(top: Path, identifier: str, package: str, *events: dict[str, str], **fields: Any) -> Path:
    """Write an OSV record where OSSF's database has it."""
    path = top / "osv" / "malicious" / "crates.io" / package / f"{identifier}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record(identifier, package, *events, **fields)), "utf-8")
    return path


def locked(name: str, version: str, source: str | None = CRATES_IO) -> LockedPackage:
    return LockedPackage(name, version, source)


def check(top: Path | str, *packages: LockedPackage, ignore: tuple[Permit, ...] = (), **fields: Any) -> Answer:
    """What the check says of a lock file with these packages."""
    wishes = Wishes(advisory_db=str(top), advisories=ignore, max_age_days=fields.pop("max_age_days", 30))
    return CHECKS[0].run(Subject(Path("Cargo.lock"), packages, fields.pop("today", TODAY), wishes, **fields))


def codes(answer: Answer) -> list[str]:
    return [item.code for item in answer.findings]
