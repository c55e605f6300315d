"""Sources as cargo writes them: in lock files (`registry+URL`, `sparse+URL`, `git+URL?rev=…#…`) and configuration.

Source of the forms: cargo's `src/core/source_id.rs`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

CRATES_IO = "crates-io"
"""How the public registry is called in rules and as a key."""

GIT_INDEX = "https://github.com/rust-lang/crates.io-index"
SPARSE_INDEX = "sparse+https://index.crates.io/"
_LONGEST = 200


class Source(NamedTuple):
    """One source. `url` is without `registry+` and `git+`, but keeps `sparse+`, as that is another protocol; it is
    empty for a path. `query` (of git alone) holds `branch`, `tag` or `rev`, `commit` what the lock file fixed."""

    kind: Literal["path", "registry", "git", "other"]
    url: str = ""
    query: tuple[tuple[str, str], ...] = ()
    commit: str = ""

    @property
    def key(self) -> str:
        """Equal for two spellings of one source. The public registry's is `crates-io`, by whichever protocol."""
        return key(self.url)

    @property
    def public(self) -> bool:
        """Whether it is crates.io."""
        return self.kind == "registry" and self.key == CRATES_IO

    def asked(self, name: str) -> str:
        """The value of `branch`, `tag` or `rev`; empty when there is none."""
        return next((value for word, value in self.query if word == name), "")

    def __str__(self) -> str:
        return "the tree" if self.kind == "path" else "crates.io" if self.public else clip(self.url)


def parse(text: str | None) -> Source:
    """A lock file's `source`; never fails: what cargo does not write there is of kind `other`."""
    if text is None:
        return Source("path")
    if text.startswith("git+"):
        url, _, commit = text[4:].partition("#")
        url, _, query = url.partition("?")
        return Source("git", url, _query(query), commit)
    if text.startswith("registry+"):
        return Source("registry", text[9:])
    if text.startswith("sparse+"):
        return Source("registry", text)
    return Source("other", text)


def key(url: str) -> str:
    """See `Source.key`: scheme and host in lower case, without a final `/` or `.git`."""
    url = url.removeprefix("registry+")
    sparse = url.startswith("sparse+")
    bare = url.removeprefix("sparse+").rstrip("/")
    scheme, found, rest = bare.partition("://")
    if found:
        host, slash, path = rest.partition("/")
        bare = f"{scheme.lower()}://{host.lower()}{slash}{path}"
    bare = bare.removesuffix(".git")
    bare = f"sparse+{bare}" if sparse else bare
    return CRATES_IO if bare in (GIT_INDEX, SPARSE_INDEX.rstrip("/")) else bare


def bare(url: str) -> str:
    """The address alone, without the words that cargo puts before it."""
    for word in ("registry+", "git+", "sparse+"):
        url = url.removeprefix(word)
    return url


def scheme(url: str) -> str:
    """In lower case; empty for what has none."""
    return bare(url).partition("://")[0].lower() if "://" in url else ""


def host(url: str) -> str:
    """The host's name or address in lower case, without port; empty for none or a broken address."""
    try:
        return (urlsplit(bare(url)).hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, by its text: what is sent there passes no network."""
    name = host(url)
    if name == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern, in which `*` stands for any text, is all of `text`. Takes time as both are long together."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first) or not text.endswith(rest[-1]) or len(text) < len(first) + len(rest[-1]):
        return False
    at, end = len(first), len(text) - len(rest[-1])
    for part in rest[:-1]:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def name_matches(pattern: str, name: str) -> bool:
    """As `matches`, for names of packages: registries take `-`, `_` and the case of letters for the same."""
    return matches(fold(pattern), fold(name))


def fold(name: str) -> str:
    """A name as registries compare it."""
    return name.lower().replace("_", "-")


def clip(text: str) -> str:
    """Text of a stranger at a length that a report can bear."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def _query(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_qsl(text[:4096], keep_blank_values=True, max_num_fields=16))
    except ValueError:
        return ()
