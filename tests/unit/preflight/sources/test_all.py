"""Every check of this part, on whatever a lock file or configuration can hold."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cargo import lockfile
from sandbox.cargo.files import Unreadable
from sandbox.cargo.lockfile import LockedPackage
from sandbox.errors import WorkspaceError
from sandbox.preflight import integrity, sources
from sandbox.preflight.sources.requirers import Requirers
from tests.unit.preflight.sources.make import ACME, NAMES_ACME, PUBLIC, locked, subject, wishes

CHECKS = (*sources.CHECKS, *integrity.CHECKS)
RULES = wishes(("acme-*", "registry:acme"), allowed=("crates-io", "git:https://*"), internal=("*-internal",))
text = st.text(max_size=30)
source = st.one_of(
    st.none(),
    text,
    st.sampled_from([PUBLIC, ACME, "git+https://git.invalid/a?branch=b#c", "sparse+http://[x/", "git+"]),
)
packages = st.builds(
    LockedPackage, st.one_of(text, st.just("acme-x")), st.one_of(text, st.just("99.0.0")), source,
    st.one_of(st.none(), text), st.lists(text, max_size=3).map(tuple),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(packages, max_size=6))
def test_no_lock_file_makes_a_check_crash(found: list[LockedPackage]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        looked_at = subject(Path(folder), *found, rules=RULES, tree=NAMES_ACME)
        for check in CHECKS:
            answer = check.run(looked_at)
            assert answer.check == check.name and (answer.state == "done") == (not answer.why)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_the_reader_of_lock_files_crash(content: str) -> None:
    for head in ("", "version = 4\n[[package]]\n", '[[package]]\nname = "a"\nversion = "1.0.0"\nsource = '):
        try:
            found = lockfile.parse(head + content)
        except Unreadable:
            continue
        assert all(isinstance(item.name, str) and isinstance(item.version, str) for item in found)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 5000, "../../..", "file://", "sparse+https://" + "h" * 5000])
@pytest.mark.parametrize(
    "setting",
    [
        "registries.a.index = {}",
        "source.crates-io.replace-with = 'v'\nsource.v.directory = {}",
        "source.crates-io.replace-with = 'v'\nsource.v.local-registry = {}",
        "source.crates-io.replace-with = 'v'\nsource.v.registry = {}",
        "source.crates-io.replace-with = {}",
        "paths = [{}]",
        "patch.crates-io.a.path = {}",
    ],
)
def test_no_setting_makes_a_check_crash(tmp_path: Path, setting: str, value: str) -> None:
    try:
        looked_at = subject(tmp_path, locked("acme-x"), rules=RULES, tree=setting.format(json.dumps(value)))
    except WorkspaceError:
        return
    for check in CHECKS:
        check.run(dataclasses.replace(looked_at, fetch=lambda url: None))


def test_checks_that_read_no_sources_and_ask_nobody_are_the_fast_ones() -> None:
    assert {check.name for check in CHECKS if not check.fast} == {
        "private-index", "unpacked", "vendored", "git-checkouts",
    }  # fmt: skip


def test_those_who_require_a_package_are_found_by_name_and_version() -> None:
    many = [locked(f"r{n}", "0.1.0", None, "a 1.0.0") for n in range(7)]
    requirers = Requirers([*many, locked("z", "0.1.0", None, "a 2.0.0"), locked("y", "0.1.0", None, "b")])
    assert requirers.lines(locked("a", "2.0.0")) == ("required by z 0.1.0",)
    assert requirers.lines(locked("b", "3.0.0")) == ("required by y 0.1.0",)
    assert requirers.lines(locked("a", "1.0.0"))[-1] == "… and 2 more"
    assert requirers.lines(locked("c")) == ()
