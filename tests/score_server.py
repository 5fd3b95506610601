"""Servers that score passages over HTTP, in the dialects of four kinds of server.

The shapes are those of their public references: Cohere's v2 and Jina's rerank, vLLM's rerank and
score, text-embeddings-inference's rerank and info. `served` says which one it is.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from llm_server import running

Dialect = Literal["cohere", "jina", "vllm", "tei", "voyage"]
PATHS: dict[Dialect, tuple[str, ...]] = {
    "cohere": ("/v2/rerank",),
    "jina": ("/v1/rerank",),
    "voyage": ("/v1/rerank",),
    "vllm": ("/rerank", "/v1/rerank", "/v2/rerank", "/score", "/v1/score"),
    "tei": ("/rerank",),
}
MODEL = "cross/encoder"
Reply = tuple[int, Any]


def by_number(query: str, passage: str) -> float:
    """Score "passage 07" by its number, the lowest best; between 0 and 1."""
    return 1 / (1 + int(re.findall(r"\d+", passage + " 0" * (passage == "b"))[-1]))


class ScoreServer(ThreadingHTTPServer):
    """Serves one model; `bodies` has all requests with their paths.

    `troubles` are replies that come first, one a request. Passages of more than `longest` words are
    refused, and with text-embeddings-inference more than `most` of them.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dialect = dialect
        self.score: Callable[[str, str], float] = by_number
        self.troubles: list[Reply] = []
        self.longest = 10**9
        self.most = 32
        self.key = ""
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def passages(self) -> list[list[str]]:
        """Return what was scored, request by request; tries with one letter are no work."""
        names = ("documents", "texts", "text_2")
        found = [next(body[name] for name in names if name in body) for _, body in self.bodies]
        return [each for each in found if each != ["b"]]


class _Handler(BaseHTTPRequestHandler):
    server: ScoreServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:  # noqa: N802  the name that http.server looks for
        if self.path == "/v1/models" and self.server.dialect == "vllm":
            self.reply(200, {"data": [{"id": MODEL, "root": "/weights/cross", "owned_by": "vllm"}]})
        elif self.path == "/info" and self.server.dialect == "tei":
            described = {"model_id": MODEL, "model_sha": "abc", "max_client_batch_size": 32}
            self.reply(200, {**described, "model_type": {"reranker": {}}, "auto_truncate": False})
        else:
            self.reply(404, {"detail": "Not Found"})

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        if self.path not in PATHS[server.dialect]:
            self.reply(404, {"detail": "Not Found"})
            return
        if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
            self.reply(401, {"message": "invalid api token"})
            return
        with server.lock:
            server.bodies.append((self.path, body))
            trouble = server.troubles.pop(0) if server.troubles else None
        self.reply(*(trouble or answers(server, self.path, body)))

    def reply(self, status: int, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def answers(server: ScoreServer, path: str, body: dict[str, Any]) -> Reply:
    """Return what the server says to a body; fields that it does not know are an error."""
    if server.dialect == "tei":
        return _tei(server, body)
    if path.endswith("/score"):
        return _vllm_score(server, body)
    known = {"model", "query", "documents"}
    missing = known - set(body)
    if missing or set(body) - known:
        return 422, {"detail": [{"loc": sorted(missing ^ set(body)), "msg": "Field required"}]}
    if body["model"] != MODEL:
        return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
    if too_long := _too_long(server, body["documents"]):
        return too_long
    scored = _scored(server, body["query"], body["documents"])
    results = [{"index": index, "relevance_score": score} for index, score in scored]
    tokens = sum(len(each.split()) for each in body["documents"])
    if server.dialect == "cohere":
        meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
        return 200, {"id": "x", "results": results, "meta": meta}
    if server.dialect == "voyage":
        usage = {"total_tokens": tokens}
        return 200, {"object": "list", "data": results, "model": MODEL, "usage": usage}
    shown = [
        {**each, "document": {"text": body["documents"][int(each["index"])]}} for each in results
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return 200, {"id": "x", "model": MODEL, "usage": usage, "results": shown}


def _tei(server: ScoreServer, body: dict[str, Any]) -> Reply:
    if "texts" not in body:
        return 422, "Failed to deserialize the JSON body: missing field `texts` at line 1"
    if len(body["texts"]) > server.most:
        told = f"batch size {len(body['texts'])} > maximum allowed batch size {server.most}"
        return 422, {"error": told, "error_type": "Validation"}
    for text in body["texts"]:
        if len(text.split()) > server.longest:
            told = (
                f"Input validation error: `inputs` must have less than {server.longest} tokens. "
                f"Given: {len(text.split())}"
            )
            return 413, {"error": told, "error_type": "Validation"}
    scored = _scored(server, body["query"], body["texts"])
    return 200, [{"index": index, "score": score} for index, score in scored]


def _vllm_score(server: ScoreServer, body: dict[str, Any]) -> Reply:
    if set(body) != {"model", "text_1", "text_2"}:
        return 400, {"error": {"message": "validation error", "type": "BadRequestError"}}
    pairs = enumerate(server.score(body["text_1"], text) for text in body["text_2"])
    data = [{"index": index, "object": "score", "score": score} for index, score in pairs]
    return 200, {"object": "list", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}


def _too_long(server: ScoreServer, documents: list[str]) -> Reply | None:
    words = max(len(each.split()) for each in documents)
    if words <= server.longest:
        return None
    told = (
        f"This model's maximum context length is {server.longest} tokens. However, your prompt "
        f"contains {words} input tokens, which exceeds this limit even without any output tokens."
    )
    return 400, {"error": {"message": told, "type": "BadRequestError", "param": "input_tokens"}}


def _scored(server: ScoreServer, query: str, documents: list[str]) -> list[tuple[int, float]]:
    """Return indices and scores, best first, as rerank servers sort them."""
    scores = [(index, server.score(query, text)) for index, text in enumerate(documents)]
    return sorted(scores, key=lambda each: -each[1])


@contextmanager
def scoring(dialect: Dialect = "vllm") -> Iterator[ScoreServer]:
    """Run a server until the block ends."""
    with running(ScoreServer(dialect)) as server:
        yield server
