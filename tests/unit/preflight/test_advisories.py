"""Vulnerable and malicious packages are found by the advisories on them, and nothing else is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from sandbox.policy.model import Permit
from tests.unit.preflight.advisory_files import check, codes, locked, put, put_record

ID = "RUSTSEC-2099-0001"
BAD = locked("csbench-bad", "1.2.0")


def test_malware_is_critical_by_its_category(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", categories=["malicious"])
    answer = check(tmp_path, BAD, locked("csbench-good", "1.0.0"))
    (found,) = answer.findings
    assert (found.code, found.severity, found.package, found.version) == ("CS0550", "critical", "csbench-bad", "1.2.0")
    assert (answer.state, answer.looked_at) == ("done", 2)


@pytest.mark.parametrize(
    "title",
    [
        "`csbench-bad` was removed from crates.io for malicious code",
        "`csbench-bad` was removed from crates.io due to affiliation with malicious code",
        "`csbench-bad` 1.2.0 was removed from crates.io due to a malicious dependency",
        "malicious crate `csbench-bad`",
    ],
)
def test_malware_is_known_by_its_title_where_the_category_was_forgotten(tmp_path: Path, title: str) -> None:
    put(tmp_path, ID, "csbench-bad", title=title)
    assert codes(check(tmp_path, BAD)) == ["CS0550"]


def test_a_title_about_malicious_input_is_no_malware(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", title="Denial of service by malicious input")
    assert codes(check(tmp_path, BAD)) == ["CS0551"]


@pytest.mark.parametrize(
    ("informational", "code"),
    [("unsound", "CS0552"), ("unmaintained", "CS0553"), ("notice", "CS0554"), ("something-new", "CS0554")],
)
def test_informational_advisories_have_codes_of_their_own(tmp_path: Path, informational: str, code: str) -> None:
    put(tmp_path, ID, "csbench-bad", informational=informational)
    assert codes(check(tmp_path, BAD)) == [code]


def test_malware_stays_malware_when_it_calls_itself_a_notice(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", informational="notice", categories=["malicious"])
    assert codes(check(tmp_path, BAD)) == ["CS0550"]


@pytest.mark.parametrize(
    ("vector", "severity"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "high"),
        ("CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H", "medium"),
        ("CVSS:3.1/AV:P/AC:H/PR:L/UI:R/S:U/C:N/I:N/A:L", "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "low"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "critical"),
        ("CVSS:4.0/AV:L/AC:H/AT:P/PR:L/UI:A/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N", "low"),
        ("CVSS:3.1/AV:N", "high"),
        ("CVSS:9.9/AV:N", "high"),
        ("x" * 100_000, "high"),
    ],
)
def test_a_vulnerability_is_as_bad_as_its_cvss_vector_says(tmp_path: Path, vector: str, severity: str) -> None:
    put(tmp_path, ID, "csbench-bad", cvss=vector)
    (found,) = check(tmp_path, BAD).findings
    assert (found.code, found.severity) == ("CS0551", severity)


@pytest.mark.parametrize(
    ("word", "severity"),
    [("LOW", "low"), ("MODERATE", "medium"), ("HIGH", "high"), ("CRITICAL", "critical"), ("DREADFUL", "high")],
)
def test_where_there_is_no_vector_the_databases_word_counts(tmp_path: Path, word: str, severity: str) -> None:
    put_record(tmp_path, "GHSA-a-b-c", "csbench-bad", {"introduced": "0"}, database_specific={"severity": word})
    assert [item.severity for item in check(tmp_path, BAD).findings] == [severity]


def test_of_several_vectors_the_worst_counts(tmp_path: Path) -> None:
    low, high = "CVSS:3.1/AV:P/AC:H/PR:L/UI:R/S:U/C:N/I:N/A:L", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
    for vectors in ((low, high), (high, low)):
        severity = [{"type": "CVSS_V3", "score": vector} for vector in vectors]
        put_record(tmp_path, "GHSA-a-b-c", "csbench-bad", {"introduced": "0"}, severity=severity)
        assert [item.severity for item in check(tmp_path, BAD).findings] == ["high"]


def test_a_vector_counts_before_the_databases_word(tmp_path: Path) -> None:
    vector = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:P/AC:H/PR:L/UI:R/S:U/C:N/I:N/A:L"}
    said = {"severity": "CRITICAL"}
    put_record(tmp_path, "GHSA-a-b-c", "csbench-bad", {"introduced": "0"}, severity=[vector], database_specific=said)
    assert [item.severity for item in check(tmp_path, BAD).findings] == ["low"]


def test_a_vulnerability_that_nobody_rated_is_high(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    assert [item.severity for item in check(tmp_path, BAD).findings] == ["high"]


def test_the_evidence_says_what_is_concerned_and_what_mends_it(tmp_path: Path) -> None:
    affected = '[affected]\nos = ["windows"]\narch = ["x86"]\n[affected.functions]\n"csbench_bad::read" = ["< 1.3"]\n'
    put(tmp_path, ID, "csbench-bad", versions='patched = [">= 1.3.0"]', aliases=["CVE-2099-1"], affected=affected)
    (found,) = check(tmp_path, BAD).findings
    told = "\n".join(found.tree)
    for words in (">= 1.3.0", "CVE-2099-1", "windows", "x86", "csbench_bad::read", f"advisories/{ID}"):
        assert words in told
    assert ">= 1.3.0" in found.help
    assert found.subject == ID


@pytest.mark.parametrize(
    ("versions", "version"),
    [
        ('patched = [">= 1.2.0"]', "1.2.0"),
        ('patched = ["^1.1.5", ">= 2.0.0"]', "1.2.0"),
        ('patched = []\nunaffected = ["< 1.3.0"]', "1.2.0"),
        ('patched = [">= 1.2.0"]', "1.3.0-rc.1"),
        ('patched = []\nunaffected = ["< 1.4.1", "> 1.4.1"]', "1.4.2"),
    ],
)
def test_patched_and_unaffected_versions_are_clean(tmp_path: Path, versions: str, version: str) -> None:
    put(tmp_path, ID, "csbench-bad", versions=versions)
    answer = check(tmp_path, locked("csbench-bad", version))
    assert (answer.state, answer.findings) == ("done", ())


@pytest.mark.parametrize(
    ("versions", "version"),
    [
        ('patched = [">= 1.2.1"]', "1.2.1-rc.1"),
        ('patched = ["^1.1.5", ">= 2.0.0"]', "2.0.0-alpha"),
        ('patched = []\nunaffected = ["< 1.4.1", "> 1.4.1"]', "1.4.1+build"),
    ],
)
def test_a_release_candidate_before_the_mended_version_is_vulnerable(
    tmp_path: Path, versions: str, version: str
) -> None:
    put(tmp_path, ID, "csbench-bad", versions=versions)
    assert codes(check(tmp_path, locked("csbench-bad", version))) == ["CS0551"]


def test_a_withdrawn_advisory_counts_for_nothing(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", withdrawn="2026-07-31")
    put_record(tmp_path, "MAL-2099-1", "csbench-bad", {"introduced": "0"}, withdrawn="2026-07-31T00:00:00Z")
    assert check(tmp_path, BAD).findings == ()


@pytest.mark.parametrize("source", [None, "registry+https://registry.invalid/index", "git+https://git.invalid/bad#ab"])
def test_a_package_of_that_name_from_elsewhere_is_another_package(tmp_path: Path, source: str | None) -> None:
    put(tmp_path, ID, "csbench-bad")
    answer = check(tmp_path, locked("csbench-bad", "1.2.0", source))
    assert (answer.state, answer.findings, answer.looked_at) == ("done", (), 0)
    assert any(ID in note and (source or "a folder") in note for note in answer.notes)


@pytest.mark.parametrize(
    "source",
    [
        "sparse+https://index.crates.io/",
        "registry+https://github.com/rust-lang/crates.io-index/",
        "registry+https://github.com/rust-lang/crates.io-index.git",
        "registry+https://GitHub.com/Rust-Lang/crates.io-index",
        "registry+sparse+https://index.crates.io/",
    ],
)
def test_crates_io_is_crates_io_in_every_way_that_cargo_lets_it_be_written(tmp_path: Path, source: str) -> None:
    put(tmp_path, ID, "csbench-bad")
    answer = check(tmp_path, locked("csbench-bad", "1.2.0", source))
    assert (codes(answer), answer.looked_at) == (["CS0551"], 1)


def test_an_advisory_on_another_source_is_about_that_source_only(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", source="git+https://git.invalid/bad")
    assert check(tmp_path, BAD).findings == ()
    elsewhere = locked("csbench-bad", "1.2.0", "git+https://git.invalid/bad?branch=main#abcdef")
    assert codes(check(tmp_path, elsewhere)) == ["CS0551"]


def test_an_ignored_advisory_is_told_as_a_note_with_its_reason(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", aliases=["CVE-2099-1"])
    for name in (ID, "cve-2099-1"):
        answer = check(tmp_path, BAD, ignore=(Permit(name, "we never call it", date(2026, 8, 1)),))
        assert answer.findings == ()
        assert any(ID in note and "we never call it" in note for note in answer.notes)


def test_an_expired_entry_lets_nothing_pass_and_is_a_finding(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    for packages, found in (((BAD,), ["CS0551", "CS0556"]), ((), ["CS0556"])):
        answer = check(tmp_path, *packages, ignore=(Permit(ID, "later", date(2026, 7, 31)),))
        assert codes(answer) == found
        assert "expired on 2026-07-31" in answer.findings[-1].detail


def test_an_entry_without_a_reason_is_not_in_force(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    assert codes(check(tmp_path, BAD, ignore=(Permit(ID, " "),))) == ["CS0551", "CS0556"]


def test_an_entry_that_is_about_nothing_is_a_finding(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", versions='patched = [">= 1.2.0"]')
    answer = check(tmp_path, BAD, ignore=(Permit(ID, "we never call it"),))
    assert [(item.code, item.subject) for item in answer.findings] == [("CS0556", ID)]


def test_what_was_not_read_whole_shows_no_entry_to_be_needless(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad").write_text("no advisory")
    answer = check(tmp_path, BAD, ignore=(Permit(ID, "we never call it"),))
    assert (answer.state, answer.findings) == ("not done", ())


def test_the_same_thing_in_two_databases_is_one_finding_with_the_worse_rating(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", aliases=["GHSA-aaaa-bbbb-cccc"])
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    put_record(
        tmp_path,
        "GHSA-aaaa-bbbb-cccc",
        "csbench-bad",
        {"introduced": "0"},
        severity=[{"type": "CVSS_V3", "score": vector}],
    )
    (found,) = check(tmp_path, BAD).findings
    assert (found.subject, found.severity) == (ID, "critical")
    assert any("GHSA-aaaa-bbbb-cccc" in line for line in found.tree)


def test_two_rustsec_advisories_with_one_alias_are_two_findings(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad", aliases=["CVE-2099-1"])
    put(tmp_path, "RUSTSEC-2099-0002", "csbench-bad", aliases=["CVE-2099-1"])
    assert codes(check(tmp_path, BAD)) == ["CS0551", "CS0551"]


def test_a_malware_record_makes_a_vulnerability_of_the_same_name_malware(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    put_record(tmp_path, "MAL-2099-1", "csbench-bad", {"introduced": "0"}, aliases=[ID])
    assert codes(check(tmp_path, BAD)) == ["CS0550"]


def test_a_version_that_is_none_is_not_clean(tmp_path: Path) -> None:
    put(tmp_path, ID, "csbench-bad")
    answer = check(tmp_path, locked("csbench-bad", "newest"))
    assert answer.state == "not done"
    assert "csbench-bad newest" in answer.why
