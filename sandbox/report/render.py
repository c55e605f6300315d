"""The only door for text that comes from outside: a build, a manifest, a record.

C0 and C1 controls, DEL, bidirectional overrides and line separators are shown as escapes, so nothing that a crate
prints or calls itself can move the cursor, set the clipboard or forge a line (cargo passes them through: cargo#15829).
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_MAX = 400


def render_untrusted(value: object, limit: int = _MAX) -> str:
    """`value` as one safe line of at most `limit` characters (the middle is cut)."""
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit:
        text = text[: limit // 2] + "…" + text[-(limit // 2) :]
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
