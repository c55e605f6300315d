"""The YAML sources of the rules, and what is made of them. Never imported by a build: YAML is slow."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sandbox.judge.rules.load import SCHEMA, RuleError, rule_of
from sandbox.judge.rules.model import Rule

_HINT = "docs/rules.md describes the language of rules"


class _Strict(yaml.SafeLoader):
    """A key that stands twice in a mapping is a mistake, not the later of the two."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse(text: str, where: str) -> object:
    """The data of a YAML text. Raises RuleError, which names line and column."""
    try:
        return yaml.load(text, Loader=_Strict)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RuleError(f"{where}{place}: {error.problem}", hint=_HINT) from error
    # PyYAML lets errors of its converters through: dates and numbers out of range, too deep nesting.
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise RuleError(f"{where}: no YAML: {error}", hint=_HINT) from error


def techniques(path: Path) -> dict[str, str]:
    """ATT&CK id -> name. Raises RuleError."""
    data = parse(path.read_text("utf-8"), path.name)
    if not isinstance(data, dict) or set(data) != {"version", "techniques"} or not isinstance(data["techniques"], dict):
        raise RuleError(f"{path.name}: must have `version` and `techniques`", hint=_HINT)
    return {str(key): str(value) for key, value in data["techniques"].items()}


def read_rule(path: Path, known: dict[str, str]) -> Rule:
    """One rule file; its name begins with the rule's id. Raises RuleError."""
    return rule_of(parse(path.read_text("utf-8"), path.name), path.name, known)


def files(folder: Path) -> list[Path]:
    """The rule files of a folder, in order of id."""
    return sorted(folder.glob("*.yaml"))


def compile_rules(folder: Path, techniques_file: Path) -> str:
    """The text of `rules.json`. Raises RuleError for the first rule that can't be used."""
    known = techniques(techniques_file)
    entries = []
    for path in files(folder):
        data = parse(path.read_text("utf-8"), path.name)
        rule_of(data, path.name, known)
        assert isinstance(data, dict)
        entries.append({key: value for key, value in data.items() if key != "examples"})
    head = json.dumps(SCHEMA)
    lines = ",\n".join(json.dumps(entry, sort_keys=True, ensure_ascii=True) for entry in entries)
    return f'{{"schema": {head}, "rules": [\n{lines}\n]}}\n'
