"""rustup's rules for choosing a toolchain, by reading its files.

Sources: rustup `src/config.rs` (order, directory walk, toolchain files), `src/dist/mod.rs` (names), `src/settings.rs`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.cargo.files import Unreadable, load_toml, parse_toml, read_text
from sandbox.errors import ToolchainError
from sandbox.record import record

_SYSTEM_SETTINGS = "/etc/rustup/settings.toml"
_FILE_LIMIT = 1 << 20
_CHANNEL = r"(nightly|beta|stable|[0-9]\.(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]?))?(?:-beta(?:\.[0-9]{1,2})?)?)"
_NAME = _CHANNEL + r"(-[0-9]{4}-[0-9]{2}-[0-9]{2})?(?:-(.+))?"
_ENVIRONMENTS = ("gnu", "musl", "gnux32", "gnueabi", "gnueabihf", "musleabi", "musleabihf", "gnuabi64", "ohos")
_NO_DOT_ZERO = tuple(f"1.{minor}" for minor in range(9))
_OWN_TOOLCHAIN = "a project may not supply its own toolchain"


@record
class Choice:
    """A toolchain by name. `short` is what the user would type to install it; `official` tells it from a linked one."""

    name: str
    short: str
    path: Path
    official: bool
    source: str
    host: str
    targets: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def choose(args_toolchain: str | None, env: Mapping[str, str], cwd: Path, home: Path) -> Choice:
    """The toolchain that rustup's proxy would run; it may be missing on disk.

    Order: `+name`, `RUSTUP_TOOLCHAIN`, then from `cwd` upward a directory override or a toolchain file, the default.
    Raises ToolchainError for a name that is none, an unreadable file, and a toolchain that the project brings.
    """
    settings_file = home / "settings.toml"
    settings = _settings(settings_file)
    host = str(settings.get("default_host_tuple") or settings.get("default_host_triple") or machine_triple())
    files = [settings_file]
    if args_toolchain is not None:
        return _named(args_toolchain, host, home, f"+{args_toolchain}", files, absolute=True)
    if name := env.get("RUSTUP_TOOLCHAIN"):
        # An outer rustup proxy exports what it chose. A path from a toolchain file is the project's, not the user's.
        ours = env.get("RUSTUP_TOOLCHAIN_SOURCE") != "toolchain-file"
        return _named(name, host, home, "RUSTUP_TOOLCHAIN", files, absolute=ours)
    targets: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    found = _from_directories(settings, cwd)
    source = "the default toolchain of rustup"
    name = None
    if found is not None:
        name, source, file, section = found
        if file is not None:
            files.append(file)
            targets, components = _strings(section.get("targets")), _strings(section.get("components"))
    if name is None:
        name = _default(settings, env, files)
    if name is None:
        raise ToolchainError("rustup has no default toolchain", fix="rustup default stable")
    return _named(name, host, home, source, files, absolute=False, targets=targets, components=components)


def cargo_version(root: Path) -> tuple[int, int, int] | None:
    """The version of a rustup toolchain's cargo, from the release manifest that rustup leaves in it; None without one.

    The manifest gives cargo's crate version, 0.96.1 for cargo 1.95.1.
    """
    try:
        with open(root / "lib/rustlib/multirust-channel-manifest.toml", "rb") as stream:
            head = stream.read(4096).decode("utf-8", "replace")
    except OSError:
        return None
    marker = '[pkg.cargo]\nversion = "'
    start = head.find(marker)
    if start < 0:
        return None
    text = head[start + len(marker) :].partition('"')[0]
    numbers = text.partition(" ")[0].partition("-")[0].split(".")
    if len(numbers) != 3 or not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    major, minor, patch = map(int, numbers)
    return (1, minor - 1, patch) if major == 0 else (major, minor, patch)


def machine_triple() -> str:
    """The triple rustup assumes for this machine (Linux only)."""
    machine = os.uname().machine
    arch = {"armv7l": "armv7", "armv8l": "armv7", "riscv64": "riscv64gc", "ppc64le": "powerpc64le"}.get(
        machine, machine
    )
    system = "unknown-linux-gnueabihf" if arch == "armv7" else "unknown-linux-gnu"
    return f"{arch}-{system}"


def _from_directories(
    settings: dict[str, Any], cwd: Path
) -> tuple[str | None, str, Path | None, dict[str, Any]] | None:
    overrides = settings.get("overrides")
    overrides = overrides if isinstance(overrides, dict) else {}
    for folder in (cwd, *cwd.parents):
        name = overrides.get(os.path.realpath(folder)) if overrides else None
        if isinstance(name, str):
            return name, f"the directory override for {folder}", None, {}
        for file_name in ("rust-toolchain", "rust-toolchain.toml"):
            file = folder / file_name
            try:
                text = read_text(file, _FILE_LIMIT)
            except FileNotFoundError:
                continue
            except Unreadable as error:
                if os.path.isdir(file):
                    continue
                raise _bad_file(file, str(error)) from None
            section = _toolchain_file(file, text)
            channel = section.get("channel")
            return (channel if isinstance(channel, str) else None), str(file), file, section
    return None


def _toolchain_file(file: Path, text: str) -> dict[str, Any]:
    """The `[toolchain]` table. A file without extension may hold just a channel on its only line."""
    if not text:
        raise _bad_file(file, "it is empty")
    if "\n" not in text.removesuffix("\n") and file.suffix != ".toml":
        channel = text.strip()
        if not channel:
            raise _bad_file(file, "it is empty")
        section: dict[str, Any] = {"path" if channel.startswith("/") else "channel": channel}
    else:
        try:
            table = parse_toml(text).get("toolchain")
        except Unreadable as error:
            raise _bad_file(file, str(error)) from None
        if not isinstance(table, dict):
            raise _bad_file(file, "it has no [toolchain] table")
        section = table
        if not section.keys() & {"channel", "path", "components", "targets"}:
            raise _bad_file(file, "its [toolchain] table says nothing")
        if not isinstance(section.get("channel", ""), str):
            raise _bad_file(file, "its channel is no text")
    if "path" in section:
        path = str(section["path"])
        raise ToolchainError(
            f"{file} asks for the toolchain at {path}: {_OWN_TOOLCHAIN}",
            why="its programs would run with the project's choice of code",
            fix=f"if you trust it: rustup toolchain link NAME {path}, then put +NAME before the command",
        )
    return section


def _bad_file(file: Path, reason: str) -> ToolchainError:
    return ToolchainError(f"{file} is no toolchain file: {reason}", fix="repair or remove it, or choose with +NAME")


def _named(
    name: str,
    host: str,
    home: Path,
    source: str,
    files: list[Path],
    *,
    absolute: bool,
    targets: tuple[str, ...] = (),
    components: tuple[str, ...] = (),
) -> Choice:
    import re

    short = name.rstrip("/")
    if short.startswith("/"):
        if not absolute:
            raise ToolchainError(
                f"the toolchain at {short} comes from a toolchain file: {_OWN_TOOLCHAIN}",
                fix=f"if you trust it: rustup toolchain link NAME {short}, then put +NAME before the command",
            )
        return Choice(
            name=short, short=short, path=Path(short), official=False, source=source, host=host, files=tuple(files)
        )
    if not short or short in (".", "..", "none") or short[0] == "+" or any(mark in short for mark in "/\\\0"):
        raise ToolchainError(
            f"{name!r} is not the name of a toolchain",
            why=f"it is given by {source}",
            fix="choose one with +NAME before the command, or repair what gives it",
        )
    full, official = short, False
    match = re.fullmatch(_NAME, short, re.ASCII)
    if match:
        channel, date, target = match.groups()
        channel += ".0" if channel in _NO_DOT_ZERO else ""
        full, official = f"{channel}{date or ''}-{_triple(target, host)}", True
    path = home / "toolchains" / full
    if official and full != short and not os.path.isdir(path) and os.path.isdir(home / "toolchains" / short):
        full, path = short, home / "toolchains" / short
    return Choice(
        name=full, short=short, path=path, official=official, source=source, host=host, targets=targets,
        components=components, files=tuple(files),
    )  # fmt: skip


def _triple(target: str | None, host: str) -> str:
    """Completes a partial target (`musl`, `aarch64`) from the host's, as rustup does; a whole one stays."""
    if target is None:
        return host
    if "-" in target:
        return target
    arch, _, system = host.partition("-")
    if target in _ENVIRONMENTS:
        return f"{arch}-{system.rpartition('-')[0]}-{target}"
    return f"{target}-{system}"


def _settings(file: Path) -> dict[str, Any]:
    try:
        return load_toml(file)
    except FileNotFoundError:
        return {}
    except Unreadable as error:
        raise ToolchainError(f"rustup's {file} can't be read: {error}", fix="repair it with rustup") from None


def _default(settings: dict[str, Any], env: Mapping[str, str], files: list[Path]) -> str | None:
    name = settings.get("default_toolchain")
    if name is None:
        file = Path(env.get("RUSTUP_OVERRIDE_UNIX_FALLBACK_SETTINGS") or _SYSTEM_SETTINGS)
        name = _settings(file).get("default_toolchain")
        files.append(file)
    return name if isinstance(name, str) and name not in ("", "none") else None


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
