"""Splitting cargo's command line."""

from __future__ import annotations

import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.args import ALIASES, VERBS, CargoArgs, split
from sandbox.errors import UsageError
from sandbox.record import replace


def test_every_verb_and_alias_is_known_by_its_canonical_name() -> None:
    assert [split([verb]).verb for verb in VERBS] == list(VERBS)
    assert {alias: split([alias]).verb for alias in ALIASES} == ALIASES


def test_a_leading_plus_names_the_toolchain_and_leaves_the_command() -> None:
    args = split(["+nightly-2026-01-01", "b", "--release"])
    assert args.toolchain == "nightly-2026-01-01"
    assert args.command("/t/bin/cargo") == ("/t/bin/cargo", "build", "--release")


def test_a_plus_later_on_is_an_ordinary_argument() -> None:
    assert split(["build", "+nightly"]).toolchain is None


@pytest.mark.parametrize(
    "argv",
    [[], ["+"], ["+nightly"], ["install"], ["sandbox"], ["--frobnicate", "build"], ["--", "build"], ["-x", "build"]],
)
def test_a_command_line_without_a_verb_of_ours_is_a_usage_error_with_advice(argv: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        split(argv)
    assert caught.value.exit_code == 2
    assert caught.value.hint


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--manifest-path", "a/Cargo.toml"], "manifest_path", "a/Cargo.toml"),
        (["--manifest-path=a/Cargo.toml"], "manifest_path", "a/Cargo.toml"),
        (["-m", "a/Cargo.toml"], "manifest_path", "a/Cargo.toml"),
        (["--target-dir", "t"], "target_dir", "t"),
        (["--target-dir="], "target_dir", ""),
        (["--lockfile-path", "x/Cargo.lock"], "lockfile_path", "x/Cargo.lock"),
        (["--artifact-dir", "out"], "artifact_dir", "out"),
        (["--target", "a", "--target=b"], "targets", ("a", "b")),
        (["--target"], "targets", ()),
        (["--target", "--release"], "targets", ()),
        (["-p", "one", "-ptwo", "-p=three", "--package", "four"], "packages", ("one", "two", "three", "four")),
        (["-vp", "one"], "packages", ("one",)),
        (["-p", "-v"], "packages", ()),
        (["--exclude", "x"], "exclude", ("x",)),
        (["--workspace"], "workspace", True),
        (["--all"], "workspace", True),
        (["--config", "a=1", "--config=b.toml"], "config", ("a=1", "b.toml")),
        (["--color", "ALWAYS"], "color", "always"),
        (["--message-format", "JSON,json-diagnostic-short"], "message_format", ("json", "json-diagnostic-short")),
        (["-F", "a,b c", "--features=d"], "features", ("a", "b", "c", "d")),
        (["--all-features"], "all_features", True),
        (["--no-default-features"], "no_default_features", True),
        (["--profile", "fast"], "profile", "fast"),
        (["-r"], "release", True),
        (["-j", "-1"], "jobs", "-1"),
        (["-j4"], "jobs", "4"),
        (["--jobs", "default"], "jobs", "default"),
        (["-vv"], "verbose", 2),
        (["-v", "--verbose", "-v"], "verbose", 3),
        (["-q"], "quiet", True),
        (["--locked"], "locked", True),
        (["--offline"], "offline", True),
        (["--frozen"], "frozen", True),
        (["--keep-going"], "keep_going", True),
        (["-Zunstable-options", "-Z", "x"], "unstable", ("unstable-options", "x")),
        (["-h"], "help", True),
        (["--help"], "help", True),
        (["-Zhelp"], "help", True),
        (["--bin", "app", "--target-dir", "t"], "target_dir", "t"),
        (["--bin", "--target-dir", "t"], "target_dir", "t"),
        (["--timings", "--release"], "release", True),
        (["--timings=html", "--release"], "release", True),
    ],
)
def test_an_option_is_understood_in_all_its_forms(words: list[str], field: str, value: object) -> None:
    args = split(["build", *words])
    assert getattr(args, field) == value
    assert args.rest == tuple(words)


def test_a_value_that_looks_like_an_option_is_not_taken_for_one() -> None:
    args = split(["build", "--features", "x", "--config", "build.jobs=1", "--profile", "release-ish"])
    assert (args.release, args.features, args.profile) == (False, ("x",), "release-ish")


def test_the_first_free_word_of_run_starts_the_arguments_of_the_program() -> None:
    args = split(["run", "--release", "name", "--target-dir", "x", "--", "-q"])
    assert args.trailing == ("name", "--target-dir", "x", "--", "-q")
    assert (args.release, args.target_dir, args.quiet) == (True, None, False)


def test_a_test_filter_does_not_end_the_options() -> None:
    args = split(["test", "filter", "--no-run", "--", "--nocapture", "--release"])
    assert args.no_run
    assert not args.release
    assert args.trailing == ("--nocapture", "--release")


def test_nothing_after_two_dashes_is_an_option() -> None:
    args = split(["test", "--", "--manifest-path", "x", "--help"])
    assert args.manifest_path is None
    assert not args.help


def test_clippy_asks_for_its_own_help_even_behind_two_dashes() -> None:
    assert split(["clippy", "--", "-h"]).help
    assert split(["clippy", "--explain", "needless_return"]).help
    assert not split(["clippy", "--", "-D", "warnings"]).help


def test_clippy_fix_is_told_apart() -> None:
    assert split(["clippy", "--fix", "--allow-dirty"]).fix
    assert not split(["clippy", "--", "--fix"]).fix


def test_global_options_before_the_verb_count_and_stay_in_place() -> None:
    args = split(["-C", "sub", "--config", "a=1", "-qZ", "x", "--offline", "build", "-j2"])
    assert args.before == ("-C", "sub", "--config", "a=1", "-qZ", "x", "--offline")
    assert (args.directory, args.config, args.quiet, args.unstable, args.offline) == (
        "sub",
        ("a=1",),
        True,
        ("x",),
        True,
    )
    assert args.command("cargo") == ("cargo", *args.before, "build", "-j2")


def test_a_global_option_after_the_verb_replaces_the_one_before_it_as_in_clap() -> None:
    args = split(["--config", "a=1", "-v", "build", "--config", "b=2", "-v"])
    assert args.config == ("b=2",)
    assert args.verbose == 1


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["build"], ["build", "--config=k=1"]),
        (["build", "-r", "--config", "a=1"], ["build", "-r", "--config", "a=1", "--config=k=1"]),
        (["--config", "a=1", "build", "-r"], ["--config", "a=1", "--config=k=1", "build", "-r"]),
        (["--config=a=1", "test", "--config=b=1", "x"], ["--config=a=1", "test", "--config=b=1", "x", "--config=k=1"]),
        (["test", "x", "--", "--config"], ["test", "x", "--config=k=1", "--", "--config"]),
        (["run", "-q", "prog", "--", "x"], ["run", "-q", "--config=k=1", "prog", "--", "x"]),
        (["-C", "d", "run", "--", "x"], ["-C", "d", "run", "--config=k=1", "--", "x"]),
    ],
)
def test_a_setting_of_ours_stands_where_clap_keeps_it_and_the_users(words: list[str], command: list[str]) -> None:
    assert split(words).command("cargo", ["k=1"]) == ("cargo", *command)


def test_cargo_itself_sees_both_the_users_setting_and_ours(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n')
    ours = f"build.target-dir='{tmp_path}/ours'"
    for words in (
        ["check", "--config", "build.target-dir='theirs'", "--config", "term.verbose=true"],
        ["--config", "build.target-dir='theirs'", "--config", "term.verbose=true", "check"],
    ):
        done = subprocess.run(
            split(words).command("cargo", [ours]), cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "Running `" in done.stderr or "Fresh" in done.stderr
        assert (tmp_path / "ours").is_dir()
        assert not (tmp_path / "theirs").exists()


def test_clippy_as_an_external_command_gets_nothing_from_before_its_name() -> None:
    args = split(["--offline", "--config", "a=1", "clippy"])
    assert not args.offline
    assert args.config == ()


def test_json_output_is_recognised() -> None:
    assert split(["build", "--message-format=json-render-diagnostics"]).json
    assert not split(["build", "--message-format", "short"]).json


_WORDS = st.one_of(
    st.sampled_from(
        [
            "--",
            "-",
            "",
            "-p",
            "-pv",
            "-qv",
            "-j",
            "-C",
            "-Z",
            "--target",
            "--config",
            "--config=",
            "--=",
            "-=",
            "-v",
            "build",
        ]
    ),
    st.text(string.ascii_letters + string.digits + "-=+,./ \t\u00e9\udce9", max_size=8),
    st.text(max_size=8).map(lambda text: "--" + text),
)


@given(st.lists(_WORDS, max_size=12), st.sampled_from([*VERBS, *ALIASES]))
def test_everything_after_the_verb_is_kept_verbatim(words: list[str], verb: str) -> None:
    args = split([verb, *words])
    assert args.rest == tuple(words)
    assert args.verb == ALIASES.get(verb, verb)
    assert args.command("cargo") == ("cargo", args.verb, *words)
    added = list(args.command("cargo", ["k=1"]))
    added.remove("--config=k=1")
    assert added == ["cargo", args.verb, *words]
    assert split([verb, *args.command("cargo", ["k=1"])[2:]]).trailing == args.trailing


@given(st.lists(_WORDS, max_size=12))
def test_any_words_give_a_result_or_a_usage_error(words: list[str]) -> None:
    try:
        args = split(words)
    except UsageError:
        return
    assert isinstance(args, CargoArgs)
    plus = () if args.toolchain is None else (f"+{args.toolchain}",)
    at = len(plus) + len(args.before)
    assert tuple(words) == (*plus, *args.before, words[at], *args.rest)


@given(st.lists(_WORDS, max_size=8))
def test_what_follows_two_dashes_is_never_read(words: list[str]) -> None:
    bare = split(["test", "--"])
    args = split(["test", "--", *words])
    assert replace(args, rest=(), trailing=()) == replace(bare, rest=(), trailing=())
