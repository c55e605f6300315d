"""What stands in for something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.preflight.model import Wishes
from sandbox.preflight.sources import replaced
from sandbox.preflight.sources.source import SPARSE_INDEX, parse
from tests.unit.preflight.sources.make import NAMES_ACME, codes, details, locked, subject

VENDORED = '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n'
MIRROR = '[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+https://mirror.invalid/"\n'


def test_nothing_replaced_is_clean(tmp_path: Path) -> None:
    answer = replaced.run(subject(tmp_path, locked("serde"), tree=NAMES_ACME))
    assert (answer.state, answer.findings) == ("done", ())


def test_a_vendored_folder_is_told_with_its_place(tmp_path: Path) -> None:
    answer = replaced.run(subject(tmp_path, tree=VENDORED))
    assert codes(answer) == ["CS0504"]
    assert "`crates-io`" in details(answer) and str(tmp_path / "ws/vendor") in details(answer)


@pytest.mark.parametrize("where", ["tree", "home"])
def test_a_remote_registry_in_the_place_of_crates_io_shadows_it(tmp_path: Path, where: str) -> None:
    looked_at = subject(tmp_path, tree=MIRROR) if where == "tree" else subject(tmp_path, home=MIRROR)
    answer = replaced.run(looked_at)
    assert codes(answer) == ["CS0507"]
    assert "sparse+https://mirror.invalid/" in details(answer) and "config.toml" in details(answer)


def test_a_chain_is_followed_to_its_end(tmp_path: Path) -> None:
    tree = (
        '[source.crates-io]\nreplace-with = "a"\n[source.a]\nregistry = "https://a.invalid"\nreplace-with = "b"\n'
        '[source.b]\ndirectory = "/elsewhere"\n'
    )
    looked_at = subject(tmp_path, tree=tree)
    assert "/elsewhere" in details(replaced.run(looked_at))
    end = replaced.stand_in(looked_at.config, parse(SPARSE_INDEX))
    assert end is not None and (end.kind, end.value, end.remote) == ("directory", "/elsewhere", False)
    end = replaced.stand_in(looked_at.config, parse("registry+https://a.invalid/"))
    assert end is not None and end.name == "b"
    assert replaced.stand_in(looked_at.config, parse("registry+https://nobody.invalid")) is None


@pytest.mark.parametrize("target", ["b", "crates-io", "nowhere"])
def test_a_circle_or_a_hole_in_a_chain_is_told_and_does_not_hang(tmp_path: Path, target: str) -> None:
    tree = f'[source.crates-io]\nreplace-with = "b"\n[source.b]\nreplace-with = "{target}"\n'
    answer = replaced.run(subject(tmp_path, tree=tree))
    assert "CS0504" in codes(answer) and "not defined" in details(answer)


def test_a_registry_s_name_may_stand_in_as_well(tmp_path: Path) -> None:
    answer = replaced.run(subject(tmp_path, tree=f'[source.crates-io]\nreplace-with = "acme"\n{NAMES_ACME}'))
    assert codes(answer) == ["CS0507"] and "index.acme.invalid" in details(answer)


def test_patches_of_manifest_and_configuration_are_told(tmp_path: Path) -> None:
    manifest = (
        '[workspace]\n[patch.crates-io]\nserde = { path = "mine" }\n'
        'other = { git = "https://git.invalid/x", rev = "0123456", package = "log" }\n'
        '[replace]\n"foo:0.1.0" = { path = "foo" }\n'
    )
    tree = '[patch."https://git.invalid/y"]\nbar = { path = "bar" }\n'
    answer = replaced.run(subject(tmp_path, manifest=manifest, tree=tree))
    assert codes(answer) == ["CS0504"] * 4
    for words in ("`serde` of crates-io by path mine", "`log` of crates-io by git https://git.invalid/x, rev 0123456",
                  "`foo:0.1.0` by path foo", "`bar` of https://git.invalid/y by path bar"):  # fmt: skip
        assert words in details(answer)


@pytest.mark.parametrize("entry", ['{ path = "../x" }', '{ git = "https://git.invalid/x" }'])
def test_a_patch_is_mild_in_the_project_s_manifest_and_not_in_a_configuration_file_of_the_tree(
    tmp_path: Path, entry: str
) -> None:
    patch = f"[patch.crates-io]\nserde = {entry}\n"
    assert [one.severity for one in replaced.run(subject(tmp_path, manifest=patch)).findings] == ["low"]
    answer = replaced.run(subject(tmp_path / "other", tree=patch))
    assert [one.severity for one in answer.findings] == ["medium"]


@pytest.mark.parametrize("folder, severity", [("vendor", "low"), ("../elsewhere", "medium"), ("link", "medium")])
def test_only_what_is_vendored_into_the_tree_is_mild(tmp_path: Path, folder: str, severity: str) -> None:
    looked_at = subject(tmp_path, tree=VENDORED.replace('"vendor"', f'"{folder}"'))
    (tmp_path / "ws/vendor").mkdir()
    (tmp_path / "ws/link").symlink_to(tmp_path)
    assert [one.severity for one in replaced.run(looked_at).findings] == [severity]


def test_a_mirror_is_mild_that_the_user_configured_or_policy_allows(tmp_path: Path) -> None:
    assert [one.severity for one in replaced.run(subject(tmp_path, tree=MIRROR)).findings] == ["medium"]
    assert [one.severity for one in replaced.run(subject(tmp_path / "b", home=MIRROR)).findings] == ["low"]
    wishes = Wishes(allowed_sources=("sparse+https://mirror.invalid/",))
    looked_at = replace(subject(tmp_path / "c", tree=MIRROR), wishes=wishes)
    assert [one.severity for one in replaced.run(looked_at).findings] == ["low"]


def test_overriding_paths_are_told(tmp_path: Path) -> None:
    answer = replaced.run(subject(tmp_path, tree='paths = ["../mine"]\n'))
    assert codes(answer) == ["CS0504"] and "/mine" in details(answer)


def test_a_manifest_that_can_t_be_read_is_no_clean_one(tmp_path: Path) -> None:
    answer = replaced.run(subject(tmp_path, manifest="[patch"))
    assert answer.state == "not done" and "Cargo.toml" in answer.why


@pytest.mark.parametrize(
    "text", ["patch = 1", "patch = { a = 1 }", "[patch.a]\nb = 1\n", "replace = []", "[patch.a]\nb = {}"]
)
def test_malformed_patches_do_not_crash(tmp_path: Path, text: str) -> None:
    replaced.run(subject(tmp_path, manifest=text))


def test_a_lock_file_alone_shows_no_patches(tmp_path: Path) -> None:
    import dataclasses

    alone = dataclasses.replace(subject(tmp_path, tree=None), root=None)
    answer = replaced.run(alone)
    assert answer.state == "not done" and "[patch]" in answer.why and "configuration" in answer.why


GIT = """
[source."git+https://git.invalid/x?rev=abc"]
git = "https://git.invalid/x"
rev = "abc"
replace-with = "v"
[source."git+https://git.invalid/y"]
git = "https://git.invalid/y"
replace-with = "v"
[source.v]
directory = "vendor"
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("git+https://git.invalid/x?rev=abc#0", True),
        ("git+https://Git.invalid/x.git?rev=abc#0", True),
        ("git+https://git.invalid/x?tag=abc#0", False),
        ("git+https://git.invalid/x?rev=abd#0", False),
        ("git+https://git.invalid/x#0", False),
        ("git+https://git.invalid/y#0", True),
        ("git+https://git.invalid/y?branch=main#0", False),
        ("registry+https://git.invalid/y", False),
        (None, False),
    ],
)
def test_a_git_source_is_replaced_at_the_revision_that_was_asked_for(
    tmp_path: Path, source: str | None, found: bool
) -> None:
    end = replaced.stand_in(subject(tmp_path, tree=GIT).config, parse(source))
    assert (end is not None) == found and (end is None or end.kind == "directory")
