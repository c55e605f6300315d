"""The part of the tree's configuration that resolution may see."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.config import CargoConfig, load, safe_subset
from sandbox.cargo.subset import SafeSubset, command_line_subset, to_toml
from sandbox.cargo.values import Origin, wrap

HOSTILE = """
include = ["x.toml"]
[alias]
build = "run --quiet"
[build]
rustc = "./evil"
rustc-wrapper = "./evil"
rustc-workspace-wrapper = "./evil"
rustdoc = "./evil"
target-dir = "/tmp/x"
rustflags = ["-Clinker=./evil"]
[cargo-new]
vcs = "git"
[credential-alias]
a = ["./evil"]
[doc]
browser = "./evil"
[env]
LD_PRELOAD = { value = "./evil.so", force = true }
[host]
runner = "./evil"
[http]
cainfo = "./evil.pem"
debug = true
proxy = "http://evil.invalid"
proxy-cainfo = "./evil.pem"
[net]
git-fetch-with-cli = true
ssh.known-hosts = ["evil.invalid ssh-ed25519 AAAA"]
[registries.own]
token = "s3cr3t"
credential-provider = "./evil"
[registry]
token = "s3cr3t"
secret-key = "s3cr3t"
credential-provider = ["./evil"]
global-credential-providers = ["./evil"]
[target.x86_64-unknown-linux-gnu]
runner = "./evil"
linker = "./evil"
[target.'cfg(all())']
runner = "./evil"
[target.x86_64-unknown-linux-gnu.foo]
rustc-link-search = ["/evil"]
[term]
verbose = true
[unstable]
host-config = true
[profile.dev]
opt-level = 1
"""

HARMLESS = """
paths = ["over"]
[http]
check-revoke = false
low-speed-limit = 5
multiplexing = false
ssl-version.min = "tlsv1.2"
timeout = 9
[net]
offline = true
retry = 2
[patch.crates-io]
serde = { path = "../serde", features = ["derive"] }
log = "1"
[path-bases]
libs = "../libs"
[registries.own]
index = "sparse+https://registry.invalid/"
[registry]
default = "own"
[resolver]
incompatible-rust-versions = "fallback"
lockfile-path = "x/Cargo.lock"
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "vendor"
[source.local]
local-registry = "/registry"
[source.git]
git = "https://host.invalid/x"
branch = "b"
"""


def _subset(top: Path, text: str, *cli: str, home_text: str = "") -> SafeSubset:
    (top / ".cargo").mkdir(parents=True, exist_ok=True)
    (top / ".cargo" / "config.toml").write_text(text)
    (top / "x.toml").touch()
    home = top.parent / "home"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(home_text)
    return safe_subset(load(top, home, cli))


def test_nothing_of_a_hostile_configuration_passes_and_all_of_it_is_named(tmp_path: Path) -> None:
    values, dropped = _subset(tmp_path / "repo", HOSTILE)
    assert values == {}
    for key in ("build.rustc-wrapper", "env.LD_PRELOAD.value", "alias.build", "registries.own.token", "http.proxy"):
        assert any(line.startswith(key + " (") for line in dropped)
    assert len(dropped) > 25
    assert not any("s3cr3t" in line or "evil" in line for line in dropped)


def test_what_says_where_packages_come_from_passes_with_absolute_paths(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    values, dropped = _subset(repo, HARMLESS)
    assert dropped == ()
    expected = tomllib.loads(HARMLESS)
    expected["paths"] = [f"{repo}/over"]
    expected["path-bases"]["libs"] = f"{repo}/../libs"
    expected["patch"]["crates-io"]["serde"]["path"] = f"{repo}/../serde"
    expected["resolver"]["lockfile-path"] = f"{repo}/x/Cargo.lock"
    expected["source"]["vendored"]["directory"] = f"{repo}/vendor"
    assert values == expected
    assert tomllib.loads(to_toml(values)) == expected


def test_the_users_files_and_arguments_are_not_the_trees(tmp_path: Path) -> None:
    values, _ = _subset(tmp_path / "repo", "[net]\nretry = 1", "net.retry=2", home_text="[net]\nretry = 3")
    assert values == {"net": {"retry": 1}}


def test_a_tree_cannot_move_a_registry_of_the_user(tmp_path: Path) -> None:
    text = '[registries.work]\nindex = "sparse+https://evil.invalid/"'
    own = '[registries.work]\nindex = "sparse+https://work.invalid/"'
    values, dropped = _subset(tmp_path / "repo", text, home_text=own)
    assert values == {"registries": {"work": {}}}
    assert dropped == ("registries.work.index (the user's own is kept)",)
    assert _subset(tmp_path / "repo", own, home_text=own).values == tomllib.loads(own)


@pytest.mark.parametrize(
    "text",
    [
        "source = 1",
        "paths = 'x'",
        "[source.a]\ndirectory = 1",
        "[source.a]\ndirectory = ['x']",
        "[registries.x]\nindex = { a = 1 }",
        "[[patch.crates-io]]\na = 1",
        "paths = [['x']]",
        "[http]\ntimeout = [1]",
    ],
)
def test_a_value_of_the_wrong_kind_is_dropped(tmp_path: Path, text: str) -> None:
    values, dropped = _subset(tmp_path / "repo", text)
    assert values == {}
    assert len(dropped) == 1


def test_arguments_of_the_user_may_say_more_and_keep_their_base(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    repo.mkdir()
    (repo / "ca.toml").write_text('[http]\ncainfo = "ca.pem"\n[build]\nrustc = "x"')
    config = load(repo, tmp_path / "home", ["ca.toml", 'source.v.directory="vendor"', "http.proxy='p'"])
    values, dropped = command_line_subset(config)
    assert values == {
        "http": {"cainfo": f"{tmp_path}/ca.pem", "proxy": "p"},
        "source": {"v": {"directory": f"{repo}/vendor"}},
    }
    assert dropped == (f"build.rustc ({repo}/ca.toml)",)
    assert safe_subset(config) == SafeSubset({}, ())


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_SCALARS: st.SearchStrategy[Any] = _TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(_TEXT, _VALUES, max_size=5))
def test_what_is_written_is_read_back_the_same(table: dict[str, Any]) -> None:
    text = to_toml(table)
    assert tomli.loads(text) == table
    assert tomllib.loads(text) == table


_NAMES = st.sampled_from(
    """
    build env alias http net registries registry source patch paths target index token credential-provider directory
    proxy retry x runner rustc-wrapper replace-with
    """.split()
)
_TREES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["v", 1, True]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=20,
)


def _leaves(value: Any, key: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(item, (*key, name))]
    return [key]


@given(st.dictionaries(_NAMES, _TREES, max_size=5))
def test_no_key_outside_the_list_ever_passes(table: dict[str, Any]) -> None:
    layer = wrap(table, Origin("tree", Path("/repo"), Path("/repo/.cargo/config.toml")))
    assert isinstance(layer, dict)
    values, _ = safe_subset(CargoConfig(Path("/repo"), Path("/home/.cargo"), layer, (("tree", layer),)))
    for key in _leaves(values):
        assert key[0] in ("http", "net", "paths", "patch", "registries", "registry", "source")
        if key[0] != "patch":
            assert key[-1] in (
                "paths",
                "index",
                "directory",
                "registry",
                "retry",
                "replace-with",
                "registries",
                "source",
            )
    assert tomli.loads(to_toml(values)) == values


def test_other_values_are_not_written() -> None:
    with pytest.raises(TypeError):
        to_toml({"a": 1.5})
