"""What a build's output may do to a terminal: colour, erase a line, link to a web page; nothing else.

Only for output that goes to a terminal. A pipe or file gets cargo's bytes unchanged.
"""

from __future__ import annotations

import re

# Select Graphic Rendition, Erase in Line (ECMA-48 §8.3.117, §8.3.41), OSC 8 links, OSC 9;4 progress: what cargo emits.
_ALLOWED = rb"""
    \x1b\[[0-9;:]{0,64}m
  | \x1b\[[0-2]?K
  | \x1b\]8;[a-z0-9=:_-]{0,80};(?:https?://[\x21-\x7e]{0,1024})?(?:\x1b\\|\x07)
  | \x1b\]9;4;[0-9];?[0-9]{0,3}(?:\x1b\\|\x07)
"""
_TOKEN = re.compile(
    rb"(?x)(?P<ok>"
    + _ALLOWED
    + rb""")
  | \x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?
  | \x1b\[[0-?]{0,64}[\ -/]{0,8}[@-~]?
  | \x1b.?
  | [\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]
  | \xc2[\x80-\x9f]
  | \xe2\x80[\xaa-\xae\xa8\xa9]
  | \xe2\x81[\xa6-\xa9]
""",
    re.DOTALL,
)
_SUSPECT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_INCOMPLETE = re.compile(
    rb"(?:\x1b(?:\[[0-?]{0,64}[\ -/]{0,8}|[\]PX^_][^\x07\x1b]{0,4096}\x1b?)?|\xc2|\xe2[\x80\x81]?)\Z"
)


class TerminalFilter:
    """Streaming filter. `feed` returns what may go to the terminal; an unfinished sequence waits for its rest, at most
    about 4 KiB."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """Filter the next bytes."""
        data = self._pending + data
        self._pending = b""
        tail = _INCOMPLETE.search(data, max(0, len(data) - 4200))
        if tail:
            self._pending = data[tail.start() :]
            data = data[: tail.start()]
        if not _SUSPECT.search(data):
            return data
        return _TOKEN.sub(lambda match: match.group("ok") or b"", data)

    def finish(self) -> bytes:
        """What is left of an unfinished UTF-8 character; unfinished escape sequences are dropped."""
        rest, self._pending = self._pending, b""
        return b"" if rest.startswith(b"\x1b") else rest
