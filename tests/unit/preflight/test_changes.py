"""What changed since the accepted state: each attack is told, its honest twin is not."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cargo.lockfile import LockedPackage
from sandbox.preflight.changes import CHECKS, content, lock
from sandbox.preflight.changes.index import find_in
from sandbox.preflight.changes.pairs import compare
from sandbox.preflight.model import Answer, Subject, Wishes
from tests.unit.preflight.crates import CRATES_IO, cached, put

TODAY = date(2026, 11, 29)
LIB = "pub fn nothing() {}\n"
Locked = tuple[LockedPackage, ...]


def _subject(home: Path | None, old: Locked | None, new: Locked, cooldown: int = 0) -> Subject:
    return Subject(
        Path("/x/Cargo.lock"), new, TODAY, wishes=Wishes(cooldown_days=cooldown), cargo_home=home, accepted=old
    )


def _contents(home: Path, old: Locked, new: Locked) -> Answer:
    return content.run(_subject(home, old, new))


def _codes(answer: Answer) -> list[tuple[str, str]]:
    return [(one.code, one.severity) for one in answer.findings]


def _package(name: str, version: str, checksum: str = "a", source: str | None = CRATES_IO) -> LockedPackage:
    return LockedPackage(name, version, source, checksum)


# Versions and checksums.


def test_an_accepted_version_with_another_checksum_is_told() -> None:
    old, new = (_package("csbench-a", "1.0.0", "a"),), (_package("csbench-a", "1.0.0", "b"),)
    answer = lock.swapped(_subject(None, old, new))
    assert _codes(answer) == [("CS0532", "critical")]
    assert "was a when it was accepted and is b now" in answer.findings[0].detail
    assert _codes(lock.swapped(_subject(None, old, old))) == []
    assert _codes(lock.swapped(_subject(None, old, (_package("csbench-a", "1.0.1", "b"),)))) == []
    assert lock.swapped(_subject(None, None, new)).state == "not done"


def test_new_and_updated_packages_are_told_with_who_needs_them() -> None:
    old = (_package("csbench-a", "1.0.0"), _package("csbench-gone", "1.0.0"), _package("mine", "1.0.0", source=None))
    user = LockedPackage("csbench-a", "1.1.0", CRATES_IO, "c", ("csbench-b",))
    answer = lock.graph(
        _subject(None, old, (user, _package("csbench-b", "2.0.0"), _package("own", "1.0.0", source=None)))
    )
    assert [(one.code, one.package, one.detail) for one in answer.findings] == [
        ("CS0530", "csbench-b", "needed by csbench-a 1.1.0"),
        ("CS0531", "csbench-a", "1.0.0 was accepted"),
    ]
    assert answer.notes == ("csbench-gone 1.0.0 is no longer in the graph", "mine 1.0.0 is no longer in the graph")
    assert lock.graph(_subject(None, old, old)).findings == ()


def test_of_several_versions_each_is_paired_with_the_nearest() -> None:
    old = (_package("csbench-a", "1.0.0"), _package("csbench-a", "2.0.0"), _package("csbench-a", "0.9.0"))
    new = (_package("csbench-a", "1.0.5"), _package("csbench-a", "2.1.0"), _package("csbench-a", "0.9.0"))
    updated = compare(old, new).updated
    assert [(one.old.version, one.new.version, one.patch) for one in updated] == [
        ("1.0.0", "1.0.5", True), ("2.0.0", "2.1.0", False),
    ]  # fmt: skip


def test_a_package_that_moves_to_another_source_is_an_update_and_the_two_indexes_of_crates_io_are_one() -> None:
    old = (_package("csbench-a", "1.0.0"),)
    changes = compare(old, (_package("csbench-a", "1.0.1", source="registry+https://other.invalid/index"),))
    assert len(changes.updated) == 1 and not changes.added
    assert not compare(old, (_package("csbench-a", "1.0.0", source="sparse+https://index.crates.io/"),)).any


def test_an_accepted_graph_that_kept_no_queries_of_git_sources_is_the_same_graph() -> None:
    now = (_package("csbench-a", "1.0.0", source="git+https://git.invalid/a?branch=main#1"),)
    assert not compare((_package("csbench-a", "1.0.0", source="git+https://git.invalid/a#1"),), now).any
    answer = lock.graph(_subject(None, (_package("csbench-a", "1.0.0", source="git+https://git.invalid/a#0"),), now))
    assert [(one.code, one.detail) for one in answer.findings] == [("CS0531", "1.0.0 was accepted at commit 0")]


def test_an_update_from_another_source_than_was_accepted_is_told() -> None:
    old, new = _package("csbench-a", "1.0.0"), _package("csbench-a", "1.0.1", source="registry+https://b.invalid/x")
    assert lock.graph(_subject(None, (old,), (new,))).findings[0].detail == (
        f"1.0.0 was accepted, from {CRATES_IO} instead of registry+https://b.invalid/x"
    )


# The index.


def test_yanked_and_fresh_versions_are_told_from_the_index_and_others_are_not(tmp_path: Path) -> None:
    package = _package("csbench-a", "1.0.0", "c" * 64)
    cached(tmp_path, package, yanked=True, published="2026-11-27T10:00:00Z", others=2000)
    yanked, fresh = (one(_subject(tmp_path, None, (package,), 14)) for one in (lock.yanked, lock.fresh))
    assert _codes(yanked) == [("CS0536", "medium")] and _codes(fresh) == [("CS0537", "medium")]
    assert fresh.findings[0].detail == "published 2 days ago (2026-11-27); 14 days are wanted"
    assert _codes(lock.fresh(_subject(tmp_path, None, (package,), 2))) == []
    assert _codes(lock.fresh(_subject(tmp_path, None, (package,), 0))) == []
    assert _codes(lock.fresh(_subject(tmp_path, (package,), (package,), 14))) == []
    twin = _package("csbench-b", "1.0.0", "d" * 64)
    cached(tmp_path, twin, published="2026-01-01T00:00:00Z")
    assert [_codes(one(_subject(tmp_path, None, (twin,), 14))) for one in (lock.yanked, lock.fresh)] == [[], []]


def test_what_the_index_does_not_know_is_not_called_clean(tmp_path: Path) -> None:
    known, other = _package("csbench-a", "1.0.0", "c" * 64), _package("csbench-b", "1.0.0", "d" * 64)
    for home in (None, tmp_path):
        assert lock.yanked(_subject(home, None, (known,))).state == "not done"
    cached(tmp_path, known)
    lock._read.cache_clear()
    assert lock.yanked(_subject(tmp_path, None, (known, other))).notes == (
        "cargo's index cache does not know csbench-b 1.0.0",
    )
    assert lock.fresh(_subject(tmp_path, None, (known,), 3)).state == "not done"
    swapped = known._replace(checksum="e" * 64)
    assert lock.yanked(_subject(tmp_path, None, (swapped,))).state == "not done"


def test_a_cooldown_is_not_done_where_a_package_that_was_not_accepted_has_no_date(tmp_path: Path) -> None:
    young, undated = _package("csbench-a", "1.0.0", "c" * 64), _package("csbench-b", "1.0.0", "d" * 64)
    cached(tmp_path, young, published="2026-11-27T10:00:00Z")
    cached(tmp_path, undated)
    answer = lock.fresh(_subject(tmp_path, None, (young, undated), 14))
    assert (answer.state, answer.why) == ("not done", "the index gives no date for csbench-b 1.0.0")
    assert _codes(answer) == [("CS0537", "medium")]
    assert lock.fresh(_subject(tmp_path, (undated,), (young, undated), 14)).state == "done"


@pytest.mark.parametrize("head", [b"", b"\x02\x02\0\0\0", b"\x03\x09\0\0\0", b"\x03\x02\0\0"])
def test_a_cache_of_another_format_is_none(tmp_path: Path, head: bytes) -> None:
    package = _package("csbench-a", "1.0.0", "c" * 64)
    cached(tmp_path, package, yanked=True)
    path = next((tmp_path / "registry").rglob("csbench-a"))
    path.write_bytes(head + path.read_bytes()[5:])
    lock._read.cache_clear()
    assert lock.yanked(_subject(tmp_path, None, (package,))).state == "not done"


@given(st.binary(max_size=300), st.text(max_size=8))
def test_any_bytes_in_a_cache_are_survived(data: bytes, version: str) -> None:
    find_in(b"\0" + data, "csbench-a", version)
    find_in(b"\0" + version.encode("utf-8", "replace") + b"\0" + data, "csbench-a", version)


# What updates carry.


def _arrayref(home: Path, lines: int = 0, script: bool = True, known: str = "") -> tuple[Locked, Locked]:
    """A patch-level update with a new dependency, as in the attack on arrayref. `known`: it is this honest crate."""
    name = known or "csbench-proc1"
    old = put(home, "csbench-arrayref", "0.3.9", {"src/lib.rs": LIB})
    more = "".join(f"pub fn f{at}() {{}}\n" for at in range(lines))
    new = put(home, "csbench-arrayref", "0.3.10", {"src/lib.rs": LIB + more}, needs=(name,))
    need = put(home, name, "1.0.0", {"src/lib.rs": LIB} | ({"build.rs": "fn main() {}"} if script else {}))
    return (old,), (new, need)


def test_a_new_dependency_with_little_else_changed_is_told(tmp_path: Path) -> None:
    answer = _contents(tmp_path, *_arrayref(tmp_path))
    assert _codes(answer) == [("CS0533", "high")]
    assert answer.findings[0].detail == (
        "0.3.9 did not need `csbench-proc1` (it brings a build script, not a well-known crate); 0 lines of code changed"
    )


def test_a_new_dependency_in_a_release_with_much_new_code_is_not_told(tmp_path: Path) -> None:
    assert _codes(_contents(tmp_path, *_arrayref(tmp_path, lines=content.FEW_LINES + 1))) == []


def test_a_well_known_new_dependency_that_runs_nothing_is_milder(tmp_path: Path) -> None:
    assert _codes(_contents(tmp_path, *_arrayref(tmp_path, script=False, known="fnv"))) == [("CS0533", "medium")]


def test_a_dependency_that_the_graph_had_already_is_not_told(tmp_path: Path) -> None:
    old, new = _arrayref(tmp_path)
    assert _codes(_contents(tmp_path, (*old, new[1]), new)) == []


def test_a_dependency_that_the_old_version_could_have_had_by_a_feature_is_not_told(tmp_path: Path) -> None:
    old, new = _arrayref(tmp_path)
    optional = put(tmp_path, "csbench-arrayref", "0.3.9", {"src/lib.rs": LIB}, needs=("csbench-proc1",))
    assert _codes(_contents(tmp_path, (optional._replace(dependencies=()),), new)) == []
    assert _codes(_contents(tmp_path, (old[0]._replace(checksum=optional.checksum),), new)) == []


def test_an_accepted_state_without_dependencies_tells_the_attack_all_the_same(tmp_path: Path) -> None:
    user = put(tmp_path, "csbench-kept", "1.0.0", {"src/lib.rs": LIB})
    old, new = _arrayref(tmp_path)
    assert _codes(_contents(tmp_path, (user, old[0]._replace(dependencies=())), (user, *new))) == [("CS0533", "high")]


def test_without_files_a_new_dependency_of_a_patch_level_update_is_told_all_the_same(tmp_path: Path) -> None:
    old, new = _arrayref(tmp_path)
    answer = _contents(tmp_path / "none", old, new)
    assert _codes(answer) == [("CS0533", "medium")] and "not known" in answer.findings[0].detail
    assert "are not here" in answer.notes[0]
    without = new[0]._replace(dependencies=())
    assert _contents(tmp_path / "none", old, (without,)).state == "not done"


def test_updates_beyond_the_bound_are_not_done_and_what_was_found_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "MAX_UPDATES", 1)
    (old,), new = _arrayref(tmp_path)
    more = [put(tmp_path, "csbench-z", version, {"src/lib.rs": LIB}) for version in ("1.0.0", "1.0.1")]
    answer = _contents(tmp_path, (old, more[0]), (*new, more[1]))
    assert (answer.state, answer.why) == ("not done", "1 more updates were not compared")
    assert _codes(answer) == [("CS0533", "high")]


def test_an_update_that_is_here_and_was_not_compared_is_not_done(tmp_path: Path) -> None:
    seen = [put(tmp_path, "csbench-z", version, {"src/lib.rs": LIB}) for version in ("1.0.0", "1.0.1")]
    new = put(tmp_path, "csbench-a", "1.0.1", {"src/lib.rs": LIB})
    for old, after, why in (
        (new._replace(version="1.0.0"), new, "csbench-a 1.0.0: its sources are not on this machine"),
        (new, new._replace(version="1.0.2"), ""),
        (new._replace(version="0.9.0"), new._replace(checksum="0" * 64), "checksum is not the lock file's"),
    ):
        answer = _contents(tmp_path, (seen[0], old), (seen[1], after))
        assert answer.state == ("not done" if why else "done") and why in answer.why
        assert answer.notes == (() if why else ("the files of csbench-a 1.0.2 are not here",))
    broken = put(tmp_path, "csbench-b", "1.0.1", {}, more="[")
    answer = _contents(tmp_path, (seen[0], broken._replace(version="1.0.0")), (seen[1], broken))
    assert answer.state == "not done" and "its manifest can't be read" in answer.why


def test_findings_without_any_file_are_not_called_done(tmp_path: Path) -> None:
    answer = _contents(tmp_path / "none", *_arrayref(tmp_path))
    assert answer.state == "not done" and _codes(answer) == [("CS0533", "medium")]


def _update(home: Path, was: dict[str, str | bytes], now: dict[str, str | bytes], **more: str) -> Answer:
    before = put(home, "csbench-a", "1.0.0", {"src/lib.rs": LIB, **was}, more=more.get("old", ""))
    after = put(
        home, "csbench-a", "1.0.1", {"src/lib.rs": LIB, **now}, more=more.get("new", ""), lib=more.get("lib", "")
    )
    if "lib" in more:
        before = put(home, "csbench-a", "1.0.0", {"src/lib.rs": LIB, **was}, lib=more["lib"])
    return _contents(home, (before,), (after,))


def test_a_dropped_repository_is_told_and_a_kept_one_not(tmp_path: Path) -> None:
    named = 'repository = "https://git.invalid/csbench/a"\n'
    assert _codes(_update(tmp_path, {}, {}, old=named)) == [("CS0534", "medium")]
    assert _codes(_update(tmp_path, {}, {}, old=named, new=named)) == []
    assert _codes(_update(tmp_path, {}, {}, new=named)) == []


BINARY = bytes(range(256)) * 80
ENCODED = base64.b64encode(bytes(range(256)) * 20).decode()
LINES = "".join(f'    "{ENCODED[at : at + 76]}",\n' for at in range(0, len(ENCODED), 76))


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("src/data.bin", BINARY, [("CS0535", "medium")]),
        ("src/key.rs", f'const K: &str = "{ENCODED}";\n', [("CS0535", "medium")]),
        ("src/key.rs", f"const K: &[&str] = &[{LINES}];", [("CS0535", "medium")]),
        ("src/key.rs", "const K: &[u8] = &[" + "0x41, " * 1000 + "];", [("CS0535", "medium")]),
        ("tests/data.bin", BINARY, [("CS0535", "low")]),
        ("logo.png", b"\x89PNG\r\n\x1a\n" + BINARY, []),
        ("src/logo.rs", b"\x89PNG\r\n\x1a\n" + BINARY, [("CS0535", "medium")]),
        ("src/a.bin", b"GIF8" + BINARY, [("CS0535", "medium")]),
        ("src/a.gif", BINARY, [("CS0535", "medium")]),
        ("src/late.txt", b"words\n" * 12_000 + b"\xfe\xff" * 9000, [("CS0535", "medium")]),
        ("src/late.txt", b"words\n" * 12_000 + BINARY, [("CS0535", "medium")]),
        ("src/words.txt", ("w\u00f6rter\n" * 12_000), []),
        ("src/small.bin", BINARY[:4000], []),
        ("src/words.rs", "// ordinary words and more of them\n" * 2000, []),
        ("src/key.rs", 'const K: &str = "c2hvcnQ=";\n', []),
    ],
)  # fmt: skip
def test_large_data_that_nobody_can_read_is_told_when_it_is_new(
    tmp_path: Path, path: str, data: str | bytes, expected: list[tuple[str, str]]
) -> None:
    assert _codes(_update(tmp_path, {}, {path: data})) == expected
    assert _codes(_update(tmp_path, {"moved/" + path: data}, {path: data})) == []


def test_data_that_took_the_place_of_other_data_is_told_mildly_and_among_tests_not(tmp_path: Path) -> None:
    other = BINARY[::-1]
    answer = _update(tmp_path, {"src/data.bin": BINARY}, {"src/data.bin": other})
    assert _codes(answer) == [("CS0535", "low")]
    assert "1.0.0 carried other data as src/data.bin" in answer.findings[0].detail
    assert _codes(_update(tmp_path, {"src/data.bin": LIB * 2000}, {"src/data.bin": other})) == [("CS0535", "medium")]
    assert _codes(_update(tmp_path, {"tests/data.bin": BINARY}, {"tests/data.bin": other})) == []


def test_a_changed_build_script_is_told_with_its_diff(tmp_path: Path) -> None:
    answer = _update(tmp_path, {"build.rs": "fn main() {}\n"}, {"build.rs": "fn main() { spawn(); }\n"})
    assert _codes(answer) == [("CS0538", "medium")]
    assert answer.findings[0].subject == "build.rs"
    assert "-fn main() {}" in answer.findings[0].tree and "+fn main() { spawn(); }" in answer.findings[0].tree


def test_a_changed_module_of_a_build_script_is_told(tmp_path: Path) -> None:
    script = {"build.rs": '#[path = "build/probe.rs"]\nmod probe;\ninclude!("build/more.rs");\nfn main() {}\n'}
    for path in ("build/probe.rs", "build/more.rs"):
        answer = _update(tmp_path, {**script, path: "// one\n"}, {**script, path: "// two\n"})
        assert _codes(answer) == [("CS0538", "medium")] and path in answer.findings[0].detail
    assert _codes(_update(tmp_path, {**script, "src/x.rs": "1"}, {**script, "src/x.rs": "2"})) == []


def test_a_changed_macro_is_told_mildly(tmp_path: Path) -> None:
    answer = _update(tmp_path, {"src/a.rs": "1"}, {"src/a.rs": "2"}, lib="proc-macro = true")
    assert _codes(answer) == [("CS0538", "low")]


def test_a_package_that_has_come_to_run_code_is_for_the_accepted_graph_to_tell(tmp_path: Path) -> None:
    assert _codes(_update(tmp_path, {}, {"build.rs": "fn main() {}"})) == []


def test_nothing_is_done_without_an_accepted_state() -> None:
    subject = _subject(None, None, ())
    states = {check.name: check.run(subject).state for check in CHECKS}
    assert [name for name, state in states.items() if state == "done"] == ["fresh"]
    assert {check.name: check.fast for check in CHECKS} == {
        "swapped": True, "yanked": True, "fresh": True, "changes": False, "changed-files": False,
    }  # fmt: skip


_PACKAGES = st.builds(
    LockedPackage, st.sampled_from(["a", "b"]), st.sampled_from(["1.0.0", "1.0.1", "2.0.0", "x"]),
    st.sampled_from([None, CRATES_IO, "git+https://git.invalid/a#1", "git+https://git.invalid/a#2"]),
    st.sampled_from([None, "a", "b"]),
)  # fmt: skip
_LOCKED = st.lists(
    _PACKAGES, max_size=7, unique_by=lambda one: (one.name, one.version, (one.source or "").split("#")[0])
)


@given(_LOCKED, _LOCKED)
def test_every_package_that_differs_is_in_exactly_one_change(
    old: list[LockedPackage], new: list[LockedPackage]
) -> None:
    changes = compare(old, new)
    came = [*changes.added, *(one.new for one in changes.updated)]
    went = [*changes.removed, *(one.old for one in changes.updated)]
    assert len(came) == len(set(came)) and len(went) == len(set(went))
    assert set(came) <= set(new) and set(went) <= set(old)
    assert len(new) - len(came) == len(old) - len(went)
    assert not compare(new, new).any
