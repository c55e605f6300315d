"""Splits a cargo command line. What cargo gets stays verbatim; we only read along to know what it will do.

The options follow clap's definitions in cargo's `src/util/command_prelude.rs` and `src/bin/cargo/commands/*.rs`, and
for clippy cargo-clippy's own loop. What cargo itself will refuse is not judged here: cargo says it better.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.errors import UsageError
from sandbox.record import record

VERBS = ("build", "check", "test", "run", "clippy", "doc", "bench")
"""The verbs that run in the sandbox."""

ALIASES = {"b": "build", "c": "check", "t": "test", "r": "run", "d": "doc"}
"""Cargo's built-in short names."""

_TAKES_VALUE = frozenset(
    {
        "artifact-dir", "color", "config", "exclude", "explain", "features", "jobs", "lockfile-path", "manifest-path",
        "message-format", "out-dir", "output-format", "profile", "target-dir",
    }
)  # fmt: skip
_MAY_TAKE_VALUE = frozenset({"package", "target", "bin", "example", "test", "bench"})
_TAKES_ANYTHING = frozenset({"jobs"})
_SHORT_VALUE = {"p": "package", "F": "features", "j": "jobs", "m": "manifest-path", "Z": "Z"}
_SHORT_FLAG = {"v": "verbose", "q": "quiet", "r": "release", "h": "help", "V": "version"}
_EARLY_FLAGS = frozenset({"verbose", "quiet", "locked", "offline", "frozen", "help", "version", "list"})
_EARLY_VALUES = frozenset({"color", "config", "explain"})
_EARLY_SHORT = "vqhVZC"


@record
class CargoArgs:
    """One cargo command line, split. `before` and `rest` are verbatim; all else is read out of them.

    toolchain      the name of a leading `+name`, without the plus
    before         cargo's own options before the verb (`-C dir`, `-Z x`, `-q`, `--config …`)
    verb           the canonical name, one of VERBS
    rest           every argument after the verb
    directory      `-C DIR` (nightly only)
    trailing       arguments for the program, the tests or clippy (`--` itself is left out)
    config         values of `--config`, in cargo's order
    targets        values of `--target`
    features       single names, split at commas and blanks as cargo does
    message_format lower-case values, split at commas
    verbose        how many `-v`
    help           cargo prints something (help, a lint's text, `-Z help`) and builds nothing
    no_run         `--no-run` of test and bench
    fix            `clippy --fix`, which writes into the sources
    """

    verb: str
    toolchain: str | None = None
    before: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    directory: str | None = None
    trailing: tuple[str, ...] = ()
    manifest_path: str | None = None
    lockfile_path: str | None = None
    target_dir: str | None = None
    artifact_dir: str | None = None
    config: tuple[str, ...] = ()
    unstable: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    workspace: bool = False
    features: tuple[str, ...] = ()
    all_features: bool = False
    no_default_features: bool = False
    profile: str | None = None
    release: bool = False
    jobs: str | None = None
    color: str | None = None
    message_format: tuple[str, ...] = ()
    quiet: bool = False
    verbose: int = 0
    locked: bool = False
    offline: bool = False
    frozen: bool = False
    keep_going: bool = False
    no_run: bool = False
    fix: bool = False
    open: bool = False
    help: bool = False

    @property
    def json(self) -> bool:
        """True when cargo's stdout will be JSON lines."""
        return any(value.startswith("json") for value in self.message_format)

    def command(self, cargo: str, config: Sequence[str] = ()) -> tuple[str, ...]:
        """The argv for the cargo at path `cargo`, without `+toolchain`, since that cargo is the toolchain's.

        `config` are settings of ours, `KEY=VALUE`, which win over the user's. They stand beside the user's `--config`:
        clap drops those before the verb as soon as one stands after it.
        """
        ours = tuple(f"--config={setting}" for setting in config)
        late = _Scan(self.rest, self.verb)
        if "config" not in late.values and "config" in _Scan(self.before, "").values:
            return (cargo, *self.before, *ours, self.verb, *self.rest)
        return (cargo, *self.before, self.verb, *self.rest[: late.end], *ours, *self.rest[late.end :])

    def asking_for_help(self, cargo: str) -> tuple[str, ...]:
        """The argv of the same command with `-h` as its last option, without the options before the verb: it needs no
        project, builds nothing and fails where cargo does not take the arguments."""
        return (cargo, self.verb, *self.rest[: _Scan(self.rest, self.verb).end], "-h")


def split(argv: Sequence[str]) -> CargoArgs:
    """Splits `[+toolchain] [OPTIONS] VERB [ARGS…]`.

    Raises UsageError when no verb can be found or it is none of ours; nothing else, whatever the arguments.
    """
    words = list(argv)
    toolchain = None
    if words and words[0].startswith("+"):
        toolchain = words.pop(0)[1:]
        if not toolchain:
            raise UsageError("`+` without the name of a toolchain", hint="write for instance `+nightly`")
    early = _Scan(words, "")
    if early.stopped == len(words):
        raise UsageError("no cargo command given", hint=f"one of: {', '.join(VERBS)}")
    word = words[early.stopped]
    verb = ALIASES.get(word, word)
    if verb not in VERBS:
        if word.startswith("-"):
            raise UsageError(f"unknown option {word} before the command", hint="cargo's options come after the command")
        raise UsageError(f"`cargo {word}` does not run in the sandbox", hint=f"one of: {', '.join(VERBS)}")
    before, rest = tuple(words[: early.stopped]), tuple(words[early.stopped + 1 :])
    return _result(toolchain, before, verb, rest, early, _Scan(rest, verb))


class _Scan:
    """One pass over the options; without a verb, over those before it. `stopped` is the first word not part of them.

    `end` is the place behind the last option: before `--`, or before the arguments of the program.
    """

    __slots__ = ("end", "flags", "stopped", "trailing", "values", "verb", "words")

    def __init__(self, words: Sequence[str], verb: str) -> None:
        self.words = words
        self.verb = verb
        self.flags: list[str] = []
        self.values: dict[str, list[str]] = {}
        self.trailing: tuple[str, ...] = ()
        self.end = len(words)
        at = 0
        while at < len(words) and (verb or self._is_early(words[at])):
            word = words[at]
            if word == "--":
                self.trailing, self.end = tuple(words[at + 1 :]), at
                at = len(words)
            elif word.startswith("--"):
                at = self._long(at)
            elif word.startswith("-") and word != "-":
                at = self._short(at)
            elif verb == "run":
                self.trailing, self.end = tuple(words[at:]), at
                at = len(words)
            else:
                at += 1
        self.stopped = at

    @staticmethod
    def _is_early(word: str) -> bool:
        if word.startswith("--"):
            return word[2:].partition("=")[0] in _EARLY_FLAGS | _EARLY_VALUES
        return len(word) > 1 and word[0] == "-" and word[1] in _EARLY_SHORT

    def _long(self, at: int) -> int:
        name, equals, value = self.words[at][2:].partition("=")
        if name in _TAKES_VALUE or name in _MAY_TAKE_VALUE:
            if equals:
                return self._keep(name, value, at + 1)
            return self._next(name, at + 1)
        self.flags.append(name)
        return at + 1

    def _short(self, at: int) -> int:
        cluster = self.words[at]
        for index in range(1, len(cluster)):
            letter = cluster[index]
            name = "C" if letter == "C" and not self.verb else _SHORT_VALUE.get(letter)
            if name:
                attached = cluster[index + 1 :]
                if attached:
                    return self._keep(name, attached.removeprefix("="), at + 1)
                return self._next(name, at + 1)
            flag = _SHORT_FLAG.get(letter)
            if flag is None:
                return at + 1
            self.flags.append(flag)
        return at + 1

    def _next(self, name: str, at: int) -> int:
        """The value is the next word, unless that looks like an option (then cargo complains or takes none)."""
        if at < len(self.words):
            word = self.words[at]
            if name in _TAKES_ANYTHING or not word.startswith("-") or word == "-":
                return self._keep(name, word, at + 1)
        return at

    def _keep(self, name: str, value: str, after: int) -> int:
        self.values.setdefault(name, []).append(value)
        return after


def _result(
    toolchain: str | None, before: tuple[str, ...], verb: str, rest: tuple[str, ...], early: _Scan, late: _Scan
) -> CargoArgs:
    # An external command such as cargo-clippy gets nothing of what stands before its name. For a built-in one a global
    # option after the verb replaces the same one before it (clap's rule), and `-v` counts likewise.
    inherits = verb != "clippy"

    def values(name: str) -> list[str]:
        return late.values.get(name) or (early.values.get(name, []) if inherits else [])

    def last(name: str) -> str | None:
        found = values(name)
        return found[-1] if found else None

    def flag(name: str) -> bool:
        return name in late.flags or (inherits and name in early.flags)

    def parts(name: str) -> tuple[str, ...]:
        return tuple(part for value in values(name) for part in value.replace(",", " ").split())

    unstable = tuple(values("Z"))
    color = last("color")
    directory = early.values.get("C")
    informs = flag("help") or "help" in unstable or any(name in early.flags for name in ("help", "version", "list"))
    if verb == "clippy":
        words = ("-h", "--help", "-V", "--version", "--explain")
        informs = informs or any(word in words for word in rest)
    return CargoArgs(
        toolchain=toolchain,
        before=before,
        verb=verb,
        rest=rest,
        directory=directory[-1] if directory else None,
        trailing=late.trailing,
        manifest_path=last("manifest-path"),
        lockfile_path=last("lockfile-path"),
        target_dir=last("target-dir"),
        artifact_dir=last("artifact-dir"),
        config=tuple(values("config")),
        unstable=unstable,
        targets=tuple(values("target")),
        packages=tuple(values("package")),
        exclude=tuple(values("exclude")),
        workspace=flag("workspace") or flag("all"),
        features=parts("features"),
        all_features=flag("all-features"),
        no_default_features=flag("no-default-features"),
        profile=last("profile"),
        release=flag("release"),
        jobs=last("jobs"),
        color=color.lower() if color else None,
        message_format=tuple(part.lower() for part in parts("message-format")),
        quiet=flag("quiet"),
        verbose=late.flags.count("verbose") or (early.flags.count("verbose") if inherits else 0),
        locked=flag("locked"),
        offline=flag("offline"),
        frozen=flag("frozen"),
        keep_going=flag("keep-going"),
        no_run=flag("no-run"),
        fix=verb == "clippy" and "fix" in late.flags,
        open=verb == "doc" and "open" in late.flags,
        help=informs or "explain" in early.values,
    )
