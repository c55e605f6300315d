"""Databases are found, read as far as the lock file asks for, and never trusted further than that."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.preflight.advisories import database, index, kept, rustsec
from sandbox.preflight.advisories.ranges import version_of
from tests.unit.preflight.advisory_files import CRATES_IO, check, codes, locked, markdown, put, put_record

ID = "RUSTSEC-2099-0001"
BAD = locked("csbench-bad", "1.2.0")


def test_without_a_database_nothing_was_checked_and_the_answer_says_how_to_get_one(tmp_path: Path) -> None:
    answer = check("", BAD, cargo_home=tmp_path)
    assert (answer.state, answer.findings) == ("not done", ())
    assert "audit --fetch-db" in answer.why
    assert "--advisory-db" in answer.why


def test_the_database_may_be_named_by_the_environment(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    assert codes(check("", BAD, env={"CARGO_SANDBOX_ADVISORY_DB": str(tmp_path)})) == ["CS0551"]


def test_cargo_audits_database_is_taken_where_none_is_named(tmp_path: Path) -> None:
    put(tmp_path / "advisory-db", ID, "csbench-bad")
    assert codes(check("", BAD, cargo_home=tmp_path)) == ["CS0551"]
    other = tmp_path / "other"
    put(other, ID, "csbench-good")
    assert codes(check(other, BAD, cargo_home=tmp_path)) == []


def test_several_databases_are_separated_as_in_path(tmp_path: Path) -> None:
    put(tmp_path / "a", ID, "csbench-bad")
    put_record(tmp_path / "b", "MAL-2099-1", "csbench-worse", {"introduced": "0"})
    worse = locked("csbench-worse", "1.0.0")
    assert codes(check(f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}", BAD, worse)) == ["CS0551", "CS0550"]


@pytest.mark.parametrize("kind", ["missing", "file", "empty", "empty crates"])
def test_what_is_no_database_is_not_done_never_clean(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "db"
    if kind == "file":
        place.write_text("x")
    elif kind != "missing":
        (place / "crates" if kind == "empty crates" else place).mkdir(parents=True)
    answer = check(place, BAD)
    assert answer.state == "not done"
    assert str(place) in answer.why
    assert ("no such folder" if kind in ("missing", "file") else "holds no advisory") in answer.why


@pytest.mark.parametrize("place", ["~nobody-of-that-name/db", "a\0b", "x" * 5000, "/proc/self/mem"])
def test_a_place_that_can_not_exist_is_not_done(place: str) -> None:
    assert check(place, BAD).state == "not done"


def test_one_unusable_database_of_two_leaves_the_others_findings(tmp_path: Path) -> None:
    put(tmp_path / "a", ID, "csbench-bad")
    answer = check(f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}", BAD)
    assert (answer.state, codes(answer)) == ("not done", ["CS0551"])


@pytest.mark.parametrize(
    "where", ["", "crates", "osv", "crates.io/csbench-bad", "osv/crates.io", "osv/malicious/crates.io/x"]
)
def test_osv_records_are_found_where_the_known_databases_have_them(tmp_path: Path, where: str) -> None:
    put_record(tmp_path / "made", "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    (made,) = (tmp_path / "made").rglob("*.json")
    (tmp_path / "db" / where).mkdir(parents=True, exist_ok=True)
    made.rename(tmp_path / "db" / where / made.name)
    assert codes(check(tmp_path / "db", BAD)) == ["CS0550"]


def test_a_name_written_with_the_other_separator_is_the_same_name(tmp_path: Path) -> None:
    put_record(tmp_path, "MAL-2099-1", "csbench_bad", {"introduced": "0"})
    assert codes(check(tmp_path, BAD)) == ["CS0550"]


def test_a_repositorys_own_json_files_are_no_records(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    (tmp_path / "package.json").write_text('{"name": "tools"}')
    assert check(tmp_path, BAD).state == "done"


BROKEN = {
    "no advisory": lambda path: path.write_text("Nothing"),
    "not text": lambda path: path.write_bytes(b"```toml\n\xff"),
    "too large": lambda path: os.truncate(path, 2 << 20),
    "another package": lambda path: path.write_text(path.read_text().replace("csbench-bad", "csbench-other")),
    "another id": lambda path: path.write_text(path.read_text().replace("0001", "0002")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "another ending": lambda path: path.rename(path.with_suffix(".toml")),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_advisory_on_a_locked_package_leaves_the_check_not_done(tmp_path: Path, how: str) -> None:
    put(tmp_path, "RUSTSEC-2099-0003", "csbench-bad")
    BROKEN[how](put(tmp_path, ID, "csbench-bad"))
    answer = check(tmp_path, BAD)
    assert (answer.state, codes(answer)) == ("not done", ["CS0551"])
    assert ID in answer.why


def test_a_broken_advisory_on_another_package_is_not_even_read(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    put(tmp_path, "RUSTSEC-2099-0000", "csbench-other").write_text("Nothing")
    assert (answer := check(tmp_path, BAD)).state == "done"
    assert codes(answer) == ["CS0551"]


def test_a_broken_record_could_have_been_about_any_package(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    put_record(tmp_path, "MAL-2099-1", "csbench-other").write_text("{")
    answer = check(tmp_path, BAD)
    assert (answer.state, codes(answer)) == ("not done", ["CS0551"])
    assert "MAL-2099-1.json" in answer.why


def test_a_draft_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    put(tmp_path, "RUSTSEC-0000-0000", "csbench-bad")
    assert codes(check(tmp_path, BAD)) == ["CS0551"]


@pytest.mark.parametrize("what", ["file", "folder", "crates", "record", "records"])
def test_no_link_is_followed_and_none_is_passed_over_in_silence(tmp_path: Path, what: str) -> None:
    outside, db = tmp_path / "outside", tmp_path / "db"
    put(db, "RUSTSEC-2099-0009", "csbench-good")
    put_record(db, "MAL-2099-9", "csbench-good", {"introduced": "0"})
    secret = put(outside, ID, "csbench-bad")
    hidden = put_record(outside, "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    if what == "file":
        put(db, ID, "csbench-bad").unlink()
        (db / "crates" / "csbench-bad" / f"{ID}.md").symlink_to(secret)
    elif what == "folder":
        (db / "crates" / "csbench-bad").symlink_to(secret.parent)
    elif what == "crates":
        (db / "crates").rename(db / "old")
        (db / "crates").symlink_to(outside / "crates")
    elif what == "record":
        (db / "x.json").symlink_to(hidden)
    else:
        (db / "crates.io").symlink_to(hidden.parent)
    answer = check(db, BAD)
    assert (answer.state, codes(answer)) == ("not done", [])


def test_the_database_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "db", ID, "csbench-bad")
    (tmp_path / "link").symlink_to(tmp_path / "db")
    assert codes(check(tmp_path / "link", BAD)) == ["CS0551"]


@pytest.mark.parametrize("name", ["../../secret", "..", "", "a/b", "csbench\0bad", "x" * 5000])
def test_a_name_in_the_lock_file_leads_nowhere(tmp_path: Path, name: str) -> None:
    put(tmp_path / "db", ID, "csbench-bad")
    put(tmp_path / "secret", ID, "csbench-bad")
    answer = check(tmp_path / "db", locked(name, "1.0.0"))
    assert (answer.state, answer.findings) == ("done", ())


@pytest.mark.parametrize("folders", [1, 3, 5])
def test_too_many_records_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: int) -> None:
    for number in range(5):
        put_record(tmp_path, f"MAL-2099-{number}", f"csbench-{number % folders}", {"introduced": "0"})
    assert check(tmp_path, BAD).state == "done"
    monkeypatch.setattr(database, "MAX_FILES", 4)
    answer = check(tmp_path, BAD)
    assert (answer.state, answer.findings) == ("not done", ())
    assert "more than 4" in answer.why


# The index of records.


def test_records_are_opened_again_only_once_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db, cache = tmp_path / "db", tmp_path / "cache"
    path = put_record(db, "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    put_record(db, "MAL-2099-2", "csbench-other", {"introduced": "0"})
    opened: list[str] = []
    really = index._read

    def read(top: Path, file: Any) -> Any:
        opened.append(file.path)
        return really(top, file)

    monkeypatch.setattr(index, "_read", read)
    assert codes(check(db, BAD, cache=cache)) == ["CS0550"]
    assert len(opened) == 2
    assert codes(check(db, BAD, cache=cache)) == ["CS0550"]
    assert len(opened) == 2
    path.write_text(path.read_text().replace("csbench-bad", "csbench-mad"))
    assert codes(check(db, BAD, cache=cache)) == []
    assert len(opened) == 3


def test_a_record_that_is_new_or_gone_is_noticed(tmp_path: Path) -> None:
    db, cache = tmp_path / "db", tmp_path / "cache"
    path = put_record(db, "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    assert codes(check(db, BAD, cache=cache)) == ["CS0550"]
    put_record(db, "MAL-2099-2", "csbench-bad", {"introduced": "0"})
    assert codes(check(db, BAD, cache=cache)) == ["CS0550", "CS0550"]
    path.unlink()
    assert codes(check(db, BAD, cache=cache)) == ["CS0550"]


SPOILED = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another kind": lambda text: "[]",
    "nested": lambda text: "[" * 100_000,
    "of another release": lambda text: text.replace('"form": "1 ', '"form": "0 ').replace("csbench-bad", "csbench-x"),
    "without records": lambda text: json.dumps({**json.loads(text), "records": []}),
    "with odd records": lambda text: json.dumps({**json.loads(text), "records": {"x": 1}}),
    "with odd advisories": lambda text: json.dumps({**json.loads(text), "advisories": {"x": [[1, 2, 3, 4], [[1]]]}}),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_cache_is_made_anew(tmp_path: Path, how: str) -> None:
    db, cache = tmp_path / "db", tmp_path / "cache"
    put(db, ID, "csbench-bad")
    put_record(db, "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    before = check(db, BAD, cache=cache)
    (path,) = cache.iterdir()
    whole = path.read_text()
    path.write_text(SPOILED[how](whole))
    assert check(db, BAD, cache=cache) == before
    assert path.read_text() == whole


@settings(deadline=None)
@given(
    versions=st.lists(st.sampled_from([">= 1.2.0-rc.1", "< 1.0.0", "^2.1", "= 3.0.0", "> 4, < 5"]), max_size=3),
    title=st.text(),
)
def test_what_is_kept_comes_back_as_it_was(versions: list[str], title: str, tmp_path_factory: Any) -> None:
    top = tmp_path_factory.mktemp("kept")
    advisory = rustsec.parse(markdown(ID, "csbench-bad", versions=f"patched = {json.dumps(versions)}"))
    listed = advisory.versions._replace(listed=(version_of("1.0.0-a.1"), version_of("2")))
    advisory = advisory._replace(versions=listed, title=title, aliases=(title, ""))
    whole = kept.Kept(
        {"x.json": ((1, 2, 3, 4), kept.Entry(("a",), "2026-01-01"))}, {"x.md": ((1, 2, 3, 4), (advisory, advisory))}
    )
    kept.save(top, top, whole)
    assert kept.load(top, top) == whole


def test_an_advisory_is_read_again_once_it_has_changed(tmp_path: Path) -> None:
    db, cache = tmp_path / "db", tmp_path / "cache"
    put(db, ID, "csbench-bad")
    assert codes(check(db, BAD, cache=cache)) == ["CS0551"]
    assert codes(check(db, BAD, cache=cache)) == ["CS0551"]
    put(db, ID, "csbench-bad", versions='patched = [">= 1.2.0"]')
    assert codes(check(db, BAD, cache=cache)) == []


def test_a_cache_that_can_not_be_written_does_no_harm(tmp_path: Path) -> None:
    put_record(tmp_path / "db", "MAL-2099-1", "csbench-bad", {"introduced": "0"})
    (tmp_path / "cache").write_text("a file")
    assert codes(check(tmp_path / "db", BAD, cache=tmp_path / "cache")) == ["CS0550"]


# Age.


@pytest.mark.parametrize(("today", "late"), [(date(2026, 8, 29), False), (date(2026, 8, 30), True)])
def test_a_database_is_too_old_by_its_newest_advisory(tmp_path: Path, today: date, late: bool) -> None:
    put(tmp_path, "RUSTSEC-2098-0001", "csbench-old", date="2020-01-01")
    put(tmp_path, ID, "csbench-good", date="2026-07-30")
    answer = check(tmp_path, BAD, today=today)
    assert codes(answer) == ["CS0555"] * late
    assert any("2026-07-30" in note for note in answer.notes)


def test_an_old_database_that_nobody_asked_for_is_worth_a_mild_word_only(tmp_path: Path) -> None:
    put(tmp_path / "advisory-db", ID, "csbench-good", date="2026-01-01")
    assert [one.severity for one in check(tmp_path / "advisory-db", BAD).findings] == ["medium"]
    assert [one.severity for one in check("", BAD, cargo_home=tmp_path).findings] == ["low"]


def test_an_advisory_of_days_to_come_keeps_no_database_fresh(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-good", date="2026-07-01")
    put(tmp_path, "RUSTSEC-2099-0002", "csbench-good", date="2099-01-01")
    put_record(tmp_path, "MAL-2099-1", "csbench-good", modified="2099-01-01T00:00:00Z")
    assert codes(check(tmp_path, BAD, max_age_days=30)) == ["CS0555"]


def test_a_database_without_any_date_is_not_done(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-good", date="someday")
    answer = check(tmp_path, BAD)
    assert (answer.state, codes(answer)) == ("not done", [])


def test_records_date_a_database_too(tmp_path: Path) -> None:
    put_record(tmp_path, "MAL-2099-1", "csbench-good", modified="2026-05-01T00:00:00Z")
    answer = check(tmp_path, BAD)
    assert codes(answer) == ["CS0555"]
    assert any("2026-05-01" in note for note in answer.notes)


def test_looked_at_counts_packages_of_crates_io(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-good")
    answer = check(tmp_path, BAD, locked("csbench-own", "0.1.0", None), locked("csbench-two", "1.0.0", CRATES_IO))
    assert (answer.looked_at, answer.unit) == (2, "packages")
