"""A message of cargo's is one line of the record, also where it came in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.run.messages import MOST, MessageLines


@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"") + b"x"), max_size=12), st.data())
def test_however_the_output_is_cut_the_lines_are_cargos(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    taken: list[bytes] = []
    cutter = MessageLines(taken.append)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        cutter.feed(text[start:end])
    cutter.end()
    assert taken == [line + b"\n" for line in lines]


def test_an_endless_line_takes_no_endless_memory() -> None:
    taken: list[int] = []
    cutter = MessageLines(lambda piece: taken.append(len(piece)))
    for _ in range(40):
        cutter.feed(b"x" * (MOST // 10))
    cutter.end()
    assert sum(taken) == 40 * (MOST // 10) and max(taken) < 2 * MOST
