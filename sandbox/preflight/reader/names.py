"""What the names in one Rust file stand for: `use`, `extern crate`, type aliases, and text constants.

Taken for the whole file at once: a name that two scopes use for two things stands for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.preflight.reader.tokens import IDENT, PUNCT, TEXT, Tokens

Path = tuple[str, ...]
MAX_PATH = 64
"""Longest path that is followed, in words; of longer ones the beginning is kept."""
_MAX_HOPS = 8
_MAX_MEANINGS = 4
_OWN = frozenset({"crate", "self", "super", "$crate"})
_KNOWN = frozenset({"std", "core", "alloc"})
_DEFINES = frozenset({"struct", "enum", "union", "trait", "fn", "mod", "type"})
# Where a name was found nowhere, it may come by a glob, or by a macro that pastes names together.
_COMMON: dict[str, Path] = {
    "Command": ("std", "process", "Command"),
    "process": ("std", "process"),
    "net": ("std", "net"),
    "env": ("std", "env"),
    "fs": ("std", "fs"),
    "TcpStream": ("std", "net", "TcpStream"),
    "TcpListener": ("std", "net", "TcpListener"),
    "UdpSocket": ("std", "net", "UdpSocket"),
    "UnixStream": ("std", "os", "unix", "net", "UnixStream"),
    "SocketAddr": ("std", "net", "SocketAddr"),
    "Ipv4Addr": ("std", "net", "Ipv4Addr"),
    "File": ("std", "fs", "File"),
    "OpenOptions": ("std", "fs", "OpenOptions"),
    "SystemTime": ("std", "time", "SystemTime"),
    "vars": ("std", "env", "vars"),
    "vars_os": ("std", "env", "vars_os"),
    "var": ("std", "env", "var"),
    "var_os": ("std", "env", "var_os"),
}
_LOWER_ONLY_BY_GLOB = frozenset({"vars", "vars_os", "var", "var_os", "net", "process", "env", "fs"})


@dataclass(slots=True)
class Names:
    """`globs` are (path, line) of `use path::*`; `texts` what a name is bound to by `let`, `const` or `static`."""

    aliases: dict[str, list[Path]] = field(default_factory=dict)
    globs: list[tuple[Path, int]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    used: set[int] = field(default_factory=set)
    """Tokens that belong to `use` declarations: naming is not yet doing."""

    def meanings(self, path: Path) -> list[Path]:
        """What a path may stand for, itself included where nothing renames it. At most a handful."""
        done: list[Path] = []
        waiting, hops = [path], 0
        seen: set[Path] = set()
        while waiting and hops < _MAX_HOPS * _MAX_MEANINGS:
            hops += 1
            one = waiting.pop()
            if one in seen or not one:
                continue
            seen.add(one)
            if one[0] in _OWN and len(one) > 1:
                # `self::x` and `crate::x` may be a `use` of this very file.
                waiting.append(one[1:])
                continue
            known = self.aliases.get(one[0], [])
            for found in known:
                whole = found + one[1:]
                # `use quote::quote`: the first word of what it stands for is the package.
                if found[0] == one[0]:
                    done.append(self._common(whole))
                elif len(whole) <= MAX_PATH:
                    waiting.append(whole)
            if not known:
                done.append(self._common(one))
        return done

    def _common(self, path: Path) -> Path:
        found = _COMMON.get(path[0])
        if found is None:
            return path
        # A glob of std may bring the name into another scope than the one that defines its own.
        if path[0] in self.own and not any(glob[:1] == ("std",) for glob, _ in self.globs):
            return path
        if path[0] in _LOWER_ONLY_BY_GLOB and not self.globs:
            return path
        return found + path[1:]

    def unknown_globs(self) -> list[tuple[Path, int]]:
        """Globs of other packages: what they bring along is not to be seen here."""
        return [(path, line) for path, line in self.globs if path and path[0] not in _OWN | _KNOWN | self.own]


def collect(tokens: Tokens) -> Names:
    """All that the file says of its names."""
    names = Names()
    row, size = tokens.row, len(tokens.row)
    for at, token in enumerate(row):
        if token.kind != IDENT:
            continue
        after = row[at + 1] if at + 1 < size else None
        word = token.text
        if word == "use" and at not in names.used:
            _use(tokens, at, names)
        elif word in _DEFINES and after is not None and after.kind == IDENT:
            names.own.add(after.text)
            if word == "type":
                _type(tokens, at, names)
        elif word == "crate" and after is not None and after.kind == IDENT and at and row[at - 1].text == "extern":
            _extern(tokens, at, names)
        elif word in ("macro_rules", "macro_rules!"):
            # One token for the grammar, two where it stands in another macro.
            names.macros.update(one.text for one in row[at + 1 : at + 3] if one.kind == IDENT)
        elif word in ("let", "const", "static"):
            _text(tokens, at, names)
    return names


def _use(tokens: Tokens, at: int, names: Names) -> None:
    """A use tree, without recursion: a prefix is kept for each open brace."""
    row, size = tokens.row, len(tokens.row)
    prefixes: list[Path] = [()]
    path: Path = ()
    names.used.add(at)
    at += 1
    while at < size:
        token = row[at]
        names.used.add(at)
        if token.kind == PUNCT and token.text == ";":
            break
        if token.text == "{":
            prefixes.append(path)
            path = prefixes[-1]
        elif token.text in (",", "}"):
            _bind(path, path[-1:], len(prefixes[-1]), names)
            if token.text == "}" and len(prefixes) > 1:
                prefixes.pop()
                # What follows a closing brace is a comma or another brace, and binds nothing.
                path = ()
                at += 1
                while at < size and row[at].text == "}" and len(prefixes) > 1:
                    names.used.add(at)
                    prefixes.pop()
                    at += 1
                if at < size and row[at].text == ";":
                    return
            path = prefixes[-1]
        elif token.text == "*":
            names.globs.append((path, token.line))
            path = prefixes[-1]
            at += 1
            continue
        elif token.text == "as":
            if at + 1 < size:
                _bind(path, (row[at + 1].text,), 0, names)
                names.used.add(at + 1)
                at += 1
            path = ()
        elif token.kind == IDENT:
            path = (*path, token.text)[:MAX_PATH]
        elif token.text not in ("::", "$"):
            # No use declaration after all: broken code, or a word in a macro's text.
            break
        at += 1
    if path:
        _bind(path, path[-1:], len(prefixes[-1]), names)


def _bind(path: Path, name: Path, prefix: int, names: Names) -> None:
    if not path or len(path) <= prefix or name == ("_",):
        return
    if path[-1] == "self":
        path = path[:-1]
        name = path[-1:] if name == ("self",) else name
    if not path or not name:
        return
    known = names.aliases.setdefault(name[0], [])
    if path not in known and len(known) < _MAX_MEANINGS:
        known.append(path)


def _type(tokens: Tokens, at: int, names: Names) -> None:
    row = tokens.row
    where = at + 2
    if where < len(row) and row[where].text == "=":
        path, _ = path_at(tokens, where + 1)
        if path:
            _bind(path, (row[at + 1].text,), 0, names)


def _extern(tokens: Tokens, at: int, names: Names) -> None:
    row = tokens.row
    if at + 3 < len(row) and row[at + 2].text == "as":
        _bind((row[at + 1].text,), (row[at + 3].text,), 0, names)


def _text(tokens: Tokens, at: int, names: Names) -> None:
    """`let x = "…"`, also with a type between, and `let x = path::to::function;`."""
    row, size = tokens.row, len(tokens.row)
    at += 1
    while at < size and row[at].text in ("mut", "ref"):
        at += 1
    if at >= size or row[at].kind != IDENT:
        return
    name = row[at].text
    for where in range(at + 1, min(at + 12, size)):
        if row[where].text == ";":
            return
        if row[where].text == "=":
            if where + 1 < size and row[where + 1].kind == TEXT:
                names.texts.setdefault(name, row[where + 1].text)
            elif where + 1 < size and isinstance(value := row[where + 1].data, int):
                names.numbers.setdefault(name, value)
            elif where + 1 < size and row[where + 1].kind == IDENT:
                path, end = path_at(tokens, where + 1)
                if len(path) > 1 and end < size and row[end].text == ";":
                    _bind(path, (name,), 0, names)
            return


def path_at(tokens: Tokens, at: int) -> tuple[Path, int]:
    """The path `a::b::<T>::c` that begins at a token, without its type arguments, and where it ends."""
    row, size = tokens.row, len(tokens.row)
    if at < size and row[at].text == "::":
        at += 1
    if at + 1 < size and row[at].text == "$" and row[at + 1].text == "crate":
        at += 1
    path: Path = ()
    while at < size and row[at].kind == IDENT:
        path = (*path, row[at].text)
        at += 1
        if at >= size or row[at].text != "::":
            break
        if at + 1 < size and row[at + 1].text == "<":
            at = _past_types(tokens, at + 1)
            if at >= size or row[at].text != "::":
                break
        at += 1
        if len(path) >= MAX_PATH:
            break
    return path, at


def _past_types(tokens: Tokens, at: int) -> int:
    row, depth = tokens.row, 0
    for where in range(at, min(at + 200, len(row))):
        if row[where].text == "<":
            depth += 1
        elif row[where].text in (">", ">>"):
            depth -= len(row[where].text)
            if depth <= 0:
                return where + 1
    return at + 1
