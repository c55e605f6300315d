"""What a unit leaves where the dynamic loader looks first gets into no later unit's programs."""

from __future__ import annotations

import pytest

from tests.attack.arena import Arena
from tests.engines import core

pytestmark = [pytest.mark.attack, pytest.mark.engine]

# Every compiler and linker needs it. No library at all, so a program that takes it can't start, and says why.
PLANTED = "{deps}/libc.so.6"
ACTS = {"plant": ("put", PLANTED, "csbench: not a library")}
# A name that compilers give to what they remove again is not told of; what it becomes is.
RENAMED = {"make": ("put", "{deps}/rustc-csbench.tmp", "x"), "plant": ("rename", "{deps}/rustc-csbench.tmp", PLANTED)}
TAKEN = "libc.so.6: file too short"


def test_a_library_that_a_macro_only_names_so_in_the_end_is_found_as_one(arena: Arena) -> None:
    path = arena.project.build_dir / "debug/deps/libc.so.6"
    try:
        found = arena.attack(macro=RENAMED)
        assert set(found.macro.values()) == {"ok"}
        subjects = [entry["subject"] for entry in found.run.findings("CS0116")]
        assert (found.done.code, subjects) == (0, [str(path)]), found.done.shown
    finally:
        path.unlink(missing_ok=True)


@core
@pytest.mark.parametrize("verb", ["build", "doc"])
def test_a_library_that_a_macro_leaves_among_the_outputs_is_taken_by_no_later_compiler(
    arena: Arena, weak: Arena, verb: str
) -> None:
    """cargo names that folder in LD_LIBRARY_PATH, before the system's own; all compilers may write there."""
    path = arena.project.build_dir / "debug/deps/libc.so.6"
    try:
        found = arena.attack(macro=ACTS, verb=(verb,))
        assert path.is_file(), "rustdoc, which expands the macro again, may fail to plant it; the compiler does not"
        assert found.done.code == 0, found.done.shown
        assert "CS0116" in found.codes("csbench-consumer"), found.done.shown
    finally:
        path.unlink(missing_ok=True)
    planted = weak.project.build_dir / "debug/deps/libc.so.6"
    try:
        taken = weak.attack(macro=ACTS, verb=(verb,), removed=("libraries",))
        assert taken.done.code == 101, taken.done.shown
        assert TAKEN in taken.done.shown
    finally:
        planted.unlink(missing_ok=True)
