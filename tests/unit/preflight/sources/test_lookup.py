"""Names of a private index that were taken from the public one."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.files import Unreadable
from sandbox.preflight.sources import folders, index, lookup
from sandbox.preflight.sources.fetch import LookUpFailed
from tests.unit.preflight.sources.make import ACME, NAMES_ACME, SUM, codes, details, locked, subject


def entry(name: str, version: str, checksum: str = "cd" * 32) -> bytes:
    return json.dumps({"name": name, "vers": version, "cksum": checksum, "deps": []}).encode()


def cached(*pairs: tuple[str, bytes], version: int = 3) -> bytes:
    head = bytes([version]) + (struct.pack("<I", 2) if version > 1 else b"") + b'etag: "x"\0'
    return head + b"".join(number.encode() + b"\0" + line + b"\0" for number, line in pairs)


class Index:
    """A private index that has one name, and remembers what it was asked."""

    def __init__(self, *lines: bytes, name: str = "acme-util") -> None:
        self.pages = {f"https://index.acme.invalid/{index.place(name)}": b"\n".join(lines)}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes | None:
        self.asked.append(url)
        return self.pages.get(url)


PACKAGES = (locked("acme-util", "99.0.0"), locked("serde"))


def test_a_private_name_that_was_taken_from_the_public_index_is_told(tmp_path: Path) -> None:
    private = Index(entry("acme-util", "1.2.0"), entry("acme-util", "1.10.0"), b"")
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=private))
    assert (answer.state, codes(answer), answer.looked_at) == ("done", ["CS0502"], 2)
    assert "1.2.0, 1.10.0" in details(answer) and "not among" in details(answer)
    assert answer.findings[0].package == "acme-util" and answer.findings[0].severity == "high"


def test_names_that_the_private_index_has_not_are_public(tmp_path: Path) -> None:
    private = Index(entry("acme-util", "1.2.0"))
    answer = lookup.run(subject(tmp_path, locked("serde"), home=NAMES_ACME, fetch=private))
    assert (answer.state, answer.findings) == ("done", ())


def test_only_public_names_are_told_to_a_private_index(tmp_path: Path) -> None:
    private = Index()
    packages = (*PACKAGES, locked("secret", source=None), locked("mine", source="sparse+https://x.invalid/"))
    lookup.run(subject(tmp_path, *packages, locked("../../evil"), home=NAMES_ACME, fetch=private))
    assert [url for url in private.asked if "acme.invalid" in url] == [
        "https://index.acme.invalid/ac/me/acme-util",
        "https://index.acme.invalid/se/rd/serde",
    ]


def test_the_same_package_in_a_mirror_is_no_other_one(tmp_path: Path) -> None:
    mirror = Index(entry("acme-util", "99.0.0", SUM.upper()))
    assert not lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=mirror)).findings


def test_the_same_version_with_other_content_is(tmp_path: Path) -> None:
    private = Index(entry("acme-util", "99.0.0"))
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=private))
    assert codes(answer) == ["CS0502"] and "another checksum" in details(answer)


def test_without_leave_to_use_the_network_it_is_not_done(tmp_path: Path) -> None:
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME))
    assert answer.state == "not done" and "network was not asked" in answer.why


def test_without_private_registries_there_is_nothing_to_do(tmp_path: Path) -> None:
    answer = lookup.run(subject(tmp_path, *PACKAGES))
    assert (answer.state, answer.findings) == ("done", ())


def test_a_registry_of_the_lock_file_is_a_private_one_too(tmp_path: Path) -> None:
    private = Index(entry("acme-util", "1.2.0"))
    answer = lookup.run(subject(tmp_path, *PACKAGES, locked("acme-own", source=ACME), fetch=private))
    assert codes(answer) == ["CS0502"]


def test_what_stands_in_for_crates_io_is_no_private_index(tmp_path: Path) -> None:
    private = Index(entry("acme-util", "1.2.0"))
    home = f'{NAMES_ACME}[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "{ACME}"\n'
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=home, fetch=private))
    assert (answer.state, answer.findings, private.asked) == ("done", (), [])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_cargo_keeps_of_an_index_needs_no_network(tmp_path: Path, version: int) -> None:
    looked_at = subject(tmp_path, *PACKAGES, home=NAMES_ACME)
    top = tmp_path / "home/registry/index" / folders.of_registry(ACME)[0] / ".cache"
    for name in ("acme-util", "serde"):
        (top / index.place(name)).parent.mkdir(parents=True)
    (top / index.place("acme-util")).write_bytes(cached(("1.2.0", entry("acme-util", "1.2.0")), version=version))
    (top / index.place("serde")).write_bytes(b"\x07nonsense")
    answer = lookup.run(looked_at)
    assert codes(answer) == ["CS0502"] and answer.state == "not done"


def test_an_index_that_is_a_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    (folder / "ac/me").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "ac/me/acme-util").write_bytes(entry("acme-util", "1.2.0"))
    home = f'[registries.acme]\nindex = "file://{folder}"\n'
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=home))
    assert (answer.state, codes(answer)) == ("done", ["CS0502"])


def test_a_folder_that_is_no_index_is_not_done(tmp_path: Path) -> None:
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=f'[registries.acme]\nindex = "file://{tmp_path}/nowhere"\n'))
    assert answer.state == "not done" and "no folder of index files" in answer.why


@pytest.mark.parametrize("url", ["http://index.acme.invalid/", "http://127.0.0.1:9/", "ftp://a.invalid/"])
def test_a_project_can_t_make_us_ask_just_any_address(tmp_path: Path, url: str) -> None:
    private = Index()
    answer = lookup.run(
        subject(tmp_path, *PACKAGES, tree=f'[registries.acme]\nindex = "sparse+{url}"\n', fetch=private)
    )
    assert answer.state == "not done" and not private.asked


def test_the_user_may_name_an_index_on_this_machine(tmp_path: Path) -> None:
    private = Index()
    home = '[registries.acme]\nindex = "sparse+http://127.0.0.1:9/index"\n'
    assert lookup.run(subject(tmp_path, *PACKAGES, home=home, fetch=private)).state == "done"
    assert "http://127.0.0.1:9/index/se/rd/serde" in private.asked


def test_a_git_index_is_not_asked(tmp_path: Path) -> None:
    answer = lookup.run(
        subject(tmp_path, *PACKAGES, home='[registries.a]\nindex = "https://a.invalid/i"\n', fetch=Index())
    )
    assert answer.state == "not done" and "git index" in answer.why


def test_an_index_that_fails_or_answers_nonsense_is_not_done(tmp_path: Path) -> None:
    def refuse(url: str) -> bytes | None:
        if "serde" in url:
            raise LookUpFailed("it answers with 403")
        return b"<html>sign in</html>"

    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=refuse))
    assert answer.state == "not done" and "2 of 2 look-ups failed" in answer.why


def test_a_slow_index_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MAX_SECONDS", -1.0)
    private = Index()
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=private))
    assert answer.state == "not done" and not private.asked


def test_too_much_to_look_up_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MAX_LOOK_UPS", 1)
    private = Index()
    answer = lookup.run(subject(tmp_path, *PACKAGES, home=NAMES_ACME, fetch=private))
    assert answer.state == "not done" and "too many" in answer.why and len(private.asked) == 1


def test_places_in_an_index_are_cargo_s() -> None:
    assert [index.place(name) for name in ("a", "ab", "abc", "abcd", "Abcde")] == [
        "1/a", "2/ab", "3/a/abc", "ab/cd/abcd", "ab/cd/abcde",
    ]  # fmt: skip


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x03\x02\0\0\0x\0", b'{"name":"a",', b"[" * 100_000]))
def test_broken_index_files_are_refused_or_read_but_never_crash(data: bytes, head: bytes) -> None:
    for parse in (index.parse, index.parse_cached):
        try:
            found = parse(head + data, "a")
        except Unreadable:
            continue
        assert all(isinstance(item, str) for pair in found.items() for item in pair)


@pytest.mark.parametrize("line", [b"[]", b'{"name": "b"}', b'{"name": "a", "vers": 1}', b'{"name": "a", "vers": "1"}'])
def test_an_entry_must_be_about_its_package(line: bytes) -> None:
    with pytest.raises(Unreadable):
        index.parse(line, "a")
