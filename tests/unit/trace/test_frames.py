"""Frames survive any cutting of the stream, and nothing but ProtocolError comes out of garbage."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import SandboxError
from sandbox.trace import frames
from sandbox.trace.frames import Frame, FrameDecoder, ProtocolError, encode

FRAMES = st.lists(
    st.tuples(st.sampled_from(sorted(frames.FROM_GUARD)), st.binary(max_size=300)),
    max_size=12,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=30))
def test_every_cutting_of_the_stream_gives_the_same_frames(sent: list[Frame], cuts: list[int]) -> None:
    data = b"".join(encode(*frame) for frame in sent)
    decoder = FrameDecoder()
    got = [frame for piece in pieces(data, cuts) for frame in decoder.feed(piece)]
    decoder.finish()
    assert got == sent
    assert decoder.pending == 0


@given(FRAMES)
def test_a_stream_fed_byte_by_byte_gives_the_same_frames(sent: list[Frame]) -> None:
    data = b"".join(encode(*frame) for frame in sent)
    decoder = FrameDecoder()
    assert [frame for at in range(len(data)) for frame in decoder.feed(data[at : at + 1])] == sent


@given(st.binary(max_size=2000), st.lists(st.integers(min_value=0), max_size=8))
def test_garbage_raises_only_protocol_errors(data: bytes, cuts: list[int]) -> None:
    decoder = FrameDecoder()
    try:
        for piece in pieces(data, cuts):
            for _, payload in decoder.feed(piece):
                assert len(payload) <= frames.MAX_PAYLOAD
        decoder.finish()
    except ProtocolError:
        return


@given(FRAMES, st.binary(min_size=1, max_size=64), st.integers(min_value=0))
def test_damage_in_the_middle_leaves_the_frames_before_it_untouched(
    sent: list[Frame], damage: bytes, where: int
) -> None:
    whole = [encode(*frame) for frame in sent]
    keep = where % (len(whole) + 1)
    got = []
    try:
        for frame in FrameDecoder().feed(b"".join(whole[:keep]) + damage + b"".join(whole[keep:])):
            got.append(frame)
    except ProtocolError:
        pass
    assert got[:keep] == sent[:keep]


@given(FRAMES.filter(bool), st.integers(min_value=1))
def test_a_stream_that_ends_inside_a_frame_is_an_error(sent: list[Frame], cut: int) -> None:
    last = encode(*sent[-1])
    data = b"".join(encode(*frame) for frame in sent[:-1]) + last[: -(cut % len(last)) or len(last)]
    decoder = FrameDecoder()
    got = list(decoder.feed(data))
    if len(got) < len(sent) and decoder.pending:
        with pytest.raises(ProtocolError, match="inside a frame"):
            decoder.finish()
    else:
        decoder.finish()


def test_the_largest_payload_passes_and_one_byte_more_is_refused() -> None:
    payload = bytes(frames.MAX_PAYLOAD)
    decoder = FrameDecoder()
    assert list(decoder.feed(encode("O", payload))) == [("O", payload)]
    with pytest.raises(ProtocolError, match="1048577 bytes"):
        list(decoder.feed(struct.pack("<BI", ord("O"), frames.MAX_PAYLOAD + 1)))
    with pytest.raises(ProtocolError):
        encode("O", payload + b"x")


def test_a_length_over_the_limit_is_refused_before_its_payload_arrives() -> None:
    decoder = FrameDecoder()
    with pytest.raises(ProtocolError):
        list(decoder.feed(b"V\xff\xff\xff\xff"))
    assert decoder.pending == 0


def test_a_type_that_only_the_host_sends_is_refused_from_the_guard() -> None:
    with pytest.raises(ProtocolError, match="0x51"):
        list(FrameDecoder().feed(frames.encode_quit()))
    assert list(FrameDecoder(frames.FROM_HOST).feed(frames.encode_quit())) == [("Q", b"")]


def test_an_unknown_type_is_refused_at_its_first_byte() -> None:
    with pytest.raises(ProtocolError):
        list(FrameDecoder().feed(b"\x00"))


def test_good_frames_before_a_bad_one_are_given_first() -> None:
    reading = FrameDecoder().feed(encode("O", b"good") + b"!")
    assert next(reading) == ("O", b"good")
    with pytest.raises(ProtocolError):
        next(reading)


def test_a_broken_decoder_stays_broken() -> None:
    decoder = FrameDecoder()
    with pytest.raises(ProtocolError):
        list(decoder.feed(b"!"))
    with pytest.raises(ProtocolError):
        list(decoder.feed(encode("O", b"fine")))
    with pytest.raises(ProtocolError):
        decoder.finish()


def test_frames_that_one_iterator_left_are_given_by_the_next() -> None:
    decoder = FrameDecoder()
    assert next(decoder.feed(encode("O", b"1") + encode("O", b"2"))) == ("O", b"1")
    assert list(decoder.feed(encode("O", b"3"))) == [("O", b"2"), ("O", b"3")]


def test_the_decoder_takes_any_buffer() -> None:
    data = encode("E", b"text")
    for piece in (bytearray(data), memoryview(data)):
        assert list(FrameDecoder().feed(piece)) == [("E", b"text")]


def test_config_is_a_row_of_nul_ended_keys_and_values_in_order() -> None:
    frame = frames.encode_config([("arg", b"/bin/cargo"), ("arg", b"build"), ("env", b"A=\xff"), ("cwd", b"")])
    (decoded,) = FrameDecoder(frames.FROM_HOST).feed(frame)
    assert decoded == ("C", b"arg\0/bin/cargo\0arg\0build\0env\0A=\xff\0cwd\0\0")


@given(st.lists(st.tuples(st.sampled_from(["arg", "env", "quiet"]), st.binary(max_size=50))))
def test_config_is_read_back_or_refused_for_its_nul(pairs: list[tuple[str, bytes]]) -> None:
    if any(b"\0" in value for _, value in pairs):
        with pytest.raises(ProtocolError, match="NUL"):
            frames.encode_pairs(pairs)
        return
    parts = frames.encode_pairs(pairs).split(b"\0")
    assert parts.pop() == b""
    assert list(zip(parts[::2], parts[1::2], strict=True)) == [(key.encode(), value) for key, value in pairs]


def test_a_nul_in_a_key_is_refused() -> None:
    with pytest.raises(ProtocolError):
        frames.encode_config([("a\0b", b"")])


def test_a_config_over_the_limit_is_refused() -> None:
    with pytest.raises(ProtocolError, match="limit"):
        frames.encode_config([("arg", bytes([65]) * frames.MAX_PAYLOAD)])


@given(st.binary(max_size=300_000))
def test_input_of_any_size_arrives_whole(data: bytes) -> None:
    got = list(FrameDecoder(frames.FROM_HOST).feed(frames.encode_input(data)))
    assert b"".join(payload for _, payload in got) == data
    assert all(kind == "I" for kind, _ in got)


def test_the_other_frames_of_the_host_have_their_fixed_form() -> None:
    assert frames.encode_input_end() == b"Z\0\0\0\0"
    assert frames.encode_window(24, 80) == b"W\x04\0\0\0\x18\0\x50\0"
    assert frames.encode_window(-1, 70_000) == b"W\x04\0\0\0\0\0\xff\xff"
    assert frames.encode_signal(2) == b"K\x01\0\0\0\x02"
    assert frames.encode_quit() == b"Q\0\0\0\0"


@pytest.mark.parametrize("number", [0, -1, 65, 300])
def test_what_is_no_signal_is_refused(number: int) -> None:
    with pytest.raises(ProtocolError):
        frames.encode_signal(number)


def test_a_protocol_error_is_ours_and_means_that_a_wall_fell() -> None:
    assert issubclass(ProtocolError, SandboxError)
    assert ProtocolError.exit_code == 121


def test_the_two_directions_share_no_letter() -> None:
    assert set("SOEVUPFX") == frames.FROM_GUARD
    assert set("CIZWKQ") == frames.FROM_HOST
