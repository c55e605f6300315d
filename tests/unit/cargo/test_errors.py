"""Exit codes are a promise: each failure has one class, each class its code."""

from __future__ import annotations

import pytest

from sandbox import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.SandboxError, 1),
        (errors.InternalError, 1),
        (errors.UsageError, 2),
        (errors.WorkspaceError, 101),
        (errors.SetupError, 121),
        (errors.ToolchainError, 121),
        (errors.RecordIncomplete, 122),
        (errors.LimitExceeded, 124),
        (errors.EngineUnavailable, 125),
    ],
)
def test_the_code_is_on_the_class(kind: type[errors.SandboxError], code: int) -> None:
    assert kind.exit_code == code
    error = kind("what", hint="do this")
    assert (error.exit_code, error.message, error.hint, str(error)) == (code, "what", "do this", "what")


def test_a_setup_error_names_the_wall_the_reason_and_the_fix() -> None:
    error = errors.SetupError("x", wall="network", why="no namespace", fix="allow user namespaces")
    assert (error.wall, error.why, error.fix, error.hint) == (
        "network",
        "no namespace",
        "allow user namespaces",
        error.fix,
    )
    assert errors.SetupError("x", fix="a", hint="b").hint == "b"


def test_a_toolchain_error_is_about_the_toolchain() -> None:
    assert errors.ToolchainError("x", why="y", fix="z").wall == "toolchain"
