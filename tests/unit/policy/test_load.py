"""Who decides: the command line, the environment, the tree, the user, the machine, a policy of ours, in this order."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cli.options import OPTIONS, Settings, parse
from sandbox.policy import builtin
from sandbox.policy.files import Found, present
from sandbox.policy.load import combine, decide
from sandbox.policy.model import Allowance, Layer, PolicyError
from sandbox.policy.tighten import no_looser

ROOT = Path(__file__).resolve().parents[3]


def _layer(kind: str, **values: Any) -> Layer:
    return Layer(kind, f"/{kind}.toml", values)


def test_the_nearer_one_decides_and_each_value_knows_its_origin() -> None:
    settings, _ = parse(["--deny", "low", "build"], {"CARGO_SANDBOX_SECCOMP": "standard"})
    layers = [
        _layer("tree", deny="medium", seccomp="strict", time_limit_s=60.0),
        _layer("user", time_limit_s=90.0, process_limit=7, policy="farm"),
        _layer("system", process_limit=9, tmp_size=5),
    ]
    settings = replace(settings, untrusted=False, given=(*settings.given, ("untrusted", "--untrusted")))
    merged, policy = combine(settings, layers)
    origins = {one.key: (one.value, one.origin) for one in policy.shown}
    assert origins["deny"] == ("low", "--deny")
    assert origins["seccomp"] == ("standard", "CARGO_SANDBOX_SECCOMP")
    assert origins["time-limit"] == (60.0, "/tree.toml")
    assert origins["process-limit"] == (7, "/user.toml")
    assert origins["tmp-size"] == (5, "/system.toml")
    assert origins["min-free-disk"] == (2 << 30, "policy farm")
    assert origins["pin"] == (False, "default")
    assert (merged.deny, merged.process_limit, merged.min_free_disk) == ("low", 7, 2 << 30)


def test_lists_add_up() -> None:
    settings, _ = parse(["--allow-env", "A", "build"], {"CARGO_SANDBOX_ALLOW_ENV": "B"})
    merged, policy = combine(settings, [_layer("tree", allow_env=("C",)), _layer("user", allow_env=("A", "D"))])
    assert merged.allow_env == ("B", "A", "C", "D")
    origin = next(one.origin for one in policy.shown if one.key == "allow-env")
    assert origin == "CARGO_SANDBOX_ALLOW_ENV, --allow-env, /tree.toml, /user.toml"


def test_what_a_trusted_tree_loosens_is_honoured_and_said() -> None:
    tree = replace(
        _layer("tree", deny="never", allow_read=("/x",), seccomp="strict", quiet=True),
        allowances=(Allowance("a", "why", rules=("CS0103",)),),
    )
    merged, policy = combine(Settings(), [tree])
    assert (merged.deny, merged.allow_read, merged.quiet) == ("never", ("/x",), True)
    assert policy.loosened == ("deny = never", "allow-read = [/x]", "1 [[allow]]")


def test_an_untrusted_tree_tightens_and_what_it_loosens_is_left_out_and_said() -> None:
    tree = replace(
        _layer("tree", deny="never", allow_read=("/x",), seccomp="strict", time_limit_s=5.0, process_limit=0, pin=True,
               engine="docker"),
        allowances=(Allowance("a", "why", rules=("CS0103",)),),
    )  # fmt: skip
    merged, policy = combine(parse(["--untrusted", "build"], {})[0], [tree])
    assert (merged.deny, merged.allow_read, merged.seccomp, merged.time_limit_s) == ("high", (), "strict", 5.0)
    assert (merged.process_limit, merged.pin, merged.engine, policy.allowances) == (None, False, "auto", ())
    assert len(policy.ignored) == 6
    assert not policy.loosened


def test_an_untrusted_tree_s_policy_tightens_where_it_is_tighter() -> None:
    asked = parse(["--untrusted", "build"], {})[0]
    merged, policy = combine(asked, [_layer("tree", policy="forensic")])
    assert (merged.on_violation, merged.deny, merged.pin, merged.require_complete) == ("kill", "low", False, True)
    assert policy.ignored == ("on-violation = report", "pin = true")


def test_an_untrusted_tree_can_not_add_to_the_list_of_scripts_but_may_begin_one() -> None:
    tree = replace(_layer("tree"), deny_build_scripts=True, allowed_scripts=("evil",))
    user = replace(_layer("user", untrusted=True), deny_build_scripts=True, allowed_scripts=("ring",))
    merged, policy = combine(Settings(), [tree, user])
    assert (merged.deny_build_scripts, merged.allow_build_script) == (True, ("ring",))
    assert policy.ignored == ("[build-scripts]",)
    merged, _ = combine(Settings(), [tree, _layer("user", untrusted=True)])
    assert (merged.deny_build_scripts, merged.allow_build_script) == (True, ("evil",))
    off = replace(_layer("tree"), deny_build_scripts=False)
    assert combine(Settings(), [off, user])[0].deny_build_scripts


_ALL: dict[str, st.SearchStrategy[Any]] = {
    "engine": st.sampled_from(["auto", "docker", "bubblewrap"]),
    "image": st.sampled_from(["", "builder"]),
    "deny": st.sampled_from(["low", "medium", "high", "critical", "never"]),
    "on_violation": st.sampled_from(["kill", "report"]),
    "allow_env": st.lists(st.sampled_from("AB"), max_size=2).map(tuple),
    "allow_read": st.lists(st.sampled_from(["/a", "/b"]), max_size=2).map(tuple),
    "allow_dotenv": st.lists(st.sampled_from([".env"]), max_size=1).map(tuple),
    "allow_write": st.lists(st.sampled_from([("a", "/t")]), max_size=1).map(tuple),
    "time_limit_s": st.sampled_from([0.0, 1.0, 1e6]),
    "memory_limit": st.sampled_from([0, 1, 1 << 60]),
    "process_limit": st.sampled_from([0, 1, 100_000]),
    "min_free_disk": st.sampled_from([0, 1, 1 << 40]),
    "tmp_size": st.sampled_from([0, 1, 1 << 60]),
    "cpu_limit": st.sampled_from([0.0, 1.0]),
    "seccomp": st.sampled_from(["standard", "strict"]),
    "require_complete": st.booleans(),
    "strict": st.booleans(),
    "policy": st.sampled_from(builtin.NAMES),
}
_LAYERS = st.fixed_dictionaries({}, optional=_ALL)


@given(_LAYERS, _LAYERS, st.booleans() | st.none(), st.booleans() | st.none(), st.booleans())
def test_no_untrusted_tree_allows_anything_that_was_not_allowed_without_it(
    tree: dict[str, Any], user: dict[str, Any], denies: bool | None, user_denies: bool | None, lists: bool
) -> None:
    ours = replace(_layer("user", **user), deny_build_scripts=user_denies, allowed_scripts=("u",))
    theirs = replace(
        _layer("tree", **tree), deny_build_scripts=denies, allowed_scripts=("t",) if lists else (),
        allowances=(Allowance("a", "why", rules=("CS0103",)),),
    )  # fmt: skip
    asked = parse(["--untrusted", "build"], {})[0]
    before, _ = combine(asked, [ours])
    after, policy = combine(asked, [theirs, ours])
    for option in OPTIONS:
        if option.field not in ("policy", "allow_build_script"):
            old, new = getattr(before, option.field), getattr(after, option.field)
            assert no_looser(option.field, old, new), option.field
    if before.deny_build_scripts:
        assert after.allow_build_script == before.allow_build_script
    assert policy.allowances == ()
    assert after.untrusted


def test_the_file_of_the_tree_may_not_be_a_link_out_of_it_nor_a_pipe_nor_huge(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    root.mkdir()
    (tmp_path / "elsewhere.toml").write_text("deny = 'never'")
    file = root / "cargo-sandbox.toml"
    file.symlink_to(tmp_path / "elsewhere.toml")
    _refused(root, "a link leads out of the tree")
    file.unlink()
    file.symlink_to("nowhere")
    _refused(root, "leads nowhere")
    file.unlink()
    file.write_text("#" * (300 << 10))
    _refused(root, "larger than")
    file.unlink()
    file.mkdir()
    _refused(root, "not a regular file")


def _refused(root: Path, why: str) -> None:
    found = present(str(root), {}, system="/nonexistent/x")
    assert found == (Found("tree", str(root / "cargo-sandbox.toml")),)
    with pytest.raises(PolicyError, match=why):
        decide(Settings(), found, str(root), {})


def test_the_user_s_file_goes_by_xdg_and_the_nearest_is_first(tmp_path: Path) -> None:
    for name in ("ws/cargo-sandbox.toml", "config/cargo-sandbox/config.toml", "system.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": "/nonexistent"}
    found = present(str(tmp_path / "ws"), env, system=str(tmp_path / "system.toml"))
    assert [one.kind for one in found] == ["tree", "user", "system"]
    env["XDG_CONFIG_HOME"] = "config"
    assert [one.kind for one in present("", env, system=str(tmp_path / "none"))] == []


def test_the_policies_that_ship_are_what_their_pages_say() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/gen-policies", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in builtin.NAMES:
        assert builtin.load(name).kind == "built-in"


def test_a_build_without_any_file_loads_nothing_of_policy() -> None:
    check = (
        "import sys, sandbox.run.build\n"
        "bad = {name for name in sys.modules if name.startswith('sandbox.policy.')} - {'sandbox.policy.files'}\n"
        "sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
