"""What stands in the benign set, and what excuses a finding."""

from __future__ import annotations

from tests.benign.staging import Crate, Group, excused, explained, groups, programs

CLASSES = {
    "rustc probe", "cc / asm", "pkg-config / system library", "configure / make / cmake / perl", "bindgen / libclang",
    "code generation", "git / env metadata", "interpreter / platform", "proc macros, pure",
    "proc macros that touch files", "app builders", "network", "nested cargo / tests", "historical negatives",
}  # fmt: skip
NEEDY = Group("network", (Crate("needy", "1", "network", network="files.example", provide="a feature"),))


def finding(**more: str) -> dict[str, str]:
    return {"package": "needy", "code": "CS0102", "subject": "files.example", **more}


def test_the_set_has_each_class_and_more_than_five_programs() -> None:
    found = {one.kind for group in groups().values() for one in group.crates}
    assert found >= CLASSES
    assert len(programs()) > 5


def test_the_standing_group_is_about_a_third() -> None:
    distinct = {(one.name, one.version) for group in groups().values() for one in group.crates}
    assert len(distinct) >= 55
    assert len(groups()["standing"].crates) * 3 >= len(distinct)


def test_a_crate_that_needs_the_network_says_which_host_and_how_to_do_without() -> None:
    for one in groups()["network"].crates:
        assert one.network and one.provide, one.name
    assert not [
        one.name for name, group in groups().items() if name != "network" for one in group.crates if one.network
    ]


def test_each_explanation_has_a_reason() -> None:
    assert all(reason.strip() for reason in explained().values())


def test_only_the_host_that_is_told_is_excused() -> None:
    assert excused(finding(), NEEDY)
    assert not excused(finding(subject="files.example.evil.invalid"), NEEDY)
    assert not excused(finding(subject="other.example"), NEEDY)


def test_only_the_need_for_a_network_is_excused() -> None:
    assert not excused(finding(code="CS0101"), NEEDY)
    assert not excused(finding(package="another"), NEEDY)
