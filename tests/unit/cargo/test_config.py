"""Cargo's configuration: who set what, and where relative paths start.

The merging was compared with `cargo config get` on random configurations.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.cargo.config import CargoConfig, load
from sandbox.cargo.files import Unreadable
from sandbox.cargo.values import Node, Origin, Value, merge, plain, wrap
from sandbox.errors import UsageError, WorkspaceError


class Tree:
    """A checkout with a home beside it: `top/code/repo/crate` and `top/home/.cargo`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.repo = top / "code" / "repo"
        self.cwd = self.repo / "crate"
        self.home = top / "home" / ".cargo"
        self.cwd.mkdir(parents=True)
        self.home.mkdir(parents=True)

    def put(self, folder: Path, text: str, name: str = "config.toml") -> Path:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def load(self, *cli: str) -> CargoConfig:
        return load(self.cwd, self.home, cli)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_the_nearest_file_wins_then_the_home_and_lists_are_joined(tree: Tree) -> None:
    tree.put(tree.home, 'paths = ["h"]\n[build]\ntarget-dir = "h"\njobs = 1\n[net]\nretry = 1')
    tree.put(tree.repo / ".cargo", 'paths = ["r"]\n[build]\ntarget-dir = "r"\njobs = 2')
    tree.put(tree.cwd / ".cargo", 'paths = ["c"]\n[build]\ntarget-dir = "c"')
    config = tree.load()
    assert plain(config.root) == {
        "paths": ["h", "r", "c"],
        "build": {"target-dir": "c", "jobs": 2},
        "net": {"retry": 1},
    }
    assert [item.path() for item in config.path_overrides()] == [
        tree.home.parent / "h",
        tree.repo / "r",
        tree.cwd / "c",
    ]


def test_every_value_knows_who_set_it(tree: Tree) -> None:
    tree.put(tree.home, "[net]\nretry = 1")
    file = tree.put(tree.repo / ".cargo", '[build]\nrustc-wrapper = "./w.sh"')
    config = tree.load("build.jobs=3")
    wrapper = config.rustc_wrapper({})
    assert wrapper is not None
    assert (wrapper.value, wrapper.origin.kind, wrapper.origin.file) == (str(tree.repo / "w.sh"), "tree", file)
    assert not wrapper.origin.trusted
    retry, jobs = config.get("net", "retry"), config.get("build", "jobs")
    assert isinstance(retry, Value)
    assert isinstance(jobs, Value)
    assert (retry.origin.kind, jobs.origin.kind) == ("home", "cli")


def test_the_home_in_the_way_upward_is_the_users(tree: Tree) -> None:
    file = tree.put(tree.repo / ".cargo", '[build]\ntarget-dir = "t"')
    found = load(tree.cwd, tree.repo / ".cargo").target_dir({})
    assert found is not None
    assert found.origin == Origin("home", tree.repo, file)
    assert found.path() == tree.repo / "t"


def test_a_link_to_the_home_in_the_tree_cannot_move_the_users_paths_into_it(tree: Tree) -> None:
    tree.put(tree.home, '[build]\nrustc-wrapper = "./w.sh"')
    (tree.repo / ".cargo").symlink_to(tree.home)
    wrapper = tree.load().rustc_wrapper({})
    assert wrapper is not None
    assert (wrapper.value, wrapper.origin.kind) == (str(tree.home.parent / "w.sh"), "home")


def test_a_home_that_is_a_link_is_read_once_under_either_name(tree: Tree) -> None:
    tree.put(tree.top / "data", "paths = ['x']")
    link = tree.repo / ".cargo"
    link.symlink_to(tree.top / "data")
    for name in (link, tree.top / "data"):
        config = load(tree.cwd, name)
        assert [item.origin.kind for item in config.path_overrides()] == ["home"]
        assert config.ignored == ()


def test_the_old_name_without_extension_is_preferred(tree: Tree) -> None:
    tree.put(tree.cwd / ".cargo", "[build]\njobs = 1", "config")
    tree.put(tree.cwd / ".cargo", "[build]\njobs = 2")
    assert plain(tree.load().root) == {"build": {"jobs": 1}}


def test_the_target_directory_comes_from_the_variable_the_command_line_the_environment_then_files(tree: Tree) -> None:
    tree.put(tree.repo / ".cargo", '[build]\ntarget-dir = "file"')
    plain_config, cli = tree.load(), tree.load('build.target-dir="cli"')

    def where(config: CargoConfig, **env: str) -> Path:
        found = config.target_dir(env)
        assert found is not None
        return found.path()

    assert where(plain_config) == tree.repo / "file"
    assert where(plain_config, CARGO_BUILD_TARGET_DIR="env") == tree.cwd / "env"
    assert where(cli, CARGO_BUILD_TARGET_DIR="env") == tree.cwd / "cli"
    assert where(cli, CARGO_TARGET_DIR="/abs") == Path("/abs")


def test_no_setting_means_no_target_directory_and_an_empty_one_is_an_error(tree: Tree) -> None:
    assert tree.load().target_dir({}) is None
    with pytest.raises(UsageError, match="empty string"):
        tree.load().target_dir({"CARGO_TARGET_DIR": ""})
    tree.put(tree.cwd / ".cargo", '[build]\ntarget-dir = ""')
    with pytest.raises(UsageError, match=r"config\.toml"):
        tree.load().target_dir({})


def test_a_file_of_the_command_line_counts_from_the_parent_of_its_directory(tree: Tree) -> None:
    tree.put(tree.cwd / "cfg", '[build]\ntarget-dir = "t"', "extra.toml")
    config = tree.load("cfg/extra.toml")
    found = config.target_dir({})
    assert found is not None
    assert found.path() == tree.cwd / "t"
    assert found.origin.trusted
    assert tree.cwd / "cfg" / "extra.toml" in config.files


def test_the_wrapper_is_found_as_cargo_finds_it(tree: Tree) -> None:
    tree.put(tree.repo / ".cargo", '[build]\nrustc-wrapper = "sccache"\nrustc-workspace-wrapper = "tools/w"')
    config = tree.load()

    def wrapper(**env: str) -> str | None:
        found = config.rustc_wrapper(env)
        return found.value if found else None

    assert wrapper() == "sccache"
    assert wrapper(RUSTC_WRAPPER="./x") == f"{tree.cwd}/x"
    assert wrapper(RUSTC_WRAPPER="") is None
    assert wrapper(CARGO_BUILD_RUSTC_WRAPPER="mine") == "mine"
    assert wrapper(RUSTC_WRAPPER="a", CARGO_BUILD_RUSTC_WRAPPER="b") == "a"
    inner = config.rustc_workspace_wrapper({})
    assert inner is not None
    assert inner.value == str(tree.repo / "tools/w")


def test_default_targets_are_one_or_many_and_specifications_are_paths(tree: Tree) -> None:
    assert tree.load().build_targets({}) == ()
    tree.put(tree.repo / ".cargo", '[build]\ntarget = ["wasm32-wasip1", "spec.json"]')
    config = tree.load()
    assert config.build_targets({}) == ("wasm32-wasip1", str(tree.repo / "spec.json"))
    assert config.build_targets({"CARGO_BUILD_TARGET": "aarch64-unknown-linux-gnu"}) == ("aarch64-unknown-linux-gnu",)


def test_sources_registries_and_patches_are_listed(tree: Tree) -> None:
    tree.put(
        tree.repo / ".cargo",
        """
        [registries.own]
        index = "sparse+https://registry.invalid/"
        [source.crates-io]
        replace-with = "vendored"
        [source.vendored]
        directory = "vendor"
        [source.mirror]
        local-registry = "/mirror"
        [patch.crates-io]
        serde = { path = "../serde" }
        log = { git = "https://host.invalid/log" }
        """,
    )
    config = tree.load()
    assert config.registries() == {"own": "sparse+https://registry.invalid/"}
    assert [str(item.path()) for item in config.source_directories()] == [f"{tree.repo}/vendor", "/mirror"]
    assert [item.value for item in config.patch_paths()] == ["../serde"]


def test_included_files_are_followed_inside_the_tree_only(tree: Tree) -> None:
    secret = tree.put(tree.home, '[registries.x]\ntoken = "secret"', "credentials.toml")
    tree.put(tree.repo, "[build]\njobs = 7\n[net]\nretry = 7", "more.toml")
    optional = '{ path = "none.toml", optional = true }'
    includes = f'["../more.toml", "{secret}", {optional}, "missing.toml", "config.toml"]'
    tree.put(tree.repo / ".cargo", f"include = {includes}\n[net]\nretry = 1")
    config = tree.load()
    assert plain(config.root) == {"build": {"jobs": 7}, "net": {"retry": 1}}
    assert secret not in config.files
    assert len(config.ignored) == 2
    assert any(str(secret) in line for line in config.ignored)
    assert any("missing.toml" in line for line in config.ignored)


def test_a_configuration_that_is_a_link_to_a_secret_is_neither_read_nor_shown(tree: Tree) -> None:
    secret = tree.put(tree.top / "home" / ".aws", "[build]\njobs = 1", "credentials")
    (tree.repo / ".cargo").mkdir()
    (tree.repo / ".cargo" / "config.toml").symlink_to(secret)
    config = tree.load()
    assert config.root == {}
    assert config.files == ()


@pytest.mark.parametrize(
    "text", ["[", "a = 1.5", "a = 1979-05-27", "\x00", "a" * 10 + "=[" * 1000, ".".join("a" * 900) + " = 1", "é = 1"]
)
def test_a_broken_file_is_named_with_the_reason(tree: Tree, text: str) -> None:
    file = tree.put(tree.repo / ".cargo", text)
    with pytest.raises(WorkspaceError) as caught:
        tree.load()
    assert str(file) in caught.value.message
    assert caught.value.file == str(file)


def test_a_huge_file_or_a_pipe_is_refused_at_once(tree: Tree) -> None:
    file = tree.put(tree.repo / ".cargo", "")
    os.truncate(file, 9 << 20)
    with pytest.raises(WorkspaceError, match="larger than"):
        tree.load()
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(WorkspaceError, match="not a regular file"):
        tree.load()


def test_settings_of_different_kinds_cannot_be_merged(tree: Tree) -> None:
    tree.put(tree.repo / ".cargo", "[build]\njobs = 1")
    tree.put(tree.cwd / ".cargo", "build = 1")
    with pytest.raises(WorkspaceError, match="different kinds"):
        tree.load()


@pytest.mark.parametrize(
    "argument", ["", "nonsense", "a = {}", "a=1\nb=2", "[a]", "a.b", "=", "a = 1.5", "missing.toml"]
)
def test_a_config_argument_is_a_file_or_one_setting(tree: Tree, argument: str) -> None:
    with pytest.raises(UsageError) as caught:
        tree.load(argument)
    assert "--config" in caught.value.message


def test_later_arguments_win_over_earlier_ones_and_over_files(tree: Tree) -> None:
    tree.put(tree.cwd / ".cargo", "[build]\njobs = 1")
    assert plain(tree.load("build.jobs=2", "build.jobs=3").root) == {"build": {"jobs": 3}}


def test_merging_keeps_the_order_of_ranks_in_lists() -> None:
    def layer(kind: str) -> Node:
        return wrap({"paths": [kind]}, Origin(kind, Path("/")))

    assert plain(merge(layer("cli"), layer("tree"), force=True)) == {"paths": ["tree", "cli"]}
    assert plain(merge(layer("tree"), layer("home"), force=False)) == {"paths": ["home", "tree"]}


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    value: object = 1
    for _ in range(500):
        value = [value]
    with pytest.raises(Unreadable):
        wrap(value, Origin("tree", Path("/")))
