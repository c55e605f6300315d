"""Archives that are not as cargo makes them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.preflight.integrity import downloads
from sandbox.preflight.packages import tar
from sandbox.preflight.packages.tar import BadArchive, entries
from tests.unit.preflight.integrity.homes import FILES, TOP, Home, crate
from tests.unit.preflight.sources.make import codes, details


def contents(data: bytes) -> dict[str, bytes]:
    stream = io.BytesIO(data)
    found = {}
    for entry in entries(lambda: stream.read(1000), len(data), TOP):
        parts = []
        while part := entry.read(777):
            parts.append(part)
        found[entry.path] = b"".join(parts)
    return found


def special(kind: bytes, name: str = f"{TOP}/x", link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_every_usual_way_of_writing_is_read(form: int) -> None:
    long = "d" * 90 + "/" + "f" * 99
    files = {**FILES, long: b"long", "ü" if form != tarfile.USTAR_FORMAT else "u": b"name"}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        archive.addfile(special(tarfile.DIRTYPE, TOP))
        archive.addfile(special(tarfile.DIRTYPE, f"{TOP}/src"))
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{TOP}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert contents(gzip.compress(data.getvalue())) == files


BAD = {
    "symbolic link": crate(FILES, TOP, special(tarfile.SYMTYPE, link="/etc/passwd")),
    "hard link": crate(FILES, TOP, special(tarfile.LNKTYPE, link=f"{TOP}/empty")),
    "entry of kind '3'": crate(FILES, TOP, special(tarfile.CHRTYPE)),
    "entry of kind '6'": crate(FILES, TOP, special(tarfile.FIFOTYPE)),
    "../out": crate({"../out": b""}),
    "a/../../out": crate({"a/../../out": b""}),
    "/etc/x": crate({}, TOP, special(tarfile.REGTYPE, "/etc/x")),
    "other-1.0.0/x": crate({}, TOP, special(tarfile.REGTYPE, "other-1.0.0/x")),
    f"{TOP}-more/x": crate({}, TOP, special(tarfile.REGTYPE, f"{TOP}-more/x")),
    "not plainly below": crate({"a/./b": b""}),
    "has empty twice": crate(FILES, TOP, special(tarfile.REGTYPE, f"{TOP}/empty")),
    "no proper gzip": b"this is no archive",
    "checksum is wrong": gzip.compress(b"x" * 156 + b"0" + b"x" * 2000 + bytes(2000)),
    "cut short": crate()[:-20],
    "something follows": crate() + b"more",
    "follows its end": gzip.compress(gzip.decompress(crate()) + b"hidden"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_archive_is_told_with_the_reason_and_nothing_is_written(tmp_path: Path, why: str) -> None:
    try:
        contents(BAD[why])
    except BadArchive as error:
        assert why in str(error) or "bad number" in str(error)
    else:
        pytest.fail("it was read")
    home = Home(tmp_path, BAD[why])
    before = sorted(tmp_path.rglob("*"))
    answer = downloads.run(home.looked_at())
    assert (
        codes(answer) == ["CS0512"] and answer.findings[0].severity == "high" and str(home.archive) in details(answer)
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_file_is_cut_short() -> None:
    with pytest.raises(BadArchive, match="cut short"):
        contents(b"")


def test_a_damaged_byte_is_noticed() -> None:
    data = bytearray(crate())
    data[-6] ^= 1
    with pytest.raises(BadArchive, match="no proper gzip"):
        contents(bytes(data))


def test_a_bomb_is_given_up_at_cargo_s_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "LEAST_LIMIT", 1 << 20)
    with pytest.raises(BadArchive, match="more than cargo allows"):
        contents(crate({"bomb": bytes(8 << 20)}))


def test_zeros_after_the_end_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "LEAST_LIMIT", 1 << 20)
    with pytest.raises(BadArchive, match="more than cargo allows"):
        contents(gzip.compress(gzip.decompress(crate({})) + bytes(8 << 20)))


def test_entries_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "MAX_ENTRIES", 3)
    with pytest.raises(BadArchive, match="more than 3 entries"):
        contents(crate({str(n): b"" for n in range(4)}))


def pax(key: str, value: str) -> Callable[[], bytes]:
    def make() -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
            entry = tarfile.TarInfo(f"{TOP}/x")
            entry.pax_headers = {key: value}
            archive.addfile(entry)
        return gzip.compress(data.getvalue())

    return make


@pytest.mark.parametrize("key", ["size", "linkpath", "GNU.sparse.major"])
def test_headers_that_readers_understand_in_two_ways_are_refused(key: str) -> None:
    with pytest.raises(BadArchive, match="two ways"):
        contents(pax(key, "0")())


def test_harmless_headers_are_passed_over() -> None:
    assert contents(pax("comment", "made by hand")()) == {"x": b""}


@pytest.mark.parametrize(
    "record", [b"", b"5 a\n", b"x path=a\n", b"99 path=a\n", b"0 path=a\n", b"11 path=ab", b"9999999 a=b\n"]
)
def test_broken_pax_headers_are_refused(record: bytes) -> None:
    if record:
        with pytest.raises(BadArchive, match="broken"):
            tar._from_pax(record, True)
    else:
        assert tar._from_pax(record, True) is None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_makes_the_reader_crash(data: st.DataObject) -> None:
    plain = bytearray(gzip.decompress(crate({"a": b"x" * 600, "b": b""})))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, 2600))
        plain[at : at + 1] = data.draw(st.binary(max_size=3))
    whole = gzip.compress(bytes(plain), 1)
    whole = whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole
    try:
        found = contents(whole)
    except BadArchive:
        return
    assert all(not path.startswith("/") and ".." not in path.split("/") for path in found)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000), st.booleans())
def test_no_bytes_at_all_make_the_reader_crash(data: bytes, packed: bool) -> None:
    try:
        contents(gzip.compress(data, 1) if packed else data)
    except BadArchive:
        return


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=12), st.binary(min_size=1, max_size=4), st.sampled_from(range(512)))
def test_headers_with_a_right_checksum_and_anything_else_do_not_crash(size: bytes, kind: bytes, at: int) -> None:
    header = bytearray(gzip.decompress(crate({"a": b""}))[:512])
    header[124 : 124 + len(size)] = size
    header[156:157] = kind[:1]
    header[at] = kind[-1]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    try:
        contents(gzip.compress(bytes(header) + bytes(2048), 1))
    except BadArchive:
        return
