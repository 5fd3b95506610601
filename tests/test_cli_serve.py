import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

import httpx
from command import rearank, start
from llm_server import LlmServer, serving
from scripted import by_number
from serving import body, documents

from rearank_cli.records import Prompt

SERVED = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m")


@contextmanager
def served(
    folder: Path, llm: LlmServer, *more: str
) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run the command over a scripted language model; give its address when it is ready."""
    options = ("--port", "0", "--base-url", llm.url, "--model", "scripted", "--no-cache", *more)
    process = start(folder, "serve", *options)
    try:
        assert process.stderr
        while not (ready := re.match(r"ready: scripted on (\S+)", process.stderr.readline())):
            assert process.poll() is None
        yield ready[1], process
    finally:
        process.kill()
        process.communicate()


def test_sigterm_in_the_middle_of_50_requests_loses_none(tmp_path: Path) -> None:
    told = threading.Event()

    def script(prompt: Prompt) -> str:
        assert told.wait(120), "nobody was told to stop"
        return by_number(prompt)

    with serving(script) as llm, served(tmp_path, llm) as (url, process):
        with ThreadPoolExecutor(50) as pool:
            asked = [
                pool.submit(httpx.post, f"{url}/v2/rerank", json=body(25), timeout=120)
                for _ in range(50)
            ]
            while "requests_under_way 50.0" not in httpx.get(f"{url}/metrics", timeout=60).text:
                assert not any(each.done() for each in asked), "one was answered too early"
            process.send_signal(signal.SIGTERM)
            assert process.stderr
            while "stopping: 50 requests are under way" not in process.stderr.readline():
                assert process.poll() is None
            told.set()
            replies = [each.result() for each in asked]
        out, said = process.communicate(timeout=60)
    assert [reply.status_code for reply in replies] == [200] * 50
    assert all(reply.json()["results"][0]["index"] == 24 for reply in replies)
    assert len(llm.finished) == 100
    assert process.returncode == 0
    assert said.splitlines()[-1] == "stopped"
    assert out == ""


def test_sigterm_answers_slow_calls_of_tools_and_waits_for_no_stream(tmp_path: Path) -> None:
    told = threading.Event()

    def script(prompt: Prompt) -> str:
        assert told.wait(120), "nobody was told to stop"
        return by_number(prompt)

    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "rerank", "arguments": {"query": "q", "documents": documents(25)}},
    }
    both = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    with (
        serving(script) as llm,
        served(tmp_path, llm, "--grace", "300") as (url, process),
        ThreadPoolExecutor(3) as pool,
        httpx.Client(base_url=url, timeout=120) as client,
        client.stream("GET", "/mcp", headers={"Accept": "text/event-stream"}) as stream,
    ):
        slow = pool.submit(httpx.post, f"{url}/v2/rerank", json=body(25), timeout=120)
        tool = pool.submit(httpx.post, f"{url}/mcp", json=call, headers=both, timeout=120)
        while "requests_under_way 2.0" not in httpx.get(f"{url}/metrics", timeout=60).text:
            assert not slow.done() and not tool.done(), "one was answered too early"
        process.send_signal(signal.SIGTERM)
        assert process.stderr
        while "stopping: 2 requests are under way" not in process.stderr.readline():
            assert process.poll() is None
        told.set()
        assert slow.result().json()["results"][0]["index"] == 24
        assert tool.result().json()["result"]["structuredContent"]["results"][0]["index"] == 24
        _, said = process.communicate(timeout=60)
        assert stream.status_code == 405  # it has nothing to say by itself, and holds nobody up
    assert process.returncode == 0
    assert said.splitlines()[-1] == "stopped" and "Traceback" not in said


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    with serving() as llm, served(tmp_path, llm) as (url, process):
        assert httpx.get(f"{url}/health").json() == {"status": "ready", "model": "scripted"}
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def test_the_key_file_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("secret\n")
    with serving() as llm, served(tmp_path, llm, "--api-key-file", "keys") as (url, _):
        assert httpx.post(f"{url}/v2/rerank", json=body(2)).status_code == 401
        headers = {"Authorization": "Bearer secret"}
        assert httpx.post(f"{url}/v2/rerank", json=body(2), headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "error: --host 0.0.0.0: expected --api-key-file"),
        (["--api-key-file", "nothing"], "error: nothing: cannot be read: no such file"),
        (["--queue", "0"], "error: expected --queue to be at least 1, found 0"),
        (["--max-documents", "0"], "error: expected --max-documents to be at least 1, found 0"),
        (["--host", "no.such.host.invalid", "--allow-anyone"], "error: --host no.such.host"),
        (["--recipe", "nothing"], "error: expected a recipe, found 'nothing'"),
        (["-d", "no-such-collection"], "error: "),
    ],
)
def test_what_cannot_work_is_told_before_anything_starts(
    tmp_path: Path, options: list[str], message: str
) -> None:
    done = rearank(tmp_path, "serve", *SERVED, *options)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = rearank(tmp_path, "serve", *SERVED, "--port", port)
    assert done.returncode == 2
    assert "address already in use" in done.stderr


@pytest.mark.parametrize("more", [[], ["--mcp"]])
def test_an_engine_that_does_not_start_ends_it(tmp_path: Path, more: list[str]) -> None:
    options = [*SERVED, "--port", "0", *more]
    done = rearank(tmp_path, "serve", *options)
    assert done.returncode == 1
    assert "error: no server answers" in done.stderr
    assert "Traceback" not in done.stderr
