"""What is read of Cargo.toml files: licences told apart, inheritance, and no way out of a package's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.preflight.inventory import manifests
from sandbox.preflight.inventory.licences import spdx_ids
from sandbox.preflight.inventory.manifests import Reader, Stated
from sandbox.preflight.inventory.model import Licence
from tests.unit.preflight.inventory import made


def state(top: Path, folder: str, text: str, member: bool = False, source: str | None = None) -> Stated:
    path = top / folder / "Cargo.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if text:
        path.write_text(text)
    package = made.package("cc")._replace(manifest_path=str(path), source=source)
    return Reader(str(top), spdx_ids()).of(package, member)


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ('license = "MIT/Apache-2.0"', Licence("expression", "MIT OR Apache-2.0")),
        ('license = "ask us"', Licence("other", "ask us")),
        ('license = " "', Licence("none")),
        ('license-file = "COPYING"', Licence("file", "COPYING")),
        ('license = "MIT"\nlicense-file = "COPYING"', Licence("expression", "MIT")),
        ("", Licence("none")),
        ("license = 7", Licence("unread", "its `license` is no text")),
        ("license.workspace = 7", Licence("unread", "its `license` is no text")),
        ('license = "MIT"\nrepository.workspace = true', Licence("expression", "MIT")),
    ],
)
def test_a_licence_a_file_and_nothing_are_told_apart(tmp_path: Path, lines: str, licence: Licence) -> None:
    assert state(tmp_path, "a", f'[package]\nname = "a"\n{lines}\n').licence == licence


def test_a_member_inherits_from_the_workspaces_root_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nlicense = "ISC"\nrepository = "https://x.invalid/r"\n')
    text = '[package]\nname = "a"\nlicense.workspace = true\nrepository.workspace = true\n'
    found = state(tmp_path, "../beside-" + tmp_path.name, text, member=True)
    assert found == Stated(Licence("expression", "ISC"), "https://x.invalid/r")


def test_a_git_package_inherits_from_its_own_checkout_and_from_nothing_above_it(tmp_path: Path) -> None:
    text = '[package]\nname = "a"\nlicense.workspace = true\n'
    (tmp_path / "Cargo.toml").write_text('[workspace.package]\nlicense = "ISC"\n')
    place = "git/checkouts/a-0123/4567"
    alone = state(tmp_path, f"{place}/crates/a", text, source=made.GIT)
    assert alone.licence == Licence("unread", "it inherits from a workspace that was not found")
    (tmp_path / place / "Cargo.toml").write_text('[workspace]\n[workspace.package]\nlicense = "MIT"\n')
    assert state(tmp_path, f"{place}/crates/a", text, source=made.GIT).licence == Licence("expression", "MIT")


def test_a_fetched_manifest_that_is_a_link_out_of_its_package_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text('[package]\nlicense = "secret"\n')
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Cargo.toml").symlink_to("../secret.toml")
    assert state(tmp_path, "a", "", source=made.CRATES_IO).licence.state == "unread"
    # One of the tree's own is the user's: cargo follows it too.
    assert state(tmp_path, "a", "").licence == Licence("other", "secret")


@pytest.mark.parametrize("text", ["", "this is no TOML", "a = " + "[" * 5000, "\x00"])
def test_a_manifest_that_is_missing_or_broken_is_unread_and_never_none(tmp_path: Path, text: str) -> None:
    found = state(tmp_path, "a", text)
    assert found.licence.state == "unread" and found.licence.text


def test_a_manifest_over_the_limit_is_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_BYTES", 20)
    assert "larger than 20 bytes" in state(tmp_path, "a", '[package]\nlicense = "MIT"\n').licence.text
    monkeypatch.setattr(manifests, "MAX_BYTES", 2000)
    monkeypatch.setattr(manifests, "MAX_TOTAL_BYTES", -1)
    assert "all manifests together" in state(tmp_path, "a", '[package]\nlicense = "MIT"\n').licence.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a@b.invalid", "https://x y.invalid", "https://x/" + "a" * 1000, "http://é"]
)
def test_a_repository_that_is_no_plain_url_is_left_out(tmp_path: Path, url: str) -> None:
    assert state(tmp_path, "a", f'[package]\nrepository = "{url}"\n').repository == ""


def test_a_repository_is_kept(tmp_path: Path) -> None:
    assert state(tmp_path, "a", '[package]\nrepository = "https://x.invalid/a"\n').repository == "https://x.invalid/a"
