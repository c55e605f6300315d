"""The rules that ship: each matches what it must and lets its benign twins be."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.judge.catalogue import CATALOGUE
from sandbox.judge.model import at_least
from sandbox.judge.rules import judge, sources
from sandbox.judge.rules.judge import shipped_rules
from sandbox.judge.rules.lint import lint_folder, matches, profile_of
from sandbox.judge.rules.model import Example, Rule
from tests.unit.judge.rules.samples import fact, run, unit

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "profiles/rules"
TECHNIQUES = ROOT / "profiles/attack-techniques.yaml"
NAMES = sources.techniques(TECHNIQUES)
RULES = [sources.read_rule(path, NAMES) for path in sources.files(FOLDER)]
MATCH = [pytest.param(rule, one, id=f"{rule.id}-{one.name}") for rule in RULES for one in rule.match]
NO_MATCH = [pytest.param(rule, one, id=f"{rule.id}-{one.name}") for rule in RULES for one in rule.no_match]


@pytest.mark.parametrize(("rule", "example"), MATCH)
def test_a_rule_matches_its_examples(rule: Rule, example: Example) -> None:
    assert matches(rule, example)


@pytest.mark.parametrize(("rule", "example"), NO_MATCH)
def test_a_rule_lets_its_twins_be(rule: Rule, example: Example) -> None:
    assert not matches(rule, example)


def test_the_linter_has_nothing_to_say() -> None:
    assert lint_folder(FOLDER, TECHNIQUES) == []


def test_the_compiled_file_and_the_tables_are_those_of_the_sources() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/gen-rules", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_build_reads_the_same_rules_as_their_authors_wrote() -> None:
    assert [(one.id, one.when, one.unless, one.severity) for one in shipped_rules()] == [
        (one.id, one.when, one.unless, one.severity) for one in RULES
    ]


def test_judging_imports_no_yaml() -> None:
    code = (
        "import sys; from sandbox.judge.rules.judge import shipped_rules; shipped_rules(); print('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_no_code_is_that_of_a_fixed_finding() -> None:
    assert not {rule.id for rule in RULES} & set(CATALOGUE)


TWINS = {
    "sqlx's macros with a database": unit(
        fact("decoy", "read", "$WORKSPACE/.env", 3, owner="workspace"),
        fact("read", "read", "$SRC/.sqlx", 2),
        fact("exec", "exec", "$SYSROOT/bin/cargo", 4, owner="toolchain", chain="$SYSROOT/bin/rustc"),
        fact("dns", "ask", "db.internal", 8, outcome="denied"),
        role="rustc",
        macros=("$BUILD/debug/deps/libsqlx_macros-<hash>.so",),
    ),
    "vergen asks git by the user's shell": unit(
        fact("exec", "exec", "/usr/bin/bash", 3, owner="system", chain="$SCRIPT/b"),
        fact("exec", "exec", "/usr/bin/git", 4, owner="system", chain="$SCRIPT/b /usr/bin/bash"),
        fact("denied", "write", "$WORKSPACE/.git/index.lock", 5, owner="workspace"),
        fact("directive", "rustc-env", "VERGEN_GIT_SHA=<sha1>"),
    ),
    "shadow-rs runs cargo metadata": unit(
        fact("exec", "exec", "$SYSROOT/bin/cargo", 4, owner="toolchain", chain="$SCRIPT/b"),
        fact("denied", "write", "$CARGO_HOME/.package-cache", 5, owner="cargo home"),
    ),
    "aws-lc-sys runs a fresh binary": unit(
        fact("exec", "exec", "/usr/bin/cc", 3, owner="system", chain="$SCRIPT/b"),
        fact("write", "write", "$OUT_DIR/memcmp_invalid_stripped_check", 4, owner="own output", where="inside"),
        fact("exec", "exec", "$OUT_DIR/memcmp_invalid_stripped_check", 5, owner="own output", chain="$SCRIPT/b"),
        fact("used", "linked", "$OUT_DIR/libaws_lc.a", owner="own output"),
    ),
    "autoconf": unit(
        fact("exec", "exec", "/usr/bin/sh", 1, owner="system", chain="$SCRIPT/b"),
        fact("exec", "exec", "$SRC/jemalloc/configure", 2, owner="own source", chain="$SCRIPT/b /usr/bin/sh"),
        fact("exec", "exec", "/usr/bin/uname", 3, owner="system", chain="$SCRIPT/b /usr/bin/sh"),
        fact("exec", "exec", "/usr/bin/hostname", 4, owner="system", chain="$SCRIPT/b /usr/bin/sh"),
        fact("exec", "exec", "/usr/bin/gcc", 5, owner="system", chain="$SCRIPT/b /usr/bin/sh"),
        fact("exec", "exec", "$OUT_DIR/conftest", 6, owner="own output", chain="$SCRIPT/b /usr/bin/sh"),
    ),
    "protoc-bin-vendored": unit(
        fact("exec", "exec", "$DEP(protoc-bin-vendored-linux-x86_64@3.1.0)/bin/protoc", 3, owner="dependency source"),
    ),
    "cmake asks for an io_uring": unit(
        fact("exec", "exec", "/usr/bin/cmake", 3, owner="system", chain="$SCRIPT/b"),
        fact("kernel", "io_uring", "io_uring_setup", 4, outcome="denied"),
    ),
    "cxx-build and tauri-build write beside their outputs": unit(
        fact("write", "symlink", "$TARGET/cxxbridge/rust/cxx.h", 3, owner="target dir", where="outside"),
        fact("denied", "write", "$TARGET/debug/resources/icon.png", 4, owner="target dir"),
    ),
    "v8 downloads": unit(
        fact("exec", "absent", "$PATH/deno", 2, chain="$SCRIPT/b"),
        fact("exec", "exec", "/usr/bin/python3", 3, owner="system", chain="$SCRIPT/b"),
        fact("dns", "ask", "github.com", 4, outcome="denied"),
        fact("exec", "exec", "/usr/bin/curl", 5, owner="system", chain="$SCRIPT/b"),
        fact("dns", "ask", "github.com", 6, outcome="denied"),
    ),
    "ort-sys downloads in its own process": unit(
        fact("read", "read", "$HOME/.cache/ort.pyke.io", 2, owner="home"),
        fact("dns", "ask", "cdn.pyke.io", 4, outcome="denied"),
    ),
    "the linker of a crate with macros": unit(
        fact("exec", "exec", "/usr/bin/cc", 3, owner="system", chain="$GUARD $SYSROOT/bin/rustc"),
        fact("exec", "exec", "/usr/bin/x86_64-linux-gnu-ld.bfd", 4, owner="system", chain="$GUARD /usr/bin/cc"),
        role="rustc",
        macros=("$BUILD/debug/deps/libm-<hash>.so",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_a_benign_twin_has_no_finding_of_high_severity(name: str) -> None:
    found = judge(run(TWINS[name]), {})
    assert [(one.code, one.severity) for one in found if at_least(one.severity, "high")] == []


def test_a_lone_download_needs_the_network_and_no_more() -> None:
    found = judge(run(TWINS["ort-sys downloads in its own process"]), {})
    assert [(one.code, one.severity, one.subject) for one in found] == [("CS0210", "medium", "cdn.pyke.io")]


def test_a_download_that_is_run_is_more_than_that() -> None:
    evil = unit(fact("dns", "ask", "cdn.example", 4, outcome="denied"), fact("exec", "absent", "$TMP/rust-setup", 9))
    assert "CS0226" in {one.code for one in judge(run(evil), {}) if one.severity == "high"}


def test_a_big_run_is_judged_in_no_time() -> None:
    units = [
        unit(
            fact("read", "read", f"/usr/include/x{number}.h", 1, owner="system"),
            fact("read", "read", "/etc/ld.so.cache", 2, owner="system"),
            fact("exec", "exec", "/usr/bin/cc", 3, owner="system", chain="$SCRIPT/b"),
            fact("exec", "exec", "$SYSROOT/bin/rustc", 4, owner="toolchain", chain="$GUARD"),
            fact("write", "write", f"$OUT_DIR/x{number}.o", 5, owner="own output", where="inside"),
            fact("directive", "rustc-cfg", "has_x"),
            fact("directive", "rerun-if-changed", "build.rs"),
            name=f"u{number}",
        )
        for number in range(200)
    ]
    rules = shipped_rules()
    judge(run(*units[:2]), {}, None, rules)
    best = min(_seconds(units, rules) for _ in range(5))
    assert best < 0.1


def _seconds(units: list[object], rules: tuple[Rule, ...]) -> float:
    begun = time.process_time()
    judge(run(*units), {}, None, rules)  # type: ignore[arg-type]
    return time.process_time() - begun


def test_every_example_of_an_attack_charges_its_own_unit_only() -> None:
    for rule in RULES:
        for example in rule.match:
            found = judge(profile_of(example), {}, None, (rule,))
            assert {one.package for one in found} == {"evil"}, rule.id
