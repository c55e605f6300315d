"""Fixtures for all tests that run real builds; see tests/harness.py."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest

from tests import harness

_PASSED = pytest.StashKey[bool]()

# A shell's background job has SIGINT ignored, and so would every build that a test means to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lab() -> Iterator[harness.Lab]:
    """The folder of this session, with a cache that all its runs share."""
    with harness.session() as made:
        yield made


@pytest.fixture(scope="session")
def ordinary(lab: harness.Lab) -> harness.User:
    """Somebody without any privilege."""
    return harness.ordinary_user(lab)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for `tidy` how the test itself ended."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove the projects that a test made for itself once it has passed: a build dir is large, and there are many."""
    lab: harness.Lab | None = request.getfixturevalue("lab") if "lab" in request.fixturenames else None
    before = list(lab.made) if lab else []
    yield
    if lab and request.node.stash.get(_PASSED, False):
        lab.forget([project for project in lab.made if project not in before])
