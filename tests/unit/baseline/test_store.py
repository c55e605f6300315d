"""Stores: one file a package, whatever it is called, and no way out of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.model import Baseline, BaselineError, VersionEntry, Waiver
from sandbox.baseline.places import exists, user_folder
from sandbox.baseline.store import Stores, file_name, load, load_all, open_stores, save, waivers


def made(package: str, version: str = "1.0.0") -> Baseline:
    return Baseline(package, (VersionEntry(version),))


@given(st.text(max_size=300), st.text(max_size=300))
def test_file_names_are_plain_and_each_package_has_its_own(one: str, two: str) -> None:
    name = file_name(one)
    assert name.isascii() and len(name) <= 255 and "/" not in name and not name.startswith(".")
    assert (file_name(two) == name) == (one == two)


@pytest.mark.parametrize(
    "package", ["", ".", "..", "../../etc/passwd", "a/b", "a\x00b", "CON", ".hidden", "é", "x" * 9999]
)
def test_odd_package_names_are_kept_inside_the_folder(tmp_path: Path, package: str) -> None:
    store = tmp_path / "store"
    path = save(store, made(package))
    assert path.parent == store and path.is_file()
    assert os.listdir(tmp_path) == ["store"]
    assert load(store, package) == made(package)
    assert load_all(store) == {package: made(package)}


def test_a_crates_file_carries_its_name(tmp_path: Path) -> None:
    assert save(tmp_path, made("proc-macro2")).name == "proc-macro2.toml"
    assert file_name("serde_json") == "serde_json.toml"


def test_nothing_is_left_over_and_an_empty_baseline_is_no_file(tmp_path: Path) -> None:
    save(tmp_path, made("a"))
    save(tmp_path, made("a", "2.0.0"))
    assert os.listdir(tmp_path) == ["a.toml"]
    save(tmp_path, Baseline("a"))
    assert not exists(tmp_path)


def test_a_link_or_pipe_in_the_place_of_a_file_or_folder_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token")
    store = tmp_path / "store"
    store.mkdir()
    (store / "a.toml").symlink_to(secret)
    os.mkfifo(store / "b.toml")
    (store / "d.toml").mkdir()
    for package in ("a", "b", "d"):
        with pytest.raises(BaselineError, match="no plain file"):
            load(store, package)
    (tmp_path / "link").symlink_to(store)
    for act in (lambda: load(tmp_path / "link", "c"), lambda: load_all(tmp_path / "link")):
        with pytest.raises(BaselineError, match="is a link"):
            act()
    with pytest.raises(BaselineError, match="can't be written"):
        save(tmp_path / "link", made("c"))
    assert secret.read_text() == "token"


def test_saving_over_a_link_replaces_the_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    store = tmp_path / "store"
    store.mkdir()
    (store / "a.toml").symlink_to(tmp_path / "elsewhere")
    save(store, made("a"))
    assert (tmp_path / "elsewhere").read_text() == "kept"
    assert load(store, "a") == made("a")


def test_a_file_that_speaks_of_another_package_is_refused(tmp_path: Path) -> None:
    save(tmp_path, made("a")).rename(tmp_path / "b.toml")
    with pytest.raises(BaselineError, match="speaks of the package 'a'"):
        load(tmp_path, "b")
    with pytest.raises(BaselineError, match="speaks of the package 'a'"):
        load_all(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BaselineError, match="not UTF-8"):
        load(tmp_path, "a")


def test_the_users_store_follows_xdg_and_ignores_relative_paths() -> None:
    assert user_folder({"XDG_DATA_HOME": "/d", "HOME": "/h"}) == Path("/d/cargo-sandbox/baseline")
    assert user_folder({"XDG_DATA_HOME": "d", "HOME": "/h"}) == Path("/h/.local/share/cargo-sandbox/baseline")
    assert user_folder({"HOME": "h"}) is None


def test_only_what_is_asked_for_is_read_and_a_tree_without_trust_has_no_say(tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    tree, pack = tmp_path / "ws" / "cargo-sandbox.baseline", tmp_path / "pack"
    save(tree, made("a"))
    (tree / "broken.toml").write_text("no")
    save(pack, made("b"))
    stores = open_stores(tmp_path / "ws", env, ["a", "b"], pack)
    assert (dict(stores.tree), dict(stores.user), dict(stores.pack)) == ({"a": made("a")}, {}, {"b": made("b")})
    assert stores.has_own
    assert open_stores(None, env, ["a", "b"], pack) == Stores({}, {}, {"b": made("b")}, False)
    with pytest.raises(BaselineError):
        open_stores(tmp_path / "ws", env, ["broken"], pack)


def test_the_pack_is_read_only_for_what_was_not_accepted(tmp_path: Path) -> None:
    save(tmp_path / "ws" / "cargo-sandbox.baseline", made("a"))
    for package in ("a", "b"):
        save(tmp_path / "pack", made(package))

    def read(**checksums: str) -> set[str]:
        sums = {("a", version.replace("v", "").replace("_", ".")): checksum for version, checksum in checksums.items()}
        return set(open_stores(tmp_path / "ws", {}, ["a", "b"], tmp_path / "pack", sums).pack)

    assert read(v1_0_0="") == {"b"}
    assert read(v1_0_0="", v2_0_0="") == {"a", "b"}
    assert read(v1_0_0="c" * 64) == {"a", "b"}
    assert read() == {"a", "b"}


def test_a_pack_alone_is_no_baseline_of_ones_own(tmp_path: Path) -> None:
    save(tmp_path / "pack", made("b"))
    assert not open_stores(tmp_path / "ws", {}, ["b"], tmp_path / "pack").has_own


def test_a_rule_is_waived_for_exactly_the_content_it_was_accepted_for_and_never_by_the_pack() -> None:
    waiver = Waiver("CS0201", "it must")
    entries = (VersionEntry("1.0.0", "a" * 64, waivers=(waiver,)), VersionEntry("2.0.0", "", waivers=(waiver,)))
    known = {"x": Baseline("x", entries)}
    assert waivers(Stores(tree=known), "x", "1.0.0", "a" * 64) == (waiver,)
    assert waivers(Stores(user=known), "x", "1.0.0", "a" * 64) == (waiver,)
    assert waivers(Stores(pack=known), "x", "1.0.0", "a" * 64) == ()
    for version, checksum in (("1.0.0", "b" * 64), ("1.0.1", "a" * 64), ("1.0.0", ""), ("2.0.0", "")):
        assert waivers(Stores(tree=known), "x", version, checksum) == ()
