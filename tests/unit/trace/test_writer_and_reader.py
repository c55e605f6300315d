"""The record of a run is whole when all went well, and readable whatever went wrong."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from sandbox.trace import files, writer
from sandbox.trace.events import schema
from sandbox.trace.reader import LINE_MAX, RunReader, StoreError
from sandbox.trace.store import RunStore

HEADER = {
    "argv": ["cargo-sandbox", "build"],
    "cwd": "/home/user/project",
    "versions": {"cargo-sandbox": "0.1.0", "python": "3.11.7", "kernel": "6.18.0", "cargo": "1.95.0"},
    "guard_digest": "0f" * 32,
}


def event(number: int) -> bytes:
    return b'{"seq":%d,"t_ns":1,"unit":"u1","pid":3,"start":1,"parent":2,"kind":"exec","outcome":"allowed"}\n' % number


def test_a_finished_run_reads_back_as_it_was_written(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.write_plan({"mounts": []})
        run.events(event(1) + event(2))
        run.unit(b'{"event":"start","unit":"u1"}')
        run.unit(b'{"event":"end","unit":"u1"}\n')
        run.output(b"   Compiling \xff\n")
        run.message(b'{"reason":"build-finished"}')
        run.finding({"code": "CS0101", "path": "/tmp/\udcff"})
        run.events(event(3))
        run.finish({"exit_code": 0, "verdict": "clean"})
        assert run.failed is None
    with store.open("last") as back:
        assert back.status == "finished"
        assert back.header["argv"] == ["cargo-sandbox", "build"]
        assert back.plan == {"mounts": []}
        assert [entry["seq"] for entry in back.events()] == [1, 2, 3]
        assert b"".join(line + b"\n" for line in back.event_lines()) == event(1) + event(2) + event(3)
        assert [entry["event"] for entry in back.units()] == ["start", "end"]
        assert b"".join(back.output()) == b"   Compiling \xff\n"
        assert list(back.messages()) == [b'{"reason":"build-finished"}']
        assert list(back.findings()) == [{"code": "CS0101", "path": "/tmp/\udcff"}]
        assert not any(back.problems.values())
        assert back.result is not None
        assert back.result["record"]["failed"] is None
        assert back.size() == sum(path.stat().st_size for path in back.path.iterdir())


def test_header_and_result_fit_their_schema(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.finish({"exit_code": 120, "verdict": "violation"})
    with store.open("last") as back:
        for part in (back.header, back.result):
            jsonschema.Draft202012Validator(schema("run-v1")).validate(part)
        assert back.header["started"] == "2026-11-20T23:59:59.123456+02:00"
        assert back.created_ns == back.header["started_ns"] == 1795211999123456000


def test_nobody_else_may_look_into_a_run(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.events(event(1))
        run.finish({})
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in run.path.iterdir()} == {0o600}


def test_a_run_is_running_until_its_writer_is_gone(store: RunStore, now: datetime) -> None:
    run = store.create(now)
    with store.open(run.id) as back:
        seen = [back.status]
        run.close()
        assert [*seen, back.status] == ["running", "interrupted"]


@pytest.mark.parametrize("name", ["run.json", "plan.json", "result.json", "units.jsonl", "events.jsonl.zst"])
def test_a_record_with_a_file_missing_is_still_read(store: RunStore, now: datetime, name: str) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.write_plan({})
        run.events(event(1))
        run.unit(b"{}")
        run.finish({})
    (run.path / name).unlink()
    with store.open(run.id) as back:
        assert len(list(back.events())) == (name != "events.jsonl.zst")
        assert len(list(back.units())) == (name != "units.jsonl")
        assert back.status == ("interrupted" if name == "result.json" else "finished")
        assert back.created_ns > 0
        assert [key for key, value in back.problems.items() if value.missing] == [name] * (".jsonl" in name)


def test_every_file_cut_at_every_byte_is_read_up_to_the_cut(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        for number in range(1, 5):
            run.events(event(number))
            run.unit(b'{"event":"start","unit":"u%d"}' % number)
            run.output(b"line %d\n" % number)
            run.finding({"code": number})
            run.flush()
        run.finish({"exit_code": 0})
    for name in ("events.jsonl.zst", "output.log.zst", "units.jsonl", "findings.jsonl", "run.json", "result.json"):
        path = run.path / name
        data = path.read_bytes()
        before: tuple[int, ...] = (0, 0, 0, 0)
        for cut in range(len(data) + 1):
            path.write_bytes(data[:cut])
            with RunReader(run.path) as back:
                seen = [entry["seq"] for entry in back.events()]
                units = [entry["unit"] for entry in back.units()]
                text = b"".join(back.output())
                codes = [entry["code"] for entry in back.findings()]
                assert seen == [1, 2, 3, 4][: len(seen)]
                assert units == ["u1", "u2", "u3", "u4"][: len(units)]
                assert text == b"line 1\nline 2\nline 3\nline 4\n"[: len(text)]
                assert codes == [1, 2, 3, 4][: len(codes)]
                counts = (len(seen), len(units), len(text), len(codes))
                assert all(a <= b for a, b in zip(before, counts, strict=True)) or cut == 0
                before = counts
                if name in back.problems and cut < len(data) and counts != (0, 0, 0, 0):
                    torn = back.problems[name]
                    assert not torn.damaged and not torn.bad_lines
                if name.endswith(".jsonl"):
                    assert back.problems[name].truncated == (not data[:cut].endswith(b"\n") and cut > 0)
                assert (back.status == "finished") == (name != "result.json" or cut >= len(data) - 1)
        path.write_bytes(data)
        assert before == (4, 4, 28, 4)


def test_a_torn_last_line_is_left_out_and_reported(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.unit(b'{"unit":"u1"}')
        run.finish({})
    with (run.path / "units.jsonl").open("ab") as units:
        units.write(b'{"unit":"u2"')
    with store.open(run.id) as back:
        assert [entry["unit"] for entry in back.units()] == ["u1"]
        assert back.problems["units.jsonl"].truncated
        assert back.problems["units.jsonl"].words() == ["cut off at the end"]


def test_broken_lines_are_counted_and_the_others_are_read(store: RunStore, now: datetime) -> None:
    bad = [
        b"not json", b"[1]", b"5", b"", b'{"a":1', b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"n":NaN}',
        b'{"n":' + b"9" * 5000 + b"}",
    ]  # fmt: skip
    with store.create(now) as run:
        run.events(b"\n".join([*bad, b'{"seq":1}', b""]))
        run.finish({})
    with store.open(run.id) as back:
        assert list(back.events()) == [{"seq": 1}]
        assert back.problems["events.jsonl.zst"].bad_lines == len(bad)


@pytest.mark.parametrize("name", ["units.jsonl", "events.jsonl.zst"])
def test_a_line_over_the_limit_is_passed_over(store: RunStore, now: datetime, name: str) -> None:
    long = b'{"long":"' + b"x" * LINE_MAX + b'"}\n'
    most = b'{"long":"' + b"y" * (LINE_MAX - 11) + b'"}\n'
    with store.create(now) as run:
        write = run.unit if name == "units.jsonl" else run.events
        for line in (b'{"n":1}\n', long, b'{"n":2}\n', most, long * 3, b'{"n":3}\n'):
            write(line)
        run.finish({})
    with store.open(run.id) as back:
        got = list(back.units() if name == "units.jsonl" else back.events())
        assert [entry.get("n") for entry in got] == [1, 2, None, 3]
        assert back.problems[name].overlong == 4
        assert not back.problems[name].truncated


def test_an_endless_line_is_cut_off_and_reported(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.events(b"x" * (3 * LINE_MAX))
        run.finish({})
    with store.open(run.id) as back:
        assert list(back.events()) == []
        assert back.problems["events.jsonl.zst"].truncated


@pytest.mark.parametrize("name", ["units.jsonl", "events.jsonl.zst", "run.json", "result.json"])
@pytest.mark.parametrize("thing", ["symlink", "pipe", "folder"])
def test_nothing_but_a_plain_file_is_read(store: RunStore, now: datetime, name: str, thing: str) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.events(event(1))
        run.unit(b"{}")
        run.finish({})
    path = run.path / name
    path.rename(store.base / "elsewhere")
    if thing == "symlink":
        path.symlink_to(store.base / "elsewhere")
    elif thing == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with store.open(run.id) as back:
        counts = len(list(back.events())), len(list(back.units())), len(back.header) > 0, back.result is not None
        names = ("events.jsonl.zst", "units.jsonl", "run.json", "result.json")
        assert counts == tuple(other != name for other in names)
        assert all(back.problems[key].damaged for key in (name,) if ".jsonl" in name)


def test_a_run_folder_that_is_a_link_is_not_opened(store: RunStore, now: datetime) -> None:
    run = store.create(now)
    run.close()
    (store.base / "2026-11-20-0000").symlink_to(run.path)
    with pytest.raises(StoreError):
        store.open("2026-11-20-0000")


def test_a_header_that_is_hostile_gives_no_start_time(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header({"started_ns": "soon"})
    with store.open(run.id) as back:
        assert abs(back.created_ns - (run.path / "lock").stat().st_mtime_ns) == 0


def test_output_is_kept_up_to_its_limit_and_the_rest_counted(
    store: RunStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "OUTPUT_MAX", 100)
    with store.create(now) as run:
        for _ in range(3):
            run.output(b"0123456789" * 4)
        run.output(b"more")
        assert run.output_dropped == 24
        run.finish({})
    with store.open(run.id) as back:
        text = b"".join(back.output())
        assert text.startswith((b"0123456789" * 10) + b"\n[cargo-sandbox: the record of the output ends here")
        assert text.count(b"cargo-sandbox") == 1
        assert back.result is not None
        assert back.result["record"]["output_dropped"] == 24


def test_messages_are_kept_up_to_their_limit_and_the_rest_counted(
    store: RunStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MESSAGES_MAX", 10)
    with store.create(now) as run:
        for line in (b'{"a":1}', b'{"b":2}', b"{}"):
            run.message(line)
        run.finish({})
    with store.open(run.id) as back:
        assert list(back.messages()) == [b'{"a":1}']
        assert back.result is not None
        assert back.result["record"]["messages_dropped"] == 9


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_stream_that_can_not_be_written_stops_and_the_others_go_on(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header(HEADER)
        run.events(event(1))
        run.flush()
        with file_size_limit(4096):
            for number in range(2, 400):
                run.events(event(number) + os.urandom(100).hex().encode() + b"\n")
            run.unit(b"{}")
            run.flush()
            run.events(event(9))
            run.tick(1e9)
            assert run.failed == "events.jsonl.zst: File too large"
            run.finish({"exit_code": 0})
    with store.open(run.id) as back:
        assert [entry["seq"] for entry in back.events()] == [1]
        assert back.problems["events.jsonl.zst"].truncated
        assert list(back.units()) == [{}]
        assert back.result is not None
        assert back.result["record"]["failed"] == run.failed


def test_a_record_on_a_full_disk_never_raises(store: RunStore, now: datetime) -> None:
    with store.create(now) as run, file_size_limit(0):
        run.write_header(HEADER)
        run.events(event(1))
        run.unit(b"{}")
        run.output(b"text")
        run.message(b"{}")
        run.finding({})
        run.finish({})
        assert run.failed == "run.json: File too large"
    with store.open(run.id) as back:
        assert back.status == "interrupted"
        assert back.header == {}
        assert sorted(os.listdir(run.path)) == sorted(
            ["lock", "units.jsonl", "messages.jsonl", "findings.jsonl", "events.jsonl.zst", "output.log.zst"]
        )


def test_a_store_that_can_not_be_made_gives_a_writer_that_only_says_so(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "file").write_text("")
    with RunStore(tmp_path / "file" / "runs").create(now) as run:
        run.write_header(HEADER)
        run.events(event(1))
        run.output(b"x")
        run.tick(1.0)
        run.finish({})
        assert run.failed is not None
        assert "Not a directory" in run.failed
        assert run.id.startswith("2026-11-20-")


def test_a_missing_zstandard_makes_the_record_incomplete_and_nothing_more(
    store: RunStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with store.create(now) as run:
        run.events(event(1))
        run.finish({})
    assert run.failed is not None
    assert run.failed.startswith("events.jsonl.zst: ")


def test_a_closed_writer_takes_no_more(store: RunStore, now: datetime) -> None:
    run = store.create(now)
    run.close()
    run.close()
    run.events(event(1))
    run.unit(b"{}")
    run.write_plan({})
    run.finish({})
    assert os.listdir(run.path) == ["lock"]
    assert run.failed is None


def test_a_writer_that_is_killed_leaves_all_that_was_flushed(store: RunStore, tmp_path: Path) -> None:
    script = """
        import os, signal, sys
        from datetime import datetime
        from pathlib import Path
        from sandbox.trace.store import RunStore
        run = RunStore(Path(sys.argv[1])).create(datetime.now().astimezone())
        run.write_header({"argv": []})
        run.unit(b'{"unit":"u1"}')
        for number in range(3):
            run.events(b'{"seq":%d}\\n' % number)
            run.tick(number * 10.0)
            run.tick(number * 10.0 + 2.0)
        run.events(b'{"seq":99}\\n')
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(store.base)],
        cwd=Path(writer.__file__).parents[2],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with store.open("last") as back:
        assert back.status == "interrupted"
        assert [entry["seq"] for entry in back.events()] == [0, 1, 2]
        assert [entry["unit"] for entry in back.units()] == ["u1"]


def test_importing_the_store_does_not_import_zstandard() -> None:
    check = "import sys, sandbox.trace.store, sandbox.trace.ledger; sys.exit('zstandard' in sys.modules)"
    root = Path(writer.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0


def test_a_failed_atomic_write_leaves_the_old_file_and_no_debris(tmp_path: Path) -> None:
    fd = files.open_dir(tmp_path)
    files.write_atomic("a", b"old", fd)
    with file_size_limit(2), pytest.raises(OSError, match="too large"):
        files.write_atomic("a", b"newer", fd)
    os.close(fd)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_state_folder_follows_the_xdg_specification(tmp_path: Path) -> None:
    home = {"HOME": "/home/user"}
    assert files.state_dir({**home, "XDG_STATE_HOME": "/state"}) == Path("/state/cargo-sandbox")
    assert files.state_dir({**home, "XDG_STATE_HOME": "state"}) == Path("/home/user/.local/state/cargo-sandbox")
    assert files.state_dir(home) == Path("/home/user/.local/state/cargo-sandbox")
    assert files.state_dir({"HOME": "rel"}).is_absolute()


def test_a_small_file_over_its_budget_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{}" + b" " * 100)
    fd = files.open_dir(tmp_path)
    assert files.read_object("a", fd, 102) == {}
    assert files.read_object("a", fd, 101) is None
    os.close(fd)


def test_records_are_plain_json_for_other_tools(store: RunStore, now: datetime) -> None:
    with store.create(now) as run:
        run.write_header({**HEADER, "cwd": "/home/\udcff"})
        run.finish({})
    data = (run.path / "run.json").read_bytes()
    assert json.loads(data.decode("utf-8"))["cwd"] == "/home/\udcff"
