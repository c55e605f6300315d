"""The inventory of a resolved workspace and of a lock file alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.lockfile import LockedPackage
from sandbox.cargo.metadata import Dependency
from sandbox.errors import WorkspaceError
from sandbox.preflight.inventory import build
from sandbox.preflight.inventory.build import from_facts, from_lock
from sandbox.preflight.inventory.locked import edges, tops
from sandbox.preflight.inventory.model import Edge
from sandbox.preflight.inventory.reach import uses
from tests.unit.preflight.inventory.made import CRATES_IO, LICENCES, facts, find, inventory, locked, stated


def test_each_package_has_its_facts_and_the_licence_of_its_manifest() -> None:
    made = inventory()
    sys, derive, app = find(made, "csbench-sys"), find(made, "csbench-derive"), find(made, "app")
    assert (sys.links, sys.native, sys.has_script, sys.script) == ("answer", ("cc",), True, "no run recorded")
    assert (derive.proc_macro, derive.macro, derive.script) == (True, "no run recorded", "")
    assert (app.member, app.programs, app.origin) == (True, ("app",), ("path", "app", ""))
    assert {item.name: item.licence for item in made.items if item.use != "other"} == LICENCES
    assert [made.items[at].name for at in made.roots] == ["app", "csbench-tool"]
    assert (made.name, made.resolved) == ("ws", True)


def test_what_only_build_dependencies_and_macros_need_is_of_the_build_alone() -> None:
    assert {item.name: item.use for item in inventory().items} == {
        "app": "runtime", "csbench-tool": "runtime", "csbench-lib": "runtime", "csbench-sys": "runtime",
        "csbench-git": "runtime", "csbench-private": "runtime",
        "csbench-derive": "build", "csbench-syn": "build", "cc": "build",
        "csbench-check": "dev", "csbench-win": "other",
    }  # fmt: skip


def test_a_package_of_another_platform_is_there_with_the_edge_that_leads_to_it() -> None:
    made = inventory()
    names = {made.items[edge.item].name: edge.kinds for edge in find(made, "csbench-lib").depends}
    assert names == {"csbench-sys": ("normal",), "csbench-win": ("other",)}
    assert find(made, "csbench-win").has_script is None
    assert find(made, "csbench-win").licence.state == "unread"


def test_uses_take_the_nearest_way_and_a_cycle_ends() -> None:
    normal, build, dev = ("normal",), ("build",), ("dev",)
    # 0 -> 1 -> 0 (dev), 0 -build-> 2 -> 3, 1 -> 3, 0 -dev-> 4 -build-> 5, 6 is a macro of 0 with 7
    graph = [
        [Edge(1, normal), Edge(2, build), Edge(4, dev), Edge(6, normal)], [Edge(0, dev), Edge(3, normal)],
        [Edge(3, normal)], [], [Edge(5, build)], [], [Edge(7, normal)], [],
    ]  # fmt: skip
    assert uses(graph, [6], [0]) == ["runtime", "runtime", "build", "runtime", "dev", "dev", "build", "build"]
    assert uses(graph, [6], [6]) == ["other"] * 6 + ["build", "build"]
    assert uses([[Edge(1, ("normal", "build"))], []], [], [0]) == ["runtime", "runtime"]
    assert uses([[Edge(1, ("other",))], []], [], [0]) == ["runtime", "other"]
    # First met as a dev dependency, then as a normal one of a normal one.
    assert uses([[Edge(1, dev), Edge(2, normal)], [], [Edge(1, normal)]], [], [0]) == ["runtime"] * 3


def test_only_a_build_dependency_on_a_native_tool_says_that_native_code_is_built() -> None:
    made = facts()
    at, cc = (next(n for n, one in enumerate(made.packages) if one.name == name) for name in ("csbench-lib", "cc"))
    graph = tuple((*needs, Dependency(cc, ("normal",))) if n == at else needs for n, needs in enumerate(made.graph))
    found = from_facts(made._replace(graph=graph), locked(), stated)
    assert find(found, "csbench-lib").native == () and find(found, "csbench-sys").native == ("cc",)


def test_a_lock_file_alone_says_what_is_unknown() -> None:
    made = from_lock(locked(), "ws")
    assert not made.resolved and made.name == "ws"
    assert {item.use for item in made.items} == {"unknown"}
    assert {item.licence.state for item in made.items} == {"unread"}
    assert {(item.has_script, item.proc_macro, item.links) for item in made.items} == {(None, None, None)}
    assert any("not resolved" in note for note in made.notes)
    assert [made.items[at].name for at in made.roots] == ["app", "csbench-tool"]


def test_references_are_resolved_as_cargo_abbreviates_them() -> None:
    git = "git+https://git.acme.invalid/b"
    packages = (
        LockedPackage("a", "1.0.0", None, None, ("b 1.0.0", f"b 2.0.0 ({CRATES_IO})", f"b 2.0.0 ({git})", "c")),
        LockedPackage("b", "1.0.0", CRATES_IO),
        LockedPackage("b", "2.0.0", CRATES_IO),
        LockedPackage("b", "2.0.0", f"{git}#abc"),
        LockedPackage("c", "1.0.0", CRATES_IO, None, ("b", "gone", "b 2.0.0")),
    )
    assert edges(packages) == ([[1, 2, 3, 4], [], [], [], []], 3)
    assert any("3 references" in note for note in from_lock(packages, "x").notes)
    assert not any("references" in note for note in from_lock(packages[1:2], "x").notes)


def test_a_tree_begins_at_what_nobody_needs_even_in_a_circle() -> None:
    circle = (LockedPackage("a", "1", None, None, ("b",)), LockedPackage("b", "1", None, None, ("a",)))
    assert tops(circle, edges(circle)[0]) == (0, 1)
    alone = (LockedPackage("a", "1", CRATES_IO, None, ("b",)), LockedPackage("b", "1", CRATES_IO, None, ()))
    assert tops(alone, edges(alone)[0]) == (0,)
    ring = (LockedPackage("a", "1", CRATES_IO, None, ("b",)), LockedPackage("b", "1", CRATES_IO, None, ("a",)))
    assert tops(ring, edges(ring)[0]) == (0, 1)
    assert tops((), []) == ()


def test_the_order_of_lock_file_and_graph_does_not_matter() -> None:
    made = from_facts(facts(), tuple(reversed(locked())), stated)
    assert made == from_facts(facts(), locked(), stated)


WORDS = st.text("ab 1.()#", max_size=6)


@given(st.lists(st.builds(LockedPackage, WORDS, WORDS, WORDS | st.none(), WORDS | st.none(), st.tuples(WORDS, WORDS))))
def test_any_lock_file_gives_an_inventory_whose_edges_stay_inside(packages: list[LockedPackage]) -> None:
    made = from_lock(packages, "x")
    assert all(0 <= edge.item < len(made.items) for item in made.items for edge in item.depends)
    assert all(0 <= at < len(made.items) for at in made.roots)
    assert bool(made.roots) == bool(packages)


def test_a_lock_file_of_one_name_alone_costs_no_more_than_another() -> None:
    packages = [
        LockedPackage("a", str(at), CRATES_IO, None, ("a 7", "a", f"a 9 ({CRATES_IO})")) for at in range(20_000)
    ]
    started = time.process_time()
    graph, unclear = edges(packages)
    assert (graph[0], unclear) == ([7, 9], 20_000)
    assert time.process_time() - started < 5


def test_more_packages_than_anybody_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_PACKAGES", 10)
    for made in (lambda: from_lock(locked(), "ws"), lambda: from_facts(facts(), locked(), stated)):
        with pytest.raises(WorkspaceError, match="more than 10 packages"):
            made()
