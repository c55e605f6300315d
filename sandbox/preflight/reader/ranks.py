"""Judges what a unit reaches for: rules as data, and a pure function over them.

A rule holds when each of its groups is met by a sighting of the unit. What a macro puts into others' code is judged by
rules of its own: it does nothing while the macro runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.preflight.reader.facts import Sighting
from sandbox.preflight.reader.kinds import KINDS, RANKS, Rank

_ORDINARY, _NOTABLE, _REACHES, _ATTACK = RANKS
Group = frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """`needs`: groups of kinds, one sighting of each. `why` says what the combination does, for people. `emitted`: it
    is about code that a macro makes for others."""

    name: str
    rank: Rank
    why: str
    needs: tuple[Group, ...]
    emitted: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that holds, with one sighting of each of its groups (of each kind, where there are several)."""

    rule: Rule
    evidence: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`rank` is the highest of `reasons`, which come highest first; `sightings` are all, weightiest first."""

    rank: Rank
    reasons: tuple[Reason, ...]
    sightings: tuple[Sighting, ...]


def _any(words: str) -> Group:
    return frozenset(words.split())


_OUT = _any("network download-tool")
_RUN = _any("spawn spawn-computed spawn-scratch shell odd-program")
_RUN_ANY = _any("spawn-computed spawn-scratch")
_SECRET = _any("credential-path")
_HIDING = _any("decode xor obfuscation encoded-literal byte-blob")
_DATA = _any("reads-binary includes-binary includes-executable byte-blob encoded-literal")

RULES: tuple[Rule, ...] = (
    Rule("credentials-out", _ATTACK, "reads credentials and talks to others", (_SECRET, _OUT | _any("drop-site"))),
    Rule("environment-out", _ATTACK, "takes the whole environment and talks to others",
         (_any("env-all"), _any("network drop-site raw-address"))),
    Rule("identity-out", _ATTACK, "finds out whose machine this is and tells others",
         (_any("env-user host-program"), _any("network drop-site raw-address"))),
    Rule("drop", _ATTACK, "fetches a program, makes it executable and runs it",
         (_OUT | _any("git-update"), _any("chmod-exec temp-path"), _RUN_ANY)),
    Rule("repository-out", _ATTACK, "takes a repository's contents and talks to others",
         (_any("git-content"), _any("network drop-site raw-address"))),
    Rule("scratch-program", _ATTACK, "makes a program in a scratch folder and runs it",
         (_any("temp-path"), _any("chmod-exec"), _RUN_ANY)),
    Rule("number-address", _ATTACK, "talks to a machine by its number", (_any("network"), _any("raw-address"))),
    Rule("download-address", _ATTACK, "downloads from a machine by its number",
         (_any("download-tool"), _any("raw-address"))),
    Rule("data-becomes-program", _ATTACK, "makes a program of data that the package carries",
         (_DATA, _any("chmod-exec memory-exec dlopen spawn-scratch"), _any("xor decode spawn-computed spawn-scratch"))),
    Rule("data-is-linked", _ATTACK, "decodes data that the package carries and has it linked",
         (_any("reads-binary includes-binary byte-blob encoded-literal"), _any("decode xor"), _any("link-arg"))),
    Rule("hides-and-runs", _ATTACK, "decodes texts at run time and starts programs",
         (_any("decode alphabet obfuscation"), _RUN_ANY | _any("shell odd-program"),
          _any("encoded-literal byte-blob obfuscation detach chmod-exec temp-path"))),
    Rule("decodes-and-fetches", _ATTACK, "decodes texts at run time, talks to others and starts programs",
         (_any("decode obfuscation"), _OUT, _RUN_ANY | _any("shell"))),
    Rule("hides-and-talks", _ATTACK, "hides its texts and talks to others", (_any("obfuscation"), _OUT)),
    Rule("persists", _ATTACK, "writes to a place whose content runs later",
         (_any("persist-path"), _any("write write-outside chmod-exec shell"))),
    Rule("traced", _ATTACK, "looks whether it is traced before it acts", (_any("debugger"), _OUT | _RUN)),
    Rule("contained", _ATTACK, "looks whether it is in a container before it acts",
         (_any("container-path"), _OUT | _RUN)),
    Rule("waits-for-a-date", _ATTACK, "waits for a date before it talks to others", (_any("date-gate"), _OUT)),
    Rule("leaves-a-process", _ATTACK, "leaves a process behind that talks or comes from scratch",
         (_any("detach"), _any("network temp-path"), _any("spawn spawn-computed spawn-scratch shell"))),
    Rule("ci-drop", _ATTACK, "runs a program out of a scratch folder where a CI system builds",
         (_any("env-ci"), _any("temp-path spawn-scratch"), _RUN_ANY)),
    Rule("dotenv-out", _REACHES, "reads .env and talks to others", (_any("dotenv"), _OUT)),
    Rule("secret-out", _REACHES, "reads a secret variable and talks to others", (_any("env-secret"), _OUT)),
    Rule("downloads", _REACHES, "downloads while it builds", (_any("network download-tool"),)),
    Rule("gated", _REACHES, "asks whether a CI system builds, and talks to others", (_any("env-ci"), _OUT)),
    Rule("home", _REACHES, "writes or deletes in the home folder",
         (_any("home-path"), _any("write delete write-outside delete-outside"))),
    Rule("secret-runs", _REACHES, "reads a secret variable and starts programs", (_any("env-secret"), _RUN_ANY)),
    Rule("fetched-run", _REACHES, "fetches something into a scratch folder and starts programs",
         (_OUT, _any("temp-folder"), _RUN_ANY)),
    Rule("daemon", _REACHES, "starts programs and takes them out of the build's group or session",
         (_any("detach"), _RUN)),
    Rule("patches-libraries", _REACHES, "looks for compiled libraries of others and writes",
         (_any("library-path"), _any("write write-outside"))),
    Rule("scratch-run", _REACHES, "names a scratch folder and starts programs", (_any("temp-path"), _RUN)),
    Rule("unseen-import", _NOTABLE, "takes in names that can't be followed", (_any("unknown-import"),)),
    Rule("emits-attack", _REACHES, "puts code that reaches for much into the crates that use it",
         (_any("shell-pipe kernel-path memory-exec persist-path credential-path metadata-address drop-site "
               "hidden-text"),),
         emitted=True),
    Rule("emits-network", _REACHES, "puts code that talks to others into the crates that use it",
         (_any("network raw-address"),), emitted=True),
)  # fmt: skip


def judge(sightings: Iterable[Sighting]) -> Judgement:
    """The rank of a unit, with the rules and single sightings that made it."""
    found = sorted(set(sightings), key=lambda one: (-weight(one), one.file, one.line, one.kind, one.text))
    acts: dict[str, list[Sighting]] = {}
    makes: dict[str, list[Sighting]] = {}
    for one in found:
        (makes if one.emitted else acts).setdefault(one.kind, []).append(one)
    reasons = [
        Reason(rule, evidence) for rule in RULES if (evidence := _evidence(rule, makes if rule.emitted else acts))
    ]
    for kind, seen in acts.items():
        alone = KINDS[kind]
        if alone.alone != _ORDINARY:
            rule = Rule(kind, alone.alone, alone.words, (frozenset({kind}),))
            reasons.append(Reason(rule, tuple(seen[:4])))
    reasons.sort(key=lambda reason: -RANKS.index(reason.rule.rank))
    rank = reasons[0].rule.rank if reasons else _ORDINARY
    return Judgement(rank, tuple(reasons), tuple(found))


def weight(one: Sighting) -> int:
    """How far up a sighting is shown: by what it weighs alone."""
    return 0 if one.emitted else RANKS.index(KINDS[one.kind].alone)


def _evidence(rule: Rule, seen: dict[str, list[Sighting]]) -> tuple[Sighting, ...]:
    evidence: list[Sighting] = []
    for group in rule.needs:
        met = [seen[kind][0] for kind in sorted(group) if kind in seen]
        if not met:
            return ()
        evidence.extend(one for one in met if one not in evidence)
    return tuple(evidence)
