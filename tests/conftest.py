"""Fixtures for all tests that run real builds; see tests/harness.py and tests/engines.py."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator

import pytest

from tests import harness
from tests.engines import (
    daemon_answers,
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_generate_tests,
    pytest_terminal_summary,
)

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_terminal_summary",
]

_PASSED = pytest.StashKey[bool]()

# A shell's background job has SIGINT and SIGQUIT ignored, nohup's SIGHUP, and so would every build that a test means to
# end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that makes all containers of a test. What is shared between tests is so for each engine by itself."""
    if request.param == "docker" and not daemon_answers():
        pytest.skip("no Docker daemon answers")
    return str(request.param)


@pytest.fixture(scope="session")
def lab(engine: str) -> Iterator[harness.Lab]:
    """The folder of all tests with an engine, with a cache that their runs share."""
    with harness.session(engine) as made:
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
