"""A compressed stream can be read up to its last whole frame, wherever it breaks off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.trace.compressed import FRAME_AGE_S, FRAME_CONTENT, FrameFile, FrameReader, frame_end


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stream.zst"


def write(path: Path, parts: list[bytes], flush_each: bool = True) -> list[int]:
    """Write parts, each as a frame of its own; gives the file's size after each."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        out = FrameFile(fd)
        sizes = []
        for part in parts:
            out.append(part)
            if flush_each:
                out.flush()
            sizes.append(os.fstat(fd).st_size)
        out.flush()
        assert out.taken == sum(map(len, parts))
        assert out.stored == os.fstat(fd).st_size
        return sizes
    finally:
        os.close(fd)


def read(path: Path) -> tuple[list[bytes], FrameReader]:
    fd = os.open(path, os.O_RDONLY)
    try:
        reader = FrameReader(fd)
        return list(reader), reader
    finally:
        os.close(fd)


def test_a_file_cut_at_any_byte_gives_all_whole_frames_before_the_cut(path: Path) -> None:
    parts = [os.urandom(40) + b"text " * 30, b"a" * 5000, b"{}\n", os.urandom(700)]
    sizes = write(path, parts)
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        got, reader = read(path)
        whole = sum(size <= cut for size in sizes)
        assert got == parts[:whole]
        assert reader.torn == (cut not in (0, *sizes))
        assert not reader.damaged


@given(st.lists(st.binary(max_size=4000), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_appended_is_read_back(path: Path, parts: list[bytes]) -> None:
    write(path, parts, flush_each=False)
    assert b"".join(read(path)[0]) == b"".join(parts)


@given(st.binary(max_size=3000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_reported_and_never_raised(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    got, reader = read(path)
    assert got == []
    assert reader.torn or reader.damaged or not data


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_a_flipped_byte_is_never_taken_for_content(path: Path, where: int, flip: int) -> None:
    parts = [b"first " * 40, b"second " * 40, b"third " * 40]
    sizes = write(path, parts)
    data = bytearray(path.read_bytes())
    where %= len(data)
    data[where] ^= flip
    path.write_bytes(data)
    got, reader = read(path)
    hit = sum(size <= where for size in sizes)
    assert got[:hit] == parts[:hit]
    assert set(got) <= set(parts)
    assert len(got) == len(parts) or reader.torn or reader.damaged


def test_a_frame_is_closed_after_256_kib(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    out = FrameFile(fd)
    out.append(bytes(FRAME_CONTENT - 1))
    assert out.stored == 0
    out.append(b"x" * (2 * FRAME_CONTENT + 2))
    os.close(fd)
    assert [len(part) for part in read(path)[0]] == [FRAME_CONTENT] * 3


def test_waiting_content_is_written_two_seconds_after_the_first_tick_that_saw_it(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    out = FrameFile(fd)
    out.tick(100.0)
    out.append(b"waits")
    out.tick(200.0)
    out.tick(200.0 + FRAME_AGE_S - 0.01)
    assert out.stored == 0
    out.tick(200.0 + FRAME_AGE_S)
    assert read(path)[0] == [b"waits"]
    out.append(b"again")
    out.tick(300.0)
    assert read(path)[0] == [b"waits"]
    os.close(fd)


def test_a_bomb_that_names_its_size_is_refused(path: Path) -> None:
    path.write_bytes(zstandard.ZstdCompressor().compress(bytes(64 << 20)))
    got, reader = read(path)
    assert got == []
    assert reader.damaged


def test_a_bomb_that_hides_its_size_is_refused(path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    path.write_bytes(packer.compress(bytes(64 << 20)) + packer.flush())
    got, reader = read(path)
    assert got == []
    assert reader.damaged


def test_many_frames_are_read_with_little_memory(path: Path) -> None:
    write(path, [b"%07d\n" % number * 4000 for number in range(800)])
    fd = os.open(path, os.O_RDONLY)
    lengths = {len(piece) for piece in pieces(fd)}
    os.close(fd)
    assert lengths == {32_000}


def pieces(fd: int) -> Iterator[bytes]:
    yield from FrameReader(fd)


@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("content", [b"x", b"ab" * 500, bytes(400_000), os.urandom(300_000)])
def test_the_end_of_a_frame_is_found_in_every_form_of_it(checksum: bool, sized: bool, content: bytes) -> None:
    packer = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=sized)
    frame = packer.compress(content)
    assert frame_end(b"??" + frame + b"rest", 2) == 2 + len(frame)
    for cut in {*range(20), len(frame) // 2, len(frame) - 1} - set(range(len(frame), 20)):
        assert frame_end(frame[:cut], 0) == 0
