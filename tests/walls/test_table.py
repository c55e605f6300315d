"""docs/walls.md says what the tests say."""

from __future__ import annotations

import re

from tests.harness import ROOT
from tests.walls.removals import ENGINES, rows
from tests.walls.rows import BUBBLEWRAP, NOT_REMOVABLE, WALLS
from tests.walls.table import parse, render

_PAGE = (ROOT / "docs" / "walls.md").read_text("utf-8")


def test_the_page_has_each_engine_and_each_row_once() -> None:
    page = parse(_PAGE)
    assert list(page) == list(ENGINES)
    for tries in page.values():
        assert list(tries) == [row.name for row in BUBBLEWRAP], "run scripts/gen-walls"


def test_the_page_says_of_each_row_what_the_test_demands() -> None:
    for engine, tries in parse(_PAGE).items():
        table = {row.name: row for row in rows(engine, by_root=True)}
        for name, cells in tries.items():
            row = table[name]
            assert cells["record"] == row.record, name
            if not cells["host"].startswith("not tried here"):
                assert cells["inside"] == row.inside, name
                shown = {"+".join(sorted(walls)) for walls in row.opened_by}
                fixed = f"can't be taken away: {NOT_REMOVABLE[row.fixed]}" if row.fixed else ""
                assert set(cells["opens"].split(" or ")) == (shown or {fixed or "let through on purpose"}), name


def test_the_page_lists_all_walls_and_is_what_the_script_would_write() -> None:
    for name, words in (WALLS | NOT_REMOVABLE).items():
        assert re.search(rf"^\| {name} \| .*{re.escape(words)} \| .*(bubblewrap|docker) \|$", _PAGE, re.MULTILINE), name
    ours = [line for line in render(parse(_PAGE)).splitlines() if not line.startswith("Made on Linux")]
    assert ours == [line for line in _PAGE.splitlines() if not line.startswith("Made on Linux")]
