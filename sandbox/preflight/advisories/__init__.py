"""Vulnerable and known-malicious dependencies: RustSec advisories and OSV records (CS0550 to CS0556)."""

from __future__ import annotations

from sandbox.preflight.advisories.check import CHECK
from sandbox.preflight.model import Check

CHECKS: tuple[Check, ...] = (CHECK,)
