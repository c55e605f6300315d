"""Words after one of our own verbs: names, switches and options with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.errors import UsageError

MANIFEST = {"--manifest-path": False}
"""The option of each verb that reads a project."""


@dataclass(slots=True)
class Words:
    """What was found: `names` in order, `switches`, and `values` of each option, in order. `rest`: all behind `--`."""

    names: list[str] = field(default_factory=list)
    switches: set[str] = field(default_factory=set)
    values: dict[str, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    def one(self, option: str) -> str | None:
        """The last value of an option, None if it was not given."""
        given = self.values.get(option)
        return given[-1] if given else None

    @property
    def manifest(self) -> str | None:
        """The project that the command is about, as cargo's option of that name; None for the one here."""
        return self.one("--manifest-path")


def parse(words: Sequence[str], usage: str, switches: Sequence[str] = (), options: Mapping[str, bool] = {}) -> Words:
    """Take words apart. `options`: name -> whether it takes all following names. Raises UsageError with `usage`."""
    found = Words()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            found.rest, rest = rest, []
        elif word in switches:
            found.switches.add(word)
        elif name in options:
            if not equals:
                if not rest or rest[0].startswith("--"):
                    raise UsageError(f"{name} needs a value", hint=usage)
                value = rest.pop(0)
            found.values.setdefault(name, []).append(value)
            while options[name] and rest and not rest[0].startswith("-"):
                found.values[name].append(rest.pop(0))
        elif word.startswith("-"):
            raise UsageError(f"{render(word)} is not understood", hint=usage)
        else:
            found.names.append(word)
    return found


def render(word: str) -> str:
    """A word of the command line in a message."""
    return repr(word[:200])
