"""The JSON form of behaviours (`schema/behaviour-v1.schema.json`): sorted, so that equal ones are equal bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sandbox.behaviour.model import Behaviour, Fact, Key, Profile
from sandbox.errors import SandboxError

SCHEMA = "cargo-sandbox/behaviour-v1"


class BehaviourError(SandboxError):
    """A stored behaviour can't be read or can't be compared."""

    exit_code = 2


def to_json(profile: Profile) -> dict[str, Any]:
    """A run's behaviours with their evidence."""
    return {
        "schema": SCHEMA,
        "run": profile.run,
        "normaliser": profile.normaliser,
        "holes": list(profile.holes),
        "units": [unit_json(one) for one in profile.behaviours],
    }


def from_json(data: dict[str, Any]) -> Profile:
    """The inverse of `to_json`; keys that are not known are passed over. Raises BehaviourError for anything else."""
    try:
        if data["schema"] != SCHEMA:
            raise BehaviourError(f"not a behaviour of ours: {data['schema']!r}")
        units = tuple(_unit(entry, data["normaliser"]) for entry in data["units"])
        return Profile(data["run"], data["normaliser"], units, tuple(data["holes"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BehaviourError(f"not a behaviour of ours: {type(error).__name__} {error}") from error


def unit_json(one: Behaviour, evidence: bool = True) -> dict[str, Any]:
    """One unit. Without `evidence` only what equality looks at, so that equal behaviours have equal JSON."""
    key = one.key
    data: dict[str, Any] = {
        "package": key.package, "version": key.version, "role": key.role, "crate": key.crate,
        "crate_types": list(key.crate_types), "macros": list(one.macros), "cut": list(one.cut),
        "facts": [_fact_json(fact, evidence) for fact in one.facts],
    }  # fmt: skip
    if evidence:
        data |= {"unit": one.unit, "own_reads": one.own_reads, "quiet": one.quiet}
        data |= {"features": list(one.features)} if one.features else {}
        data |= {"target": one.target} if one.target else {}
    return data


def digest(one: Behaviour) -> str:
    """SHA-256 of what equality looks at, with the normaliser's version."""
    text = canonical({"normaliser": one.normaliser} | unit_json(one, evidence=False))
    return "sha256:" + hashlib.sha256(text).hexdigest()


def canonical(data: dict[str, Any]) -> bytes:
    """The one text of a JSON value: keys in order, no spaces, UTF-8. Normal forms hold no lone surrogates."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fact_text(fact: Fact) -> str:
    """The one text of a fact, without evidence."""
    return canonical(_fact_json(fact, evidence=False)).decode()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12)."""
    path = Path(__file__).parent / "schema" / "behaviour-v1.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


def _fact_json(fact: Fact, evidence: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"class": fact.kind, "act": fact.act, "object": fact.object}
    if fact.owner:
        data["owner"] = fact.owner
    if fact.chain:
        data["chain"] = list(fact.chain)
    if fact.detail:
        data["detail"] = dict(fact.detail)
    if evidence:
        data |= {"seqs": list(fact.seqs), "count": fact.count}
        if fact.digest:
            data["digest"] = fact.digest
    return data


def _unit(entry: dict[str, Any], normaliser: int) -> Behaviour:
    key = Key(entry["package"], entry["version"], entry["role"], entry["crate"], tuple(entry["crate_types"]))
    facts = tuple(
        Fact(
            one["class"], one["act"], one["object"], one.get("owner", ""), tuple(one.get("chain", ())),
            tuple(sorted(one.get("detail", {}).items())), tuple(one.get("seqs", ())), one.get("count", 1),
            one.get("digest", ""),
        )
        for one in entry["facts"]
    )  # fmt: skip
    return Behaviour(
        key, normaliser, tuple(sorted(facts)), tuple(entry["macros"]), tuple(entry["cut"]), entry.get("unit", ""),
        entry.get("own_reads", 0), entry.get("quiet", 0), tuple(entry.get("features", ())), entry.get("target", ""),
    )  # fmt: skip
