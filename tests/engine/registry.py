"""A registry of packages on a loopback port, with cargo's sparse protocol."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def package(name: str, version: str, files: Mapping[str, str]) -> bytes:
    """A `.crate` file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    return data.getvalue()


@contextlib.contextmanager
def registry(
    packages: Mapping[tuple[str, str], bytes],
    needs: Mapping[tuple[str, str], str] | None = None,
    features: Mapping[str, list[str]] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """Serve `packages` ((name, version) -> `.crate`), each of which may need one other by its name and has `features`;
    gives the index's URL for a `sparse+` source and the list of paths that were asked for, which grows.

    Format: the Cargo Book, "Registry Index".
    """
    asked: list[str] = []
    pages: dict[str, bytes] = {}
    for (name, version), data in packages.items():
        line = {
            "name": name, "vers": version, "deps": [], "features": dict(features or {}), "yanked": False,
            "cksum": hashlib.sha256(data).hexdigest(),
        }  # fmt: skip
        if other := (needs or {}).get((name, version)):
            line["deps"] = [{
                "name": other, "req": "^1", "features": [], "optional": False, "default_features": True,
                "target": None, "kind": "normal",
            }]  # fmt: skip
        place = f"/{name[:2]}/{name[2:4]}/{name}" if len(name) > 3 else f"/{len(name)}/{name}"
        pages[place] = pages.get(place, b"") + json.dumps(line).encode() + b"\n"
        pages[f"/dl/{name}/{version}/download"] = data

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}/"
    pages["/config.json"] = json.dumps({"dl": f"{url}dl"}).encode()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
