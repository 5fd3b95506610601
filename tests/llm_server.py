"""A real HTTP server with OpenAI's chat completions, whose answers and troubles are scripted."""

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from scripted import by_number

from rearank_cli.records import Message, Prompt

Script = Callable[[Prompt], str]
"""Answers a prompt, or raises `OverflowError` for one that does not fit the model."""


class LlmServer(ThreadingHTTPServer):
    """Serves one model; `finished` lists the prompts that were answered, in order, and `bodies`
    all requests.

    A `share` of the requests meets one of the `troubles`. While it is `away`, connections are
    dropped, those of requests in flight too. Answers come word by word to those who ask for that.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        script: Script = by_number,
        seconds: float = 0.0,
        troubles: Sequence[str] = (),
        share: float = 0.5,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.seconds = seconds
        self.troubles = list(troubles)
        self.share = share
        self.random = random.Random(0)
        self.finished: list[Prompt] = []
        self.bodies: list[dict[str, Any]] = []
        self.refused = 0
        self.pause = 0.0  # seconds after each word of an answer that is streamed
        self.away = False
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no new connection while away."""
        return not self.away

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a client is killed in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    server: LlmServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:  # noqa: N802  the name that http.server looks for
        self.reply({"data": [{"id": "scripted", "max_model_len": 100_000}]})

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = tuple(Message(**message) for message in body["messages"])
        with self.server.lock:
            self.server.bodies.append(body)
            chance = self.server.random
            troubled = self.server.troubles and chance.random() < self.server.share
            trouble = chance.choice(self.server.troubles) if troubled else ""
            self.server.refused += bool(trouble)
        if trouble:
            self.fail(trouble)
            return
        time.sleep(self.server.seconds)
        if self.server.away:
            self.close_connection = True
            return
        try:
            text = self.server.script(prompt)
        except OverflowError as error:
            self.reply({"error": {"message": str(error), "code": "context_length_exceeded"}}, 400)
            return
        if body.get("stream") and not self.told(text):
            return
        with self.server.lock:
            self.server.finished.append(prompt)
        if body.get("stream"):
            return
        self.reply(
            {
                "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10},
            }
        )

    def told(self, text: str) -> bool:
        """Send an answer word by word; return whether the other side listened to the end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        words = [{"delta": {"content": word}} for word in re.findall(r"\s*\S+|\s+", text)]
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        events: list[dict[str, Any]] = [{"choices": [each]} for each in words]
        events += [{"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage}]
        try:
            for event in events:
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
                time.sleep(self.server.pause)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return False
        return True

    def fail(self, trouble: str) -> None:
        """Misbehave in one of the ways that servers do."""
        if trouble == "hang":
            time.sleep(3)
        if trouble in ("reset", "hang"):
            self.close_connection = True
        elif trouble == "truncate":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        elif trouble == "garbage":
            self.reply("[3] > [1] is no completion")
        else:
            self.reply({"error": {"message": "Limit 10, used 7, try again in 20s"}}, int(trouble))

    def reply(self, data: Any, status: int = 200) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


Kind = TypeVar("Kind", bound=ThreadingHTTPServer)


@contextmanager
def running(server: Kind) -> Iterator[Kind]:
    """Run a server in a thread until the block ends."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serving(
    script: Script = by_number,
    seconds: float = 0.0,
    troubles: Sequence[str] = (),
    share: float = 0.5,
) -> Iterator[LlmServer]:
    """Run a server until the block ends."""
    with running(LlmServer(script, seconds, troubles, share)) as server:
        yield server
