"""Baselines from and for others: one file, or a folder as a store is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandbox.baseline.merge import amend
from sandbox.baseline.model import Baseline, BaselineError
from sandbox.baseline.store import load_all, save
from sandbox.baseline.toml import MAX_BYTES, dumps, loads
from sandbox.behaviour.patterns import VERSION
from sandbox.cargo.files import Unreadable, read_text


def read(path: Path) -> dict[str, Baseline]:
    """The baselines in a file or folder. Raises BaselineError, also for those of another normaliser: they could not be
    compared with anything."""
    if path.is_dir():
        found = load_all(path)
    else:
        try:
            one = loads(read_text(path, MAX_BYTES), str(path))
        except FileNotFoundError:
            raise BaselineError(f"there is no file {path}", hint="name a baseline file or a folder of them") from None
        except Unreadable as error:
            raise BaselineError(f"{path} can't be read: {error}", hint="name a baseline file") from None
        found = {one.package: one}
    for package, baseline in found.items():
        if baseline.normaliser != VERSION:
            raise BaselineError(
                f"the baseline of {package} in {path} is of normaliser {baseline.normaliser}, ours is {VERSION}",
                hint="record it again with this version of cargo-sandbox",
            )
    if not found:
        raise BaselineError(f"{path} holds no baseline", hint="name a baseline file or a folder of them")
    return found


def merged(known: Baseline | None, new: Baseline, reason: str | None) -> Baseline:
    """`known` with another's entries. Accepted rules are never imported: they are a decision about one's own build."""
    after = known if known is not None and known.normaliser == VERSION else Baseline(new.package)
    for entry in new.versions:
        entry = replace(entry, waivers=(), reason=reason or entry.reason)
        old = after.find(entry.version, entry.checksum)
        after = after.put(entry if old is None else amend(old, entry))
    return after


def write(path: Path, chosen: Mapping[str, Baseline]) -> list[Path]:
    """Write baselines into a folder, or the only one into a file that ends with `.toml`. Raises BaselineError."""
    if path.suffix != ".toml":
        return [save(path, baseline) for baseline in chosen.values()]
    if len(chosen) != 1:
        raise BaselineError(f"{len(chosen)} packages do not fit into one file", hint="name a folder, or one package")
    (baseline,) = chosen.values()
    try:
        path.write_text(dumps(baseline), "utf-8")
    except OSError as error:
        raise BaselineError(f"{path} can't be written: {error.strerror}", hint="name another file") from None
    return [path]
