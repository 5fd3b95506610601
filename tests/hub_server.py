"""A model hub on this machine: one model, downloads that can be broken off."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REVISION = "a" * 40
LARGE = 1000  # bytes from which a file is kept apart, with a SHA-256 of its own


class Hub:
    """What the hub has, what was asked of it, and how it fails.

    `limit` breaks every download of weights off after so many bytes, `pace` is waited for before
    each block.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.name = "some/model"
        self.url = ""
        self.requests: list[tuple[str, str]] = []  # paths, and ranges where one was asked for
        self.tokens: list[str | None] = []
        self.limit: int | None = None
        self.pause = threading.Event()
        self.pause.set()

    def asked(self, part: str) -> list[tuple[str, str]]:
        """Return the requests for contents whose paths hold this part."""
        return [request for request in self.requests if part in request[0]]

    def info(self) -> dict[str, object]:
        return {
            "id": self.name,
            "modelId": self.name,
            "sha": REVISION,
            "private": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [
                {"rfilename": name, "size": len(data), "blobId": blob_id(data), **lfs(data)}
                for name, data in self.files.items()
            ],
        }

    def tree(self) -> list[dict[str, object]]:
        found = []
        for name, data in self.files.items():
            entry = {"type": "file", "path": name, "size": len(data), "oid": blob_id(data)}
            extra = lfs(data)
            if extra:
                entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 130}
            found.append(entry)
        return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def blob_id(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def lfs(data: bytes) -> dict[str, object]:
    """Return what the hub says beside of a large file."""
    if len(data) < LARGE:
        return {}
    return {"lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 130}}


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does what its client and ours ask."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if "/resolve/" in path:
            self._file(path)
        elif "/tree/" in path:
            self._json(self.hub.tree())
        else:
            self._json(self.hub.info())

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: str) -> None:
        data = self.hub.files[path.split(f"/resolve/{REVISION}/")[1]]
        asked = self.headers.get("Range", "")
        if self.command == "GET":
            self.hub.requests.append((path, asked))
            self.hub.tokens.append(self.headers.get("Authorization"))
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if start >= len(data) > 0:
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{sha256(data) if lfs(data) else blob_id(data)}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        if self.command == "GET":
            self._body(data[start:], bool(lfs(data)))

    def _body(self, data: bytes, large: bool) -> None:
        if large and self.hub.limit is not None and self.hub.limit < len(data):
            self.wfile.write(data[: self.hub.limit])
            self.wfile.flush()
            self.hub.pause.wait()
            self.close_connection = True
            return
        self.wfile.write(data)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    """Serve these files as one model as long as the block runs."""
    hub = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.pause.set()
        server.shutdown()
        server.server_close()
