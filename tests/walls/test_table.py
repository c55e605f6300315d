"""docs/walls.md says what the tests say."""

from __future__ import annotations

from tests.harness import ROOT
from tests.walls.rows import BY_NAME, ENGINES, NOT_REMOVABLE, WALLS
from tests.walls.table import parse, render

_PAGE = (ROOT / "docs" / "walls.md").read_text("utf-8")


def test_the_page_has_each_engine_and_each_row_once() -> None:
    page = parse(_PAGE)
    assert list(page) == list(ENGINES)
    for rows in page.values():
        assert list(rows) == [name for name in BY_NAME if name in rows]
        missing = set(BY_NAME) - set(rows)
        assert not missing, f"run scripts/gen-walls: {missing}"


def test_the_page_says_of_each_row_what_the_test_demands() -> None:
    for rows in parse(_PAGE).values():
        for name, cells in rows.items():
            row = BY_NAME[name]
            assert cells["record"] == row.record, name
            if not cells["host"].startswith("not tried here"):
                assert cells["inside"] == row.inside, name
                shown = {"+".join(sorted(walls)) for walls in row.opened_by}
                fixed = f"can't be taken away: {NOT_REMOVABLE[row.fixed]}" if row.fixed else ""
                assert set(cells["opens"].split(" or ")) == (shown or {fixed or "let through on purpose"}), name


def test_the_page_lists_all_walls_and_is_what_the_script_would_write() -> None:
    for name, words in WALLS.items():
        assert f"| {name} | {words} |" in _PAGE
    ours = [line for line in render(parse(_PAGE)).splitlines() if not line.startswith("Made on Linux")]
    assert ours == [line for line in _PAGE.splitlines() if not line.startswith("Made on Linux")]
