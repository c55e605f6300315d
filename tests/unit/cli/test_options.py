"""Our options come before the verb, cargo's after it; what is not understood says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cli.help import help_text
from sandbox.cli.main import main
from sandbox.cli.options import OPTIONS, Settings, parse, size
from sandbox.errors import UsageError


def test_options_end_at_the_verb_and_the_rest_is_cargo_s() -> None:
    settings, rest = parse(["--deny", "low", "--allow-env=A", "--allow-env", "B*", "build", "--release", "--deny"], {})
    assert (settings.deny, settings.allow_env) == ("low", ("A", "B*"))
    assert rest == ["build", "--release", "--deny"]


def test_processors_may_be_parts_of_one_and_none_is_no_limit() -> None:
    given = [parse(["--cpu-limit", text, "build"], {})[0].cpu_limit for text in ("2", "1.5", ".5", "0")]
    assert given == [2.0, 1.5, 0.5, 0.0]


def test_variables_give_defaults_and_options_win() -> None:
    env = {"CARGO_SANDBOX_DENY": "medium", "CARGO_SANDBOX_ALLOW_READ": "/a:/b", "CARGO_SANDBOX_QUIET": "1"}
    settings, _ = parse(["build"], env)
    assert (settings.deny, settings.allow_read, settings.quiet) == ("medium", ("/a", "/b"), True)
    assert parse(["--deny=never", "build"], env)[0].deny == "never"


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense", "build"],
        ["--deny", "sometimes", "build"],
        ["--deny"],
        ["--time-limit", "soon", "build"],
        ["--memory-limit", "-4G", "build"],
        ["--allow-write", "serde", "build"],
        ["--allow-write", "serde=relative", "build"],
        ["--allow-read", "relative", "build"],
        ["--engine", "vmware", "build"],
        ["--seccomp", "loose", "build"],
        ["--cpu-limit", "many", "build"],
        ["--cpu-limit", "-1", "build"],
        ["--cpu-limit", "0.001", "build"],
        ["--cpu-limit", ".", "build"],
    ],
)
def test_what_is_not_understood_is_a_usage_error_with_a_hint(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, {})
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert words[0] in caught.value.message


def test_a_variable_that_is_not_understood_is_named() -> None:
    with pytest.raises(UsageError, match="CARGO_SANDBOX_TIME_LIMIT: 'soon' is not a time"):
        parse(["build"], {"CARGO_SANDBOX_TIME_LIMIT": "soon"})


def test_a_path_is_as_the_kernel_sees_it() -> None:
    assert parse(["--allow-read", "//srv/../opt/x/", "build"], {})[0].allow_read == ("/opt/x",)


def test_sizes_and_times() -> None:
    assert (size("512M"), size("4g"), size("12")) == (512 << 20, 4 << 30, 12)
    assert parse(["--time-limit", "2h", "build"], {})[0].time_limit_s == 7200.0
    assert parse(["build"], {})[0] == Settings()


def test_help_names_every_option() -> None:
    assert all(option.flag in help_text() for option in OPTIONS)


@given(st.lists(st.text(max_size=12), max_size=5))
def test_no_command_line_raises_anything_but_a_usage_error(words: list[str]) -> None:
    try:
        _, rest = parse(words, {})
    except UsageError:
        return
    assert not rest or not rest[0].startswith("--") or rest[0] == "--"


def test_the_name_that_cargo_repeats_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--version"]) == 0
    assert capsys.readouterr().out.startswith("cargo-sandbox ")


def test_no_verb_and_an_unknown_verb_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["install"]) == 2
    assert "help:" in capsys.readouterr().err
