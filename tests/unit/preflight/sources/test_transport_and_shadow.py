"""Fixed revisions, encrypted addresses, registries that get into each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.preflight.sources import shadow, transport
from tests.unit.preflight.sources.make import ACME, NAMES_ACME, OTHER, codes, details, locked, subject

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("query", ["", "?branch=main", "?tag=v1", "?rev=main", "?rev=012345", "?rev="])
def test_a_git_dependency_that_can_move_is_told_with_the_line_to_write(tmp_path: Path, query: str) -> None:
    answer = transport.run(subject(tmp_path, locked("x", source=f"git+https://git.invalid/x{query}#{COMMIT}")))
    assert codes(answer) == ["CS0505"] and answer.findings[0].severity == "low"
    assert f'rev = "{COMMIT}"' in answer.findings[0].help


def test_packages_of_one_repository_are_told_together(tmp_path: Path) -> None:
    git = f"git+https://git.invalid/x?branch=main#{COMMIT}"
    answer = transport.run(subject(tmp_path, *(locked(f"x{n}", source=git) for n in range(30)), locked("y")))
    assert codes(answer) == ["CS0505"] and answer.findings[0].tree[-1] == "… and 10 more"


def test_a_git_dependency_with_a_revision_is_fixed(tmp_path: Path) -> None:
    answer = transport.run(
        subject(tmp_path, locked("x", source=f"git+https://git.invalid/x?rev={COMMIT[:7]}#{COMMIT}"))
    )
    assert (answer.state, answer.findings) == ("done", ())


@pytest.mark.parametrize(
    "source",
    [
        "registry+http://index.invalid/",
        "sparse+http://index.invalid/",
        "sparse+HTTP://index.invalid/",
        f"git+http://git.invalid/x?rev={COMMIT}#{COMMIT}",
        f"git+git://git.invalid/x?rev={COMMIT}#{COMMIT}",
    ],
)
def test_an_address_in_the_clear_is_told_once(tmp_path: Path, source: str) -> None:
    answer = transport.run(subject(tmp_path, locked("x", source=source), locked("y", source=source)))
    assert codes(answer) == ["CS0506"] and "2 packages" in details(answer)


def test_a_registry_that_is_only_configured_counts_as_well(tmp_path: Path) -> None:
    tree = '[registries.a]\nindex = "http://a.invalid/"\n[source.b]\nregistry = "sparse+http://b.invalid/"\n'
    assert codes(transport.run(subject(tmp_path, tree=tree))) == ["CS0506", "CS0506"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost/", "https://index.invalid/", "file:///x"])
def test_this_machine_and_encrypted_addresses_are_no_matter(tmp_path: Path, url: str) -> None:
    assert not transport.run(subject(tmp_path, locked("x", source=f"sparse+{url}"))).findings


def test_one_name_in_two_registries_is_told(tmp_path: Path) -> None:
    answer = shadow.run(subject(tmp_path, locked("a"), locked("a", "2.0.0", ACME), locked("b"), locked("b", "2.0.0")))
    assert codes(answer) == ["CS0507"] and answer.findings[0].package == "a"
    assert "crates.io" in details(answer) and "index.acme.invalid" in details(answer)


def test_a_fork_from_git_beside_the_registry_s_package_is_usual(tmp_path: Path) -> None:
    git = locked("a", "2.0.0", f"git+https://git.invalid/a?rev={COMMIT}#{COMMIT}")
    assert not shadow.run(subject(tmp_path, locked("a"), git, locked("c", source=None))).findings


def test_two_names_for_one_index_are_told(tmp_path: Path) -> None:
    tree = NAMES_ACME + f'[registries.twin]\nindex = "{ACME.rstrip("/")}"\n[registries.third]\nindex = "{OTHER}"\n'
    answer = shadow.run(subject(tmp_path, tree=tree))
    assert codes(answer) == ["CS0507"] and "twin" in details(answer) and "third" not in details(answer)


def test_crates_io_under_a_private_name_is_told(tmp_path: Path) -> None:
    tree = '[registries.acme]\nindex = "sparse+https://index.crates.io/"\n'
    answer = shadow.run(subject(tmp_path, tree=tree))
    assert codes(answer) == ["CS0507"] and "crates.io itself" in details(answer)


def test_settings_of_crates_io_itself_name_no_registry(tmp_path: Path) -> None:
    assert not shadow.run(subject(tmp_path, tree='[registries.crates-io]\nprotocol = "sparse"\n')).findings
