"""Which names may come from which source: dependency confusion, and its benign twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.preflight.sources import rules
from tests.unit.preflight.sources.make import ACME, NAMES_ACME, OTHER, PUBLIC, codes, details, locked, subject, wishes

INTERNAL = wishes(("acme-*", "registry:acme"))


def test_an_internal_name_from_the_public_registry_is_confusion(tmp_path: Path) -> None:
    packages = (locked("csbench-app", "0.1.0", None, "acme-util"), locked("acme-util"))
    answer = rules.run(subject(tmp_path, *packages, rules=INTERNAL, tree=NAMES_ACME))
    assert codes(answer) == ["CS0501"] and answer.state == "done"
    (found,) = answer.findings
    assert (found.severity, found.package, found.version) == ("critical", "acme-util", "1.2.0")
    assert "crates.io" in found.detail and "registry:acme" in found.detail
    assert found.tree == ("required by csbench-app 0.1.0",)


def test_an_internal_name_from_its_own_registry_is_as_it_should_be(tmp_path: Path) -> None:
    answer = rules.run(
        subject(tmp_path, locked("acme-util", source=ACME), locked("serde"), rules=INTERNAL, tree=NAMES_ACME)
    )
    assert (answer.state, answer.findings, answer.looked_at) == ("done", (), 2)


@pytest.mark.parametrize("name", ["acme_util", "Acme-Util", "acme-"])
def test_spelling_a_name_in_another_way_does_not_get_around_a_rule(tmp_path: Path, name: str) -> None:
    assert codes(rules.run(subject(tmp_path, locked(name), rules=INTERNAL, tree=NAMES_ACME))) == ["CS0501"]


@pytest.mark.parametrize("source", [OTHER, "git+https://git.invalid/acme?rev=0123456#0123456", "registry+file:///acme"])
def test_no_other_source_will_do(tmp_path: Path, source: str) -> None:
    assert codes(rules.run(subject(tmp_path, locked("acme-util", source=source), rules=INTERNAL, tree=NAMES_ACME))) == [
        "CS0501"
    ]


def test_the_workspace_s_own_packages_are_not_from_elsewhere(tmp_path: Path) -> None:
    answer = rules.run(subject(tmp_path, locked("acme-app", source=None), rules=INTERNAL, tree=NAMES_ACME))
    assert (answer.state, answer.findings) == ("done", ())


def test_the_most_particular_rule_counts(tmp_path: Path) -> None:
    both = wishes(("*", "crates-io"), ("acme-*", "registry:acme"), ("acme-open-*", "crates-io"))
    packages = (locked("acme-open-x"), locked("serde"), locked("acme-util", source=ACME))
    assert not rules.run(subject(tmp_path, *packages, rules=both, tree=NAMES_ACME)).findings


def test_two_rules_for_one_pattern_allow_both_sources(tmp_path: Path) -> None:
    both = wishes(("acme-*", "registry:acme"), ("acme-*", "git:https://git.invalid/acme/*"))
    git = "git+https://git.invalid/acme/util.git?rev=0123456#0123456"
    packages = (locked("acme-a", source=ACME), locked("acme-b", source=git), locked("acme-c", source=OTHER))
    answer = rules.run(subject(tmp_path, *packages, rules=both, tree=NAMES_ACME))
    assert [item.package for item in answer.findings] == ["acme-c"]


def test_a_registry_that_nobody_knows_is_not_taken_on_trust(tmp_path: Path) -> None:
    answer = rules.run(subject(tmp_path, locked("acme-util", source=ACME), rules=INTERNAL))
    assert answer.state == "not done" and "registry:acme" in answer.why and not answer.findings


def test_what_comes_from_crates_io_comes_from_no_other_registry_whoever_knows_it(tmp_path: Path) -> None:
    answer = rules.run(subject(tmp_path, locked("acme-util"), rules=INTERNAL, tree=None))
    assert codes(answer) == ["CS0501"]


def test_a_registry_may_be_named_by_the_environment(tmp_path: Path) -> None:
    env = {"CARGO_REGISTRIES_ACME_INDEX": ACME}
    answer = rules.run(subject(tmp_path, locked("acme-util", source=ACME), rules=INTERNAL, env=env))
    assert (answer.state, answer.findings) == ("done", ())


def test_a_rule_may_give_the_index_itself(tmp_path: Path) -> None:
    rule = wishes(("acme-*", ACME.rstrip("/")))
    packages = (locked("acme-a", source=ACME), locked("acme-b", source=OTHER))
    assert [item.package for item in rules.run(subject(tmp_path, *packages, rules=rule)).findings] == ["acme-b"]


def test_an_internal_name_without_a_rule_is_told_when_it_is_public(tmp_path: Path) -> None:
    names = wishes(internal=("acme-*",))
    packages = (locked("acme-util"), locked("acme-own", source=ACME), locked("serde"))
    answer = rules.run(subject(tmp_path, *packages, rules=names))
    assert [(item.code, item.package) for item in answer.findings] == [("CS0502", "acme-util")]


def test_a_rule_can_say_that_an_internal_name_is_public(tmp_path: Path) -> None:
    names = wishes(("acme-util", "crates-io"), internal=("acme-*",))
    assert not rules.run(subject(tmp_path, locked("acme-util"), rules=names)).findings


def test_a_source_that_is_not_allowed_is_told_once_with_its_packages(tmp_path: Path) -> None:
    allowed = wishes(allowed=("crates-io", "registry:acme"))
    packages = (locked("a"), locked("b", source=ACME), *(locked(f"x{n}", source=OTHER) for n in range(60)))
    answer = rules.run(subject(tmp_path, *packages, rules=allowed, tree=NAMES_ACME))
    assert codes(answer) == ["CS0503"]
    assert "60 packages" in details(answer) and "index.other.invalid" in details(answer)
    assert answer.findings[0].tree[0] == "x0 1.2.0" and answer.findings[0].tree[-1] == "… and 10 more"


def test_the_two_protocols_of_crates_io_are_one_source(tmp_path: Path) -> None:
    packages = (locked("a"), locked("b", source="sparse+https://index.crates.io/"))
    assert not rules.run(subject(tmp_path, *packages, rules=wishes(allowed=("crates-io",)))).findings


@pytest.mark.parametrize(
    "source",
    [
        "registry+http://github.com/rust-lang/crates.io-index",
        "registry+https://github.com.evil.invalid/rust-lang/crates.io-index",
        "registry+https://github.com/rust-lang/crates.io-index?x",
        "sparse+https://index.crates.io.invalid/",
        "sparse+https://github.com/rust-lang/crates.io-index",
        "what is this",
        "",
    ],
)
def test_what_only_looks_like_crates_io_is_not(tmp_path: Path, source: str) -> None:
    answer = rules.run(subject(tmp_path, locked("a", source=source), rules=wishes(allowed=("crates-io",))))
    assert codes(answer) == ["CS0503"]


def test_without_rules_it_says_so(tmp_path: Path) -> None:
    answer = rules.run(subject(tmp_path, locked("a", source=PUBLIC)))
    assert answer.notes == ("no rules: [sources] is empty",)
