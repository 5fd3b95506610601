"""Which engine a model runs on: a table, and one identity for what is kept and what is counted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tiny import make_model

from rearank_cli.engines import options
from rearank_cli.engines.base import Model
from rearank_cli.engines.defaults import EMBEDDED
from rearank_cli.engines.machine import Machine
from rearank_cli.engines.opening import ENGINES, Where
from rearank_cli.engines.options import open_settings
from rearank_cli.engines.revision import revision
from rearank_cli.errors import RearankError
from rearank_cli.records import Completion, Request, Sampling
from rearank_cli.reranking.reranker import Reranker

URL = "http://localhost:8000/v1"
SCORED = Request("a jar of", Sampling(1), continuation=" honey")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip("torch", reason="needs torch and transformers")
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
    return str(make_model(tmp_path / "model"))


def test_the_engine_is_one_of_a_table() -> None:
    assert Where().name == "vllm"
    assert Where([URL]).name == "openai"
    assert Where(engine="transformers").name == "transformers"
    with pytest.raises(
        RearankError, match="expected one of openai, relevance, vllm, transformers, ray, found 'x'"
    ):
        Where(engine="x")
    for name in ("vllm", "transformers"):
        with pytest.raises(RearankError, match=f"`engine_name` {name}: does not ask servers"):
            Where([URL], engine=name)
    with pytest.raises(RearankError, match="`engine_name` openai: needs servers to ask"):
        Where(engine="openai")
    assert set(ENGINES) == {"openai", "relevance", "vllm", "transformers", "ray"}


def test_what_transformers_says_is_kept_and_not_taken_for_vllms(folder: str) -> None:
    def ask() -> Completion:
        engine = open_settings(folder, engine_name="transformers").make()

        async def main() -> Completion:
            await engine.open()
            try:
                return await engine.complete(SCORED)
            finally:
                await engine.close()

        return asyncio.run(main())

    first, second = ask(), ask()
    assert (first.cached, second.cached) == (False, True)
    assert first.tokens == second.tokens
    assert "".join(token.text for token in second.tokens) == " honey"
    real = open_settings(folder, engine_name="transformers")
    assert real.dry().identity() == real.make().identity()
    assert real.dry().identity() != open_settings(folder).dry().identity()


@pytest.mark.parametrize(
    ("machine", "said", "engine"),
    [
        (Machine(), {}, "transformers"),
        (Machine(), {"recipe": "rearank"}, "vllm"),
        (Machine(), {"engine_name": "vllm"}, "vllm"),
        (Machine([Path("/dev/nvidia0")]), {}, "vllm"),
    ],
    ids=["no GPU", "another recipe", "asked for", "a GPU"],
)
def test_the_embedded_model_scores_likelihoods_on_what_is_fast_here(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, said: dict[str, str], engine: str
) -> None:
    monkeypatch.setattr(options, "this_machine", lambda: machine)
    monkeypatch.setattr(options, "find_model", lambda name, served: Model(EMBEDDED))
    reranker = Reranker(recipe=said.pop("recipe", None), **said)  # type: ignore[arg-type]
    assert reranker._opening is not None
    assert reranker._opening.where.name == engine
    if engine == "transformers":
        assert reranker.settings.recipe.name == "likelihood"
        assert reranker.settings.recipe.numbers == {"scale": 8}
        assert len(reranker.settings.recipe.exemplars) == 4


@pytest.mark.parametrize(
    ("model", "said", "own"),
    [
        (EMBEDDED, {}, True),
        (EMBEDDED, {"recipe": "likelihood", "engine_name": "vllm"}, True),
        (EMBEDDED, {"adapter": "none"}, False),
        (EMBEDDED, {"recipe": "letters"}, False),
        ("another", {"recipe": "likelihood"}, False),
        (EMBEDDED, {"base_urls": ("http://127.0.0.1:9",)}, False),
    ],
    ids=["default", "vLLM", "none", "another recipe", "another model", "a server"],
)
def test_the_adapter_of_a_recipe_is_for_the_model_that_it_was_made_for(
    monkeypatch: pytest.MonkeyPatch, folder: str, model: str, said: dict[str, Any], own: bool
) -> None:
    there = "" if "base_urls" in said else folder
    monkeypatch.setattr(options, "this_machine", Machine)
    monkeypatch.setattr(options, "find_model", lambda name, served: Model(model, there, "m1"))
    reranker = Reranker(model, cache=False, **said)
    assert reranker._opening is not None
    adapter = reranker._opening.settings.adapter
    assert (adapter.name if adapter else None) == ("smollm2-135m-likelihood" if own else None)
    if adapter and own:
        # It is part of the key of an answer, by its own weights.
        assert reranker._opening.settings.identity()["adapter"] == revision(Path(adapter.location))
        assert (Path(adapter.location) / "README.md").is_file()
