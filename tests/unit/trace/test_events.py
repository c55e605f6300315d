"""Kinds, strings that are not UTF-8, and the schemas, with a sample of every kind."""

from __future__ import annotations

import json
from typing import Any, cast, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.trace import events
from sandbox.trace.events import Event, Kind

KINDS: tuple[str, ...] = get_args(Kind)
BASE = {"seq": 1, "t_ns": 5, "unit": "u3", "pid": 7, "start": 5512, "parent": 6}
NOT_UTF8 = {"b64": "L3RtcC//"}

SAMPLES: dict[str, dict[str, Any]] = {
    "exec": {"path": "/usr/bin/cc", "argv": ["cc", "-c", NOT_UTF8], "argv_cut": True, "outcome": "allowed"},
    "open": {"access": "write", "flags": ["create", "excl"], "path": NOT_UTF8, "mode": 420, "outcome": "allowed"},
    "unlink": {"path": "/tmp/a", "outcome": "allowed"},
    "rmdir": {"path": "/tmp/a", "outcome": "allowed"},
    "rename": {"path": "/tmp/a", "path2": "/tmp/b", "outcome": "denied", "by": "landlock"},
    "link": {"path": "/tmp/a", "path2": NOT_UTF8, "outcome": "allowed"},
    "symlink": {"path": "/tmp/a", "path2": "../b", "outcome": "allowed"},
    "mkdir": {"path": "/ws/src/x", "mode": 493, "outcome": "denied", "by": "readonly", "errno": "EROFS"},
    "chmod": {"path": "/tmp/a", "mode": 2541, "outcome": "denied", "by": "guard", "errno": "EPERM"},
    "chown": {"path": "/tmp/a", "outcome": "allowed"},
    "truncate": {"path": "/tmp/a", "outcome": "allowed"},
    "mknod": {"path": "/tmp/a", "mode": 8612, "outcome": "denied", "by": "guard", "errno": "EPERM"},
    "xattr": {"path": "/tmp/a", "outcome": "allowed"},
    "memfd": {"path": "payload", "outcome": "allowed"},
    "connect": {"addr": "192.0.2.1", "port": 443, "family": "inet", "outcome": "denied", "by": "guard"},
    "bind": {"addr": "::1", "port": 0, "family": "inet6", "outcome": "allowed"},
    "send": {"addr": "192.0.2.1", "port": 9, "family": "inet", "outcome": "denied", "by": "guard"},
    "dns": {"dns": "host.invalid", "addr": "127.0.0.1", "port": 53, "outcome": "denied", "errno": "ECONNREFUSED"},
    "kill": {"target": -1, "args": [9], "outcome": "denied", "by": "guard", "errno": "EPERM"},
    "ptrace": {"call": "ptrace", "args": [16, 2, 0, 0], "target": 2, "outcome": "denied", "by": "guard"},
    "process_vm": {"call": "process_vm_readv", "target": 12, "outcome": "denied", "by": "guard"},
    "mount": {"call": "mount", "path": "/proc", "outcome": "denied", "by": "guard", "errno": "EPERM"},
    "namespace": {"call": "unshare", "args": [268435456], "outcome": "denied", "by": "guard"},
    "io_uring": {"call": "io_uring_setup", "outcome": "denied", "by": "guard", "errno": "ENOSYS"},
    "bpf": {"call": "bpf", "args": [5, 140737488347136, 120], "outcome": "denied", "by": "guard"},
    "keyctl": {"call": "add_key", "outcome": "denied", "by": "guard"},
    "userfaultfd": {"call": "userfaultfd", "outcome": "denied", "by": "guard"},
    "perf": {"call": "perf_event_open", "outcome": "denied", "by": "guard"},
    "socket": {"call": "socket", "family": "packet", "outcome": "denied", "errno": "EAFNOSUPPORT"},
    "seccomp": {"call": "prctl", "args": [22, 2, 18446744073709551615], "outcome": "denied", "by": "guard"},
    "module": {"call": "init_module", "outcome": "denied", "by": "guard"},
    "handle": {"call": "open_by_handle_at", "outcome": "denied", "by": "guard"},
    "dumpable": {"call": "prctl", "args": [4, 0], "outcome": "denied", "by": "guard"},
    "personality": {"call": "personality", "args": [8], "outcome": "denied", "by": "guard"},
    "other": {"call": "syscall_999", "outcome": "denied", "by": "guard"},
    "forged": {"call": "prctl", "args": [1], "outcome": "denied", "by": "guard", "note": "report of another unit"},
    "survivor": {"argv": ["sleep", "1000"], "outcome": "allowed"},
    "flood": {"outcome": "allowed", "note": "more than 50000 writes"},
}

START = {
    "event": "start", "unit": "u3", "role": "rustc", "package": "serde", "version": "1.0.1", "crate": "serde",
    "manifest_dir": "/src/serde", "crate_types": ["lib"], "out_dir": "/b/debug/deps", "extra": "-8df1fe57ae6afff3",
    "incremental": "/b/debug/incremental", "primary": False, "macros": ["/b/debug/deps/libm-1.so", NOT_UTF8],
    "exe": "/t/bin/rustc", "pid": 77, "t_ns": 1,
}  # fmt: skip
OUTPUT = {"path": NOT_UTF8, "ino": 1, "size": 2, "mtime_ns": 3, "ctime_ns": 4, "sha256": None}
END = {
    "event": "end", "unit": "u3", "status": 0, "signal": None, "t_ns": 2, "quiet": 123, "maxrss_kb": 9, "cpu_ms": 8,
    "outputs": [OUTPUT, OUTPUT | {"path": "/o", "sha256": "ab" * 32}], "outputs_cut": False,
    "directives": ["cargo:rustc-cfg=x", NOT_UTF8], "directives_cut": False,
    "survivors": [{"pid": 9, "argv": ["sleep", NOT_UTF8]}],
}  # fmt: skip


def checker(name: Any) -> jsonschema.Draft202012Validator:
    schema = events.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_every_kind_fits_the_schema(kind: str) -> None:
    checker("events-v1").validate({**BASE, "kind": kind, **SAMPLES[kind]})


def test_the_schema_and_the_type_know_the_same_kinds_and_fields() -> None:
    schema = events.schema("events-v1")
    assert set(schema["properties"]["kind"]["enum"]) == set(KINDS) == set(SAMPLES)
    assert set(schema["properties"]) == Event.__required_keys__ | Event.__optional_keys__
    assert set(schema["required"]) == Event.__required_keys__
    definitions = events.schema("units-v1")["$defs"]
    common = {"event", "unit", "t_ns"}
    assert set(definitions["start"]["properties"]) | common == set(events.UnitStart.__annotations__)
    assert set(definitions["end"]["properties"]) | common == set(events.UnitEnd.__annotations__)
    assert set(definitions["output"]["properties"]) == set(events.Output.__annotations__)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "dance"}, {"outcome": "maybe"}, {"seq": 0}, {"pid": "7"}, {"unit": "serde"}, {"access": "execute"},
        {"path": 5}, {"path": {"b64": "L3Rt", "more": 1}}, {"path": {"b64": "not base64!"}}, {"argv": "cc"},
        {"port": 70000}, {"errno": "oops"}, {"by": "guard"}, {"access": None}, {"args": ["x"]},
    ],
)  # fmt: skip
def test_what_is_no_event_does_not_fit_the_schema(change: dict[str, Any]) -> None:
    sample = {**BASE, "kind": "open", **SAMPLES["open"], **change}
    assert not checker("events-v1").is_valid(sample)


def test_an_event_with_a_field_of_a_later_version_still_fits() -> None:
    checker("events-v1").validate({**BASE, "kind": "exec", **SAMPLES["exec"], "cgroup": "/x"})


@pytest.mark.parametrize("record", [START, END, END | {"status": None, "signal": 9}, {**START, "role": "probe"}])
def test_unit_records_fit_their_schema(record: dict[str, Any]) -> None:
    checker("units-v1").validate(record)


@pytest.mark.parametrize(
    "record",
    [
        {}, START | {"event": "end", "status": "0"}, START | {"role": "linker"}, START | {"pid": 0},
        END | {"outputs": [{"path": "/o"}]}, END | {"outputs": [OUTPUT | {"sha256": "short"}]},
    ],
)  # fmt: skip
def test_what_is_no_unit_record_does_not_fit_the_schema(record: dict[str, Any]) -> None:
    assert not checker("units-v1").is_valid(record)


def test_the_groups_of_kinds_do_not_overlap_and_name_only_kinds() -> None:
    groups = [events.FILE_KINDS, events.NETWORK_KINDS, events.CALL_KINDS]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert frozenset().union(*groups) < set(KINDS)


@given(st.binary(max_size=60))
def test_any_bytes_are_stored_and_read_back(data: bytes) -> None:
    kept = json.loads(json.dumps(events.stored(data)))
    assert events.raw(kept) == data
    assert events.text(kept).encode("utf-8", "surrogateescape") == data
    assert events.stored(events.text(kept)) == kept


@pytest.mark.parametrize("value", [None, 5, [], {}, {"b64": 7}, {"b64": "!"}, {"b64": "ä"}, {"b64": "abc"}])
def test_what_is_no_string_reads_as_nothing(value: Any) -> None:
    assert events.raw(value) == b""
    assert events.text(value) == ""


def test_a_lone_surrogate_from_hostile_json_has_bytes_too() -> None:
    assert events.raw(json.loads('"\\ud800x"')) == b"\xed\xa0\x80x"


def test_arguments_and_writes_are_read_from_an_event() -> None:
    def sample(kind: str, **more: Any) -> Event:
        return cast(Event, {**BASE, "kind": kind, **SAMPLES[kind], **more})

    assert events.argv(sample("exec")) == ["cc", "-c", "/tmp/\udcff"]
    assert events.argv(sample("flood")) == []
    assert events.is_write(sample("open"))
    assert not events.is_write(sample("open", access="read"))
    assert events.is_write(sample("rename"))
    assert not events.is_write(sample("exec"))
