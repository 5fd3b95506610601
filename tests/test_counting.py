"""What a reranking would take, for every method, where the model agrees with the first stage."""

import asyncio
from typing import Any

import pytest
from scripted import numbered, query

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.dry import DryEngine
from rearank_cli.engines.options import open_settings
from rearank_cli.errors import EngineStartError
from rearank_cli.methods import make_method
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.counting import count
from rearank_cli.reranking.driver import Settings


def counted(recipe: str, method: str, hits: int = 100, **numbers: Any) -> tuple[int, int]:
    """Return windows and the longest chain."""
    passages = numbered(hits)
    item = Candidates(query(), tuple(passages), passages)
    engine = DryEngine(EngineSettings(Model("served")), None)
    settings = Settings(load_recipe(recipe), make_method(method, numbers))
    found = dict(asyncio.run(count(engine, settings, [item])))
    return int(found["windows"]), int(found["windows in the longest chain"])


@pytest.mark.parametrize(
    ("recipe", "method", "numbers", "expected"),
    [
        ("rearank", "sliding", {}, (9, 9)),
        ("rearank", "sliding", {"samples": 3, "shuffle": True}, (27, 9)),
        # Nothing rises above the pivot, so that no last window is needed.
        ("rearank", "topdown", {}, (6, 2)),
        ("groups", "groups", {}, (5, 1)),
        ("groups", "groups", {"samples": 4, "window": 10}, (40, 1)),
        ("likelihood", "pointwise", {}, (100, 1)),
        ("judgement", "pointwise", {"scale": 4.0}, (100, 1)),
        # 6 choices build the heap, five of them at once.
        ("choice", "setwise", {"children": 19, "top": 1}, (6, 2)),
        ("choice", "setwise", {"children": 99, "top": 3}, (3, 3)),
        ("choice", "setwise", {"children": 99, "top": 3, "sort": "bubble"}, (3, 3)),
    ],
)
def test_calls_and_the_longest_chain_are_right(
    recipe: str, method: str, numbers: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert counted(recipe, method, **numbers) == expected


def test_a_heap_is_counted_as_if_the_best_were_where_the_first_stage_has_them() -> None:
    """What sinks is the first stage's last, so that it sinks to the bottom: two choices each."""
    calls, chain = counted("choice", "setwise", children=19, top=10)
    assert 6 + 9 < calls <= 6 + 9 * 2
    assert chain == calls - 4


@pytest.mark.parametrize(
    ("url", "recipe", "said", "window", "lacking"),
    [
        ("https://api.openai.com/v1", "likelihood", {}, 20, "continue a plain text"),
        ("https://api.openai.com/v1", "rearank", {"force_format": True}, 20, "go on from"),
        ("http://127.0.0.1:9/v1", "letters", {}, 21, "tells at most 20"),
    ],
)
def test_a_dry_run_refuses_what_the_engine_cannot_do(
    url: str, recipe: str, said: dict[str, Any], window: int, lacking: str
) -> None:
    """As the run itself would; and no engine is opened to find out."""
    made = load_recipe(recipe).changed(**said)
    numbers = {} if recipe == "likelihood" else {"window": window}
    engine = open_settings("served", base_urls=[url], cache=False).dry()
    settings = Settings(made, make_method(made.method, numbers))
    with pytest.raises(EngineStartError, match=lacking):
        asyncio.run(count(engine, settings, []))
