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


_WORDS = 300
_PROSE = re.compile(r"[\\`*_{}\[\]<>~|&!^]|:(?=/)|(?<=[wW]{3})\.")
_NO_CODE = str.maketrans({"`": "\\x60", "|": "\\x7c", "\t": " "})
_TROUBLE = str.maketrans({"@": "\\x40", "#": "\\x23", "$": "\\x24"})


def markdown_code(value: object, limit: int = _WORDS) -> str:
    """`value` as one code span of GitHub's Markdown, good also in a cell of a table.

    In a code span nothing is markup, a mention or a link, so only its own end (a backtick) and a cell's end (a bar,
    which counts there even in code) have to be shown as escapes. Source: GFM 0.29, sections 6.3 and 4.10.
    """
    text = render_untrusted(value, limit).translate(_NO_CODE)
    return f"`{text}`" if text.strip() else "`?`"


def markdown_text(value: object, limit: int = _WORDS) -> str:
    """`value` as prose within a line of GitHub's Markdown: signs that could be markup, or make a link of an address,
    become character references, which never are.

    Signs that GitHub looks for outside of Markdown (mentions, issue numbers, formulas) are shown as escapes instead.
    """
    text = render_untrusted(value, limit).translate(_TROUBLE)
    return _PROSE.sub(lambda match: f"&#{ord(match.group())};", text).strip() or "?"


def sarif_text(value: object, limit: int = 1000) -> str:
    """`value` as a plain-text message of SARIF 2.1.0, without placeholders (3.11.5) and embedded links (3.11.6)."""
    text = render_untrusted(value, limit).replace("](", "]\\x28")
    # GitHub refuses empty texts.
    return text.replace("{", "{{").replace("}", "}}").strip() or "?"
