"""The tree: golden files, filters, directions, repetition, and text of the worst kind.

CARGO_SANDBOX_GOLDEN=write writes the golden files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.preflight.inventory import marks, summary, tree, tree_json
from sandbox.preflight.inventory.build import from_lock
from sandbox.preflight.inventory.licences import spdx_ids
from sandbox.preflight.inventory.model import Code, Edge, Inventory
from sandbox.preflight.inventory.tree import Look, can_draw, text
from sandbox.preflight.inventory.view import Asked, FilterUnknown, NoSuchPackage, view
from tests.unit.preflight.inventory.made import after_a_run, find, hostile, inventory, locked

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "inventory"
SCHEMA = json.loads((ROOT / "sandbox" / "preflight" / "schema" / "tree-v1.schema.json").read_text())


ALL, PLAIN = Asked(), Look()


def shown(made: Inventory, asked: Asked = ALL, look: Look = PLAIN) -> list[str]:
    """The lines of the tree alone."""
    return text(made, view(made, asked), look).split("\n\n")[0].split("\n")


def names(lines: list[str]) -> list[str]:
    return [line.lstrip("├─└│ ").split(" ")[0] for line in lines]


def golden(name: str, found: str) -> None:
    path = GOLDEN / name
    if os.environ.get("CARGO_SANDBOX_GOLDEN") == "write":
        path.write_text(found + "\n")
    assert found + "\n" == path.read_text()


@pytest.mark.parametrize("case", ["before", "after", "lock"])
def test_the_tree_is_its_golden_file(case: str) -> None:
    made = {"before": inventory(), "after": after_a_run(), "lock": from_lock(locked(), "ws")}[case]
    golden(f"tree-{case}.txt", text(made, view(made, Asked()), Look()))


def test_the_tree_without_line_signs_and_with_colours_is_its_golden_file() -> None:
    made = after_a_run()
    golden("tree-ascii.txt", text(made, view(made, Asked("csbench-lib")), Look(drawn=False)))
    coloured = text(made, view(made, Asked(only=("findings",))), Look(colour=True))
    golden("tree-colour.txt", coloured.replace("\x1b", "ESC"))


def test_the_licence_summary_is_its_golden_file_and_fits_the_schema() -> None:
    made = inventory()
    groups = summary.groups(made, view(made, Asked()), spdx_ids())
    golden("licences.txt", summary.text(groups, made.notes))
    data = json.loads(tree_json.to_json(made, view(made, Asked()), {"licences": summary.to_json(groups)}))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert data["licences"][0]["count"] == 3, "MIT OR Apache-2.0 and Apache-2.0 OR MIT are one"


@pytest.mark.parametrize("made", [inventory(), after_a_run(), hostile(), from_lock(locked(), "ws"), from_lock((), "x")])
def test_its_json_fits_the_schema_and_is_plain_ascii(made: Inventory) -> None:
    out = tree_json.to_json(made, view(made, Asked()))
    assert out.isascii() and "\x1b" not in out and "secret" not in out
    data = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    ids = [one["id"] for one in data["packages"]]
    assert len(set(ids)) == len(ids)
    assert {edge["id"] for one in data["packages"] for edge in one["needs"]} <= {*ids, *data["elsewhere"]}


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        ("build-scripts", {"app", "csbench-sys", "csbench-syn"}),
        ("macros", {"csbench-derive"}),
        ("native", {"csbench-sys"}),
        ("findings", {"csbench-sys", "csbench-lib"}),
        ("new", {"csbench-sys"}),
    ],
)
def test_a_filter_keeps_what_fits_and_the_way_to_it(only: str, wanted: set[str]) -> None:
    made = after_a_run()
    seen = view(made, Asked(only=(only,)))
    assert seen.wanted is not None
    assert {made.items[at].name for at in seen.wanted} == wanted
    lines = shown(made, Asked(only=(only,)))
    with_marks = {name for name, line in zip(names(lines), lines, strict=True) if "[" in line}
    assert with_marks == wanted
    assert lines[0].startswith("app 1.2.3")


def test_filters_add_up() -> None:
    made = after_a_run()
    seen = view(made, Asked(only=("macros", "native")))
    assert seen.wanted is not None and {made.items[at].name for at in seen.wanted} == {"csbench-derive", "csbench-sys"}


def test_a_filter_that_fits_nothing_says_so() -> None:
    made = after_a_run()
    assert shown(made, Asked("csbench-git", only=("macros",))) == ["nothing fits"]


@pytest.mark.parametrize("only", ["new", "findings"])
def test_a_filter_about_what_is_unknown_is_an_error_and_not_an_empty_tree(only: str) -> None:
    with pytest.raises(FilterUnknown):
        view(inventory(), Asked(only=(only,)))


@pytest.mark.parametrize("only", ["build-scripts", "macros", "native", "new", "findings"])
def test_a_lock_file_alone_answers_no_filter(only: str) -> None:
    with pytest.raises(FilterUnknown):
        view(from_lock(locked(), "ws"), Asked(only=(only,)))


def test_findings_may_be_asked_for_where_a_check_warned_without_a_run() -> None:
    made = from_lock(locked(), "ws")
    items = tuple(replace(one, warnings=(Code("CS0551", "high"),) if one.name == "cc" else ()) for one in made.items)
    lines = shown(replace(made, items=items), Asked(only=("findings",)))
    assert [line.endswith("cc 1.2.3 [CS0551 high]") for line in lines].count(True) == 1


def test_a_tree_may_begin_at_a_package_and_go_upwards() -> None:
    made = inventory()
    assert names(shown(made, Asked("csbench-lib"))) == ["csbench-lib", "csbench-sys", "cc"]
    assert names(shown(made, Asked("cc", inverted=True))) == ["cc", "csbench-sys", "csbench-lib", "app", "csbench-tool"]
    assert names(shown(made, Asked("cc@1.2.3"))) == ["cc"]
    for other in ("cc@1.2.4", "c", "", "@1.2.3"):
        if other:
            with pytest.raises(NoSuchPackage):
                view(made, Asked(other))


def test_the_depth_is_counted_below_the_start() -> None:
    made = inventory()
    assert names(shown(made, look=Look(depth=0))) == ["app", "csbench-tool"]
    assert "cc" not in names(shown(made, look=Look(depth=2)))
    assert "cc" in names(shown(made, look=Look(depth=3)))


def test_what_was_shown_is_not_shown_again_unless_it_is_asked_for() -> None:
    made = inventory()
    assert [line for line in shown(made) if "(*)" in line] == ["└── csbench-lib 1.2.3 (*)"]
    again = shown(made, look=Look(dedupe=False))
    assert names(again).count("cc") == 2 and not any("(*)" in line for line in again)


def circle() -> Inventory:
    made = inventory()
    cc = next(at for at, item in enumerate(made.items) if item.name == "cc")
    app = made.roots[0]
    items = [replace(item, depends=(Edge(app, ("dev",)),)) if at == cc else item for at, item in enumerate(made.items)]
    return replace(made, items=tuple(items))


def test_a_circle_ends_with_a_mark() -> None:
    for dedupe in (True, False):
        lines = shown(circle(), look=Look(dedupe=dedupe))
        assert any(line.endswith("app 1.2.3 (dev) (cycle)") for line in lines)


def test_a_tree_that_would_grow_beyond_measure_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_LINES", 500)
    made = inventory()
    chain = [Edge(0, ("normal",))]
    items = tuple(
        replace(made.items[0], name=f"p{at}", depends=tuple(edge._replace(item=at + 1) for edge in chain * 2))
        for at in range(40)
    )
    # Two packages at each level, both of which need both of the next: 2^20 ways.
    wide = tuple(
        replace(item, depends=tuple(Edge(to, ("normal",)) for to in ((at | 1) + 1, (at | 1) + 2) if to < 40))
        for at, item in enumerate(items)
    )
    lines = shown(replace(made, items=wide, roots=(0,)), look=Look(dedupe=False))
    assert len(lines) == 501 and lines[-1] == "the tree was cut after 500 lines"
    assert len(shown(replace(made, items=wide, roots=(0,)))) < 100


def test_a_chain_of_ten_thousand_packages_ends_no_stack_and_no_disk() -> None:
    made = inventory()
    items = tuple(
        replace(made.items[0], name=f"p{at}", depends=(Edge(at + 1, ("normal",)),) if at < 9999 else ())
        for at in range(10_000)
    )
    lines = shown(replace(made, items=items, roots=(0,)))
    assert len(lines) == tree.MAX_DEPTH + 1 and lines[-1].endswith("p200 1.2.3 (deeper)")
    assert max(map(len, lines)) < 2000
    assert names(shown(replace(made, items=items, roots=(0,)), Asked("p9998"))) == ["p9998", "p9999"]


def test_text_of_the_worst_kind_moves_no_cursor_and_forges_no_line() -> None:
    made = hostile()
    for look in (Look(), Look(drawn=False, dedupe=False)):
        out = text(made, view(made, Asked()), look)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", out)
    lines = shown(made)
    assert len(lines) == len(shown(after_a_run()))
    assert max(map(len, lines)) < 4000
    groups = summary.groups(made, view(made, Asked()), spdx_ids())
    out = summary.text(groups, made.notes)
    assert "\x1b" not in out and "\u202e" not in out and len(out) < 20_000


def test_the_legend_explains_each_mark_that_is_there_and_no_other() -> None:
    made = after_a_run()
    whole = text(made, view(made, Asked()), Look())
    tree_part, legend = whole.split("\n\n")[:2]
    explained = {line.split("  ")[0] for line in legend.splitlines()}
    kinds = {mark.kind for at in view(made, Asked()).inside for mark in marks.of_item(made.items[at])}
    assert explained == kinds | {"(build)", "(dev)", "(*)", "(unmarked)"}
    assert "git" in explained and "git https://git.acme.invalid/csbench-git#01234567" in tree_part
    assert all(kind in marks.LEGEND for kind in kinds)


def test_a_missing_or_malformed_checksum_of_a_registry_is_marked() -> None:
    item = find(inventory(), "cc")
    assert "none checksum" not in str(list(marks.of_item(item)))
    assert [mark.kind for mark in marks.of_item(replace(item, checksum="", use="runtime"))] == ["no checksum"]
    assert [mark.kind for mark in marks.of_item(replace(item, checksum="x", use="runtime"))] == ["bad checksum"]


def test_lines_are_drawn_only_where_the_terminal_has_them() -> None:
    assert can_draw("utf-8") and can_draw("cp437")
    assert not can_draw("ascii") and not can_draw("latin-1") and not can_draw("no-such") and not can_draw(None)


EDGES = st.lists(st.lists(st.integers(0, 11), max_size=4), min_size=12, max_size=12)


@given(EDGES, st.booleans(), st.integers(0, 11), st.sampled_from([(), ("macros",)]))
def test_any_graph_has_a_tree_that_shows_each_package_that_is_reached(
    graph: list[list[int]], inverted: bool, start: int, only: tuple[str, ...]
) -> None:
    base = find(inventory(), "cc")
    items = tuple(
        replace(base, name=f"p{at}", proc_macro=at % 3 == 0, depends=tuple(Edge(to, ("normal",)) for to in set(needs)))
        for at, needs in enumerate(graph)
    )
    made = replace(inventory(), items=items, roots=(0,))
    asked = Asked(f"p{start}", inverted, only)
    seen = view(made, asked)
    lines = shown(made, asked)
    if lines != ["nothing fits"]:
        assert {f"p{at}" for at in seen.kept} == set(names(lines))
    assert seen.wanted is None or seen.wanted <= seen.kept <= seen.inside
