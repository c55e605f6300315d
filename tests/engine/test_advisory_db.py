"""`audit --fetch-db`: git in the resolve container fetches the database, from a server on a loopback port."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.engine.crates import binary
from tests.harness import Done, Lab, sandboxed
from tests.unit.preflight.advisory_files import markdown

pytestmark = pytest.mark.engine

_WHO = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t.invalid", "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@t.invalid", "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, env=os.environ | _WHO, check=True, stdout=subprocess.DEVNULL)


def _commit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if not (folder / ".git").exists():
        _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "x")


@contextlib.contextmanager
def _served(top: Path) -> Iterator[str]:
    """Git's own server for HTTP (git-http-backend(1)), below a loopback URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            env = os.environ | {
                "GIT_PROJECT_ROOT": str(top), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
            }  # fmt: skip
            done = subprocess.run(["git", "http-backend"], env=env, input=body, stdout=subprocess.PIPE, check=True)
            head, _, data = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_database_is_fetched_used_and_kept_when_the_next_fetch_fails(lab: Lab, tmp_path: Path) -> None:
    project = lab.project(binary(more='\n[dependencies]\nitoa = "=1.0.11"\n'))
    assert sandboxed(project, "plan", "check").code == 0
    bad = markdown("RUSTSEC-2099-0001", "itoa", versions='patched = [">=1.0.12"]', categories=["malicious"])
    _commit(tmp_path / "db", {"crates/itoa/RUSTSEC-2099-0001.md": bad})
    _commit(tmp_path / "other", {"README.md": "no database"})
    # A cache of its own: what is fetched here is no business of other tests.
    cache = {"XDG_CACHE_HOME": str(project.home / "own-cache")}

    def audit(*words: str, url: str = "") -> Done:
        more = {"CARGO_SANDBOX_ADVISORY_URL": url} if url else {}
        return sandboxed(project, "audit", "--only", "advisories", *words, env=cache | more)

    assert audit().code == 122, "there is none yet"
    with _served(tmp_path) as url:
        done = audit("--fetch-db", url=f"{url}/db")
        assert done.code == 120 and "error[CS0550]: package itoa 1.0.11" in done.stdout, done.shown
        other = audit("--fetch-db", url=f"{url}/other")
        assert other.code == 101 and "is no advisory database" in other.stderr, other.shown
        gone = audit("--fetch-db", url=f"{url}/nobody")
        assert gone.code == 101 and "could not be fetched" in gone.stderr, gone.shown
        # Whoever is killed between the two renames leaves the old one aside; a fetch that fails brings it back.
        (kept,) = project.home.rglob("preflight/advisory-db")
        kept.rename(kept.with_name("advisory-db.old"))
        assert audit("--fetch-db", url=f"{url}/nobody").code == 101
        project.write({"cargo-sandbox.toml": '[advisories]\ndb = "nothing"\n', "nothing/crates/README.md": ""})
        done = audit("--fetch-db", url=f"{url}/db")
        assert done.code == 120 and "CS0550" in done.stdout, "no file of policy puts another in its place"
        project.remove("cargo-sandbox.toml")
        both = audit("--fetch-db", "--advisory-db", "db")
        assert both.code == 2 and "named or" in both.stderr, both.shown
    # The one from before is still there, also for builds.
    assert audit().code == 120
    built = sandboxed(project, "build", env=cache)
    assert built.code == 120 and "nothing was run" in built.stderr, built.shown
    assert sorted(path.name for path in kept.parent.glob("advisory-db*")) == ["advisory-db", "advisory-db.lock"]


@pytest.mark.parametrize(
    "url", ["ext::sh -c id", "file:///etc", "http://192.0.2.1/db", "--upload-pack=id", "ssh://h/x"]
)
def test_nothing_but_https_is_asked(lab: Lab, url: str) -> None:
    project = lab.project(binary())
    done = sandboxed(project, "audit", "--fetch-db", env={"CARGO_SANDBOX_ADVISORY_URL": url})
    assert done.code == 2 and "is no https address" in done.stderr, done.shown
