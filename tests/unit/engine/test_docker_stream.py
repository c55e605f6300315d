"""The attached stream: any cut of it gives the same bytes, and nonsense ends it."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine.docker_stream import BrokenStream, Splitter, Streams


def piece(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def joined(parts: list[tuple[int, bytes]], stream: int) -> bytes:
    return b"".join(data for number, data in parts if number == stream)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=10),
    st.lists(st.integers(1, 20), min_size=1, max_size=200),
)
def test_however_the_stream_is_cut_the_same_bytes_come_out(parts: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(piece(*part) for part in parts)
    splitter, found, place = Splitter(), [], 0
    while place < len(stream):
        size = cuts[place % len(cuts)]
        found += [(n, bytes(view)) for n, view in splitter.feed(memoryview(stream[place : place + size]))]
        place += size
    for number in (1, 2):
        assert joined(found, number) == joined(parts, number)


@given(st.binary(max_size=200))
def test_nonsense_is_refused_or_short(data: bytes) -> None:
    try:
        found = list(Splitter().feed(memoryview(data)))
    except BrokenStream:
        return
    assert sum(len(view) for _, view in found) <= len(data)


@pytest.mark.parametrize("header", [b"\x00\0\0\0\0\0\0\1", b"\x03\0\0\0\0\0\0\1", b"\x01\1\0\0\0\0\0\1", b"HTTP/1.1"])
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(BrokenStream):
        list(Splitter().feed(memoryview(header + b"x")))


def read_all(fd: int) -> bytes:
    data = b""
    while chunk := os.read(fd, 1 << 16):
        data += chunk
    return data


def test_both_streams_arrive_and_end_with_the_connection() -> None:
    ours, theirs = socket.socketpair()
    streams = Streams(ours.detach())
    theirs.sendall(piece(1, b"out") + piece(2, b"err") + piece(1, b"put"))
    theirs.close()
    assert (read_all(streams.stdout_fd), read_all(streams.stderr_fd)) == (b"output", b"err")
    streams.close()


def test_a_broken_stream_ends_with_a_word() -> None:
    ours, theirs = socket.socketpair()
    streams = Streams(ours.detach())
    theirs.sendall(piece(1, b"out") + b"nonsense")
    assert read_all(streams.stdout_fd) == b"out"
    assert b"stream is broken" in read_all(streams.stderr_fd)
    streams.close()
    theirs.close()


def test_when_nobody_reads_the_sender_has_to_wait() -> None:
    ours, theirs = socket.socketpair()
    streams = Streams(ours.detach())
    theirs.setblocking(False)
    sent = 0
    block = piece(1, bytes(1 << 16))
    waited = threading.Event()
    while sent < 64 << 20:
        try:
            sent += theirs.send(block)
        except BlockingIOError:
            if waited.wait(0.2):
                break
            waited.set()
    assert sent < 8 << 20
    streams.close()
    theirs.close()
