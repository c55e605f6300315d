"""What each word of the language of rules asks for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.behaviour.model import Fact
from sandbox.judge.rules.globs import PatternError, globs
from sandbox.judge.rules.judge import judge
from tests.unit.judge.rules.samples import fact, found, rule, run, unit

DENIED = {"outcome": "denied"}


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("$HOME/.ssh/**", "$HOME/.ssh/id_rsa", True),
        ("$HOME/.ssh/**", "$HOME/.sshx/id_rsa", False),
        ("**/.env", "$SRC/a/.env", True),
        ("**/.env", "$SRC/a/x.env", False),
        ("**/tdata/**", "/a/tdata/b", True),
        ("$TMP/.*", "$TMP/.x", True),
        ("$TMP/.*", "$TMP/.x/y", False),
        ("python*", "python3", True),
        ("python*", "ipython3", False),
        ("/sys/fs/**/release_agent", "/sys/fs/cgroup/a/release_agent", True),
        ("a/*/c/**/d*", "a/b/c/x/y/d9", True),
        ("a/*/c/**/d*", "a/b/b/c/x/d9", False),
        ("*-gcc*", "x86_64-linux-gnu-gcc-12", True),
        ("**/a*/**b", "x/a1/a2/zb", True),
        ("a.c", "abc", False),
    ],
)
def test_globs_match_as_documented(pattern: str, text: str, expected: bool) -> None:
    assert globs([pattern]).matches(text) is expected
    assert globs(["other", pattern]).matches(text) is expected


@pytest.mark.parametrize("pattern", ["", "a***b", "**/a*b"])
def test_patterns_that_are_slow_or_mean_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        globs([pattern])


def test_a_hostile_name_can_not_make_matching_slow() -> None:
    patterns = globs(["$HOME/**/a/**/a/**/b*", "*a*a*a*a", "**a/**a/*/**b"])
    begun = time.process_time()
    for text in ("$HOME" + "/a" * 20_000, "a" * 20_000 + "/", "a/" * 20_000):
        assert not patterns.matches(text)
    assert time.process_time() - begun < 1


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=10))
def test_globs_agree_with_the_plain_definition(pattern: str, text: str) -> None:
    def plain(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern.startswith("**"):
            return any(plain(pattern[2:], text[at:]) for at in range(len(text) + 1))
        if pattern[0] == "*":
            ends = [at for at in range(len(text) + 1) if "/" not in text[:at]]
            return any(plain(pattern[1:], text[at:]) for at in ends)
        return text[:1] == pattern[0] and plain(pattern[1:], text[1:])

    try:
        made = globs([pattern])
    except PatternError:
        return
    assert made.matches(text) is plain(pattern, text)


def test_an_object_is_looked_for_where_links_lead_and_renames_go() -> None:
    when = {"class": ["read", "write"], "object": "$HOME/.ssh/id_rsa"}
    assert found(when, fact("read", "read", "$SRC/link", 1, real="$HOME/.ssh/id_rsa"))
    assert found(when, fact("write", "rename", "$TMP/x", 1, to="$HOME/.ssh/id_rsa"))
    assert not found(when, fact("write", "symlink", "$TMP/x", 1, text="$HOME/.ssh/id_rsa"))


def test_a_program_is_known_by_its_file_its_given_name_and_its_real_place() -> None:
    when = {"class": "exec", "program": ["curl"]}
    assert found(when, fact("exec", "exec", "/usr/bin/curl"))
    assert found(when, fact("exec", "exec", "/bin/busybox", called="curl"))
    assert found(when, fact("exec", "exec", "$OUT_DIR/x", real="/usr/bin/curl"))
    assert not found(when, fact("exec", "exec", "/usr/bin/curlew"))


def test_dns_names_are_compared_as_name_servers_do() -> None:
    assert found({"class": "dns", "object": "api.example.org"}, fact("dns", "ask", "API.Example.org."))


def test_a_chain_is_looked_through_and_a_parent_is_its_end() -> None:
    act = fact("exec", "exec", "/usr/bin/curl", 1, chain="$SCRIPT/b /usr/bin/make /bin/sh")
    assert found({"class": "exec", "chain": ["make"]}, act)
    assert found({"class": "exec", "parent": ["sh"]}, act)
    assert not found({"class": "exec", "parent": ["make"]}, act)
    assert not found({"class": "exec", "chain_not": ["make"]}, act)


def test_an_empty_detail_asks_that_it_is_absent() -> None:
    loopback, outside = fact("network", "connect", "127.0.0.1:80", 1), fact("network", "connect", "a:1", 2, **DENIED)
    assert [one.subject for one in found({"class": "network", "detail": {"outcome": ""}}, loopback, outside)] == [
        "127.0.0.1:80"
    ]
    assert found({"class": "network", "detail": DENIED}, outside)


def test_changes_leave_reading_out() -> None:
    assert not found({"class": "decoy", "changes": True}, fact("decoy", "read", "$HOME/.bashrc", 1))
    assert found({"class": "decoy", "changes": True}, fact("decoy", "rename", "$HOME/.bashrc", 1))


def test_count_counts_acts_and_distinct_different_objects() -> None:
    twice = fact("read", "read", "/a", 1, count=2)
    assert found({"class": "read", "count": 2}, twice)
    assert not found({"class": "read", "count": 3}, twice)
    assert not found({"class": "read", "distinct": 2}, twice)
    assert found({"class": "read", "distinct": 2}, twice, fact("read", "read", "/b", 3))


def test_places_are_the_folders_below_a_root() -> None:
    when = {"class": "read", "distinct": 2, "of": "place"}
    assert not found(when, fact("read", "read", "$HOME/.ssh/a", 1), fact("read", "read", "$HOME/.ssh/b", 2))
    assert found(when, fact("read", "read", "$HOME/.config/gh/a", 1), fact("read", "read", "$HOME/.config/op/b", 2))


def test_zones_count_the_names_below_each_for_itself() -> None:
    when = {"class": "dns", "distinct": 2, "of": "zone", "label": 4}
    assert not found(when, fact("dns", "ask", "aaaa.one.net", 1), fact("dns", "ask", "bbbb.two.net", 2))
    assert found(when, fact("dns", "ask", "aaaa.one.net", 1), fact("dns", "ask", "bbbb.one.net", 2))
    assert not found(when, fact("dns", "ask", "a.one.net", 1), fact("dns", "ask", "bbb.one.net", 2))


def test_a_port_must_be_there_to_be_unusual() -> None:
    when = {"class": "network", "ports_not": [443]}
    assert found(when, fact("network", "connect", "192.0.2.1:4444", 1))
    assert found(when, fact("network", "connect", "[2001:db8::1]:4444", 1))
    assert not found(when, fact("network", "connect", "192.0.2.1:443", 1))
    assert not found(when, fact("network", "connect", "unix /run/x", 1))


def test_a_sequence_asks_for_the_order_of_events() -> None:
    when = {"sequence": [{"class": "decoy"}, {"class": "dns"}]}
    assert found(when, fact("decoy", "read", "/a", 3), fact("dns", "ask", "b", 5))
    assert not found(when, fact("decoy", "read", "/a", 5), fact("dns", "ask", "b", 3))
    assert found(when, fact("decoy", "read", "/a", 5), fact("dns", "ask", "b", 3, 9))


def test_what_happened_more_often_than_is_listed_may_have_happened_later() -> None:
    when = {"sequence": [{"class": "decoy"}, {"class": "dns"}]}
    asked = fact("dns", "ask", "b", 1, 2, 3, count=4)
    assert found(when, fact("decoy", "read", "/a", 5), asked)


def test_a_sequence_may_ask_for_one_object() -> None:
    steps = [{"class": "write"}, {"class": "exec"}]
    when = {"sequence": steps, "same": "object"}
    assert found(when, fact("write", "write", "$TMP/a", 1), fact("exec", "exec", "$TMP/a", 2))
    assert not found(when, fact("write", "write", "$TMP/a", 1), fact("exec", "exec", "$TMP/b", 2))
    assert found(when, fact("write", "rename", "$TMP/x", 1, to="$TMP/a"), fact("exec", "exec", "$TMP/a", 2))


def test_across_units_binds_only_places_that_all_name_alike() -> None:
    made = rule({"across": {"there": {"class": "write"}, "here": {"class": "exec"}}})

    def across(written: str, run_: str, name: str = "u2") -> int:
        writer = unit(fact("write", "write", written, 1), name=name, package="good")
        return len(judge(run(unit(fact("exec", "exec", run_, 9)), writer), {}, None, (made,)))

    assert across("$TMP/a", "$TMP/a") == 1
    assert across("$TMP/a", "$TMP/b") == 0
    assert across("$OUT_DIR/a", "$OUT_DIR/a") == 0
    assert across("$TMP/tmp<random>", "$TMP/tmp<random>") == 0
    alone = unit(fact("exec", "exec", "$TMP/a", 9), fact("write", "write", "$TMP/a", 1))
    assert not judge(run(alone), {}, None, (made,))


def test_roles_and_macros_are_the_units() -> None:
    reads = fact("read", "read", "/a", 1)
    made = rule({"all": [{"role": ["rustc"]}, {"macros": "any"}, {"class": "read"}]})
    assert not judge(run(unit(reads)), {}, None, (made,))
    assert not judge(run(unit(reads, role="rustc")), {}, None, (made,))
    assert judge(run(unit(reads, role="rustc", macros=("$BUILD/libm.so",))), {}, None, (made,))


def test_a_benign_twin_takes_the_finding_away() -> None:
    twin = {"class": "exec", "program": ["cc"]}
    ran = fact("exec", "exec", "$OUT_DIR/x", 3)
    assert found({"class": "exec", "object": "$OUT_DIR/**"}, ran, **{"not": twin})
    assert not found(
        {"class": "exec", "object": "$OUT_DIR/**"}, ran, fact("exec", "exec", "/usr/bin/cc"), **{"not": twin}
    )


FACTS = st.lists(
    st.builds(
        fact,
        st.sampled_from(["read", "write", "exec", "dns", "decoy"]),
        st.sampled_from(["read", "write", "exec", "ask"]),
        st.sampled_from(["$TMP/a", "$TMP/b", "$HOME/.ssh/id_rsa", "x.example.net", "/usr/bin/curl"]),
        st.integers(1, 20),
    ),
    max_size=8,
    unique_by=lambda one: (one.kind, one.act, one.object),
)


@given(FACTS, st.randoms())
def test_findings_do_not_depend_on_the_order_of_facts(facts: list[Fact], random: object) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    mixed = unit()
    one, other = (judge(run(type(mixed)(mixed.key, 1, tuple(order), unit="u1")), {}) for order in (facts, shuffled))
    assert one == other
