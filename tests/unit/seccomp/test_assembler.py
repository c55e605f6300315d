"""The assembler, the reader of its source and the writer of the container's profile, beside the filters we ship."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.plan import bpf, seccomp, seccomp_inner, seccomp_outer, seccomp_source
from sandbox.plan.seccomp_source import Action, Decision
from tests.unit.seccomp import simulator as sim

TABLES = {"x86_64": {"read": 0, "write": 1, "open": 2}, "aarch64": {"read": 63, "write": 64}}
SOURCE = """
version: 2
unknown: errno ENOSYS
foreign: ask
x32: ask
groups:
  first: {action: ask, why: a test, calls: [open]}
  rest: {action: allow, why: a test, calls: [[read, write]]}
"""

verdicts = st.sampled_from([bpf.RET_ALLOW, bpf.RET_NOTIFY, bpf.RET_ERRNO | 1, bpf.RET_KILL_PROCESS])
# Few bits, so that values, masks and arguments meet.
words = st.sampled_from([0, 1, 2, 3, 8, 0x80000000, 0x8000000B])
any_of = st.builds(
    lambda arg, mask, values: bpf.Test(arg, tuple({value & mask for value in values}), mask),
    st.integers(0, 5),
    words.filter(bool),
    st.lists(words, min_size=1, max_size=3),
)
bits = st.builds(lambda arg, mask: bpf.Test(arg, (0,), mask, negated=True), st.integers(0, 5), words.filter(bool))
tests = st.lists(any_of | bits, min_size=1, max_size=3).map(tuple)
rules = st.builds(
    bpf.Rule, verdict=verdicts, cases=st.lists(st.builds(bpf.Case, tests, verdicts), max_size=3).map(tuple)
)
actions = st.sampled_from(
    [Action("allow"), Action("ask"), Action("ask", otherwise=95), Action("refuse", 1), Action("errno", 38)]
)
decisions = st.builds(Decision, actions, st.lists(st.tuples(tests, actions), max_size=2).map(tuple))
arguments = st.lists(st.builds(lambda high, low: high << 32 | low, words, words), min_size=6, max_size=6)


def pack(program: list[bpf.Instruction]) -> bytes:
    return b"".join(instruction.pack() for instruction in program)


def passes(test: bpf.Test, args: list[int]) -> bool:
    return (args[test.arg] & test.mask in test.values) != test.negated


@settings(deadline=None)
@given(
    by_number=st.dictionaries(st.integers(0, 700), rules, max_size=200),
    arch=st.sampled_from(["x86_64", "aarch64"]),
    probes=st.lists(st.tuples(st.integers(0, 800), arguments), max_size=30),
    args=arguments,
)
def test_any_rules_are_carried_out_to_the_letter(
    by_number: dict[int, bpf.Rule], arch: str, probes: list[tuple[int, list[int]]], args: list[int]
) -> None:
    unknown = bpf.Rule(bpf.RET_ERRNO | 38)
    program = bpf.assemble(arch, by_number, unknown, bpf.RET_KILL_PROCESS, bpf.RET_KILL_PROCESS, {})
    instructions = sim.decode(pack(program))
    for nr, given_args in [*((nr, args) for nr in by_number), *probes]:
        rule = by_number.get(nr, unknown)
        held = (case.verdict for case in rule.cases if all(passes(test, given_args) for test in case.tests))
        wanted = next(held, rule.verdict)
        assert sim.run(instructions, nr, bpf.AUDIT_ARCH[arch], given_args)[0] == wanted


@settings(deadline=None)
@given(decision=decisions, args=arguments, alone=st.booleans())
def test_the_inner_rule_of_a_decision_is_the_decision(decision: Decision, args: list[int], alone: bool) -> None:
    held = (action for tests, action in decision.cases if all(passes(test, args) for test in tests))
    rule = decision.rule(alone)
    found = (case.verdict for case in rule.cases if all(passes(test, args) for test in case.tests))
    assert next(found, rule.verdict) == next(held, decision.action).verdict(alone)


@pytest.mark.parametrize(
    ("action", "asking", "alone"),
    [
        (Action("allow"), bpf.RET_ALLOW, bpf.RET_ALLOW),
        (Action("ask"), bpf.RET_NOTIFY, bpf.RET_ALLOW),
        (Action("ask", otherwise=95), bpf.RET_NOTIFY, bpf.RET_ERRNO | 95),
        (Action("refuse", 1), bpf.RET_NOTIFY, bpf.RET_ERRNO | 1),
        (Action("errno", 38), bpf.RET_ERRNO | 38, bpf.RET_ERRNO | 38),
    ],
)
def test_what_is_asked_and_what_is_decided_where_nobody_can_be_asked(action: Action, asking: int, alone: int) -> None:
    assert (action.verdict(), action.verdict(alone=True)) == (asking, alone)


@settings(deadline=None)
@given(decision=decisions, args=arguments)
def test_the_container_s_patterns_exclude_each_other_and_cover_every_call(decision: Decision, args: list[int]) -> None:
    parts = seccomp_outer.partition(decision)
    fitting = [
        action
        for pattern, action in parts
        if all(args[arg] & mask == value and mask < 1 << 32 for arg, mask, value in pattern)
    ]
    assert len(fitting) == 1
    held = (action for tests, action in decision.cases if all(passes(test, args) for test in tests))
    wanted = next(held, decision.action)
    passing = ("allow", "ask")
    assert fitting[0] == wanted or (fitting[0].word in passing and wanted.word in passing)


def test_a_half_of_more_than_255_instructions_is_jumped_over() -> None:
    odd, even = bpf.Rule(bpf.RET_NOTIFY), bpf.Rule(bpf.RET_ALLOW)
    by_number = {nr: odd if nr % 2 else even for nr in range(1200)}
    program = bpf.assemble("aarch64", by_number, even, bpf.RET_KILL_PROCESS, bpf.RET_KILL_PROCESS, {})
    instructions = sim.decode(pack(program))
    assert any(code == 0x05 for code, *_ in instructions)
    for nr in range(1201):
        assert sim.run(instructions, nr, sim.AARCH64)[0] == (sim.NOTIFY if nr % 2 and nr < 1200 else sim.ALLOW)


def test_a_program_that_the_kernel_would_not_take_is_refused() -> None:
    by_number = {nr: bpf.Rule(bpf.RET_ERRNO | nr % 2) for nr in range(3000)}
    with pytest.raises(ValueError, match="4096"):
        bpf.assemble("x86_64", by_number, bpf.Rule(bpf.RET_ALLOW), bpf.RET_ALLOW, bpf.RET_ALLOW, {})


def test_a_case_that_would_jump_too_far_is_refused() -> None:
    values = tuple(range(200))
    case = bpf.Case((bpf.Test(0, values), bpf.Test(1, values)), bpf.RET_ALLOW)
    with pytest.raises(ValueError, match="too many"):
        bpf.assemble("x86_64", {0: bpf.Rule(1, (case,))}, bpf.Rule(1), bpf.RET_ALLOW, bpf.RET_ALLOW, {})


def test_the_text_form_reads_back_as_the_same_filter() -> None:
    source = seccomp_source.read_source(SOURCE.replace("action: ask", "action: refuse EPERM"), TABLES, "standard")
    program = seccomp_inner.program("x86_64", source, TABLES["x86_64"])
    read = seccomp.parse(seccomp_inner.render("x86_64", source, TABLES["x86_64"]))
    assert read == seccomp.Filter(pack(program), ((2, 1),))
    assert read.digest != seccomp.Filter(pack(program)).digest, "what the guard refuses is part of the filter"


def test_what_the_guard_needs_passes_in_the_container_and_not_in_the_build() -> None:
    text = SOURCE.replace("calls: [open]", "calls: [open], guard: true").replace("ask, why", "refuse EPERM, why")
    source = seccomp_source.read_source(text, TABLES, "standard")
    assert source.calls["open"].rule() == bpf.Rule(bpf.RET_NOTIFY)
    profile = json.loads(seccomp_outer.profile(source))
    assert [rule["names"] for rule in profile["syscalls"]] == [["open", "read", "write"]]


@pytest.mark.parametrize(("level", "verdict"), [("standard", bpf.RET_NOTIFY), ("strict", bpf.RET_ERRNO | 1)])
def test_a_level_may_have_an_action_of_its_own(level: str, verdict: int) -> None:
    text = SOURCE.replace("ask, why", "ask, strict: errno EPERM, why")
    assert seccomp_source.read_source(text, TABLES, level).calls["open"].rule().verdict == verdict


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[open]", "[opne]", "no syscall is named 'opne'"),
        ("[open]", "[open, open]", "another group"),
        ("[open]", "[]", "no group has open"),
        ("action: ask", "action: aks", "not an action"),
        ("action: ask", "action: ask EPERM", "not an action"),
        ("action: ask", "action: ask else", "not an action"),
        ("action: ask", "action: ask else ENOTHING", "not an action"),
        ("action: ask", "action: refuse else EPERM", "not an action"),
        ("action: ask", "action: errno ENOTHING", "not an action"),
        ("action: ask", "action: allow EPERM", "not an action"),
        ("action: ask", "action: refuse", "not an action"),
        ("why: a test, ", "", "expected"),
        ("why: a test", "why: a test, strict: aks", "twice|not an action|expected"),
        ("why: a test", "why: a test, wen: {}", "expected"),
        ("why: a test", "why: a test, cases: [{then: allow}]", "then, when"),
        ("why: a test", "why: a test, cases: [{then: allow, when: []}]", "then, when"),
        ("why: a test", "why: a test, cases: [{then: allow, when: [{arg: 0}]}]", "any-of"),
        ("why: a test", "why: a test, cases: [{then: allow, when: [{arg: 6, any-of: {A: 1}}]}]", "0 to 5"),
        ("why: a test", "why: a test, cases: [{then: allow, when: [{arg: 0, any-of: {}}]}]", "named numbers"),
        ("why: a test", "why: a test, cases: [{then: allow, when: [{arg: 0, any-of: {A: 4294967296}}]}]", "32 bits"),
        ("why: a test", "why: a test, cases: [{then: allow, when: [{arg: 0, mask: 1, any-of: {A: 2}}]}]", "its mask"),
        (
            "ask, why: a test",
            "refuse EPERM, why: a test, cases: [{then: refuse ENOSYS, when: [{arg: 0, any-of: {A: 2}}]}]",
            "which error",
        ),
        ("why: a test", "why: a test, why: again", "twice"),
        ("version: 2", "version: 1", "version 2"),
        ("foreign: ask", "foregin: ask", "version 2"),
        ("groups:", "groups: [", "calls.yaml"),
        ("  first", "  first: {action: allow, why: x, calls: [read]}\n  first", "twice"),
    ],
)
def test_a_mistake_in_the_source_is_an_error_never_a_hole(old: str, new: str, complaint: str) -> None:
    with pytest.raises(seccomp_source.SourceError, match=complaint):
        seccomp_source.read_source(SOURCE.replace(old, new, 1), TABLES, "strict")


@pytest.mark.parametrize(
    "text", ["{}", '{"x86_64": {"a": 1, "b": 1}, "aarch64": {}}', '{"x86_64": {"a": "1"}, "aarch64": {}}']
)
def test_a_table_with_a_mistake_is_an_error(text: str) -> None:
    with pytest.raises(seccomp_source.SourceError, match=r"syscalls\.json"):
        seccomp_source.read_tables(text)
