"""For what a compile was made: its first exec says it, and only that."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.behaviour.canonical import canonical, from_json, to_json, unit_json
from sandbox.behaviour.compiled import MOST_FEATURES
from sandbox.behaviour.model import Behaviour
from tests.unit.behaviour.made import Build


def _compile(*argv: Any, pid: int = 900) -> Behaviour:
    build = Build().act("exec", unit="u2", pid=pid, path="/run/cargo-sandbox/guard", argv=["guard", "rustc", *argv])
    return build.unit("rustc")


@pytest.mark.parametrize(
    ("argv", "features", "target"),
    [
        (["--cfg", 'feature="std"', "--cfg", 'feature="alloc"'], ("alloc", "std"), ""),
        (['--cfg=feature="std"', "--target=wasm32-wasip1"], ("std",), "wasm32-wasip1"),
        (["--cfg", "feature", "--cfg", 'features="x"', "--check-cfg", 'cfg(feature, values("x"))'], (), ""),
        (["--target", "/home/ann/ws/my.json"], (), "$WORKSPACE/my.json"),
        (["--cfg", 'feature="$HOME\u202e"'], ("\\$HOME\u202e",), ""),
        (["--cfg", f'feature="{"x" * 300}"', "--target", "y" * 300, "--cfg"], (), ""),
        ([{"b64": "/w=="}, 7, None], (), ""),
    ],
)
def test_features_and_target_are_those_of_the_command_line(argv: Any, features: Any, target: str) -> None:
    found = _compile(*argv)
    assert (found.features, found.target) == (features, target)


def test_a_later_exec_of_the_unit_or_one_of_another_process_does_not_count() -> None:
    build = Build().act("exec", unit="u2", pid=900, path="/run/cargo-sandbox/guard", argv=["rustc"])
    build.act("exec", unit="u2", pid=900, path="/usr/bin/rustc", argv=["rustc", "--cfg", 'feature="x"'])
    assert build.unit("rustc").features == ()
    assert _compile("--cfg", 'feature="x"', pid=901).features == ()
    many = [word for number in range(MOST_FEATURES + 9) for word in ("--cfg", f'feature="{number}"')]
    assert len(_compile(*many).features) == MOST_FEATURES


def test_it_is_kept_with_a_behaviour_and_no_part_of_it() -> None:
    argv = ["guard", "rustc", "--cfg", 'feature="x"', "--target", "t"]
    profile = Build().act("exec", unit="u2", pid=900, path="/run/cargo-sandbox/guard", argv=argv).profile()
    (again,) = (one for one in from_json(to_json(profile)).behaviours if one.key.role == "rustc")
    assert (again.features, again.target) == (("x",), "t")
    other = _compile()
    assert canonical(unit_json(again, evidence=False)) == canonical(unit_json(other, evidence=False))
