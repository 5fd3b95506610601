import asyncio
import json
import logging
import re
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import httpx
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedEngine
from serving import QUERY, Running, Setup, body, documents, running

from rearank_cli.errors import EngineError, EngineStartError, RearankError
from rearank_cli.records import Completion, Prompt, Request
from rearank_cli.serving.app import Access
from rearank_cli.serving.auth import Keys, check_host, check_open, is_local, read_keys
from rearank_cli.serving.gate import Gate
from rearank_cli.serving.limits import Limits
from rearank_cli.serving.refusals import Refusal

SECRET = "a-secret-of-the-request"


class HeldEngine(ScriptedEngine):
    """Answers nothing before it is let go; knows how many of its calls were given up."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.free = threading.Event()
        self.cancelled = 0

    async def complete(self, request: Request) -> Completion:
        self.in_flight += 1
        try:
            while not self.free.is_set():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        return await super().complete(request)


@contextmanager
def asking(server: Running, count: int, content: Any) -> Iterator[list[Any]]:
    """Send requests from threads; give the futures of their replies."""
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(server.post, "/v2/rerank", content) for _ in range(count)]


# --- the engine is one


def test_the_windows_of_all_requests_share_the_engine_s_slots() -> None:
    engine = ScriptedEngine(seconds=lambda prompt: 0.01, capacity=3)
    with running(engine) as server, asking(server, 12, body(25)) as replies:
        assert all(reply.result().status_code == 200 for reply in replies)
    assert engine.peak == 3
    assert engine.opened == engine.closed == 1


def test_an_older_request_goes_before_a_younger_one() -> None:
    async def order() -> list[int]:
        gate, found = Gate(lambda: 1), []

        async def pass_through(turn: int) -> None:
            await gate.enter(turn)
            found.append(turn)
            gate.leave()

        await gate.enter(-1)
        tasks = [asyncio.create_task(pass_through(turn)) for turn in (3, 1, 2, 0)]
        await asyncio.sleep(0)
        gate.leave()
        await asyncio.gather(*tasks)
        return found

    assert asyncio.run(order()) == [0, 1, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30), st.integers(1, 4))
def test_the_gate_loses_no_slot_whoever_gives_up(
    comers: list[tuple[int, bool]], slots: int
) -> None:
    async def run() -> None:
        gate = Gate(lambda: slots)
        peak = 0

        async def pass_through(turn: int) -> None:
            nonlocal peak
            await gate.enter(turn)
            peak = max(peak, gate.inside)
            try:
                await asyncio.sleep(0)
            finally:
                gate.leave()

        tasks = [asyncio.create_task(pass_through(turn)) for turn, _ in comers]
        await asyncio.sleep(0)
        for task, (_, gives_up) in zip(tasks, comers, strict=True):
            if gives_up:
                task.cancel()
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gate.inside == gate.waiting == 0
        assert peak <= slots

    asyncio.run(run())


# --- too much, too late, gone


def test_a_full_queue_turns_away_and_says_when_to_come_again() -> None:
    engine = HeldEngine()
    with running(engine, Setup(Limits(queue=2))) as server:
        with asking(server, 2, body(5)) as replies:
            server.until(lambda: server.service.queue.under_way == 2)
            refused = server.post("/v2/rerank", body(5))
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error_type"] == "overloaded"
            engine.free.set()
        assert [reply.result().status_code for reply in replies] == [200, 200]
        assert server.post("/v2/rerank", body(5)).status_code == 200


def test_a_request_past_its_deadline_is_given_up() -> None:
    engine = HeldEngine()
    with running(engine, Setup(Limits(deadline=0.2))) as server:
        reply = server.post("/v2/rerank", body(5))
        assert reply.status_code == 504
        assert (engine.cancelled, engine.in_flight) == (1, 0)
        assert server.service.queue.under_way == 0


def raw(server: Running, content: bytes, length: int | None = None) -> socket.socket:
    """Send a request by hand; return its connection."""
    connection = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    size = len(content) if length is None else length
    head = f"POST /v2/rerank HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + content)
    return connection


def test_what_a_client_that_leaves_had_asked_is_cancelled() -> None:
    engine = HeldEngine()
    with running(engine) as server:
        connection = raw(server, json.dumps(body(25)).encode())
        server.until(lambda: engine.in_flight == 1)
        connection.close()
        server.until(lambda: engine.cancelled == 1)
        server.until(lambda: server.service.queue.under_way == 0)
        engine.free.set()
        assert server.post("/v2/rerank", body(5)).status_code == 200
        assert 'status="499",way="/v2/rerank"} 1.0' in server.get("/metrics").text


def test_a_client_that_leaves_in_the_middle_of_its_body_is_forgotten() -> None:
    with running() as server:
        raw(server, b'{"query": ', 1000).close()
        assert server.post("/v2/rerank", body(5)).status_code == 200
        assert server.service.queue.under_way == 0


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_that_is_too_long_is_not_read_to_its_end(declared: bool) -> None:
    with running(setup=Setup(Limits(characters=100))) as server:
        longest = server.service.limits.body
        content = b" " * (longest + 1)
        sent: Any = content if declared else iter([content])
        reply = httpx.post(
            f"{server.url}/v2/rerank", content=sent, headers={"Content-Type": "application/json"}
        )
        assert reply.status_code == 413
        assert reply.json()["message"] == f"expected a body of at most {longest:,} bytes"


def test_a_declared_length_alone_is_enough_to_refuse() -> None:
    with running() as server:
        connection = raw(server, b"", 10**12)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (body(6), "documents: expected at most 5, found 6"),
        (
            body(documents=["x" * 80, "y" * 30]),
            f"query and documents: expected at most 100 characters, found {110 + len(QUERY)}",
        ),
        ({"query": "q", "texts": documents(6)}, "documents: expected at most 5, found 6"),
    ],
)
def test_a_request_above_the_limits_is_refused(content: Any, message: str) -> None:
    with running(setup=Setup(Limits(documents=5, characters=100))) as server:
        reply = server.post("/rerank", content)
        assert (reply.status_code, reply.json()["message"]) == (422, message)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"queue": 0}, "expected `queue` to be at least 1, found 0"),
        ({"documents": 0}, "expected `max_documents` to be at least 1, found 0"),
        ({"deadline": 0}, "expected `deadline` to be above 0, found 0"),
        ({"grace": -1}, "expected `grace` to be 0 or more, found -1"),
    ],
)
def test_limits_that_cannot_work_are_refused(numbers: Any, message: str) -> None:
    with pytest.raises(RearankError) as caught:
        Limits(**numbers)
    assert caught.value.message == message


# --- the engine's troubles


class SlowStart(ScriptedEngine):
    """Opens when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    async def open(self) -> None:
        while not self.free.is_set():
            await asyncio.sleep(0.005)
        await super().open()


def test_it_is_healthy_only_when_the_engine_is_ready() -> None:
    engine = SlowStart()
    with running(engine, Setup(wait=False)) as server:
        health = server.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "starting")
        early = server.post("/v2/rerank", body(5))
        assert (early.status_code, early.json()["error_type"]) == (503, "unhealthy")
        assert early.headers["Retry-After"] == "5"
        assert "rearank_ready 0.0" in server.get("/metrics").text
        engine.free.set()
        server.until(lambda: server.service.state == "ready")
        assert server.get("/health").status_code == 200
        assert server.post("/v2/rerank", body(5)).status_code == 200


def test_it_can_be_stopped_while_the_engine_starts() -> None:
    engine = SlowStart()
    with running(engine, Setup(wait=False)):
        pass
    assert (engine.opened, engine.closed) == (0, 1)


def test_a_failing_engine_is_told_and_makes_the_server_unhealthy_until_it_answers() -> None:
    trouble: list[Exception] = [EngineError("the engine died", "look")]

    def script(prompt: Prompt) -> str:
        if trouble:
            raise trouble[0]
        return "[1]"

    with running(ScriptedEngine(script)) as server:
        for _ in range(3):
            reply = server.post("/v2/rerank", body(5))
            assert reply.status_code == 502
            assert reply.json()["message"] == "query request, ranks 1-5: the engine died"
        assert server.get("/health").json()["status"] == "failing"
        trouble.clear()
        assert server.post("/v2/rerank", body(5)).status_code == 200
        assert server.get("/health").status_code == 200


def test_what_is_unforeseen_tells_nothing_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trouble = [True]

    def script(prompt: Prompt) -> str:
        if trouble:
            trouble.clear()
            raise ZeroDivisionError(SECRET)
        return "[1]"

    with caplog.at_level(logging.INFO), running(ScriptedEngine(script)) as server:
        reply = server.post("/v2/rerank", body(5))
        assert reply.status_code == 500
        assert reply.json()["message"] == "the server failed; its log says where"
        assert server.post("/v2/rerank", body(5)).status_code == 200
    assert "unforeseen ZeroDivisionError" in caplog.text
    assert "test_serving.py" in caplog.text
    assert SECRET not in caplog.text + reply.text


# --- who may ask


KEYED = Setup(access=Access(Keys(["one-key", "zwei-schlüssel"])))


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer one-key", 200),
        ("bearer  one-key", 200),
        ("one-key", 200),
        ("Bearer zwei-schlüssel".encode(), 200),
        ("Bearer one-ke", 401),
        ("Bearer one-key2", 401),
        ("Bearer", 401),
        ("Basic one-key", 401),
        ("", 401),
        (None, 401),
    ],
)
def test_a_key_is_needed_where_there_are_keys(header: Any, status: int) -> None:
    with running(setup=KEYED) as server:
        headers = {} if header is None else {"Authorization": header}
        reply = server.post("/v2/rerank", body(5), headers=headers)
        assert reply.status_code == status
        if status == 401:
            assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_everything_but_health_and_the_empty_page_needs_the_key() -> None:
    with running(ScriptedEngine(lambda prompt: "[1]"), KEYED) as server:
        for path in ("/metrics", "/v1/models", "/openapi.json", "/mcp", "/nothing"):
            assert server.get(path).status_code == 401, path
        assert server.post("/mcp", {}).status_code == 401
        assert server.get("/health").status_code == 200
        assert server.get("/").status_code == 200
        form = {"query": "q", "passages": "a\nb", "source": "own"}
        assert httpx.post(f"{server.url}/", data=form).status_code == 401
        assert httpx.post(f"{server.url}/", data={**form, "key": "one-key"}).status_code == 200


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours\n\nfirst\n second \n")
    file.chmod(0o600)
    keys = read_keys(str(file))
    assert [keys.accept(key) for key in (b"first", b"second", b"# ours", b"", b"third")] == [
        *[True, True],
        *[False, False, False],
    ]
    file.write_text("# none\n")
    with pytest.raises(RearankError, match="expected keys, one a line, found none"):
        read_keys(str(file))
    with pytest.raises(RearankError, match="no such file"):
        read_keys(str(tmp_path / "nothing"))


def test_others_who_can_read_the_keys_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_text("first\n")
    file.chmod(0o644)
    read_keys(str(file))
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.0.0.1.x"])
def test_an_address_that_others_reach_needs_keys_or_leave(host: str) -> None:
    assert not is_local(host)
    with pytest.raises(RearankError, match="--api-key-file"):
        check_open(host, Keys(), allow_anyone=False)
    check_open(host, Keys(), allow_anyone=True)
    check_open(host, Keys(["k"]), allow_anyone=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"])
def test_this_machine_alone_needs_neither(host: str) -> None:
    check_open(host, Keys(), allow_anyone=False)


@pytest.mark.parametrize(
    ("header", "well"),
    [
        ("127.0.0.1:8321", True),
        ("localhost", True),
        ("[::1]:8321", True),
        ("evil.example:8321", False),
        ("localhost.evil.example", False),
        ("", False),
        ("127.0.0.1.evil.example:80", False),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(header: str, well: bool) -> None:
    if well:
        check_host(header)
        return
    with pytest.raises(Refusal):
        check_host(header)


def test_the_host_is_looked_at_on_this_machine_alone() -> None:
    foreign = {"Host": "evil.example"}
    with running(setup=Setup(access=Access(local=True))) as server:
        assert server.post("/v2/rerank", body(5), headers=foreign).status_code == 421
        assert server.post("/v2/rerank", body(5)).status_code == 200
    with running() as server:
        assert server.post("/v2/rerank", body(5), headers=foreign).status_code == 200


# --- what is written down


@pytest.mark.parametrize("wanted", [False, True])
def test_texts_are_in_the_log_only_where_that_was_asked_for(
    wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def script(prompt: Prompt) -> str:
        if "fail" in str(prompt):
            raise EngineError(f"refused: {SECRET}")
        return f"<think>{SECRET}</think><answer>[1]</answer>"

    with caplog.at_level(logging.DEBUG):
        with running(ScriptedEngine(script), Setup(access=Access(log_requests=wanted))) as server:
            for query in (SECRET, f"fail {SECRET}"):
                server.post("/v2/rerank", {"query": query, "documents": [SECRET, "b"]})
                server.post("/rerank", {"query": query, "texts": [SECRET, "b"]})
                form = {"query": query, "passages": f"{SECRET}\nb", "source": "own"}
                httpx.post(f"{server.url}/", data=form)
            server.post("/v2/rerank", {"query": [SECRET], "documents": {SECRET: 1}})
    lines = [record.getMessage() for record in caplog.records if record.name == "rearank_cli"]
    assert sum("200 OK" in line for line in lines) == 3
    assert (SECRET in caplog.text) == wanted


def test_the_metrics_count_requests_windows_tokens_and_flaws() -> None:
    def script(prompt: Prompt) -> Completion:
        return Completion("<answer>[1]</answer>", prompt_tokens=7, completion_tokens=3)

    with running(ScriptedEngine(script)) as server:
        server.post("/v2/rerank", body(25))
        server.post("/v2/rerank", {})
        server.post("/whatever/somebody/thinks/of", {})
        found = server.get("/metrics").text
    for line in (
        'rearank_requests_total{status="200",way="/v2/rerank"} 1.0',
        'rearank_requests_total{status="422",way="/v2/rerank"} 1.0',
        'rearank_requests_total{status="404",way="other"} 1.0',
        'rearank_windows_total{source="engine"} 2.0',
        'rearank_window_flaws_total{flaw="missing"} 2.0',
        'rearank_tokens_total{direction="prompt"} 14.0',
        'rearank_tokens_total{direction="completion"} 6.0',
        "rearank_requests_under_way 0.0",
        "rearank_windows_in_flight 0.0",
        "rearank_queue_size 256.0",
        "rearank_ready 1.0",
    ):
        assert line in found.splitlines(), line


# --- the end


def test_whoever_was_accepted_is_answered_before_the_end() -> None:
    engine = HeldEngine(capacity=64)
    with running(engine) as server, asking(server, 50, body(20)) as replies:
        server.until(lambda: server.service.queue.under_way == 50)
        server.service.stop()
        server.loop.call_soon_threadsafe(server.server.stop)
        threading.Timer(0.3, engine.free.set).start()
        found = [reply.result() for reply in replies]
    assert [reply.status_code for reply in found] == [200] * 50
    expected = list(range(19, -1, -1))
    assert all([r["index"] for r in reply.json()["results"]] == expected for reply in found)
    assert engine.closed == 1


def test_nobody_is_waited_for_beyond_the_grace() -> None:
    engine = HeldEngine()
    with running(engine, Setup(Limits(grace=1))) as server, asking(server, 1, body(5)) as replies:
        server.until(lambda: engine.in_flight == 1)
        server.loop.call_soon_threadsafe(server.server.stop)
        server.thread.join(60)
        assert not server.thread.is_alive()
        assert replies[0].result().status_code == 503
        assert replies[0].result().json()["message"] == "the server is stopping"
    assert (engine.cancelled, engine.closed) == (1, 1)


# --- load


ORDER = list(range(19, -1, -1))
Way = Callable[[httpx.AsyncClient, int], Awaitable[str]]


async def good(client: httpx.AsyncClient, number: int) -> str:
    content = body(20, query=f"{QUERY} {number}", return_documents=True)
    for _ in range(1000):
        reply = await client.post("/v2/rerank", json=content)
        if reply.status_code != 429:
            break
        await asyncio.sleep(0.05)
    results = reply.json()["results"]
    assert [each["index"] for each in results] == ORDER
    assert [each["document"]["text"] for each in results] == sorted(documents(20))
    return "right"


async def killed(client: httpx.AsyncClient, number: int) -> str:
    content = json.dumps(body(45, query=f"{QUERY} {number}")).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    head = "POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    await asyncio.sleep(0.01 * (number % 5))
    writer.transport.abort()
    return "killed"


async def garbage(client: httpx.AsyncClient, number: int) -> str:
    headers = {"Content-Type": "application/json"}
    reply = await client.post("/v2/rerank", content=b"{\xff" * 50, headers=headers)
    assert reply.status_code == 400
    return "garbage"


async def oversize(client: httpx.AsyncClient, number: int) -> str:
    reply = await client.post("/v2/rerank", json=body(documents=["x"] * 1001))
    assert reply.status_code == 422
    return "oversize"


WAYS: tuple[Way, ...] = (good, killed, good, garbage, good, oversize, good, good)


async def load(server: Running, clients: int, each: int) -> Counter[str]:
    """Let many clients ask good things, kill, send garbage and too much; count what came."""
    counts: Counter[str] = Counter()

    async def one(client: httpx.AsyncClient, number: int) -> None:
        for turn in range(each):
            way = WAYS[(number + turn * 3) % len(WAYS)]
            counts[await way(client, number * each + turn)] += 1

    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client:
        await asyncio.gather(*(one(client, number) for number in range(clients)))
    return counts


def test_200_clients_with_kills_garbage_and_too_much_among_them() -> None:
    engine = ScriptedEngine(seconds=lambda prompt: 0.002, capacity=32)
    with running(engine, Setup(Limits(queue=128))) as server:
        counts = asyncio.run(load(server, 200, 5))
        assert counts == {"right": 625, "killed": 125, "garbage": 125, "oversize": 125}
        server.until(lambda: server.service.queue.under_way == 0)
        assert engine.in_flight == 0
        assert engine.peak <= 32
        found = server.get("/metrics").text
        assert "rearank_windows_waiting 0.0" in found
        answered = re.findall(r'requests_total{status="(\d+)",way="/v2/rerank"} (\d+)', found)
        by_status = {status: int(count) for status, count in answered}
        # Some were answered before the server heard that their clients were gone; some of the good
        # ones were turned away at first.
        assert set(by_status) <= {"200", "499", "429", "400", "422"}
        assert by_status["400"] == by_status["422"] == 125
        assert 625 <= by_status["200"] <= 750
        assert by_status["200"] + by_status.get("499", 0) <= 750


def test_an_engine_that_does_not_start_is_told_at_the_end() -> None:
    class Broken(ScriptedEngine):
        async def open(self) -> None:
            raise EngineStartError("no such model")

    with running(Broken()) as server:
        assert server.get("/health").json()["status"] == "failing"
        assert server.service.begin().exception() is not None


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://{host}", 200), (None, 200)],
)
def test_a_form_on_somebody_else_s_page_is_refused(origin: str | None, status: int) -> None:
    engine = ScriptedEngine(lambda prompt: "[1]")
    with running(engine) as server:
        host = server.url.removeprefix("http://")
        headers = {} if origin is None else {"Origin": origin.format(host=host)}
        form = {"query": "q", "passages": "a\nb", "source": "own"}
        reply = httpx.post(f"{server.url}/", data=form, headers=headers)
        assert reply.status_code == status
        assert len(engine.requests) == (status == 200)


def test_nothing_but_a_form_is_read_as_one() -> None:
    with running() as server:
        for content in (b"nonsense", b"\xff=%ff", b"&".join([b"a=1"] * 50)):
            reply = httpx.post(f"{server.url}/", content=content)
            assert reply.status_code == 422
            assert "expected the fields of the form" in reply.text or "query" in reply.text
