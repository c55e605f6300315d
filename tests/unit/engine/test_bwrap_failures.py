"""What bwrap's last words mean."""

from __future__ import annotations

import pytest

from sandbox.engine.bwrap_failures import explain


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("bwrap: No permissions to create new namespace, likely because the kernel does", "seccomp=unconfined"),
        ("bwrap: No permissions to creating new namespace, likely because the kernel", "seccomp=unconfined"),
        ("bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*", "max_user_namespaces"),
        ("bwrap: setting up uid map: Permission denied", "bwrap-userns-restrict"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "bwrap-userns-restrict"),
        ("bwrap: pivot_root: Operation not permitted", "seccomp=unconfined"),
    ],
)
def test_each_known_failure_has_a_reason_and_a_remedy(words: str, fix: str) -> None:
    failure = explain(f"a line before\n{words}\n")
    assert failure is not None and failure.why and fix in failure.fix


@pytest.mark.parametrize(
    "words",
    ["", "bwrap: Unknown option --size", "cargo: Can't mount proc on /x", "error: bwrap: pivot_root: no", "bwrap:"],
)
def test_other_words_are_not_explained(words: str) -> None:
    assert explain(words) is None
