"""Sources and purls: nothing from elsewhere passes for crates.io's, and no secret of a URL and no folder gets out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from sandbox.preflight.advisories.matching import is_crates_io
from sandbox.preflight.inventory.model import Item, Origin
from sandbox.preflight.inventory.origin import origin_of, purl, without_user
from tests.unit.preflight.inventory.made import CRATES_IO, GIT, PRIVATE


def text(source: str | None, directory: str = "", root: str = "") -> str:
    found = purl(Item("csbench-a", "1.0.0+x", source or "", origin_of(source, directory, root)))
    assert found is not None
    return str(found.to_string())


def test_the_purl_of_each_kind_of_source() -> None:
    assert text(CRATES_IO) == text("sparse+https://index.crates.io/") == "pkg:cargo/csbench-a@1.0.0%2Bx"
    assert PackageURL.from_string(text(PRIVATE)).qualifiers == {
        "repository_url": "https://registry.acme.invalid/index/"
    }
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert PackageURL.from_string(text(GIT)).qualifiers == {
        "vcs_url": f"git+https://git.acme.invalid/csbench-git@{commit}"
    }
    assert PackageURL.from_string(text(None, "/ws/a", "/ws")).qualifiers == {"download_url": "file://a"}
    assert PackageURL.from_string(text(None)).qualifiers == {"download_url": "file://."}


@pytest.mark.parametrize(
    "source",
    [
        "sparse+https://index.crates.io", "registry+https://github.com/rust-lang/crates.io-index/",
        "registry+https://github.com/rust-lang/crates.io-index.git", "registry+sparse+https://index.crates.io/",
        "registry+https://GitHub.com/Rust-Lang/crates.io-index",
    ],
)  # fmt: skip
def test_crates_io_is_crates_io_as_advisories_see_it_so_that_scanners_know_the_package(source: str) -> None:
    assert origin_of(source) == ("crates.io", "", "")
    assert is_crates_io(source)
    assert text(source) == "pkg:cargo/csbench-a@1.0.0%2Bx"


@pytest.mark.parametrize(
    "source",
    [
        "registry+https://github.com/rust-lang/crates.io-index/x", "registry+http://github.com/rust-lang/crates.io-index",
        "sparse+https://index.crates.io.acme.invalid/", "registry+https://github.com/rust-lang/crates.io-index#x", "x",
    ],
)  # fmt: skip
def test_what_only_looks_like_crates_io_is_another_registry(source: str) -> None:
    assert origin_of(source).kind == "registry"
    assert "repository_url=" in text(source)


def test_user_and_password_are_taken_out_of_urls() -> None:
    assert "secret" not in repr(origin_of(PRIVATE)) + repr(origin_of(GIT)) + text(PRIVATE) + text(GIT)
    assert without_user("https://a@b@host.invalid/x@y") == "https://host.invalid/x@y"
    assert without_user("https://host.invalid/x@y") == "https://host.invalid/x@y"
    assert without_user("ssh://git@host.invalid/x") == "ssh://host.invalid/x"


@pytest.mark.parametrize(
    ("directory", "place"),
    [("/ws", "."), ("/ws/a/b", "a/b"), ("/beside/c", ""), ("", "")],
)
def test_a_folder_is_told_relative_to_the_root_or_not_at_all(directory: str, place: str) -> None:
    assert origin_of(None, directory, "/ws") == Origin("path", place)


def test_a_folder_beside_the_workspace_is_told_from_the_last_folder_they_share() -> None:
    assert origin_of(None, "/home/ann/beside/c", "/home/ann/ws").url == "../beside/c"


@given(st.text(), st.text(), st.text())
def test_any_name_version_and_url_gives_a_purl_that_reads_back_or_none(name: str, version: str, url: str) -> None:
    for kind in ("crates.io", "registry", "git", "path"):
        found = purl(Item(name, version, "", Origin(kind, url, url)))  # type: ignore[arg-type]
        if found is not None:
            assert found.to_string().isascii() and found.to_string().startswith("pkg:cargo/")


def test_what_is_no_name_or_version_of_cargos_has_no_purl() -> None:
    for name, version in (
        ("a\x1b", "1"),
        ("a", "1\u202e"),
        ("", "1"),
        ("\ud800", "1"),
        ("/", "1"),
        ("a/b", "1"),
        ("a", ""),
    ):
        assert purl(Item(name, version, "", Origin("crates.io"))) is None
