"""The assembler and the reader of its source, beside the one filter that we ship."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.plan import bpf, seccomp, seccomp_source
from tests.unit.seccomp import simulator as sim

TABLES = {"x86_64": {"read": 0, "write": 1, "open": 2}, "aarch64": {"read": 63, "write": 64}}
SOURCE = """
version: 1
otherwise: allow
unknown: errno ENOSYS
foreign: kill
x32: kill
groups:
  first: {action: notify, why: a test, calls: [open]}
"""

verdicts = st.sampled_from([bpf.RET_ALLOW, bpf.RET_NOTIFY, bpf.RET_ERRNO | 1, bpf.RET_KILL_PROCESS])
conditions = st.builds(
    bpf.Condition,
    arg=st.integers(0, 5),
    values=st.lists(st.integers(0, 0xFFFF_FFFF), min_size=1, max_size=5, unique=True).map(tuple),
    negated=st.booleans(),
)
rules = st.builds(bpf.Rule, verdict=verdicts, when=st.none() | conditions, otherwise=verdicts)


def pack(program: list[bpf.Instruction]) -> bytes:
    return b"".join(instruction.pack() for instruction in program)


@given(
    by_number=st.dictionaries(st.integers(0, 700), rules, max_size=400),
    arch=st.sampled_from(["x86_64", "aarch64"]),
    probes=st.lists(
        st.tuples(st.integers(0, 800), st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6)), max_size=30
    ),
)
def test_any_rules_are_carried_out_to_the_letter(
    by_number: dict[int, bpf.Rule], arch: str, probes: list[tuple[int, list[int]]]
) -> None:
    unknown = bpf.Rule(bpf.RET_ERRNO | 38)
    program = bpf.assemble(arch, by_number, unknown, bpf.RET_KILL_PROCESS, bpf.RET_KILL_PROCESS, {})
    instructions = sim.decode(pack(program))
    numbers = [(nr, [0] * 6) for nr in by_number]
    for nr, rule in by_number.items():
        if rule.when:
            for value in rule.when.values:
                args = [0xAAAA_AAAA_0000_0000] * 6
                args[rule.when.arg] |= value
                numbers.append((nr, args))
    for nr, args in numbers + probes:
        rule = by_number.get(nr, unknown)
        wanted = rule.verdict
        if rule.when and ((args[rule.when.arg] & 0xFFFF_FFFF) in rule.when.values) == rule.when.negated:
            wanted = rule.otherwise
        assert sim.run(instructions, nr, bpf.AUDIT_ARCH[arch], args)[0] == wanted


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


def test_the_text_form_reads_back_as_the_same_program() -> None:
    source = seccomp_source.read_source(SOURCE, TABLES)
    program = seccomp_source.program("x86_64", source, TABLES["x86_64"])
    assert seccomp.parse(seccomp_source.render("x86_64", program)) == pack(program)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[open]", "[opne]", "no syscall is named 'opne'"),
        ("[open]", "[open, open]", "another group"),
        ("notify", "notfy", "not an action"),
        ("notify", "errno ENOTHING", "not an action"),
        ("why: a test, ", "", "expected"),
        ("why: a test", "why: a test, wen: {}", "expected"),
        ("why: a test", "why: a test, when: {arg: 0}", "any-of"),
        ("why: a test", "why: a test, when: {arg: 6, any-of: {A: 1}}", "0 to 5"),
        ("why: a test", "why: a test, when: {arg: 0, any-of: {}}", "named numbers"),
        ("why: a test", "why: a test, when: {arg: 0, any-of: {A: 4294967296}}", "32 bits"),
        ("why: a test", "why: a test, why: again", "twice"),
        ("version: 1", "version: 2", "version 1"),
        ("foreign: kill", "foregin: kill", "version 1"),
        ("groups:", "groups: [", "inner.yaml"),
        ("  first", "  first: {action: allow, why: x, calls: [read]}\n  first", "twice"),
    ],
)
def test_a_mistake_in_the_source_is_an_error_never_a_hole(old: str, new: str, complaint: str) -> None:
    with pytest.raises(seccomp_source.SourceError, match=complaint):
        seccomp_source.read_source(SOURCE.replace(old, new), TABLES)


@pytest.mark.parametrize(
    "text", ["{}", '{"x86_64": {"a": 1, "b": 1}, "aarch64": {}}', '{"x86_64": {"a": "1"}, "aarch64": {}}']
)
def test_a_table_with_a_mistake_is_an_error(text: str) -> None:
    with pytest.raises(seccomp_source.SourceError, match=r"syscalls\.json"):
        seccomp_source.read_tables(text)
