"""A record behaves as the frozen dataclass that it stands for."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.record import not_shown, record, replace


@record
class Point:
    """A record."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = ()
    secret: str = not_shown(default="")


@record
class Counted:
    """A record with an empty mapping for a default."""

    counts: Mapping[str, int] = MappingProxyType({})


@dataclasses.dataclass(frozen=True)
class Twin:
    """The same as a dataclass."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = ()
    secret: str = dataclasses.field(default="", repr=False)


VALUES = st.lists(st.integers(), max_size=6)
NAMED = st.dictionaries(st.sampled_from(["x", "y", "tags", "secret", "z"]), st.integers())


def outcome(make: Any, values: list[int], named: dict[str, int]) -> Any:
    try:
        made = make(*values, **named)
    except TypeError:
        return TypeError
    return [getattr(made, each.name) for each in dataclasses.fields(Twin)], repr(made).partition("(")[2]


@given(VALUES, NAMED)
def test_it_takes_and_refuses_the_arguments_that_a_dataclass_does(values: list[int], named: dict[str, int]) -> None:
    assert outcome(Point, values, named) == outcome(Twin, values, named)


def test_equal_values_make_equal_records_with_equal_hashes() -> None:
    assert Point(1, tags=("a",)) == Point(tags=("a",), x=1, y=2)
    assert hash(Point(1, tags=("a",))) == hash(Point(tags=("a",), x=1, y=2))
    assert Point(1) != Point(2)
    assert Point(1) != Twin(1)


@pytest.mark.parametrize("name", ["x", "new"])
def test_nothing_can_be_assigned_or_deleted(name: str) -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="frozen"):
        setattr(point, name, 3)
    with pytest.raises(AttributeError, match="frozen"):
        delattr(point, name)
    assert point == Point(1)


def test_a_changed_copy_leaves_the_first_as_it_was() -> None:
    point = Point(1, secret="s")
    assert replace(point, y=5) == dataclasses.replace(point, y=5) == Point(1, 5, (), "s")
    assert point == Point(1, secret="s")
    with pytest.raises(TypeError, match="z"):
        replace(point, z=1)


def test_the_dataclasses_module_takes_a_record_as_one_of_its_own() -> None:
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.replace(Counted(), counts={"a": 1}) == Counted({"a": 1}) != Counted()
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "tags": (), "secret": ""}  # type: ignore[call-overload]


def test_what_is_not_shown_stays_out_of_the_text_and_the_order_is_that_of_the_class() -> None:
    assert repr(Point(tags=("t",), secret="s", x=1)) == "Point(x=1, y=2, tags=('t',))"
    assert list(vars(Point(secret="s", tags=(), y=1, x=0))) == ["x", "y", "tags", "secret"]
