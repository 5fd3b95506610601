"""What servers tell of their models, and whose answers are whose."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.opening import Where, identified, server_arguments
from rearank_cli.engines.served import Served
from rearank_cli.engines.store import Store
from rearank_cli.errors import RearankError


@contextmanager
def listing(status: int = 200, **entry: Any) -> Iterator[str]:
    """Serve a list of one model, `m`, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802  the name that http.server looks for
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"data": [{"id": "m", **entry}]}).encode())

        def log_message(self, *args: Any) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def identity(store: Store | None, *urls: str) -> dict[str, Any]:
    return identified(EngineSettings(Model("m")), Where(urls), store).identity()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def test_servers_that_share_a_name_for_different_models_share_no_answers(store: Store) -> None:
    with listing(root="/models/one", owned_by="vllm") as one, listing(root="/models/two") as two:
        assert identity(store, one) != identity(store, two)


def test_a_model_that_moves_to_another_server_keeps_its_answers(store: Store) -> None:
    root = "Qwen/Qwen2.5-7B-Instruct"
    with listing(root=root, owned_by="vllm") as one, listing(root=root, owned_by="vllm") as two:
        assert identity(store, one) == identity(store, two) == identity(store, two, one)


def test_servers_that_tell_nothing_are_known_by_their_url(store: Store) -> None:
    with listing() as one, listing() as two:
        assert identity(store, one) != identity(store, two)
        assert one in identity(store, one)["revision"]


def test_a_server_that_is_away_is_known_by_what_it_told(store: Store) -> None:
    with listing(root="/models/one") as url:
        told = identity(store, url)
    assert identity(store, url) == told
    with listing(root="/models/one") as alive:
        assert identity(store, url, alive) == told


def test_a_server_that_is_starting_tells_nothing_yet(store: Store) -> None:
    with listing(root="/models/one") as url:
        told = identity(store, url)
    with listing(503) as starting, listing(root="/models/one") as ready:
        assert identity(store, starting, ready) == told


def test_without_a_cache_no_server_is_asked_for_its_identity() -> None:
    assert identity(None, "http://127.0.0.1:9/v1")["revision"] == ""


@pytest.mark.parametrize(
    ("served", "known"),
    [
        (Served("m", "/models/one", "", "vllm"), "vllm /models/one"),
        (Served("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "", "sglang"), "sglang Qwen/Qwen3-8B"),
        (Served("lora", "/loras/a", "base", "vllm"), "vllm /loras/a base"),
        (Served("default", "default", "", "sglang"), "http://host/v1"),
        (Served("gpt-5", "", "", "openai"), "http://host/v1"),
    ],
)
def test_what_tells_a_model_from_others(served: Served, known: str) -> None:
    assert served.identity("http://host/v1") == known


def test_fields_of_requests_are_json_where_they_can_and_left_out_without_a_value() -> None:
    assert server_arguments(["temperature=", "reasoning-effort=low", "top_k=5"]) == {
        "temperature": None,
        "reasoning_effort": "low",
        "top_k": 5,
    }
    with pytest.raises(RearankError, match="`server_args`: expected key=value"):
        server_arguments(["temperature"])
