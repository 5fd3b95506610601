import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import httpx
import jsonschema
from scripted import ScriptedEngine
from serving import QUERY, Running, body, documents, running

from rearank_cli.records import Completion, Prompt
from rearank_cli.reranking.scores import relevance

SCHEMAS = json.loads((Path(__file__).parent / "schemas" / "rerank.json").read_text())
ORDER = [4, 3, 2, 1, 0]
VOYAGE = {"query": QUERY, "documents": documents(5), "model": "any", "top_k": None}
TEI = {"query": QUERY, "texts": documents(5)}


def answers(prompt: Prompt) -> Completion:
    """Order by number, and tell how long it was."""
    from scripted import by_number

    return Completion(by_number(prompt), prompt_tokens=100, completion_tokens=10)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(ScriptedEngine(answers)) as found:
        yield found


def conforms(name: str, content: Any) -> None:
    jsonschema.validate(content, SCHEMAS[name])


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
@pytest.mark.parametrize("name", ["cohere", "jina"])
def test_the_common_dialect_is_cohere_s_and_jina_s(server: Running, path: str, name: str) -> None:
    reply = server.post(path, body(5, return_documents=True))
    assert reply.status_code == 200, reply.text
    conforms(name, reply.json())
    results = reply.json()["results"]
    assert [each["index"] for each in results] == ORDER
    assert [each["document"]["text"] for each in results] == sorted(documents(5))
    assert reply.json()["usage"] == {"total_tokens": 110, "prompt_tokens": 100}
    assert reply.json()["scores"] == "rank"


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank"])
def test_voyage_s_dialect(server: Running, path: str) -> None:
    reply = server.post(path, {**VOYAGE, "return_documents": True})
    conforms("voyage", reply.json())
    assert [each["index"] for each in reply.json()["data"]] == ORDER
    assert [each["document"] for each in reply.json()["data"]] == sorted(documents(5))
    best = server.post(path, {**VOYAGE, "top_k": 2, "truncation": True}).json()["data"]
    assert [each["index"] for each in best] == ORDER[:2]
    assert "document" not in best[0]


def test_the_dialect_of_text_embeddings_inference(server: Running) -> None:
    reply = server.post("/rerank", {**TEI, "return_text": True, "truncate": None})
    conforms("tei", reply.json())
    assert [each["index"] for each in reply.json()] == ORDER
    assert [each["text"] for each in reply.json()] == sorted(documents(5))
    assert "text" not in server.post("/rerank", TEI).json()[0]


def test_documents_may_be_objects_and_come_back_whole(server: Running) -> None:
    given = [{"text": text, "author": None, "year": 1900} for text in documents(3)]
    reply = server.post("/v1/rerank", body(documents=given, return_documents=True))
    found = [each["document"] for each in reply.json()["results"]]
    assert found == list(reversed(given))
    titled = [{"title": text, "text": "passage 50"} for text in documents(3)]
    both = body(documents=titled, rank_fields=["text", "title"])
    assert [r["index"] for r in server.post("/v1/rerank", both).json()["results"]] == [2, 1, 0]


def test_top_n_takes_the_best_and_may_be_too_large(server: Running) -> None:
    for top, expected in ((2, ORDER[:2]), (50, ORDER), (None, ORDER)):
        reply = server.post("/v2/rerank", body(5, top_n=top)).json()
        assert [each["index"] for each in reply["results"]] == expected


def test_a_single_document_is_the_best(server: Running) -> None:
    reply = server.post("/v2/rerank", body(1)).json()
    assert reply["results"] == [{"index": 0, "relevance_score": 1.0}]


@pytest.mark.parametrize("count", [2, 20, 45, 300])
def test_scores_fall_strictly_also_as_float32(server: Running, count: int) -> None:
    from ctypes import c_float

    results = server.post("/v2/rerank", body(count)).json()["results"]
    scores = [c_float(each["relevance_score"]).value for each in results]
    assert sorted(each["index"] for each in results) == list(range(count))
    assert all(better > worse for better, worse in pairwise(scores))
    assert scores[0] == 1.0 and scores[-1] > 0


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({}, [1.0, 2 / 3, 1 / 3]),
        ({"a": 0.9, "b": 0.5, "c": -2.0}, [0.9, 0.5, -2.0]),
    ],
)
def test_scores_are_the_method_s_or_by_rank(
    scores: Mapping[str, float], expected: list[float]
) -> None:
    assert relevance(("a", "b", "c"), scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    "scores",
    [
        {"a": 0.5, "b": 0.5, "c": 0.5},
        {"a": 0.1, "b": 0.9, "c": 0.3},
        {"a": 0.9, "c": float("-inf")},
        {"a": float("inf"), "b": float("nan"), "c": 1e9},
    ],
)
def test_scores_that_tie_or_are_missing_are_told_apart(scores: Mapping[str, float]) -> None:
    from ctypes import c_float

    found = [c_float(score).value for score in relevance(("a", "b", "c"), scores)]
    assert found[0] > found[1] > found[2] > float("-inf")


def test_explain_brings_reasoning_and_flaws_of_every_window() -> None:
    def careless(prompt: Prompt) -> str:
        return "<think>I like [2] best</think><answer>[2] > [2] > [99]</answer>"

    with running(ScriptedEngine(careless)) as server:
        found = server.post("/v2/rerank", body(25, explain=True)).json()["windows"]
        assert [each["ranks"] for each in found] == ["6-25", "1-20"]
        assert found[0]["shown"] == list(range(5, 25))
        assert found[0]["order"][:2] == [6, 5]
        assert found[0]["reasoning"] == "I like [2] best"
        assert found[0]["flaws"]["repeated"] == [2]
        assert found[0]["flaws"]["unknown"] == [99]
        assert len(found[0]["flaws"]["missing"]) == 19
        assert len(server.post("/rerank", {**VOYAGE, "explain": True}).json()["windows"]) == 1
        assert len(server.post("/rerank", {**TEI, "explain": True}).json()[0]["windows"]) == 1
        assert "windows" not in server.post("/v2/rerank", body(25)).json()


def test_a_request_may_name_a_recipe_and_a_depth() -> None:
    engine = ScriptedEngine(lambda prompt: "[2] > [1]")
    with running(engine) as server:
        reply = server.post("/v2/rerank", body(9, recipe="rankgpt", depth=2))
        assert [r["index"] for r in reply.json()["results"]] == [1, 0, *range(2, 9)]
        assert server.post("/v2/rerank", body(2)).status_code == 200
        assert engine.requests[0].identity() != engine.requests[1].identity()


def test_a_recipe_that_the_engine_cannot_follow_is_refused() -> None:
    with running(ScriptedEngine(abilities=("chat",))) as server:
        reply = server.post("/v2/rerank", body(3, recipe="likelihood"))
    assert reply.status_code == 422
    assert reply.json()["message"].startswith("recipe: ")


@pytest.mark.parametrize("recipe", ["/etc/passwd", "pyproject.toml", "../recipes/qwen3.toml", "x"])
def test_a_recipe_is_a_name_and_never_a_file_of_the_server(server: Running, recipe: str) -> None:
    reply = server.post("/v2/rerank", body(2, recipe=recipe))
    assert reply.status_code == 422
    assert reply.json()["message"].startswith("recipe: expected one of choice, groups, ")


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 422, "the body: field required"),
        (b"{nonsense", 400, "expected a body of JSON, found other data"),
        (b"\xff\xfe\x00", 400, None),
        (b"[" * 100_000, 400, None),
        (b"[]", 422, "the body: "),
        (b"{}", 422, "query: field required; documents: field required"),
        (b'{"query": 3, "documents": ["a"]}', 422, "query: input should be a valid string"),
        (b'{"query": "", "documents": ["a"]}', 422, "query: expected a text, found none"),
        (b'{"query": "q", "documents": []}', 422, "documents: expected at least one, found none"),
        (b'{"query": "q", "documents": "a"}', 422, "documents: input should be a valid list"),
        (b'{"query": "q", "documents": [1, "a", null]}', 422, "documents.0: expected a text"),
        (b'{"query": "q", "documents": [{"a": 1}]}', 422, "documents.0: expected a text"),
        (b'{"query": "q", "documents": [{"text": NaN}]}', 422, "documents.0: "),
        (b'{"query": "q", "documents": ["a"], "top_n": 0}', 422, "top_n: input should be greater"),
        (b'{"query": "q", "documents": ["a"], "depth": -1}', 422, "depth: input should be greater"),
        (b'{"query": "q", "texts": [{}]}', 422, "texts.0: input should be a valid string"),
        (b'{"query": "q", "documents": ["a"], "top_k": "x"}', 422, "top_k: input should be"),
    ],
)
def test_garbage_is_told_in_the_words_of_every_dialect(
    server: Running, content: bytes, status: int, message: str | None
) -> None:
    for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
        headers = {"Content-Type": "application/json"}
        reply = httpx.post(f"{server.url}{path}", content=content, headers=headers)
        assert reply.status_code == status, reply.text
        for name in ("cohere-error", "jina-error", "tei-error"):
            conforms(name, reply.json())
        assert reply.json()["message"].startswith(message or "")


def test_another_type_than_json_is_refused_as_forms_of_other_pages_have_it(
    server: Running,
) -> None:
    content = json.dumps(body(2))
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        reply = httpx.post(
            f"{server.url}/v2/rerank", content=content, headers={"Content-Type": kind}
        )
        assert reply.status_code == 422


@pytest.mark.parametrize("text", ["\ud800 alone", "\x00\x1b[31m", "\u202e", "🦀" * 50, ""])
def test_any_text_survives(text: str) -> None:
    given = [text, "b", "c"]
    with running(ScriptedEngine(lambda prompt: f"<answer>[3] > [1] {text}</answer>")) as server:
        asked = body(documents=given, query=f"q {text}", return_documents=True, explain=True)
        headers = {"Content-Type": "application/json"}
        reply = httpx.post(f"{server.url}/v2/rerank", content=json.dumps(asked), headers=headers)
    assert reply.status_code == 200, reply.text
    found = [each["document"]["text"] for each in reply.json()["results"]]
    assert found == ["c", text, "b"]


def test_the_official_client_of_cohere_works_unmodified(server: Running) -> None:
    cohere = pytest.importorskip("cohere")
    new = cohere.ClientV2(api_key="any", base_url=server.url)
    found = new.rerank(model="any", query=QUERY, documents=documents(25), top_n=3)
    assert [each.index for each in found.results] == [24, 23, 22]
    assert found.results[0].relevance_score == 1.0
    assert found.meta.api_version.version == "2"
    old = cohere.Client(api_key="any", base_url=server.url)
    given = [{"text": text} for text in documents(5)]
    found = old.rerank(query=QUERY, documents=given, model="any", return_documents=True)
    assert [each.index for each in found.results] == ORDER
    assert found.results[0].document.text == "passage 00"
    with pytest.raises(cohere.UnprocessableEntityError) as caught:
        new.rerank(model="any", query="", documents=["a"])
    assert caught.value.body["message"] == "query: expected a text, found none"


def test_cohere_s_asynchronous_client_works_for_many_at_once(server: Running) -> None:
    import asyncio

    cohere = pytest.importorskip("cohere")

    async def many() -> list[list[int]]:
        async with cohere.AsyncClientV2(api_key="any", base_url=server.url) as client:
            asked = [
                client.rerank(model="any", query=f"{QUERY} {n}", documents=documents(5))
                for n in range(20)
            ]
            return [[r.index for r in each.results] for each in await asyncio.gather(*asked)]

    assert asyncio.run(many()) == [ORDER] * 20


def test_the_shapes_are_in_the_openapi_file(server: Running) -> None:
    found = server.get("/openapi.json").json()
    assert {"/v1/rerank", "/v2/rerank", "/rerank", "/health", "/metrics"} <= set(found["paths"])
    assert {"Common", "Voyage", "Tei", "CommonAnswer"} <= set(found["components"]["schemas"])
