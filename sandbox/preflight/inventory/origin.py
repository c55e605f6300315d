"""Where a package comes from, out of cargo's source text, and its purl.

Sources: cargo's `SourceId` (`registry+URL`, `sparse+URL`, `git+URL?branch=…#COMMIT`); purl-spec, types/cargo.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sandbox.preflight.inventory.model import Item, Origin
from sandbox.preflight.inventory.properties import plain
from sandbox.preflight.sources.source import parse

if TYPE_CHECKING:
    from packageurl import PackageURL

_NAME = re.compile(r"[\w-]{1,200}")
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,200}")
_USER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#]*@")


def origin_of(source: str | None, directory: str = "", root: str = "") -> Origin:
    """The origin that a lock file's or metadata's source names. `directory` is the package's, for one from a path."""
    if not source:
        return Origin("path", _relative(directory, root))
    # The one index with a path in its address is at a host that takes all spellings for the same, as cargo does.
    if parse(source.lower()).public:
        return Origin("crates.io")
    kind, plus, url = source.partition("+")
    if plus and kind == "git":
        address, _, revision = url.partition("#")
        return Origin("git", without_user(address.partition("?")[0]), revision)
    return Origin(
        "registry", without_user(url if plus and kind in ("registry", "sparse", "local-registry") else source)
    )


def without_user(url: str) -> str:
    """A URL without user name and password: what is shown and stored must not carry a secret."""
    return _USER.sub(r"\1", url)


def purl(item: Item) -> PackageURL | None:
    """`pkg:cargo/NAME@VERSION`, with a qualifier for what does not come from crates.io; None for a package without
    proper name. A path package gets `download_url=file://…`, as cargo-cyclonedx writes it, so that nobody takes it for
    one of crates.io."""
    from packageurl import PackageURL

    kind, url, revision = item.origin[0], plain(item.origin.url), plain(item.origin.revision)
    # Anything else is no name or version of cargo's, and its escape would be another package's.
    if not (_NAME.fullmatch(item.name) and _VERSION.fullmatch(item.version)):
        return None
    qualifiers: dict[str, str] = {}
    if kind == "git":
        qualifiers["vcs_url"] = f"git+{url}" + (f"@{revision}" if revision else "")
    elif kind == "registry":
        qualifiers["repository_url"] = url
    elif kind == "path":
        qualifiers["download_url"] = f"file://{url or '.'}"
    return PackageURL("cargo", None, item.name, item.version, qualifiers)


def _relative(directory: str, root: str) -> str:
    """The folder as seen from the workspace's root; no absolute path leaves this machine."""
    if not directory or not root:
        return ""
    place, top = PurePosixPath(directory), PurePosixPath(root)
    if place.is_relative_to(top):
        return str(place.relative_to(top))
    parts, ups = top.parts, 0
    while ups < len(parts) and not place.is_relative_to(PurePosixPath(*parts[: len(parts) - ups])):
        ups += 1
    above = PurePosixPath(*parts[: len(parts) - ups])
    # A folder that has nothing but the root of the file system in common would show all of its path.
    return "/".join([".."] * ups + list(place.relative_to(above).parts)) if len(above.parts) > 1 else ""
