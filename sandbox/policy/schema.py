"""The one schema of all files of policy: TOML tables in, a Layer out. A mistake is told with its line and its remedy.

The text may be a stranger's: nothing of it is believed before it has been looked at, and nothing is ever run.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sandbox.cargo import semver
from sandbox.cargo.files import Unreadable, parse_toml
from sandbox.cli.options import OPTIONS, Option
from sandbox.errors import UsageError
from sandbox.policy import supply
from sandbox.policy.model import Allowance, Layer, PolicyError
from sandbox.record import record

MAX_ALLOWANCES = 1000
_MAX_WORDS = 4096
_IN_A_TABLE = {
    "deny-build-scripts": "[build-scripts] deny",
    "allow-build-script": "[build-scripts] allow",
    "advisory-db": "[advisories] db",
}
_OPTIONS: dict[str, Option] = {option.flag[2:]: option for option in OPTIONS if option.flag[2:] not in _IN_A_TABLE}
_TOP = (*_OPTIONS, "allow", "build-scripts", *supply.TABLES)
_ALLOW = ("package", "version", "checksum", "path", "write", "program", "env", "directive", "rule", "reason", "expires")
_SCRIPTS = ("deny", "allow")
_CODE = re.compile(r"CS\d{4}", re.ASCII)
_CHECKSUM = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}", re.ASCII)
_TOKEN = re.compile(r"\$[A-Z_]+", re.ASCII)
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?", re.ASCII)


@record
class Source:
    """Where a text comes from: `kind` as in `files.Found`, its path, the workspace root and the user's home. Relative
    paths in any file go from the workspace root."""

    kind: str
    path: str
    root: str
    home: str


def parse(text: str, source: Source) -> Layer:
    """The policy in a file's text. Raises PolicyError for anything that is not understood."""
    try:
        table = parse_toml(text)
    except Unreadable as error:
        raise PolicyError(
            f"{source.path}: {error}", file=source.path, hint="see docs/policy.md for an example"
        ) from None
    return read(table, source, text)


def read(table: Mapping[str, Any], source: Source, text: str = "") -> Layer:
    """The policy in a file's tables. `text` is only looked at for lines. Raises PolicyError."""
    return _Reading(source, text).layer(table)


class _Reading:
    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._lines = text.split("\n")

    def layer(self, table: Mapping[str, Any]) -> Layer:
        self._known(table, _TOP, "")
        values: dict[str, Any] = {}
        for key, option in _OPTIONS.items():
            if key in table:
                values[option.field] = self._option(key, option, table[key])
        if "untrusted" in values and self._source.kind == "tree":
            raise self._wrong("", "untrusted", "a tree can't say of itself whether it is trusted", "give --untrusted")
        deny, allowed = self._scripts(table.get("build-scripts"))
        asked, db = supply.read(table, supply.Tools(self._known, self._wrong, self._strings))
        if db:
            values["advisory_db"] = self._from(db)
        return Layer(self._source.kind, self._source.path, values, self._allowances(table), deny, allowed, asked)

    def _option(self, key: str, option: Option, value: Any) -> Any:
        def one(item: Any) -> Any:
            if isinstance(item, bool) or not isinstance(item, str | int | float):
                raise self._wrong("", key, "has the wrong type", f"write it as for {option.flag}: {option.help}")
            try:
                return self._placed(key, option.parse(self._absolute(key, str(item))))
            except UsageError as error:
                raise self._wrong("", key, error.message, error.hint) from None

        if not option.value:
            if not isinstance(value, bool):
                raise self._wrong("", key, "is true or false", f"{option.flag}: {option.help}")
            return value
        if option.many:
            if not isinstance(value, list):
                raise self._wrong("", key, "is a list", f'write {key} = ["…"]')
            return tuple(dict.fromkeys(one(item) for item in value))
        return one(value)

    def _absolute(self, key: str, text: str) -> str:
        """Directories may be given from the home or the workspace root."""
        if key == "allow-read" and not text.startswith("/"):
            return self._from(text)
        if key == "allow-write":
            package, found, path = text.partition("=")
            return f"{package}={self._from(path)}" if found and path else text
        return text

    def _from(self, text: str) -> str:
        if text.startswith("~/"):
            return os.path.join(self._source.home, text[2:])
        return text if text.startswith("/") else os.path.join(self._source.root, text)

    def _placed(self, key: str, value: Any) -> Any:
        """A report goes where the file says, seen from the workspace root; a tree's stays in the tree."""
        if key != "report":
            return value
        kind, path = value
        if self._source.kind == "tree":
            folder = os.path.realpath(os.path.dirname(os.path.join(self._source.root, path)))
            top = os.path.realpath(self._source.root)
            if path.startswith("/") or ".." in path.split("/") or not (folder + "/").startswith(top.rstrip("/") + "/"):
                raise self._wrong("", key, "leads out of the tree", "name a file below the workspace root")
        return kind, self._from(path)

    def _scripts(self, table: Any) -> tuple[bool | None, tuple[str, ...]]:
        if table is None:
            return None, ()
        if not isinstance(table, dict):
            raise self._wrong("", "build-scripts", "is a table", "write [build-scripts]")
        self._known(table, _SCRIPTS, "build-scripts")
        deny, allowed = table.get("deny"), table.get("allow", [])
        if not isinstance(deny, bool | None):
            raise self._wrong("build-scripts", "deny", "is true or false", "write deny = true")
        names = self._strings("build-scripts", 0, "allow", allowed)
        for name in names:
            if not semver.is_script_name(name):
                raise self._wrong("build-scripts", "allow", f"{name!r} names no package", semver.SCRIPT_HINT)
        return deny, names

    def _allowances(self, table: Mapping[str, Any]) -> tuple[Allowance, ...]:
        entries = table.get("allow", [])
        if not isinstance(entries, list) or len(entries) > MAX_ALLOWANCES:
            raise self._wrong("", "allow", f"is a list of at most {MAX_ALLOWANCES} tables", "write [[allow]]")
        return tuple(self._allowance(entry, number) for number, entry in enumerate(entries))

    def _allowance(self, entry: Any, number: int) -> Allowance:
        if not isinstance(entry, dict):
            raise self._wrong("", "allow", "is a list of tables", "write [[allow]]")
        self._known(entry, _ALLOW, "allow", number)

        def wrong(key: str, why: str, hint: str) -> PolicyError:
            return self._wrong("allow", key, why, hint, number)

        def word(key: str, needed: str, good: Callable[[str], bool], hint: str) -> str:
            value = entry.get(key)
            if value is None and not needed:
                return ""
            if not isinstance(value, str) or not value.strip() or len(value) > _MAX_WORDS or not good(value):
                raise wrong(key, needed or f"is {value!r}", hint)
            return value

        package = word("package", "must name a package", semver.is_package, 'package = "name", as in Cargo.lock')
        reason = word("reason", "must say why", lambda text: True, 'reason = "…"; an allowance without one is no use')
        version = word("version", "", semver.is_requirement, "a requirement as in Cargo.toml: 1.2, =1.2.3, >=1, <2")
        checksum = word("checksum", "", lambda text: bool(_CHECKSUM.fullmatch(text)), "as in Cargo.lock: 64 hex digits")
        lists = {key: self._strings("allow", number, key, entry[key]) for key in _ALLOW[3:9] if key in entry
                 and key != "write"}  # fmt: skip
        if not any(lists.values()):
            raise wrong("package", "allows nothing", "give path, program, env, directive or rule")
        for key, good, hint in (
            ("rule", _CODE, "the code of a finding: CS0103"),
            ("env", _ENV, "the name of a variable, or NAME* for a prefix"),
        ):
            for item in lists.get(key, ()):
                if not good.fullmatch(item):
                    raise wrong(key, f"{item!r} is not understood", hint)
        write = entry.get("write", False)
        if not isinstance(write, bool) or (write and not lists.get("path")):
            raise wrong("write", "is true or false and goes with path", 'write path = "…" beside it')
        expires = entry.get("expires")
        if isinstance(expires, datetime) or not isinstance(expires, date | None):
            raise wrong("expires", "is no date", "write expires = 2027-01-31, without quotes")
        paths = tuple(form for item in lists.get("path", ()) for form in self._forms(item, wrong))
        return Allowance(
            package=package, reason=reason, version=version, checksum=checksum, paths=paths, write=write,
            programs=lists.get("program", ()), env=lists.get("env", ()), directives=lists.get("directive", ()),
            rules=lists.get("rule", ()), expires=expires, origin=self._place("allow", "package", number),
            local=self._source.kind == "tree",
        )  # fmt: skip

    def _forms(self, text: str, wrong: Callable[[str, str, str], PolicyError]) -> tuple[str, ...]:
        """A path in each way that a finding may spell it: absolute, and with the token of behaviours."""
        tokens = {"$HOME": self._source.home, "$WORKSPACE": self._source.root}
        if text.startswith("$"):
            found = _TOKEN.match(text)
            token = found[0] if found else ""
            rest = text[len(token) :]
            if not token or (rest and not rest.startswith("/")) or ".." in rest.split("/"):
                raise wrong("path", f"{text!r} is no path", "write $HOME/…, $WORKSPACE/…, $OUT_DIR/… or a whole path")
            plain = tokens.get(token, "")
            forms = (text.rstrip("/"), *([os.path.normpath(plain + rest)] if plain else []))
        else:
            path = os.path.normpath("/" + self._from(text).lstrip("/"))
            near = [
                (name, top) for name, top in tokens.items() if top and (path + "/").startswith(top.rstrip("/") + "/")
            ]
            forms = (path, *(name + path[len(top.rstrip("/")) :] for name, top in near))
        if "/" in forms or self._source.home in forms:
            raise wrong("path", "covers everything", "name a file or a folder; to allow a finding anywhere use rule")
        return forms

    def _strings(self, table: str, number: int, key: str, value: Any) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) and table == "allow" else value
        if not isinstance(items, list) or not all(
            isinstance(item, str) and item.strip() and len(item) <= _MAX_WORDS for item in items
        ):
            raise self._wrong(table, key, "is a list of texts", f'write {key} = ["…"]', number)
        return tuple(dict.fromkeys(items))

    def _known(self, table: Mapping[str, Any], names: tuple[str, ...], where: str, number: int = 0) -> None:
        for key in table:
            if key in names:
                continue
            if not where and key in _IN_A_TABLE:
                raise self._wrong(where, key, "is not understood here", f"write {_IN_A_TABLE[key]}", number)
            import difflib

            near = difflib.get_close_matches(key[:80].lower().replace("_", "-"), names, 1, 0.4)
            hint = f"did you mean `{near[0]}`?" if near else "known are " + ", ".join(names)
            raise self._wrong(where, key, "is not a known key", hint, number)

    def _wrong(self, table: str, key: str, why: str, hint: str, number: int = 0) -> PolicyError:
        label = f"{table}.{key}" if table else key
        return PolicyError(f"{self._place(table, key, number)}: `{label}` {why}", file=self._source.path, hint=hint)

    def _place(self, table: str, key: str, number: int = 0) -> str:
        """`file:line` where the key's line can be told, for tomli tells none; else the table's, else the file."""
        at, seen, best = "", -1, 0
        for count, line in enumerate(self._lines, 1):
            words = line.strip()
            if words.startswith("["):
                at = words.strip("[] \t").partition("#")[0].strip("[] \t")
                seen += words.startswith("[[") and at == "allow"
                if at == table and (table != "allow" or seen == number):
                    best = count
            elif at == table and (table != "allow" or seen == number):
                name = words.partition("=")[0].strip().strip("\"'")
                if name == key or name.startswith(key + "."):
                    return f"{self._source.path}:{count}"
        return f"{self._source.path}:{best}" if best else self._source.path
