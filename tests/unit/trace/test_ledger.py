"""The ledger speaks of units that did not run, and is never believed when it might be wrong."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.trace import ledger as module
from sandbox.trace.builddir import TOKEN
from sandbox.trace.ledger import Ledger, SealBreak, make_cache_dir

ROOT = Path(module.__file__).parents[2]
DIGEST = "0f" * 32
FINDING = {"code": "CS0101", "severity": "high", "subject": "/home/user/.ssh/id_ed25519"}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tmp_path / "target" / ".cargo-sandbox" / "build"


@pytest.fixture
def ledger(tmp_path: Path, build: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "state", build, DIGEST) as opened:
        opened.renew()
        opened.release()
        yield opened


def again(ledger: Ledger, digest: str = DIGEST) -> Ledger:
    """The ledger as the next run finds it."""
    return Ledger.open(ledger.folder.parents[1], ledger.build_dir, digest)


def start(build: Path, number: int = 1, **more: Any) -> dict[str, Any]:
    base = {
        "event": "start", "unit": f"u{number}", "role": "rustc", "package": "serde", "version": "1.0.1",
        "crate": "serde", "out_dir": f"{build}/debug/deps", "extra": f"-{number:016x}",
    }  # fmt: skip
    return base | more


def end(*paths: Path, number: int = 1, **more: Any) -> dict[str, Any]:
    outputs = []
    for path in paths:
        now = path.lstat()
        sizes = {"ino": now.st_ino, "size": now.st_size, "mtime_ns": now.st_mtime_ns, "ctime_ns": now.st_ctime_ns}
        outputs.append({"path": str(path), **sizes, "sha256": None})
    return {"event": "end", "unit": f"u{number}", "status": 0, "outputs": outputs, "outputs_cut": False} | more


def key(build: Path, number: int = 1) -> str:
    return f"{build}/debug/.fingerprint/serde-{number:016x}"


def artifact(build: Path, name: str = "libserde-1.rlib") -> Path:
    path = build / "debug" / "deps" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("compiled")
    return path


def believed(path: str | Path, sort: str = "lib-serde") -> Path:
    """A fingerprint folder that cargo would believe."""
    folder = Path(path)
    folder.mkdir(parents=True)
    (folder / sort).write_text("0123456789abcdef")
    (folder / "invoked.timestamp").write_text("")
    return folder


def test_a_build_dir_seen_for_the_first_time_is_not_trusted_until_it_is_renewed(tmp_path: Path, build: Path) -> None:
    with Ledger.open(tmp_path / "state", build, DIGEST) as ledger:
        assert not ledger.trusted
        assert ledger.why == "there is no ledger for this build dir"
        assert not build.exists()
        assert ledger.renew()
        assert ledger.trusted
        assert ledger.why == ""
        assert not ledger.renew()
    assert sorted(os.listdir(build)) == [TOKEN, "CACHEDIR.TAG"]


def test_the_next_run_reads_what_the_last_one_recorded(ledger: Ledger, build: Path) -> None:
    path = artifact(build)
    recorded = ledger.record(end(path), start(build), "2026-11-20-k3f9", [FINDING])
    assert recorded == key(build)
    with again(ledger) as later:
        assert later.trusted
        (entry,) = later.entries.values()
        assert later.entries == ledger.entries == {key(build): entry}
        assert (entry.run, entry.unit, entry.role, entry.package) == ("2026-11-20-k3f9", "u1", "rustc", "serde")
        assert (entry.version, entry.crate, entry.status, entry.cut) == ("1.0.1", "serde", 0, False)
        assert entry.findings == (FINDING,)
        assert later.seal_lines() == ledger.seal_lines()
        assert later.seal_lines().endswith(f"\t-\t{path}\n".encode())


def test_seals_are_checked_for_the_units_asked_for(ledger: Ledger, build: Path, guard: Path) -> None:
    one, two = artifact(build, "one"), artifact(build, "two")
    ledger.record(end(one), start(build, 1), "r")
    ledger.record(end(two), start(build, 2), "r")
    assert ledger.check(guard) == []
    one.write_text("another crate's macro was here")
    two.unlink()
    broken = [SealBreak(key(build, 1), str(one), "changed"), SealBreak(key(build, 2), str(two), "missing")]
    assert ledger.check(guard) == broken
    assert ledger.check(guard, [key(build, 2), "/unknown"]) == broken[1:]
    assert ledger.check(guard, []) == []
    assert ledger.seal_lines([]) == b""


def test_an_output_that_cargo_linked_is_read_once_and_sealed_anew(ledger: Ledger, build: Path, guard: Path) -> None:
    path = artifact(build)
    unit = end(path)
    unit["outputs"][0]["sha256"] = hashlib.sha256(b"compiled").hexdigest()
    ledger.record(unit, start(build), "r", [FINDING])
    os.link(path, build / "link")
    before = ledger.seal_lines()
    assert ledger.check(guard) == []
    assert ledger.seal_lines() != before
    with again(ledger) as later:
        assert later.entries == ledger.entries
        assert later.entries[key(build)].findings == (FINDING,)
        assert later.check(guard) == []
        assert later.seal_lines() == ledger.seal_lines()


DAMAGES = ["token", "no token", "token link", "build dir", "guard", "header", "units", "schema"]


def test_an_output_whose_links_changed_is_told_intact_and_one_that_was_written_to_is_not(
    ledger: Ledger, build: Path, guard: Path
) -> None:
    sealed, plain, written = (artifact(build, name) for name in ("sealed", "plain", "written"))
    unit = end(sealed, plain, written)
    for number in (0, 2):
        unit["outputs"][number]["sha256"] = hashlib.sha256(b"compiled").hexdigest()
    ledger.record(unit, start(build), "r")
    for path in (sealed, plain, written):
        os.link(path, build / "link")
        (build / "link").unlink()
    written.write_text("compilea")
    asked = [str(path) for path in (sealed, plain, written, build / "nobody's")]
    assert ledger.intact(asked) == frozenset(), "before anybody looked at the content nothing is told"
    ledger.check(guard, linked={str(plain)})
    assert ledger.intact(asked) == {str(sealed)}
    os.utime(sealed, ns=(1, 1))
    assert ledger.intact(asked) == frozenset()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_build_dir_that_does_not_fit_its_ledger_is_not_trusted(ledger: Ledger, build: Path, damage: str) -> None:
    ledger.record(end(), start(build), "r")
    header = ledger.folder / "header.json"
    if damage == "token":
        (build / TOKEN).write_text("f" * 32)
    elif damage == "no token":
        (build / TOKEN).unlink()
    elif damage == "token link":
        (build / TOKEN).rename(build / "moved")
        (build / TOKEN).symlink_to("moved")
    elif damage == "build dir":
        build.rename(build.parent / "moved")
    elif damage == "header":
        header.write_text("{")
    elif damage == "units":
        (ledger.folder / "units.jsonl").unlink()
    elif damage == "schema":
        header.write_text(header.read_text().replace("ledger-v1", "ledger-v2"))
    with again(ledger, "another" if damage == "guard" else DIGEST) as later:
        assert not later.trusted
        assert later.why
        assert later.entries == {}
        build.parent.mkdir(exist_ok=True)
        assert later.renew()
        assert later.trusted
        assert later.entries == {}
        assert later.unknown_fingerprints() == []


def test_a_build_dir_at_another_path_has_another_ledger(ledger: Ledger, build: Path) -> None:
    build.rename(build.parent / "moved")
    with Ledger.open(ledger.folder.parents[1], build.parent / "moved", DIGEST) as moved:
        assert moved.folder != ledger.folder
        assert not moved.trusted


def test_a_copied_header_does_not_make_another_build_dir_trusted(ledger: Ledger, build: Path) -> None:
    with Ledger.open(ledger.folder.parents[1], build.parent / "other", DIGEST) as other:
        for name in ("header.json", "units.jsonl"):
            (other.folder / name).write_bytes((ledger.folder / name).read_bytes())
        build.rename(build.parent / "other")
        other.reload()
        assert not other.trusted
        assert other.why == "the ledger belongs to another build dir"


def test_renewing_empties_the_build_dir(tmp_path: Path, build: Path) -> None:
    artifact(build)
    (build / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    with Ledger.open(tmp_path / "state", build, DIGEST) as ledger:
        assert ledger.renew()
    assert sorted(os.listdir(build)) == [TOKEN, "CACHEDIR.TAG"]


def test_a_renewal_that_is_cut_short_leaves_no_ledger_that_fits(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(_: Path) -> None:
        raise KeyboardInterrupt

    with again(ledger, "another") as later:
        monkeypatch.setattr(module, "wipe_build_dir", cut_short)
        with pytest.raises(KeyboardInterrupt):
            later.renew()
    with again(ledger) as last:
        assert not last.trusted


def test_units_that_cargo_never_calls_fresh_are_not_recorded(ledger: Ledger, build: Path) -> None:
    for role in ("program", "probe", "cargo"):
        unit = start(build, role=role, package="" if role != "program" else "serde")
        ledger.begin(unit)
        assert ledger.record(end(), unit, "r") is None
    assert ledger.settle(0) == {}
    assert ledger.entries == {}
    assert (ledger.folder / "units.jsonl").read_bytes() == b""


def test_a_unit_that_began_again_is_unknown_until_it_ends(ledger: Ledger, build: Path) -> None:
    believed(key(build))
    ledger.record(end(), start(build), "r1")
    assert ledger.unknown_fingerprints() == []
    ledger.begin(start(build))
    assert ledger.entries == {}
    with again(ledger) as later:
        assert later.entries == {}
        assert later.unknown_fingerprints() == [Path(key(build))]
    ledger.record(end(), start(build), "r2", [FINDING])
    with again(ledger) as later:
        assert later.entries[key(build)].run == "r2"
        assert later.entries[key(build)].findings == (FINDING,)


def test_a_failed_unit_is_recorded_without_seals(ledger: Ledger, build: Path) -> None:
    path = artifact(build)
    ledger.record(end(path, status=101), start(build, 1), "r")
    ledger.record(end(path, status=None, signal=9), start(build, 2), "r")
    assert [entry.status for entry in ledger.entries.values()] == [101, None]
    assert ledger.seal_lines() == b""


def test_outputs_that_were_cut_and_malformed_ones_are_told(ledger: Ledger, build: Path) -> None:
    ledger.record(end(outputs_cut=True), start(build, 1), "r")
    assert ledger.entries[key(build)].cut
    assert ledger.failed is None
    ledger.record(end(outputs=[{"path": "/x"}]), start(build, 2), "r")
    assert ledger.failed is not None
    with again(ledger) as later:
        assert not later.trusted


def test_findings_that_come_to_light_later_are_kept_with_the_unit(ledger: Ledger, build: Path) -> None:
    path = artifact(build)
    ledger.record(end(path), start(build), "r")
    ledger.amend(key(build), [FINDING])
    ledger.amend("/unknown", [FINDING])
    with again(ledger) as later:
        assert later.entries == ledger.entries
        assert later.entries[key(build)].findings == (FINDING,)
        assert later.seal_lines().count(b"\n") == 1


def test_a_unit_made_stale_loses_fingerprint_and_entry(ledger: Ledger, build: Path) -> None:
    believed(key(build))
    ledger.record(end(), start(build), "r")
    assert ledger.make_stale(key(build))
    assert not Path(key(build)).exists()
    assert not ledger.make_stale(Path(key(build)))
    with again(ledger) as later:
        assert later.entries == ledger.entries == {}
    with pytest.raises(ValueError, match="no fingerprint folder"):
        ledger.make_stale(build)


def test_a_fingerprint_that_nobody_recorded_is_unknown(ledger: Ledger, build: Path) -> None:
    believed(key(build, 1))
    ledger.record(end(), start(build, 1), "r")
    stranger = believed(key(build, 2))
    assert ledger.unknown_fingerprints() == [stranger]
    assert ledger.unknown_fingerprints(build) == [stranger]


def test_units_without_a_hash_are_recorded_under_the_fingerprint_that_cargo_made(ledger: Ledger, build: Path) -> None:
    since = time.time_ns()
    unit = start(build, extra="")
    path = artifact(build, "libserde.so")
    ledger.begin(unit)
    assert ledger.record(end(path), unit, "r1", [FINDING]) is None
    assert ledger.entries == {}
    folder = believed(key(build, 7))
    other_profile = believed(f"{build}/release/.fingerprint/serde-{7:016x}")
    assert ledger.settle(since) == {str(folder): ("u1",)}
    assert ledger.settle(since) == {}
    assert ledger.unknown_fingerprints() == [other_profile]
    with again(ledger) as later:
        assert later.entries == ledger.entries
        entry = later.entries[str(folder)]
        assert entry.hidden
        assert entry.findings == (FINDING,)
        assert entry.seals
        later.begin(start(build, 9, extra="", out_dir=f"{build}/release/deps"))
        assert later.entries
        later.begin(unit)
        assert later.entries == {}
    with again(ledger) as last:
        assert last.entries == {}


def test_documentation_of_one_crate_in_two_ways_shares_its_findings(ledger: Ledger, build: Path) -> None:
    since = time.time_ns()
    units = [start(build, number, role="rustdoc", extra="", out_dir="/ws/target/doc") for number in (1, 2)]
    folders = [believed(key(build, number), "doc-lib-serde") for number in (3, 4)]
    believed(key(build, 5), "lib-serde")
    for number, unit in enumerate(units):
        ledger.begin(unit)
        ledger.record(end(), unit, "r", [FINDING | {"code": f"CS{number}"}])
    assert ledger.settle(since) == {str(folder): ("u1", "u2") for folder in folders}
    for folder in folders:
        assert [finding["code"] for finding in ledger.entries[str(folder)].findings] == ["CS0", "CS1"]


def test_a_unit_that_told_its_hash_is_not_overwritten_by_one_that_did_not(ledger: Ledger, build: Path) -> None:
    since = time.time_ns()
    folder = believed(key(build))
    ledger.record(end(), start(build), "r", [FINDING])
    ledger.record(end(), start(build, 2, extra=""), "r")
    assert ledger.settle(since) == {}
    assert ledger.entries[str(folder)].findings == (FINDING,)


def test_a_list_cut_at_any_byte_is_read_up_to_the_cut_and_written_on(ledger: Ledger, build: Path) -> None:
    for number in range(1, 4):
        ledger.record(end(), start(build, number), "r", [FINDING])
    path = ledger.folder / "units.jsonl"
    data = path.read_bytes()
    ends = [at for at, byte in enumerate(data) if byte == 10]
    for cut in {*range(0, len(data), 7), *ends, *(at + 1 for at in ends)}:
        path.write_bytes(data[:cut])
        with again(ledger) as later:
            whole = sum(at <= cut for at in ends)
            assert list(later.entries) == [key(build, number) for number in range(1, whole + 1)]
            later.record(end(), start(build, 9), "r")
        with again(ledger) as last:
            assert list(last.entries) == [*later.entries]
            assert key(build, 9) in last.entries


GOOD = {
    "key": "/b/debug/.fingerprint/a", "run": "r", "unit": "u1", "role": "rustc", "package": "a", "version": "1",
    "crate": "a", "status": 0, "cut": False, "hidden": False, "findings": [], "seals": "",
}  # fmt: skip
CHANGES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from([*GOOD, "gone", "of_a_later_version"]),
    st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers() | st.just({}), max_size=2),
)
LINES = st.one_of(
    st.binary(max_size=60),
    st.tuples(st.sets(st.sampled_from([*GOOD]), min_size=6), CHANGES).map(
        lambda both: json.dumps({key: GOOD[key] for key in both[0] | {"key"}} | both[1]).encode()
    ),
)


@given(st.lists(LINES, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_list_with_garbage_never_raises(ledger: Ledger, lines: list[bytes]) -> None:
    (ledger.folder / "units.jsonl").write_bytes(b"\n".join([*lines, b""]))
    with again(ledger) as later:
        assert later.trusted
        assert isinstance(later.seal_lines(), bytes)
        for entry in later.entries.values():
            assert all(isinstance(finding, dict) for finding in entry.findings)


def test_an_entry_with_a_field_of_a_later_version_counts_as_never_seen(ledger: Ledger, build: Path) -> None:
    ledger.record(end(), start(build), "r")
    path = ledger.folder / "units.jsonl"
    path.write_text(path.read_text() + path.read_text().replace('"cut":', '"mood":1,"cut":'))
    with again(ledger) as later:
        assert later.entries == {}


def test_a_long_list_is_compacted_when_it_is_opened(ledger: Ledger, build: Path) -> None:
    for turn in range(40):
        for number in range(1, 4):
            ledger.record(end(), start(build, number), f"r{turn}")
    path = ledger.folder / "units.jsonl"
    assert path.read_bytes().count(b"\n") == 120
    with again(ledger) as later:
        assert later.entries == ledger.entries
        assert path.read_bytes().count(b"\n") == 3
        later.record(end(), start(build, 4), "r")
    with again(ledger) as last:
        assert len(last.entries) == 4


def test_a_writer_goes_on_after_another_process_compacted_the_list(ledger: Ledger, build: Path) -> None:
    for _ in range(100):
        ledger.record(end(), start(build, 1), "r")
    with again(ledger) as other:
        ledger.record(end(), start(build, 2), "r")
        other.reload()
        assert other.entries == ledger.entries
        other.record(end(), start(build, 3), "r")
    ledger.reload()
    assert len(ledger.entries) == 3


def test_two_processes_that_record_at_once_lose_nothing(ledger: Ledger, build: Path) -> None:
    script = """
        import sys
        from pathlib import Path
        from sandbox.trace.ledger import Ledger
        state, build, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
        for number in range(first, first + 60):
            with Ledger.open(state, Path(build), "%s") as ledger:
                start = {"unit": "u1", "role": "rustc", "package": "serde", "crate": "serde",
                         "out_dir": build + "/debug/deps", "extra": "-%%016x" %% number}
                for _ in range(3):
                    ledger.record({"status": 0, "outputs": []}, start, "r")
    """
    code = textwrap.dedent(script % DIGEST)
    state = str(ledger.folder.parents[1])
    command = [sys.executable, "-c", code, state, str(build)]
    running = [subprocess.Popen([*command, str(first)], cwd=ROOT) for first in (100, 200, 300)]
    assert [process.wait() for process in running] == [0, 0, 0]
    ledger.reload()
    assert len(ledger.entries) == 180


@contextmanager
def full_disk() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_record_that_can_not_be_written_spoils_the_ledger_and_never_raises(ledger: Ledger, build: Path) -> None:
    ledger.record(end(), start(build), "r1")
    with full_disk():
        ledger.begin(start(build))
        ledger.record(end(), start(build), "r2", [FINDING])
        ledger.amend(key(build), [FINDING])
        ledger.settle(0)
    assert ledger.failed == "the ledger can't be written: File too large"
    with again(ledger) as later:
        assert not later.trusted
        assert not (build / TOKEN).exists()


def test_waiting_for_the_build_dir_is_told_and_ends_when_it_is_free(ledger: Ledger, build: Path) -> None:
    script = f"""
        import sys
        from pathlib import Path
        from sandbox.trace.ledger import Ledger
        with Ledger.open(Path({str(ledger.folder.parents[1])!r}), Path({str(build)!r}), {DIGEST!r}) as ledger:
            ledger.acquire(lambda: print("waits", flush=True))
            print("has it", len(ledger.entries), flush=True)
    """
    ledger.acquire()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "waits\n"
        ledger.record(end(), start(build), "r")
        ledger.release()
        ledger.release()
        assert other.stdout.read() == "has it 1\n"


def test_the_second_of_two_first_builds_finds_the_build_dir_renewed(tmp_path: Path, build: Path) -> None:
    first = Ledger.open(tmp_path / "state", build, DIGEST)
    second = Ledger.open(tmp_path / "state", build, DIGEST)
    assert first.renew()
    artifact(build)
    first.release()
    assert not second.renew()
    assert second.trusted
    assert (build / "debug").is_dir()
    first.close()
    second.close()


def test_a_path_that_is_not_utf8_has_a_ledger_like_any_other(tmp_path: Path) -> None:
    build = tmp_path / os.fsdecode(b"target-\xff") / "build"
    for trusted in (False, True):
        with Ledger.open(tmp_path / "state", build, DIGEST) as ledger:
            assert ledger.trusted == trusted
            ledger.renew()


def test_the_ledger_is_for_its_user_alone(ledger: Ledger) -> None:
    assert ledger.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in ledger.folder.iterdir()} == {0o600}


def test_a_new_folder_is_tagged_as_a_cache_and_an_old_one_left_alone(tmp_path: Path) -> None:
    make_cache_dir(tmp_path / "target" / "build")
    tag = (tmp_path / "target" / "build" / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_text("")
    make_cache_dir(tmp_path / "old")
    assert os.listdir(tmp_path / "old") == ["file"]
    with pytest.raises(FileExistsError):
        make_cache_dir(tmp_path / "old" / "file")


def test_three_hundred_units_with_five_thousand_files_load_quickly(ledger: Ledger, build: Path) -> None:
    outputs = [
        {"path": f"{build}/debug/deps/libsome_crate-{number:016x}.{number}.rcgu.o", "ino": 123456 + number,
         "size": 40960, "mtime_ns": 1763680000123456789, "ctime_ns": 1763680000123456789, "sha256": "ab" * 32}
        for number in range(17)
    ]  # fmt: skip
    for number in range(300):
        ledger.record(end(outputs=outputs), start(build, number), "r")
    taken = []
    for _ in range(7):
        before = time.process_time()
        with again(ledger) as later:
            assert len(later.entries) == 300
        taken.append(time.process_time() - before)
    assert min(taken) < 0.03, "7 ms on a free machine of 2026; a no-op build has 120 ms for everything"
