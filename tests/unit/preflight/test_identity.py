"""Manifests that claim to be another project's are told; families of honest crates are not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sandbox.cargo.lockfile import LockedPackage
from sandbox.policy.model import Permit
from sandbox.preflight.model import Answer, Subject, Wishes
from sandbox.preflight.names import identity
from sandbox.preflight.names.identity import repository_of
from tests.unit.preflight.crates import put

REPOSITORY = 'repository = "https://github.com/dtolnay/proc-macro2"\n'
DESCRIPTION = 'description = "A substitute implementation of the compiler\'s API, for tests"\n'


def _run(home: Path, *locked: LockedPackage, wishes: Wishes | None = None) -> Answer:
    subject = Subject(Path("/x"), locked, date(2026, 11, 29), wishes=wishes or Wishes(), cargo_home=home)
    return identity.run(subject)


def _codes(answer: Answer) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in answer.findings]


def test_a_look_alike_that_names_the_real_ones_repository_is_told(tmp_path: Path) -> None:
    fake = put(tmp_path, "proc-macro1", "1.0.106", {}, more=REPOSITORY + 'authors = ["Somebody"]\n')
    answer = _run(tmp_path, fake)
    assert _codes(answer) == [("CS0522", "medium")]
    assert "names the repository of `proc-macro2` as its own" in answer.findings[0].detail
    assert "authors: Somebody" in answer.findings[0].tree
    let = Wishes(names=(Permit("proc-macro1", "a test"),))
    assert _codes(_run(tmp_path, fake, wishes=let)) == []
    twin = put(tmp_path, "proc-macro1", "1.0.107", {}, more='repository = "https://git.invalid/me/mine"\n')
    assert _codes(_run(tmp_path, twin)) == []


def test_a_look_alike_with_the_real_ones_description_is_told(tmp_path: Path) -> None:
    real = put(tmp_path, "proc-macro2", "1.0.106", {}, more=DESCRIPTION)
    fake = put(tmp_path, "proc-macro1", "1.0.106", {}, more=DESCRIPTION)
    assert _codes(_run(tmp_path, real, fake)) == [("CS0522", "medium")]


def test_a_copied_description_under_other_names_and_people_is_told_mildly(tmp_path: Path) -> None:
    theirs = 'repository = "https://github.com/dtolnay/proc-macro2"\nauthors = ["A"]\n'
    real = put(tmp_path, "proc-macro2", "1.0.0", {}, more=DESCRIPTION + theirs)
    mine = 'repository = "https://git.invalid/b/b"\nauthors = ["B"]\n'
    assert _codes(_run(tmp_path, real, put(tmp_path, "csbench-copy", "1.0.0", {}, more=DESCRIPTION + mine))) == [
        ("CS0522", "low")
    ]
    same = put(tmp_path, "csbench-copy", "1.0.1", {}, more=DESCRIPTION + theirs)
    assert _codes(_run(tmp_path, real, same)) == []


@pytest.mark.parametrize("name", ["tokio-csbench", "csbench-tokio", "anyhow-sys"])
def test_packages_of_one_project_share_its_repository_in_peace(tmp_path: Path, name: str) -> None:
    target = "anyhow" if name == "anyhow-sys" else "tokio"
    more = f'repository = "https://github.com/owner/{target}"\n{DESCRIPTION}'
    real = put(tmp_path, target, "1.0.0", {}, more=more)
    assert _codes(_run(tmp_path, real, put(tmp_path, name, "1.0.0", {}, more=more))) == []


def test_without_sources_it_is_not_done(tmp_path: Path) -> None:
    package = put(tmp_path, "csbench-a", "1.0.0", {})
    assert _run(tmp_path / "none", package).state == "not done"
    other = package._replace(name="csbench-b")
    assert _run(tmp_path, package, other).notes == ("1 of 2 packages in question have no sources here",)


def test_sources_that_are_here_and_can_not_be_read_are_not_done(tmp_path: Path) -> None:
    fake = put(tmp_path, "proc-macro1", "1.0.106", {}, more=REPOSITORY)
    for other in (put(tmp_path, "csbench-a", "1.0.0", {}, more="["), put(tmp_path, "serde", "1.0.0", {}, more="[")):
        answer = _run(tmp_path, fake, other)
        assert answer.state == "not done" and f"{other.name} 1.0.0: its manifest can't be read" in answer.why
        assert _codes(answer) == [("CS0522", "medium")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/A/B.git", ("github.com", "a", "b")),
        ("git+https://x@github.com/a/b", ("github.com", "a", "b")),
        ("https://github.com/a/b/tree/main/c", ("github.com", "a", "b")),
        ("ssh://git@host.invalid/a/b", ("host.invalid", "a", "b")),
        ("https://github.com/a", None),
        ("nonsense", None),
    ],
)
def test_a_repository_is_known_whatever_its_url_adds(url: str, expected: tuple[str, str, str] | None) -> None:
    assert repository_of(url) == expected
