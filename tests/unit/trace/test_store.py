"""The store finds runs by name, keeps what the policy says, and never touches a run that is being written."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.trace import store as module
from sandbox.trace.names import RUN_ID
from sandbox.trace.store import Policy, RunStore, StoreError

ROOT = Path(module.__file__).parents[2]
ALL = Policy(runs=0, bytes=0, days=0)


def make(store: RunStore, when: datetime, size: int = 0, finish: bool = True) -> str:
    with store.create(when) as run:
        run.write_header({"argv": ["cargo-sandbox", "build"]})
        run.unit(b" " * size)
        if finish:
            run.finish({"exit_code": 0})
    return run.id


def days(count: float) -> timedelta:
    return timedelta(days=count)


def test_an_id_is_the_date_and_four_letters(store: RunStore, now: datetime) -> None:
    run_id = make(store, now)
    assert run_id.startswith("2026-11-20-")
    assert RUN_ID.fullmatch(run_id)
    assert RUN_ID.fullmatch("2026-11-20-k3f9")


def test_a_name_that_is_taken_is_not_used_again(
    store: RunStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter([0, 0, 0, 0, 0, 1])
    monkeypatch.setattr(os, "urandom", lambda size: bytes([next(numbers)]) * size)
    assert [store.create(now).id for _ in range(2)] == ["2026-11-20-0000", "2026-11-20-1111"]


def test_two_processes_that_create_runs_at_once_never_share_a_folder(store: RunStore) -> None:
    script = """
        import sys
        from datetime import datetime
        from pathlib import Path
        from sandbox.trace.store import RunStore
        for _ in range(100):
            print(RunStore(Path(sys.argv[1])).create(datetime(2026, 1, 1)).id)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(store.base)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    names = [name for process in running for name in process.communicate()[0].split()]
    assert len(names) == len(set(names)) == 300


def test_a_run_is_found_by_id_prefix_last_letters_and_last(store: RunStore, now: datetime) -> None:
    old, new = make(store, now - days(1)), make(store, now)
    for name, want in ((old, old), (old[:10], old), (new[-4:], new), ("last", new), (new[:-1], new)):
        with store.open(name) as run:
            assert run.id == want


def test_last_is_the_run_that_began_last_not_the_last_name(store: RunStore, now: datetime) -> None:
    names = [make(store, now + timedelta(seconds=second)) for second in (3, 9, 1, 5)]
    assert store.find("last") == names[1]
    assert [info.id for info in store.list()] == [names[index] for index in (1, 3, 0, 2)]


def test_a_name_that_fits_no_run_or_several_is_an_error(store: RunStore, now: datetime) -> None:
    with pytest.raises(StoreError, match="no run has been recorded"):
        store.open("last")
    runs = [make(store, now) for _ in range(2)]
    with pytest.raises(StoreError, match="2 runs are called") as caught:
        store.open("2026-11-20")
    assert all(run in caught.value.message for run in runs)
    for name in ("2025", "", ".", "..", "../..", "/etc", runs[0] + "/", ".lock", runs[0] + "x"):
        with pytest.raises(StoreError, match="there is no run"):
            store.open(name)


def test_other_folders_in_the_store_are_no_runs(store: RunStore, now: datetime) -> None:
    run = make(store, now)
    for name in (".trash-2026-11-20-abcd-1", "2026-11-20", "notes", "2026-11-20-ABCD"):
        (store.base / name).mkdir()
    (store.base / "2026-11-20-0000").write_text("a file")
    assert [info.id for info in store.list()] == [run]


def test_the_list_tells_state_size_and_pin_of_each_run(store: RunStore, now: datetime) -> None:
    finished = make(store, now, size=1000)
    broken = make(store, now - days(1), finish=False)
    live = store.create(now - days(2))
    live.write_header({})
    store.pin(broken)
    first, second, third = store.list()
    assert (first.id, first.status, first.pinned) == (finished, "finished", False)
    assert (second.id, second.status, second.pinned) == (broken, "interrupted", True)
    assert (third.id, third.status) == (live.id, "running")
    assert first.bytes > 1000 > second.bytes
    assert first.header["argv"] == ["cargo-sandbox", "build"]
    assert (first.result["exit_code"], second.result) == (0, {})


def test_an_empty_store_has_no_runs_and_nothing_to_prune(store: RunStore, now: datetime) -> None:
    assert store.list() == []
    assert store.prune(Policy(), now) == []
    assert not store.base.exists()


def test_the_default_policy_is_100_runs_one_gigabyte_and_30_days() -> None:
    assert Policy() == Policy(runs=100, bytes=1_000_000_000, days=30)


def test_runs_beyond_the_number_are_deleted_oldest_first(store: RunStore, now: datetime) -> None:
    runs = [make(store, now - days(age)) for age in range(5)]
    pruned = store.prune(Policy(runs=3), now)
    assert [(item.run.id, item.why) for item in pruned] == [(runs[3], "runs"), (runs[4], "runs")]
    assert [info.id for info in store.list()] == runs[:3]


def test_runs_beyond_the_size_are_deleted(store: RunStore, now: datetime) -> None:
    runs = [make(store, now - days(age), size=10_000) for age in range(4)]
    assert [(item.run.id, item.why) for item in store.prune(Policy(bytes=25_000), now)] == [
        (runs[2], "bytes"),
        (runs[3], "bytes"),
    ]


def test_the_newest_run_stays_however_large_it_is(store: RunStore, now: datetime) -> None:
    large, small = make(store, now, size=50_000), make(store, now - days(1))
    assert [item.run.id for item in store.prune(Policy(bytes=1000), now)] == [small]
    assert [info.id for info in store.list()] == [large]


def test_runs_beyond_the_age_are_deleted(store: RunStore, now: datetime) -> None:
    runs = [make(store, now - days(age)) for age in (1, 29.9, 30.1, 400)]
    assert [item.why for item in store.prune(Policy(), now)] == ["days", "days"]
    assert [info.id for info in store.list()] == runs[:2]


def test_a_limit_of_zero_is_no_limit(store: RunStore, now: datetime) -> None:
    make(store, now - days(4000), size=100)
    make(store, now - days(4001), size=100)
    assert store.prune(ALL, now) == []


def test_pinned_runs_stay_and_do_not_count(store: RunStore, now: datetime) -> None:
    old = make(store, now - days(100))
    assert store.pin(old[-4:]) == old
    young = make(store, now)
    assert store.prune(Policy(runs=1), now) == []
    assert store.unpin(old) == old
    assert store.unpin(old) == old
    assert [item.run.id for item in store.prune(Policy(runs=1), now)] == [old]
    assert [info.id for info in store.list()] == [young]


def test_a_dry_run_names_what_it_would_delete_and_deletes_nothing(store: RunStore, now: datetime) -> None:
    runs = [make(store, now - days(age)) for age in range(3)]
    dry = store.prune(Policy(runs=1), now, dry_run=True)
    assert len(store.list()) == 3
    assert [item.run.id for item in dry] == runs[1:]
    assert [item.run.id for item in store.prune(Policy(runs=1), now)] == runs[1:]


def test_a_live_run_is_never_deleted(store: RunStore, now: datetime) -> None:
    live = store.create(now - days(300))
    live.write_header({})
    for age in range(3):
        make(store, now - days(age))
    assert len(store.prune(Policy(runs=1), now)) == 2
    live.unit(b"{}")
    assert live.failed is None
    live.close()
    assert [item.run.id for item in store.prune(Policy(runs=1), now)] == [live.id]


def test_a_run_that_is_pinned_after_the_list_was_made_stays(
    store: RunStore, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(store, now - days(300))
    stale_list = store.list()
    store.pin(run)
    monkeypatch.setattr(RunStore, "list", lambda self: stale_list)
    assert store.prune(Policy(), now) == []
    assert (store.base / run).is_dir()


def test_deleting_a_run_follows_no_link_out_of_it(store: RunStore, now: datetime, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    run = make(store, now - days(99))
    (store.base / run / "link").symlink_to(tmp_path / "precious")
    (store.base / run / "folder").mkdir()
    (store.base / run / "folder" / "link").symlink_to(tmp_path / "precious")
    assert len(store.prune(Policy(), now)) == 1
    assert not (store.base / run).exists()
    assert (tmp_path / "precious" / "file").read_text() == "mine"


def test_what_a_crashed_deletion_left_is_removed_by_the_next(store: RunStore, now: datetime) -> None:
    make(store, now - days(99))
    left = store.base / ".trash-2026-01-01-abcd-00"
    left.mkdir()
    (left / "run.json").write_text("{}")
    store.prune(Policy(), now)
    assert os.listdir(store.base) == [".lock"]


@given(
    ages=st.lists(st.floats(0, 60, allow_nan=False), max_size=8),
    policy=st.builds(Policy, runs=st.integers(0, 5), bytes=st.integers(0, 40_000), days=st.floats(0, 60)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_what_stays_always_keeps_the_policy(
    tmp_path_factory: pytest.TempPathFactory, now: datetime, ages: list[float], policy: Policy
) -> None:
    store = RunStore(tmp_path_factory.mktemp("runs"))
    for age in ages:
        make(store, now - days(age), size=5_000)
    before = Counter(info.id for info in store.list())
    pruned = Counter(item.run.id for item in store.prune(policy, now))
    left = store.list()
    assert Counter(info.id for info in left) + pruned == before
    assert not policy.runs or len(left) <= policy.runs
    assert not policy.bytes or len(left) <= 1 or sum(info.bytes for info in left) <= policy.bytes
    assert store.prune(policy, now) == []


def test_a_run_can_not_be_pinned_through_a_link(store: RunStore, now: datetime, tmp_path: Path) -> None:
    make(store, now)
    (store.base / "2020-01-01-0000").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="can't be pinned"):
        store.pin("2020-01-01-0000")
    with pytest.raises(StoreError, match="can't be unpinned"):
        store.unpin("2020-01-01-0000")
    assert not (tmp_path / "pinned").exists()


def test_the_store_lies_in_the_state_folder_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert RunStore().base == tmp_path / "cargo-sandbox" / "runs"
