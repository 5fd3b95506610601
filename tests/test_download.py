"""Downloads against a server of our own on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.formats.download import Download, check_space, fetch

CONTENT = bytes(range(256)) * 40
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(HTTPServer):
    """Serves `CONTENT` at every path but /missing; notes what was asked.

    `cut` ends each answer after so many bytes; `ranges` says whether it continues downloads.
    """

    cut: int | None = None
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:  # noqa: N802  the name that http.server calls
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:][: self.server.cut])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_file_is_fetched_and_checked(server: Server, tmp_path: Path) -> None:
    fetch(Download([server.url], len(CONTENT), MD5), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_an_interrupted_download_is_continued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    fetch(Download([server.url], len(CONTENT), MD5), tmp_path / "file")
    assert server.asked == ["bytes=1000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    server: Server, tmp_path: Path
) -> None:
    server.cut = 4000
    fetch(Download([server.url], len(CONTENT), MD5), tmp_path / "file")
    assert server.asked == [None, "bytes=4000-", "bytes=8000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_cannot_continue_sends_everything_again(
    server: Server, tmp_path: Path
) -> None:
    server.ranges = False
    (tmp_path / "file.part").write_bytes(b"something else")
    fetch(Download([server.url], len(CONTENT), MD5), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_complete_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch(Download([server.url], len(CONTENT), MD5), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_the_next_address_is_tried_when_one_fails(server: Server, tmp_path: Path) -> None:
    missing = server.url.replace("/file", "/missing")
    fetch(Download([missing, server.url], len(CONTENT), MD5), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_what_has_another_md5_is_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RearankError, match=f"expected MD5 0+, found {MD5} .*was removed"):
        fetch(Download([server.url], len(CONTENT), "0" * 32), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_brought_by_hand_is_checked_and_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    fetch(Download([], len(CONTENT), MD5), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_when_no_address_delivers_the_place_for_the_file_is_named(
    server: Server, tmp_path: Path
) -> None:
    missing = server.url.replace("/file", "/missing")
    with pytest.raises(RearankError, match="the server says 404") as caught:
        fetch(Download([missing], len(CONTENT), MD5), tmp_path / "file")
    assert str(tmp_path / "file") in caught.value.hint


def test_a_disk_without_room_is_told_before_anything_is_fetched(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(RearankError, match="of free space"):
        fetch(Download([server.url], 1 << 60, MD5), tmp_path / "file")
    assert server.asked == []
    check_space(tmp_path, 1)
