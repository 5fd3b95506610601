"""The server over a real vLLM: what it answers does not depend on how often it was asked."""

import re
import shutil
import signal
from pathlib import Path

import pytest

pytest.importorskip("vllm")
pytest.importorskip("fastapi")

import httpx
from command import descendants, gone_after, start
from tiny import make_model

pytestmark = pytest.mark.slow

TEXTS = [f"about {word}" for word in ("tides", "bread", "moss", "iron", "owls", "rain", "silk")]
RECIPE = """answer = "letters"
[[messages]]
role = "user"
content = '''{{ query }} {% for passage in passages %}{{ identifiers[loop.index0] }}: {{ passage }}
{% endfor %}'''
"""


def test_the_hundredth_request_is_reranked_like_the_first(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    # Its weights are random, so that letters' log-probabilities give an order that is no input's.
    (tmp_path / "short.toml").write_text(RECIPE)
    options = ("--model", str(model), "--recipe", "short.toml", "--no-cache", "--port", "0")
    process = start(tmp_path, "serve", *options, "--concurrency", "8")
    try:
        assert process.stderr
        said = ""
        while not (ready := re.search(r"ready: \S+ on (\S+)", said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        content = {"query": "which one", "documents": TEXTS, "explain": True}
        orders = []
        for number in range(100):
            reply = httpx.post(f"{ready[1]}/v2/rerank", json=content, timeout=300)
            assert reply.status_code == 200, reply.text
            orders.append([each["index"] for each in reply.json()["results"]])
            assert not reply.json()["windows"][0]["cached"], number
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
        shutil.rmtree(model, ignore_errors=True)
    assert sorted(orders[0]) == list(range(len(TEXTS)))
    assert orders[0] != list(range(len(TEXTS)))
    assert orders[1] == orders[9] == orders[99] == orders[0]
    assert orders == [orders[0]] * 100
    assert process.returncode == 0
    assert gone_after(below, 30)
