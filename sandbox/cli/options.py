"""Our own options: one table drives parsing, `--help` and the environment variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.errors import UsageError
from sandbox.record import record, replace


@record
class Settings:
    """What the options say. Sizes are bytes, times seconds; `None` means not given.

    `given` names the fields that the command line or a variable set, each with where; files of policy may set others.
    """

    engine: str = "auto"
    runtime: str = ""
    image: str = ""
    deny: str = "high"
    on_violation: str = "kill"
    allow_env: tuple[str, ...] = ()
    allow_read: tuple[str, ...] = ()
    allow_dotenv: tuple[str, ...] = ()
    allow_write: tuple[tuple[str, str], ...] = ()
    time_limit_s: float | None = None
    memory_limit: int | None = None
    process_limit: int | None = None
    min_free_disk: int | None = None
    tmp_size: int | None = None
    cpu_limit: float = 0.0
    seccomp: str = "standard"
    require_complete: bool = False
    locked_baseline: bool = False
    strict: bool = False
    quiet: bool = False
    pin: bool = False
    report: tuple[tuple[str, str], ...] = ()
    policy: str = ""
    untrusted: bool = False
    deny_build_scripts: bool = False
    allow_build_script: tuple[str, ...] = ()
    advisory_db: str = ""
    given: tuple[tuple[str, str], ...] = ()


@record
class Option:
    """One option. `value` is the name of its value in the help, empty for a switch."""

    flag: str
    field: str
    value: str
    help: str
    parse: Callable[[str], Any]
    many: bool = False
    separator: str = ":"

    @property
    def variable(self) -> str:
        """The environment variable with the same meaning."""
        return "CARGO_SANDBOX_" + self.flag[2:].upper().replace("-", "_")


def _choice(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise UsageError(f"{text!r} is not one of {', '.join(words)}", hint="see cargo-sandbox --help")
        return text

    return parse


def size(text: str) -> int:
    """A size such as `512M`, `4G` or a plain number of bytes. Raises UsageError."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    digits, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in units else (text, "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise UsageError(f"{text!r} is not a size", hint="write a number of bytes, or 512M, 4G")
    return int(digits) * units.get(unit, 1)


def _seconds(text: str) -> float:
    factors = {"s": 1.0, "m": 60.0, "h": 3600.0}
    digits, factor = (text[:-1], factors[text[-1]]) if text[-1:] in factors else (text, 1.0)
    try:
        value = float(digits) * factor
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise UsageError(f"{text!r} is not a time", hint="write seconds, or 90s, 15m, 2h; 0 means no limit")
    return value


def _cpus(text: str) -> float:
    whole, _, part = text.partition(".")
    if not (whole + part).isdecimal() or not text.isascii() or len(text) > 8 or 0 < float(text) < 0.01:
        raise UsageError(f"{text!r} is not a number of processors", hint="write 2 or 1.5, at least 0.01; 0: no limit")
    return float(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"{text!r} is not a number", hint="write a number; 0 means no limit")
    return int(text)


def _package_path(text: str) -> tuple[str, str]:
    package, found, path = text.partition("=")
    if not found or not package or not path.startswith("/"):
        raise UsageError(f"{text!r} is not PACKAGE=PATH", hint="the path must be absolute, the package may be *")
    return package, path


def _directory(text: str) -> str:
    import os.path

    if not text.startswith("/"):
        raise UsageError(f"{text!r} is not an absolute path", hint="write the whole path")
    # Two slashes at the front mean what one does on Linux, and normpath keeps them.
    return os.path.normpath("/" + text.lstrip("/"))


def _folder(text: str) -> str:
    """A folder by its whole path, seen from the working directory, or several with colons between; empty for none."""
    import os.path

    parts = [text] if os.path.isdir(text) else text.split(":")
    return ":".join(os.path.abspath(part) for part in parts if part)


def _runtime(text: str) -> str:
    if not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UsageError(f"{text!r} is not the name of a runtime", hint="see: docker info")
    return text


def _image(text: str) -> str:
    if not text or text.startswith("-") or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{text!r} is not the name of an image", hint="see: docker images")
    return text


def _script(text: str) -> str:
    from sandbox.cargo.semver import SCRIPT_HINT, is_script_name

    if not is_script_name(text):
        raise UsageError(f"{text!r} names no package", hint=SCRIPT_HINT)
    return text


def _report(text: str) -> tuple[str, str]:
    from sandbox.report.formats import parse_target

    return parse_target(text)


def _switch(text: str) -> bool:
    if text.lower() in ("", "1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise UsageError(f"{text!r} is neither true nor false", hint="write 1 or 0")


OPTIONS: tuple[Option, ...] = (
    Option(
        "--engine",
        "engine",
        "NAME",
        "what makes the container: auto, bubblewrap, docker [auto: the first that can]",
        _choice("auto", "bubblewrap", "docker"),
    ),
    Option("--image", "image", "REF", "a local Docker image to build in, with its cargo; builder: ours", _image),
    Option("--runtime", "runtime", "NAME", "an OCI runtime that the Docker daemon knows by this name", _runtime),
    Option(
        "--deny",
        "deny",
        "LEVEL",
        "findings that make the exit code 120: low, medium, high, critical, never [high]",
        _choice("low", "medium", "high", "critical", "never"),
    ),
    Option(
        "--on-violation",
        "on_violation",
        "ACT",
        "at a finding of high or above: kill (stop the build at once) or report [kill]",
        _choice("kill", "report"),
    ),
    Option("--allow-env", "allow_env", "NAME", "pass this environment variable (NAME* for a prefix)", str, True),
    Option("--allow-read", "allow_read", "PATH", "show this directory read-only to the build", _directory, True),
    Option("--allow-dotenv", "allow_dotenv", "NAME", "do not mask .env files of this name", str, True),
    Option(
        "--allow-write",
        "allow_write",
        "PKG=PATH",
        "let this package's units write below PATH, in the target dir or the workspace's sources",
        _package_path,
        True,
    ),
    Option(
        "--time-limit", "time_limit_s", "TIME", "end the build after this time: 90s, 15m, 2h; 0: none [6h]", _seconds
    ),
    Option("--memory-limit", "memory_limit", "SIZE", "end the build above this memory [90% of the machine]", size),
    Option("--process-limit", "process_limit", "N", "end the build above this many processes [4096]", _count),
    Option("--min-free-disk", "min_free_disk", "SIZE", "end the build when less disk is free [512M]", size),
    Option("--tmp-size", "tmp_size", "SIZE", "size of the build's /tmp [a quarter of memory]", size),
    Option("--cpu-limit", "cpu_limit", "N", "processors that the build may use, 1.5 too (Docker only) [all]", _cpus),
    Option(
        "--seccomp",
        "seccomp",
        "LEVEL",
        "system calls the build may make: standard, or strict (fewer; see README) [standard]",
        _choice("standard", "strict"),
    ),
    Option("--require-complete", "require_complete", "", "exit 122 when the record has a hole", _switch),
    Option("--locked-baseline", "locked_baseline", "", "exit 123 when a baseline is missing or stale", _switch),
    Option("--strict", "strict", "", "refuse a host that is degraded: where a wall or the record is weaker", _switch),
    Option("--quiet", "quiet", "", "no last line when the run is clean", _switch),
    Option("--pin", "pin", "", "keep this run's record for ever", _switch),
    Option(
        "--report",
        "report",
        "FILE",
        "write a report as well: FILE.json, .sarif or .md, or FORMAT:FILE; may be repeated",
        _report,
        True,
        ",",
    ),
    Option(
        "--policy",
        "policy",
        "NAME",
        "a set of settings to begin with: default, strict, farm, forensic [default]",
        _choice("default", "strict", "farm", "forensic"),
    ),
    Option(
        "--untrusted",
        "untrusted",
        "",
        "the project's cargo-sandbox.toml may only tighten, its baseline has no say",
        _switch,
    ),
    Option(
        "--deny-build-scripts",
        "deny_build_scripts",
        "",
        "run nothing when the graph has a build script that is not allowed",
        _switch,
    ),
    Option(
        "--allow-build-script",
        "allow_build_script",
        "NAME",
        "allow this package's build script (NAME@1.2 for a version)",
        _script,
        True,
    ),
    Option("--advisory-db", "advisory_db", "DIR", "a clone of RustSec's advisory database to check against", _folder),
)
_BY_FLAG = {option.flag: option for option in OPTIONS}


def parse(argv: Sequence[str], env: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Our options at the front of `argv` and the rest, which begins with the verb (or `+toolchain`).

    Variables `CARGO_SANDBOX_*` give defaults; lists are separated by `:`, reports by `,`. Raises UsageError.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for option in OPTIONS:
        text = env.get(option.variable)
        if text is None:
            continue
        origins[option.field] = option.variable
        if option.many:
            values[option.field] = tuple(_parsed(option, part, option.variable) for part in _parts(option, text))
        else:
            values[option.field] = _parsed(option, text, option.variable)
    rest = list(argv)
    while rest and rest[0].startswith("--") and len(rest[0]) > 2:
        flag, given, text = rest.pop(0).partition("=")
        found = _BY_FLAG.get(flag)
        if found is None:
            raise UsageError(
                f"no option {flag}", hint="cargo-sandbox's options go before the verb, cargo's after it; see --help"
            )
        if not found.value:
            text = text if given else "1"
        elif not given:
            if not rest:
                raise UsageError(f"{flag} needs a value {found.value}", hint=found.help)
            text = rest.pop(0)
        value = _parsed(found, text, flag)
        origins[found.field] = f"{origins[found.field]}, {flag}" if found.many and found.field in origins else flag
        values[found.field] = (*values.get(found.field, ()), value) if found.many else value
    return replace(Settings(), **values, given=tuple(origins.items())), rest


def _parts(option: Option, text: str) -> list[str]:
    return [part for part in text.split(option.separator) if part]


def _parsed(option: Option, text: str, name: str) -> Any:
    """The value, or a UsageError that says where the text stands: a variable is easily forgotten."""
    try:
        return option.parse(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", hint=error.hint) from None


def options_help() -> str:
    """The options' part of `--help`."""
    lines = []
    for option in OPTIONS:
        left = f"{option.flag} {option.value}".rstrip()
        lines.append(f"  {left:<25} {option.help}")
    return "\n".join(lines)
