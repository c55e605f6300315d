"""From files of policy and the command line to one Settings and one ProjectPolicy, each value knowing its origin.

Command line, then environment, then the tree's file, the user's, the system's, then a built-in policy: for a single
value the first one that is given counts, lists add up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.cargo.files import Unreadable, read_text, stays_below
from sandbox.cli.options import OPTIONS, Settings
from sandbox.policy import builtin, supply
from sandbox.policy.files import Found
from sandbox.policy.model import Layer, PolicyError, ProjectPolicy, Shown
from sandbox.policy.schema import Source, parse
from sandbox.policy.tighten import neutral, no_looser
from sandbox.record import replace

MAX_BYTES = 256 << 10
"""Largest file of policy that is read, in bytes."""

_BY_FIELD = {option.field: option for option in OPTIONS}
_SCRIPTS = ("deny_build_scripts", "allow_build_script")


def read_layer(found: Found, root: str, home: str) -> Layer:
    """The policy in one file. Raises PolicyError for a file that can't be used, or a tree's that lies outside it."""
    path = found.path
    try:
        if found.kind == "tree" and not stays_below(path, root):
            raise Unreadable("a link leads out of the tree")
        text = read_text(os.path.realpath(path) if found.kind == "tree" else path, MAX_BYTES)
    except (FileNotFoundError, Unreadable) as error:
        why = str(error) if isinstance(error, Unreadable) else "it leads nowhere"
        raise PolicyError(
            f"{path} can't be read: {why}", file=path, hint="make it a regular file that you may read, or remove it"
        ) from None
    return parse(text, Source(found.kind, path, root, home))


def decide(
    settings: Settings, found: Sequence[Found], root: str, env: Mapping[str, str]
) -> tuple[Settings, ProjectPolicy]:
    """The effective settings, and what else the files decided. `root` is the workspace's. Raises PolicyError."""
    home = os.path.normpath(env.get("HOME") or "/")
    return combine(settings, [read_layer(one, root, home) for one in found])


def combine(settings: Settings, layers: Sequence[Layer]) -> tuple[Settings, ProjectPolicy]:
    """As `decide`, over files that have been read, the strongest first. Pure."""
    tree = next((layer for layer in layers if layer.kind == "tree"), None)
    others = [layer for layer in layers if layer.kind != "tree"]
    without = _Merged(settings, others)
    if tree is None:
        return without.settings, without.policy((), ())
    if not without.settings.untrusted:
        merged = _Merged(settings, [tree, *others])
        # What a built-in policy says of trust is not the tree's to choose.
        merged.settings = replace(merged.settings, untrusted=False)
        loosened = _loosened(without.settings, merged.settings, tree)
        loosened += supply.loosened(without.supply, tree.supply, without.settings.deny)
        return merged.settings, merged.policy(loosened, ())
    tight, ignored = _tightened(without.settings, tree)
    asked, left_out = supply.tightened(without.supply, tree.supply, without.settings.deny)
    tight, ignored = replace(tight, supply=asked), ignored + left_out
    merged = _Merged(settings, [tight, *others])
    return merged.settings, merged.policy((), ignored)


class _Merged:
    """Layers and command line in one. `settings.policy` is the name of the built-in policy, never empty."""

    def __init__(self, settings: Settings, layers: Sequence[Layer]) -> None:
        self._given = dict(settings.given)
        self.layers = list(layers)
        name = settings.policy if "policy" in self._given else ""
        name = name or next((layer.values["policy"] for layer in layers if "policy" in layer.values), "default")
        self.layers.append(builtin.load(name))
        self.origins: dict[str, str] = {}
        values: dict[str, Any] = {"policy": name}
        for field, option in _BY_FIELD.items():
            if field in _SCRIPTS:
                continue
            at = [layer for layer in self.layers if field in layer.values]
            mine = field in self._given
            if option.many:
                items = [*getattr(settings, field), *(item for layer in at for item in layer.values[field])]
                values[field] = tuple(dict.fromkeys(items))
                origins = [*([self._given[field]] if mine else []), *(layer.origin for layer in at)]
                self.origins[field] = ", ".join(origins) or "default"
            else:
                if not mine and at:
                    values.setdefault(field, at[0].values[field])
                self.origins[field] = self._given[field] if mine else at[0].origin if at else "default"
        values |= self._scripts(settings)
        self.supply = supply.merged([layer.supply for layer in self.layers])
        self.settings = replace(settings, **values)

    def _scripts(self, settings: Settings) -> dict[str, Any]:
        say = [layer for layer in self.layers if layer.deny_build_scripts is not None]
        mine = "deny_build_scripts" in self._given
        self.origins["deny_build_scripts"] = (
            self._given["deny_build_scripts"] if mine else say[0].origin if say else "default"
        )
        listed = [layer for layer in self.layers if layer.allowed_scripts]
        names = [*settings.allow_build_script, *(name for layer in listed for name in layer.allowed_scripts)]
        lists = [self._given.get("allow_build_script", ""), *(layer.origin for layer in listed)]
        self.origins["allow_build_script"] = ", ".join(filter(None, lists)) or "default"
        deny = settings.deny_build_scripts if mine else bool(say and say[0].deny_build_scripts)
        return {"deny_build_scripts": deny, "allow_build_script": tuple(dict.fromkeys(names))}

    def policy(self, loosened: tuple[str, ...], ignored: tuple[str, ...]) -> ProjectPolicy:
        """What is not in Settings."""
        shown = tuple(
            Shown(_BY_FIELD[field].flag[2:], getattr(self.settings, field), self.origins[field]) for field in _BY_FIELD
        )
        asked = supply.shown([(layer.origin, layer.supply) for layer in self.layers])
        return ProjectPolicy(
            name=self.settings.policy,
            allowances=tuple(allowance for layer in self.layers for allowance in layer.allowances),
            deny_build_scripts=self.settings.deny_build_scripts,
            allowed_scripts=self.settings.allow_build_script,
            shown=(*shown, *(Shown(*one) for one in asked)),
            loosened=loosened,
            ignored=ignored,
            files=tuple(layer.origin for layer in self.layers if layer.kind != "built-in"),
            supply=self.supply,
        )


def _loosened(before: Settings, after: Settings, tree: Layer) -> tuple[str, ...]:
    """What the tree's file makes weaker, as words. A database that it names is among them though nobody names another:
    it stands in for the one that was fetched."""
    words = []
    for field in _BY_FIELD:
        old, new = getattr(before, field), getattr(after, field)
        if neutral(field) or no_looser(field, old, new):
            continue
        if field == "allow_build_script" and not before.deny_build_scripts:
            continue
        words.append(f"{_BY_FIELD[field].flag[2:]} = {_text(new if not isinstance(new, tuple) else _more(old, new))}")
    if tree.allowances:
        words.append(f"{len(tree.allowances)} [[allow]]")
    return tuple(words)


def _tightened(before: Settings, tree: Layer) -> tuple[Layer, tuple[str, ...]]:
    """Of a tree that is not trusted, what makes things tighter than they are without it, and the rest as words."""
    given = dict(before.given)
    values = dict(tree.values)
    if "policy" in values and "policy" not in given:
        expanded = builtin.load(values["policy"]).values
        values = {field: value for field, value in expanded.items() if field != "untrusted"} | values
    values.pop("policy", None)
    kept, ignored = {}, []
    for field, value in values.items():
        if field in given and not isinstance(value, tuple):
            continue
        if not isinstance(value, tuple) and not neutral(field) and no_looser(field, getattr(before, field), value):
            kept[field] = value
        else:
            ignored.append(f"{_BY_FIELD[field].flag[2:]} = {_text(value)}")
    if tree.allowances:
        ignored.append(f"{len(tree.allowances)} [[allow]]")
    deny, scripts = tree.deny_build_scripts, tree.allowed_scripts
    if "deny_build_scripts" in given or (before.deny_build_scripts and (scripts or deny is False)):
        ignored.append("[build-scripts]")
        deny, scripts = None, ()
    elif not deny:
        deny, scripts = None, ()
    return replace(tree, values=kept, allowances=(), deny_build_scripts=deny, allowed_scripts=scripts), tuple(ignored)


def _more(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(item for item in new if item not in old)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join("=".join(item) if isinstance(item, tuple) else str(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
