"""Names of the files of a run and versions of their formats.

Formats are additive: a reader ignores what it does not know, and a change of meaning takes a new number.
"""

from __future__ import annotations

import re

RUN_SCHEMA = "cargo-sandbox/run-v1"
RESULT_SCHEMA = "cargo-sandbox/result-v1"
EVENTS_SCHEMA = "cargo-sandbox/events-v1"
UNITS_SCHEMA = "cargo-sandbox/units-v1"
LEDGER_SCHEMA = "cargo-sandbox/ledger-v1"

HEADER = "run.json"
PLAN = "plan.json"
EVENTS = "events.jsonl.zst"
UNITS = "units.jsonl"
OUTPUT = "output.log.zst"
MESSAGES = "messages.jsonl"
FINDINGS = "findings.jsonl"
RESULT = "result.json"
PINNED = "pinned"
LOCK = "lock"

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, without the letters that look like digits."""

RUN_ID = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}-[{ALPHABET}]{{4,8}}")
"""Identifier of a run, for instance 2026-11-20-k3f9."""
