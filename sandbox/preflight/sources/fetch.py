"""Fetches small files of an index: over https, or from this machine itself, with limits on everything.

Nothing of cargo's credentials is read: a registry that wants a token refuses, and the look-up is "not done".
"""

from __future__ import annotations

import ipaddress
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

from sandbox.errors import SandboxError
from sandbox.preflight.sources.index import MAX_BYTES
from sandbox.preflight.sources.source import clip, host, is_loopback, scheme

_SECONDS = 10.0
_REDIRECTS = 5
_CHUNK = 1 << 16
_ABSENT = (404, 410, 451)
"""What a sparse index answers for a name that it has not (the Cargo Book, "Sparse Protocol")."""


class LookUpFailed(SandboxError):
    """An index did not answer as an index does. `check` then says "not done"."""


def fetch(url: str) -> bytes | None:
    """The content at a URL, at most `index.MAX_BYTES`; None when the index says that there is none.

    Raises LookUpFailed for every other answer, for redirects to anything but https, and when ten seconds are over.
    """
    answers: SimpleQueue[bytes | SandboxError | None] = SimpleQueue()
    # A socket's own limit is for each piece that arrives, so a server could send a header's letters for days. Nothing
    # can stop a look-up of a name or a handshake, so it is left behind; the program's end does not wait for it.
    Thread(target=lambda: answers.put(_tried(url)), daemon=True, name="fetch").start()
    try:
        answer = answers.get(timeout=_SECONDS)
    except Empty:
        raise LookUpFailed(f"{clip(url)} took more than {_SECONDS:.0f} seconds") from None
    if isinstance(answer, SandboxError):
        raise answer
    return answer


def _tried(url: str) -> bytes | SandboxError | None:
    try:
        return _fetched(url)
    except SandboxError as error:
        return error


def _fetched(url: str) -> bytes | None:
    local = is_loopback(url)
    if scheme(url) != "https" and not (local and scheme(url) == "http"):
        raise LookUpFailed(f"{clip(url)} is no https address")
    # The user's proxy is for what is outside of this machine.
    proxies = urllib.request.ProxyHandler({} if local else None)
    opener = urllib.request.build_opener(proxies, _Careful())
    end = time.monotonic() + _SECONDS
    request = urllib.request.Request(url, headers={"User-Agent": "cargo-sandbox", "Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return _all(answer, url, end)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _ABSENT:
            return None
        raise LookUpFailed(f"{clip(url)} answers with {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise LookUpFailed(f"{clip(url)} does not answer: {clip(str(error))}") from None


def _all(answer: IO[bytes], url: str, end: float) -> bytes:
    data = bytearray()
    # `read1` gives what has arrived, so that a server that sends a byte a second does not hold us.
    while chunk := answer.read1(_CHUNK):  # type: ignore[attr-defined]
        data += chunk
        if len(data) > MAX_BYTES:
            raise LookUpFailed(f"{clip(url)} is larger than {MAX_BYTES} bytes")
        if time.monotonic() > end:
            raise LookUpFailed(f"{clip(url)} took more than {_SECONDS:.0f} seconds")
    return bytes(data)


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows few redirects, and none that leads out of https or to an address of a private network."""

    max_redirections = _REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if scheme(newurl) != "https" or is_loopback(newurl) or _is_inside(newurl):
            fp.close()
            raise LookUpFailed(f"{clip(req.full_url)} leads to {clip(newurl)}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_inside(url: str) -> bool:
    try:
        return not ipaddress.ip_address(host(url)).is_global
    except ValueError:
        return False
