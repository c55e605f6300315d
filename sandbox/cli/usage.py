"""How our own verbs are used: what `VERB --help` shows, and the hint of a mistake."""

from __future__ import annotations

from collections.abc import Sequence

_MANIFEST = "[--manifest-path PATH]"

USAGES = {
    "plan": "plan VERB [CARGO ARGUMENTS...]",
    "audit": (
        "audit [--lock FILE | --manifest-path PATH] [--advisory-db FOLDER | --fetch-db] [--online] [--only CHECK] "
        "[--deny LEVEL] [--json] [--report FILE]"
    ),
    "audit diff": f"audit diff OLD.lock NEW.lock [--json | --markdown] {_MANIFEST}",
    "report": "report RUN [--format terminal|json|sarif|markdown] [--output FILE]",
    "explain": "explain RUN#EVENT",
    "config": f"config show [--origin] [--json] {_MANIFEST}",
    "doctor": "doctor [--json] [--require degraded|standard|strong]",
    "runs list": "runs list",
    "runs show": "runs show RUN...",
    "runs behaviour": "runs behaviour RUN [--json] [PACKAGE]",
    "runs path": "runs path RUN...",
    "runs prune": "runs prune [--dry-run]",
    "runs pin": "runs pin RUN...",
    "runs unpin": "runs unpin RUN...",
    "tree": (
        "tree [-p PKG | --invert PKG] [--only build-scripts|macros|native|findings|new] [--depth N] [--no-dedupe] "
        "[--licences] [--json] [--lock FILE | --manifest-path PATH]"
    ),
    "sbom": (
        "sbom [--format cyclonedx-json|cyclonedx-xml|spdx-json] [--output FILE] [--lock FILE | --manifest-path PATH]"
    ),
    "baseline init": f"baseline init [--reason TEXT] [--user] [--json] {_MANIFEST}",
    "baseline learn": (
        f"baseline learn --runs N [--reason TEXT] [--user] [--json] {_MANIFEST} [-- VERB CARGO ARGUMENTS...]"
    ),
    "baseline status": f"baseline status [--from RUN] [--json] {_MANIFEST}",
    "baseline diff": f"baseline diff [PKG...] [--from RUN] [--json] {_MANIFEST}",
    "baseline accept": (
        f"baseline accept [PKG...] [--from RUN] --reason TEXT [--rule ID] [--user] [--json] {_MANIFEST}"
    ),
    "baseline verify": f"baseline verify [--locked-baseline] [--from RUN] [--json] {_MANIFEST}",
    "baseline prune": f"baseline prune [--dry-run] [--user] [--json] {_MANIFEST}",
    "baseline import": f"baseline import FILE|DIR [--reason TEXT] [--user] [--json] {_MANIFEST}",
    "baseline export": f"baseline export FILE|DIR [PKG...] [--user] [--json] {_MANIFEST}",
    "review": (
        f"review {_MANIFEST} [--from RUN] "
        "[--json | --accept-all --reason TEXT | --accept PKG... --reason TEXT] [--user]"
    ),
}
"""By the verb, or the verb and what follows it."""

_MORE = {
    "audit": "The supply-chain checks; nothing of the project is run. What each code means: docs/threats.md",
    "baseline": "Behaviours that were accepted, and what is new since; kept and compared as docs/baselines.md says",
    "config": "The settings and allowances of a build here, and which file each comes from: docs/policy.md",
    "doctor": "What this host offers, as a tier: degraded, standard or strong",
    "explain": "One event of a run in full; findings name the events that they rest on",
    "plan": "What would be run, with all mounts, variables and limits. Nothing is",
    "report": "A run's findings again. RUN: an id, its beginning, or last",
    "review": "Go through what is new and accept or skip it, one by one; without a terminal, by name and with a reason",
    "runs": "The stored runs. RUN: an id, its beginning, or last",
    "sbom": "A bill of materials of the dependencies, with what is known of them",
    "tree": "The dependencies, and what is known of each",
}


def wants_help(words: Sequence[str]) -> bool:
    """Whether somebody asks how a verb of ours is used. What comes after a verb of cargo's, or `--`, is cargo's."""
    if words[0] == "plan":
        return words[1:2] in (["--help"], ["-h"])
    own = words[: words.index("--")] if "--" in words else words
    return "--help" in own or "-h" in own


def verb_help(words: Sequence[str]) -> str:
    """The help of a verb, or of one of its own verbs (`baseline init`) if that was named."""
    verb = words[0]
    named = {name: text for name, text in USAGES.items() if name == " ".join(words[:2])}
    found = named or {name: text for name, text in USAGES.items() if name.split()[0] == verb}
    lines = [f"  cargo-sandbox [OPTIONS] {text}" for text in found.values()]
    return "\n".join([_MORE[verb], "", "Usage:", *lines, "", "Options that all verbs share: cargo-sandbox --help"])


def hint_of(verb: str) -> str:
    """All that may follow a verb, for who wrote something else."""
    acts = [name.split()[1] for name in USAGES if name.split()[0] == verb and " " in name]
    return f"{verb} {' | '.join(acts)}; see cargo-sandbox {verb} --help"


def is_ours(verb: str) -> bool:
    """Whether it is a verb of ours."""
    return verb in _MORE
