"""Records: classes like frozen dataclasses for what every build imports, made without generating code.

`dataclasses` compiles five functions for each class and imports `inspect`: with some twenty classes that is a third of
the time before a container is started. `typing.NamedTuple` compiles each annotation, a seventh of a millisecond a
class. Here the methods are shared closures; making an instance takes a little longer.
`dataclasses.replace`, `asdict` and `fields` take a record as one of theirs.
"""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

__all__ = ["not_shown", "record", "replace"]

_T = TypeVar("_T")


class _Hidden:
    """A default as `not_shown` gives it."""

    __slots__ = ("default",)

    def __init__(self, default: Any) -> None:
        self.default = default


def not_shown(*, default: Any) -> Any:
    """A field that `repr()` does not show."""
    return _Hidden(default)


@dataclass_transform(frozen_default=True, field_specifiers=(not_shown,))
def record(cls: type[_T]) -> type[_T]:
    """Make a class of annotated fields a record: `__init__`, `==`, `hash`, `repr`, and no assignment afterwards.

    Fields are those of the class itself, in order; a default is shared by all instances, so it must be immutable.
    """
    names = tuple(cls.__annotations__)
    defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    shown = tuple(name for name in names if not isinstance(defaults.get(name), _Hidden))
    for name, default in defaults.items():
        if isinstance(default, _Hidden):
            defaults[name] = default.default
            delattr(cls, name)

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        if len(given) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} values, {len(given)} were given")
        # Written in the fields' order, for `vars` shows it.
        values = self.__dict__
        values.update(zip(names, given, strict=False))
        for name in names[len(given) :]:
            if name in named:
                values[name] = named.pop(name)
            elif name in defaults:
                values[name] = defaults[name]
            else:
                raise TypeError(f"{cls.__name__} needs a value for {name!r}")
        if named:
            raise TypeError(f"{cls.__name__} takes no {', '.join(map(repr, named))}, or it was given twice")

    def __eq__(self: Any, other: object) -> Any:
        return self.__dict__ == other.__dict__ if type(self) is type(other) else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in shown)})"

    made: Any = cls
    made.__init__, made.__eq__, made.__hash__, made.__repr__ = __init__, __eq__, __hash__, __repr__
    made.__setattr__, made.__delattr__ = _no_assignment, _no_deletion
    made.__dataclass_fields__ = _Fields(names, defaults, shown)
    return cls


def replace(instance: _T, **changes: Any) -> _T:
    """A record like this one but for `changes`. Raises TypeError for what is no field of it."""
    return type(instance)(**(vars(instance) | changes))


def _no_assignment(self: Any, name: str, value: Any) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name} can't be assigned")


def _no_deletion(self: Any, name: str) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name} can't be deleted")


class _Fields:
    """`__dataclass_fields__` as `dataclasses` would have made it, once somebody asks."""

    __slots__ = ("_defaults", "_fields", "_names", "_shown")

    def __init__(self, names: tuple[str, ...], defaults: dict[str, Any], shown: tuple[str, ...]) -> None:
        self._names, self._defaults, self._shown = names, defaults, shown
        self._fields: dict[str, Any] | None = None

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        if self._fields is None:
            import dataclasses

            def spec(name: str) -> Any:
                default, shown = self._defaults.get(name, dataclasses.MISSING), name in self._shown
                if type(default).__hash__ is None:
                    # Taken for a mutable one there, as the empty mapping proxy is.
                    return dataclasses.field(default_factory=lambda: default, repr=shown)
                return dataclasses.field(default=default, repr=shown)

            twin = dataclasses.make_dataclass("Twin", [(name, Any, spec(name)) for name in self._names], frozen=True)
            self._fields = {each.name: each for each in dataclasses.fields(twin)}
        return self._fields
