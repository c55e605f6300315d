"""Fetching from an index, of which nothing good is expected."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.preflight.sources import fetch as module
from sandbox.preflight.sources.fetch import LookUpFailed, fetch


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for letter in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 30:
                    self.wfile.write(bytes([letter]))
                    time.sleep(0.04)
            return
        code = int(self.path[1:4])
        body = b"x" * int(self.path.partition("?")[0][5:] or 0)
        self.send_response(code)
        if code == 302:
            self.send_header("Location", self.path.partition("?")[2])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked has heard enough
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_there_is_given(base: str) -> None:
    assert fetch(f"{base}/200/3") == b"xxx"


@pytest.mark.parametrize("code", [404, 410, 451])
def test_what_is_not_there_is_none(base: str, code: int) -> None:
    assert fetch(f"{base}/{code}/0") is None


@pytest.mark.parametrize("code", [401, 403, 500])
def test_a_refusal_is_no_answer(base: str, code: int) -> None:
    with pytest.raises(LookUpFailed, match=str(code)):
        fetch(f"{base}/{code}/0")


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:1/", "https://localhost/", "http://index.invalid/", "https://10.0.0.1/", "ftp://ftp.invalid/"],
)
def test_a_redirect_to_this_machine_or_out_of_https_is_not_followed(base: str, target: str) -> None:
    with pytest.raises(LookUpFailed, match="not followed"):
        fetch(f"{base}/302/0?{target}")


def test_too_much_is_refused(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    with pytest.raises(LookUpFailed, match="larger"):
        fetch(f"{base}/200/200000")


def test_taking_too_long_is_refused(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS", 1e-9)
    with pytest.raises(LookUpFailed):
        fetch(f"{base}/200/200000")


def test_a_server_that_sends_its_headers_letter_by_letter_does_not_hold_us(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    begin = time.monotonic()
    with pytest.raises(LookUpFailed, match="took more than"):
        fetch(f"{base}/slow")
    assert time.monotonic() - begin < 1.2


@pytest.mark.parametrize("url", ["http://index.invalid/", "file:///etc/passwd", "ftp://127.0.0.1/", "no address"])
def test_only_https_and_this_machine_are_asked(url: str) -> None:
    with pytest.raises(LookUpFailed, match="no https"):
        fetch(url)


def test_nobody_there_is_a_failure() -> None:
    with pytest.raises(LookUpFailed, match="does not answer"):
        fetch("http://127.0.0.1:1/")
