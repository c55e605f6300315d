"""All supply-chain checks there are, by the part that they are in.

A part is imported when it is asked for, and one that is missing is an error: a check that is not there must not look
like one that found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from sandbox.errors import InternalError
from sandbox.preflight.model import Check, Wishes

PARTS: Mapping[str, bool] = {
    # Module in sandbox.preflight with CHECKS -> whether it has fast ones, which builds make first. In the order told.
    "sources": True,
    "advisories": True,
    "names": True,
    "changes": True,
    "integrity": False,
    "reader": False,
    "pinning": False,
}

_ASKED: tuple[tuple[str, Callable[[Wishes], object]], ...] = (
    ("sources", lambda wishes: wishes.sources or wishes.allowed_sources),
    ("fresh", lambda wishes: wishes.cooldown_days),
    ("advisories", lambda wishes: wishes.advisory_db),
)


def wanted(wishes: Wishes) -> frozenset[str]:
    """Names of the checks that somebody gave something to: one of these that is not done is a hole in a build."""
    return frozenset(name for name, asked in _ASKED if asked(wishes))


def all_checks() -> tuple[Check, ...]:
    """Every check. Raises ImportError for a part that is not there, InternalError for two of one name."""
    found = tuple(check for part in PARTS for check in _of(part))
    if len({check.name for check in found}) != len(found):
        raise InternalError("two supply-chain checks have the same name")
    return found


def fast_checks() -> tuple[Check, ...]:
    """Those that a build makes before anything of it runs; parts without any are not imported."""
    return tuple(check for part, fast in PARTS.items() if fast for check in _of(part) if check.fast)


def _of(part: str) -> tuple[Check, ...]:
    checks: tuple[Check, ...] = import_module(f"sandbox.preflight.{part}").CHECKS
    return checks
