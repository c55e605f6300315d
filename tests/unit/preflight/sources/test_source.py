"""Sources as cargo writes them, and patterns of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.sources import folders
from sandbox.preflight.sources.source import (
    SPARSE_INDEX,
    fold,
    host,
    is_loopback,
    key,
    matches,
    name_matches,
    parse,
    scheme,
)


def test_a_git_source_is_taken_apart() -> None:
    source = parse("git+https://git.invalid/a/b.git?branch=main#0123456789")
    assert (source.kind, source.url, source.commit) == ("git", "https://git.invalid/a/b.git", "0123456789")
    assert (source.asked("branch"), source.asked("rev")) == ("main", "")
    assert source.key == parse("git+HTTPS://Git.invalid/a/b").key


def test_a_pattern_is_all_of_a_name() -> None:
    assert matches("acme-*", "acme-x") and matches("*", "") and matches("a*b*c", "abbc") and matches("a", "a")
    assert not matches("acme-*", "xacme-x") and not matches("a*a", "a") and not matches("", "a")
    assert not matches("a*b*b", "ab") and not matches("a.c", "abc") and not matches("[a]", "a")
    assert name_matches("Acme_*", "acme-x") and fold("A_b") == "a-b"


def test_a_long_pattern_takes_no_long_time() -> None:
    assert not matches("*a" * 5_000 + "b", "a" * 20_000)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_agree_with_regular_expressions(pattern: str, text: str) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text)
    assert matches(pattern, text) == (expected is not None)


@given(st.text())
def test_no_text_at_all_is_too_strange(text: str) -> None:
    for word in ("", "git+", "sparse+", "registry+", "git+https://[", "sparse+http://"):
        source = parse(word + text)
        str(source), source.public, source.asked("rev"), key(word + text), host(word + text), scheme(word + text)
        is_loopback(word + text), folders.of_registry(word + text)


def test_this_machine_s_own_addresses_are_known() -> None:
    assert all(is_loopback(f"sparse+http://{name}/") for name in ("localhost", "127.0.0.1:80", "127.9.9.9", "[::1]:8"))
    assert not any(is_loopback(f"http://{name}/") for name in ("localhost.invalid", "192.0.2.1", "127.0.0.1.invalid"))
    assert not is_loopback("http://localhost@192.0.2.1/")


def test_cargo_s_folders_are_called_as_cargo_calls_them() -> None:
    # These four are in the home of everybody who has used cargo long enough: two protocols, two ways to hash.
    assert set(folders.of_registry(SPARSE_INDEX)) == {
        "index.crates.io-1949cf8c6b5b557f",
        "index.crates.io-6f17d22bba15001f",
        "github.com-25cdd57fae9f0462",
        "github.com-1ecc6299db9ec823",
    }
