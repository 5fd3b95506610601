"""Servers that score passages: every dialect, batches, retries, what is too long, and the cache."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import FILES, Numbers, rearank
from hypothesis import given
from hypothesis import strategies as st
from score_server import MODEL, Dialect, ScoreServer, scoring

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.endpoints import MOST
from rearank_cli.engines.relevance import RelevanceEngine, shared_out
from rearank_cli.engines.scored import scored_model
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong
from rearank_cli.records import Completion, Request, Sampling

pytestmark = pytest.mark.usefixtures("no_pauses")

EVERY: list[tuple[Dialect, str]] = [
    ("cohere", "/v2/rerank"),
    ("cohere", "/v2"),
    ("jina", "/v1/rerank"),
    ("jina", ""),
    ("voyage", "/v1"),
    ("vllm", ""),
    ("vllm", "/rerank"),
    ("vllm", "/v1"),
    ("vllm", "/score"),
    ("vllm", "/v1/score"),
    ("tei", ""),
    ("tei", "/rerank"),
]


def asked(
    urls: Sequence[str], requests: Sequence[Request], model: str = MODEL, **options: Any
) -> list[Any]:
    """Ask all at once; return completions and the errors of those that failed."""

    async def main() -> list[Any]:
        settings = EngineSettings(Model(model), server_args=options.pop("server_args", {}))
        engine = RelevanceEngine(settings, urls, **options)
        try:
            await engine.open()
            answers = map(engine.complete, requests)
            return await asyncio.gather(*answers, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(main())


def about(count: int, query: str = "q", words: str = "passage") -> list[Request]:
    return [Request(query, Sampling(1), passage=f"{words} {n}") for n in range(count)]


def scores(found: Sequence[Completion]) -> list[float]:
    return [float(each.text) for each in found]


@pytest.mark.parametrize(("dialect", "path"), EVERY)
def test_every_dialect_is_known_by_its_path_or_by_trying(dialect: Dialect, path: str) -> None:
    with scoring(dialect) as server:
        found = asked([server.url + path], about(5))
    assert scores(found) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert server.passages() == [[f"passage {n}" for n in range(5)]]
    if dialect in ("jina", "vllm"):
        assert sum(each.prompt_tokens for each in found) == (9 if "score" in path else 10)


def test_the_passages_of_a_query_go_together_and_queries_apart() -> None:
    with scoring() as server:
        requests = [*about(MOST + 30, "one"), *about(20, "two")]
        found = asked([server.url], requests)
        assert [float(each.text) for each in found[-2:]] == [1 / 19, 1 / 20]
    assert sorted(map(len, server.passages())) == [20, 30, MOST]
    queries = {body["query"] for _, body in server.bodies[1:]}
    assert queries == {"one", "two"}


def test_text_embeddings_inference_is_sent_as_many_as_it_takes() -> None:
    with scoring("tei") as server:
        found = asked([server.url], about(70))
    assert scores(found) == [1 / (1 + n) for n in range(70)]
    assert list(map(len, server.passages())) == [32, 32, 6]


@pytest.mark.parametrize("dialect", ["vllm", "tei"])
def test_what_is_too_long_fails_alone(dialect: Dialect) -> None:
    with scoring(dialect) as server:
        server.longest = 9
        requests = about(12)
        requests[7] = Request("q", Sampling(1), passage="word " * 17 + "7")
        found = asked([server.url], requests)
    error = found.pop(7)
    assert isinstance(error, PromptTooLong)
    assert (error.tokens, error.limit) == (18, 9 if dialect == "tei" else 8)
    assert scores(found) == [1 / (1 + n) for n in range(12) if n != 7]


def test_a_server_that_stumbles_is_asked_again() -> None:
    with scoring() as server:
        good = {"results": [{"index": 0, "relevance_score": 0.25}]}
        server.troubles = [(200, good), (503, {}), (200, "no scores"), (429, {})]
        found = asked([f"{server.url}/rerank"], about(1))
    assert scores(found) == [1.0]
    assert len(server.bodies) == 5


def test_a_server_that_leaves_some_out_is_an_error() -> None:
    with scoring() as server:
        few = {"results": [{"index": 1, "relevance_score": 0.25}]}
        server.troubles = [(200, few)]
        (error, *_) = asked([f"{server.url}/v1/rerank"], about(3))
    assert isinstance(error, EngineError)
    assert error.message.endswith("expected scores of 3 passages, found 1")
    assert "top_n=3" in error.hint


def test_an_outage_of_one_server_is_borne_by_the_other() -> None:
    with scoring() as server:
        found = asked(["http://127.0.0.1:9/rerank", f"{server.url}/rerank"], about(3))
    assert scores(found) == [1, 1 / 2, 1 / 3]


@pytest.mark.parametrize(
    ("url", "model", "message", "code"),
    [
        (
            "{}/nothing",
            MODEL,
            "expected a server with /rerank or /score, found 404 at /nothing/",
            2,
        ),
        ("http://127.0.0.1:9", MODEL, "no server answers: http://127.0.0.1:9: ConnectError", 1),
        ("{}", "another", "does not serve another", 2),
    ],
)
def test_what_no_server_can_do_is_told_before_anything_is_scored(
    url: str, model: str, message: str, code: int
) -> None:
    with scoring() as server:
        with pytest.raises(EngineStartError) as caught:
            asked([url.format(server.url)], about(1), model)
    assert message in caught.value.message
    assert caught.value.exit_code == code


def test_a_key_is_sent_and_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with scoring("cohere") as server:
        server.key = "secret"
        (error,) = asked([f"{server.url}/v2/rerank"], about(1))
        assert isinstance(error, EngineStartError) and "REARANK_API_KEY" in error.hint
        monkeypatch.setenv("REARANK_API_KEY", "secret")
        assert scores(asked([f"{server.url}/v2/rerank"], about(1))) == [1.0]


def test_an_endpoint_that_is_not_there_is_told_with_what_was_expected() -> None:
    with scoring("cohere") as server:
        (error,) = asked([f"{server.url}/v1/rerank"], about(1))
    assert isinstance(error, EngineStartError)
    assert "/v1/rerank: expected scores of documents, found 404" in error.message


def test_fields_of_the_users_go_along_and_some_stay_behind() -> None:
    with scoring("tei") as server:
        asked([server.url], about(1), server_args={"raw_scores": True, "truncate": None})
    assert server.bodies[-1][1] == {"query": "q", "texts": ["passage 0"], "raw_scores": True}


@pytest.mark.parametrize("path", ["", "/v1/rerank", "/v2/rerank", "/rerank"])
def test_our_own_server_is_one_too(path: str) -> None:
    pytest.importorskip("fastapi")
    from serving import running

    with running() as server:
        urls = [server.url + path]
        found = asked(urls, about(4), scored_model(urls, {}))
    assert sorted(scores(found), reverse=True) == scores(found)


def test_nobody_is_left_waiting_when_the_engine_is_closed() -> None:
    async def main() -> list[Any]:
        engine = RelevanceEngine(EngineSettings(Model(MODEL)), ["http://127.0.0.1:9/rerank"])
        asking = [asyncio.create_task(engine.complete(each)) for each in about(3)]
        await asyncio.sleep(0)
        await engine.close()
        return await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 60)

    assert [type(each) for each in asyncio.run(main())] == [asyncio.CancelledError] * 3


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**4), min_size=1))
def test_shares_are_whole_and_add_up(total: int, weights: list[int]) -> None:
    shares = shared_out(total, weights)
    assert all(share >= 0 for share in shares) and len(shares) == len(weights)
    assert sum(shares) == (total if sum(weights) else 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Numbers(queries=3, hits=12).write(tmp_path)
    return tmp_path


def command(server: ScoreServer, *options: str) -> tuple[str, ...]:
    return ("rerank", "run.trec", *FILES, "--rerank-url", server.url, *options)


@pytest.mark.parametrize("dialect", ["vllm", "tei"])
def test_the_command_reranks_keeps_and_explains(folder: Path, dialect: Dialect) -> None:
    with scoring(dialect) as server:
        done = rearank(folder, *command(server, "-o", "new.trec", "--summary", "sum.json"))
        assert done.returncode == 0, done.stderr
        # The one model of the server need not be named.
        assert f"model: {MODEL}, the only one of the server" in done.stderr
        again = rearank(folder, *command(server, "--dry-run", "--model", MODEL))
        shown = sorted(text for each in server.passages() for text in each)
        assert len(shown) == 36
    assert "in the cache\t36\nto ask\t0" in again.stdout
    new = [line.split() for line in (folder / "new.trec").read_text().splitlines()]
    assert [line[2] for line in new[:12]] == [f"d{n:03}" for n in range(12)]
    asks = [json.loads(line) for line in (folder / "new.trace.jsonl").read_text().splitlines()]
    first = asks[0]["provenance"]
    assert (first["recipe"], first["recipe_chosen"]) == ("relevance", "for servers that score")
    assert first["settings"]["method"] == "pointwise"
    assert asks[1]["kind"] == "relevance"
    assert asks[1]["scores"] == [1 / 12] and asks[1]["answer"] == repr(1 / 12)
    assert json.loads((folder / "sum.json").read_text())["asks"] == 36
    told = rearank(folder, "explain", "new.trace.jsonl", "--query", "q1").stdout.splitlines()
    (row,) = [line.split() for line in told if "passage 007" in line]
    assert row[3:5] == ["d007", "0.125"]
    # Everything is known: no server is needed.
    done = rearank(folder, *command(server, "--model", MODEL))
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines()] == [line[2] for line in new]


def test_a_passage_that_is_too_long_is_shortened_and_told(folder: Path) -> None:
    corpus = (folder / "corpus.tsv").read_text()
    (folder / "corpus.tsv").write_text(corpus.replace("passage 005", "5 " * 60))
    with scoring() as server:
        server.longest = 20
        options = ("--model", MODEL, "-o", "new.trec")
        done = rearank(folder, *command(server, *options))
    assert done.returncode == 0, done.stderr
    assert "3 windows with shortened passages" in done.stderr


def test_the_first_stage_may_count_too(folder: Path) -> None:
    with scoring() as server:
        options = ("--model", MODEL, "--first-stage", "1")
        done = rearank(folder, *command(server, *options))
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines()][:2] == ["d011", "d010"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--recipe", "rearank"), "the recipe rearank needs a model that can answer a chat"),
        (("--base-url", "http://x/v1"), "--rerank-url and --base-url: the model is on the ones"),
        (("--method", "sliding"), "the method sliding cannot use answers of the kind relevance"),
        (("--engine", "vllm"), "--engine vllm: does not ask servers"),
    ],
)
def test_what_does_not_go_together(folder: Path, options: tuple[str, ...], message: str) -> None:
    words = ("rerank", "run.trec", *FILES, "--rerank-url", "http://x", "--model", "m")
    done = rearank(folder, *words, *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_scores_want_a_server_that_has_them(folder: Path) -> None:
    options = ("--base-url", "http://x/v1", "--model", "m", "--recipe", "relevance")
    done = rearank(folder, "rerank", "run.trec", *FILES, *options)
    assert done.returncode == 2
    assert "the recipe relevance needs a model that can score a passage for a query" in done.stderr
    assert "(--rerank-url)" in done.stderr


def test_render_shows_what_is_sent(folder: Path) -> None:
    words = (
        "recipe",
        "render",
        "run.trec",
        *FILES,
        "--recipe",
        "relevance",
        "--base-url",
        "http://x/v1",
    )
    done = rearank(folder, *words, "--model", "m", "--query", "q1")
    assert done.stdout == "--- query\nwhat is q1\n--- passage\npassage 011\n"


def test_an_address_that_is_none(folder: Path) -> None:
    done = rearank(folder, "rerank", "run.trec", *FILES, "--rerank-url", "gpu1:8000")
    assert done.returncode == 2
    assert "--rerank-url: expected http://… or https://…, found 'gpu1:8000'" in done.stderr
