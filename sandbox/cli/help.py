"""The text of `cargo-sandbox --help`. README shows it word for word; `scripts/check-readme` compares the two."""

from __future__ import annotations

from sandbox.cli.options import options_help

_HEAD = """\
Build Rust code without trusting it: cargo in a container without network, recorded and judged per crate

Usage: cargo-sandbox [OPTIONS] VERB [CARGO ARGUMENTS...]
       cargo sandbox [OPTIONS] VERB [CARGO ARGUMENTS...]   (trusted trees only: a tree can alias `sandbox`)

Verbs of cargo, its arguments unchanged:
  build, check, test, run, clippy, doc, bench      (also b, c, t, r, d)

Our own verbs:
  plan VERB [CARGO ARGUMENTS...]   print what would be run, and run nothing
  audit [--lock FILE|--manifest-path PATH] [--fetch-db] [--online] [--only CHECK] [--deny LEVEL] [--json]
                                   the supply-chain checks, all of them; runs nothing (docs/threats.md)
  audit diff OLD NEW [--json|--markdown]   what the change of a lock file brings, the most dangerous first
  report RUN [--format F] [--output FILE]   a run's findings again (RUN: an id, its beginning, or last)
                                   formats: terminal, json, sarif, markdown
  explain RUN#EVENT                show one event of a run in full
  config show [--origin] [--json]   the settings and allowances that a build would have, and where they come from
  doctor [--json] [--require TIER]   what this host offers, as a tier: degraded, standard or strong
  runs list|show|path|prune|pin|unpin   the stored runs
  runs behaviour RUN [--json] [PACKAGE]   what each unit of a run did, normalised
  tree [-p PKG|--invert PKG] [--only FILTER] [--licences] [--json]   the dependencies and what is known of each
                                   filters: build-scripts, macros, native, findings, new; also --depth N, --no-dedupe
  sbom [--format F] [--output FILE]   a bill of materials: cyclonedx-json, cyclonedx-xml, spdx-json
                                   tree and sbom take --lock FILE, and then speak of that lock file alone
  baseline init|learn|status|diff|accept|verify|prune|import|export   accepted behaviours (docs/baselines.md)
  review [--accept PKG --reason TEXT]   go through what is new, one by one, and accept or skip it
  Of these, what reads a project takes --manifest-path PATH, as cargo does.

Options (also as variables: CARGO_SANDBOX_DENY=medium):
"""

_TAIL = """
  --version                 print the version
  --help                    print this; after a verb, how that verb is used

Exit codes: cargo's own | 120 finding at or above --deny | 121 the sandbox could not be set up as planned
  122 record incomplete (--require-complete) | 123 baseline missing or stale (--locked-baseline)
  124 a limit was reached | 125 engine unavailable | 2 usage | 1 our bug"""


def help_text() -> str:
    """All of it, without a final newline."""
    return _HEAD + options_help() + _TAIL
