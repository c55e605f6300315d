"""How cargo names the folders of a registry in its home: the index's host and a hash of its URL.

Cargo hashes the kind of source and the URL (`SourceId` in `src/core/source_id.rs`, `short_hash` in `src/util/hex.rs`):
until 1.84 with SipHash-2-4 over the kind as 8 bytes, since then with the 128 bits of SipHash-1-3 over one byte, both of
its halves folded into one. SipHash: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012).
"""

from __future__ import annotations

from sandbox.preflight.sources.source import CRATES_IO, GIT_INDEX, SPARSE_INDEX, host, key

_MASK = (1 << 64) - 1
_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_GIT_REGISTRY, _SPARSE_REGISTRY, _LOCAL_REGISTRY = 2, 3, 4


def of_registry(url: str) -> tuple[str, ...]:
    """The names that cargo of any version gives to the folders of that index; crates.io's two indexes count as one."""
    return tuple(
        name
        for one in urls(url)
        for name in _names(_SPARSE_REGISTRY if one.startswith("sparse+") else _GIT_REGISTRY, one, host(one))
    )


def urls(url: str) -> tuple[str, ...]:
    """The addresses that one index may have: crates.io has two."""
    return (SPARSE_INDEX, GIT_INDEX) if key(url) == CRATES_IO else (url.removeprefix("registry+"),)


def of_local_registry(path: str) -> tuple[str, ...]:
    """As `of_registry`, for a `local-registry` at an absolute path."""
    return _names(_LOCAL_REGISTRY, f"file://{path}", "")


def _names(kind: int, url: str, host_name: str) -> tuple[str, ...]:
    # A text is hashed with 0xff at its end, so that two in a row can't be confused.
    text = url.encode("utf-8", "surrogateescape") + b"\xff"
    low, high = _sip(bytes([kind]) + text, 1, 3, wide=True)
    new = (3 * low + high) & _MASK
    old, _ = _sip(kind.to_bytes(8, "little") + text, 2, 4, wide=False)
    return tuple(f"{host_name}-{value.to_bytes(8, 'little').hex()}" for value in (new, old))


def _sip(data: bytes, rounds: int, final_rounds: int, *, wide: bool) -> tuple[int, int]:
    """SipHash with the key 0: the 64-bit hash and 0, or the two halves of the 128-bit one."""
    a, b, c, d = _START
    state = (a, b ^ 0xEE if wide else b, c, d)
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        a, b, c, d = state
        a, b, c, d = _mixed((a, b, c, d ^ word), rounds)
        state = (a ^ word, b, c, d)
    a, b, c, d = state
    a, b, c, d = _mixed((a, b, c ^ (0xEE if wide else 0xFF), d), final_rounds)
    first = a ^ b ^ c ^ d
    if not wide:
        return first, 0
    a, b, c, d = _mixed((a, b ^ 0xDD, c, d), final_rounds)
    return first, a ^ b ^ c ^ d


def _mixed(state: tuple[int, int, int, int], rounds: int) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for _ in range(rounds):
        a = (a + b) & _MASK
        b = _turned(b, 13) ^ a
        a = _turned(a, 32)
        c = (c + d) & _MASK
        d = _turned(d, 16) ^ c
        a = (a + d) & _MASK
        d = _turned(d, 21) ^ a
        c = (c + b) & _MASK
        b = _turned(b, 17) ^ c
        c = _turned(c, 32)
    return a, b, c, d


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
