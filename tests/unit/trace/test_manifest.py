"""Whoever changed a file of the build dir has to answer for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sandbox.trace import manifest
from sandbox.trace.events import stored
from sandbox.trace.manifest import Accounts, in_words, unaccounted

H = "0123456789abcdef"
LATER = 1 << 62


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "build"


def make(top: Path, *names: str) -> None:
    for name in names:
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def missed(top: Path, accounts: Accounts | None = None, since_ns: int = 0) -> list[str]:
    found = unaccounted(str(top), accounts or Accounts(str(top)), since_ns, LATER)
    return [os.path.relpath(path, top) for path in found]


def compile_unit(top: Path, out_dir: str, crate: str, extra: str = f"-{H}") -> dict[str, object]:
    cache = f"{top}/debug/incremental/{crate}{extra}"
    return {"role": "rustc", "crate": crate, "extra": extra, "out_dir": f"{top}/{out_dir}", "incremental": cache}


def test_cargo_answers_for_its_own_files_in_both_layouts(top: Path) -> None:
    make(
        top,
        ".rustc_info.json",
        "CACHEDIR.TAG",
        "debug/.cargo-lock",
        "release/.cargo-build-lock",
        f"debug/.fingerprint/app-{H}/bin-app",
        f"aarch64-unknown-linux-gnu/release/.fingerprint/app-{H}/dep-bin-app",
        f"debug/build/app/{H}/fingerprint/lib-app.json",
        f"debug/build/app-{H}/output",
        f"debug/build/app/{H}/root-output",
        "tmp/from-a-test",
    )
    assert missed(top) == []


def test_names_of_cargos_files_are_worth_nothing_elsewhere(top: Path) -> None:
    names = [
        f"debug/build/app-{H}/out/output",
        "debug/deps/.fingerprint/x",
        "debug/deps/fingerprint/x",
        "debug/deps/output",
        "debug/deps/tmp/x",
        "debug/tmp/x",
    ]
    make(top, *names)
    assert missed(top) == sorted(names)


def test_a_unit_answers_for_its_outputs_and_for_no_others(top: Path) -> None:
    own = [f"debug/deps/{name}" for name in (f"libapp-{H}.rlib", f"app-{H}.d", f"app-{H}.1a2b.rcgu.o")]
    own += [
        f"debug/build/app-{H}/out/deep/made.rs",
        f"debug/incremental/app-{H}/app-3x9/s-1/query.bin",
        "debug/incremental/plain/plain-3x9/s-1/query.bin",
        "debug/incremental/shared-3x9/s-1/query.bin",
        "debug/deps/libplain.so",
    ]
    foreign = [
        "debug/deps/libother-fedcba9876543210.rlib",
        "debug/deps/libplainer.so",
        "debug/incremental/app-3x9/s-1/query.bin",
        f"debug/incremental/other-{H}/other-3x9/s-1/query.bin",
        "debug/build/other-fedcba9876543210/out/made.rs",
        f"debug/examples/app-{H}",
    ]
    make(top, *own, *foreign)
    accounts = Accounts(str(top))
    accounts.unit(compile_unit(top, "debug/deps", "app"))
    accounts.unit(compile_unit(top, "debug/deps", "plain", extra=""))
    accounts.unit(compile_unit(top, "debug/deps", "shared") | {"incremental": f"{top}/debug/incremental"})
    accounts.unit({"role": "script", "out_dir": f"{top}/debug/build/app-{H}/out"})
    assert missed(top, accounts) == sorted(foreign)


def test_a_write_that_stands_in_an_event_is_accounted_for_and_a_read_is_not(top: Path) -> None:
    names = ["debug/deps/written", "debug/deps/read", "debug/deps/renamed", "debug/deps/\udcff"]
    make(top, *names)
    accounts = Accounts(str(top))
    accounts.event({"kind": "open", "access": "write", "path": f"{top}/debug/deps/written"})
    accounts.event({"kind": "open", "access": "read", "path": f"{top}/debug/deps/read"})
    accounts.event({"kind": "rename", "path": "/tmp/x", "path2": f"{top}/debug/deps/renamed"})
    accounts.event({"kind": "open", "access": "write", "path": stored(f"{top}/debug/deps/\udcff")})
    assert missed(top, accounts) == ["debug/deps/read"]


def test_only_what_changed_meanwhile_counts_and_a_date_put_back_hides_nothing(top: Path) -> None:
    make(top, "debug/deps/old", "debug/deps/dated-back")
    time.sleep(0.03)
    since = time.time_ns()
    time.sleep(0.03)
    make(top, "debug/deps/new")
    os.utime(top / "debug/deps/dated-back", (0, 0))
    assert missed(top, since_ns=since) == ["debug/deps/dated-back", "debug/deps/new"]
    assert unaccounted(str(top), Accounts(str(top)), 0, since) == [f"{top}/debug/deps/old"]


def test_links_are_named_and_not_followed(top: Path, tmp_path: Path) -> None:
    make(tmp_path / "outside", "secret")
    make(top, "debug/deps/plain")
    (top / "debug/deps/link").symlink_to(tmp_path / "outside")
    (top / "debug/deps/loop").symlink_to(top)
    assert missed(top) == ["debug/deps/link", "debug/deps/loop", "debug/deps/plain"]
    assert missed(top / "nowhere") == []


def test_events_without_end_keep_memory_bounded_and_then_nobody_answers(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "MOST_PATHS", 2)
    make(top, "debug/deps/a", "debug/deps/b", "debug/deps/c")
    accounts = Accounts(str(top))
    for name in "abc":
        accounts.event({"kind": "open", "access": "write", "path": f"{top}/debug/deps/{name}"})
    assert missed(top, accounts) == ["debug/deps/c"]


def test_too_many_files_are_an_error_and_not_an_answer(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(top, "debug/deps/a", "debug/deps/b")
    monkeypatch.setattr(manifest, "MOST_ENTRIES", 3)
    with pytest.raises(OverflowError, match="more than 3 files"):
        missed(top)


def test_the_reason_names_some_files_and_counts_all() -> None:
    assert in_words(["/b/x"]) == "1 file in the build dir changed without an event: /b/x"
    assert in_words(list("abcde")) == "5 files in the build dir changed without an event: a, b, c, …"


def test_a_build_dir_that_became_a_link_is_a_hole_and_is_not_looked_into(top: Path, tmp_path: Path) -> None:
    make(tmp_path / "outside", "secret")
    top.symlink_to(tmp_path / "outside")
    assert unaccounted(str(top), Accounts(str(top)), 0, LATER) == [str(top)]


def test_a_folder_that_becomes_a_link_while_we_look_is_a_hole_and_is_not_looked_into(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "outside", "secret")
    make(top, "debug/deps/plain")
    real = manifest._entries

    def swapped(fd: int, parts: tuple[str, ...], since_ns: int, until_ns: int) -> list[tuple[str, bool, bool]]:
        found = real(fd, parts, since_ns, until_ns)
        if parts == ("debug",):
            (top / "debug/deps").rename(top / "aside")
            (top / "debug/deps").symlink_to(tmp_path / "outside")
        return found

    monkeypatch.setattr(manifest, "_entries", swapped)
    assert missed(top) == ["debug/deps"]


def test_levels_without_end_are_an_error_and_not_an_answer(top: Path) -> None:
    make(top, "/".join(["d"] * 70) + "/x")
    with pytest.raises(OverflowError, match="more than 64 levels"):
        missed(top)
