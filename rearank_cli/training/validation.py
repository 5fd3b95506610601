"""How good the model under training is on held-out queries, by our own reranker and measures."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from rearank_cli.collection import Collection, Judgements
from rearank_cli.engines.base import Engine
from rearank_cli.errors import RearankError
from rearank_cli.evaluation.measures import DEFAULT, parse_measures
from rearank_cli.evaluation.scoring import Scorer
from rearank_cli.formats.files import display_name
from rearank_cli.formats.trec import read_run
from rearank_cli.log import note
from rearank_cli.methods import Method, make_method
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.recipe import Recipe
from rearank_cli.records import Ranking, Run
from rearank_cli.reranking.candidates import candidates
from rearank_cli.reranking.chain import Candidates
from rearank_cli.reranking.driver import Driver, Listener, Settings
from rearank_cli.reranking.loop import LoopThread
from rearank_cli.reranking.trace import AskTrace
from rearank_cli.training.folder import Folder
from rearank_cli.training.settings import Validation


@dataclass(frozen=True)
class HeldOut:
    """Queries with their candidates and judgements, and the recipe that they are asked with."""

    name: str
    work: Sequence[Candidates]
    judgements: Judgements
    profile: Recipe

    @property
    def digest(self) -> str:
        """The SHA-256 of all that its figures depend on but the model: texts, grades, prompt."""
        digest = hashlib.sha256(self.profile.digest.encode())
        for each in self.work:
            shown = [(doc_id, each.passages.get(doc_id)) for doc_id in each.ranking]
            grades = sorted(self.judgements.get(each.query.query_id, {}).items())
            digest.update(json.dumps([each.query, shown, grades]).encode())
        return digest.hexdigest()


def hold_out(run: str, collection: Collection, recipe: Recipe, settings: Validation) -> HeldOut:
    """Return the judged queries of a run for validation.

    Raises `RearankError` when none is judged.
    """
    judgements = collection.judgements()
    work = candidates(read_run(run), display_name(run), collection, settings.depth)
    judged = [each for each in work if each.query.query_id in judgements]
    if not judged:
        raise RearankError(f"{run}: none of its queries is judged")
    return HeldOut(display_name(run), judged, judgements, recipe)


class _Noting(Listener):
    """Keeps every trace."""

    def __init__(self, traces: list[AskTrace]) -> None:
        self._traces = traces

    def answered(self, trace: AskTrace, expected: int) -> None:
        """Keep one."""
        self._traces.append(trace)


def note_figures(
    figures: Mapping[str, float], folder: Folder, stage: str, step: int, more: str = ""
) -> None:
    """Note what was measured after a step of a stage, and say it, with a word `more`."""
    folder.log({"stage": "validation", "after": stage, "step": step, **figures})
    told = f"nDCG@10 {figures['nDCG@10']:.4f} (as retrieved {figures['retrieved']:.4f})"
    note(f"validation after {stage} step {step}: {', '.join(filter(None, (told, more)))}")


class Validator:
    """Measures models on held-out queries; `initial` is the figure of the order retrieved."""

    def __init__(self, held_out: HeldOut, settings: Validation) -> None:
        """Prepare the judgements of the queries that are reranked."""
        self._held_out = held_out
        self._settings = settings
        ids = [each.query.query_id for each in held_out.work]
        self._judgements = held_out.judgements.only(ids)
        self._scorer = Scorer(self._judgements, parse_measures([DEFAULT]))
        self.initial = self._measure({each.query.query_id: each.ranking for each in held_out.work})

    def measure(self, model: Any, tokenizer: Any) -> dict[str, float]:
        """Rerank with the model and return nDCG@10, flawed windows (share) and answer length."""
        from rearank_cli.training.engine import PolicyEngine

        engine = PolicyEngine(
            model,
            tokenizer,
            self._settings.max_answer_tokens,
            self._settings.batch,
        )
        loop = LoopThread()  # the caller may be in a loop, as notebooks are
        try:
            return loop.run(self.rerank(engine))
        finally:
            loop.close()

    async def rerank(self, engine: Engine) -> dict[str, float]:
        """Rerank with an engine and return the same."""
        each = self._settings
        traces: list[AskTrace] = []
        recipe = self._held_out.profile
        if recipe.kind == "likelihood":  # as `rerank` asks, the first stage's scores mixed in
            method: Method = make_method(recipe.method, recipe.numbers)
            how = Settings(recipe, method, each.depth)
        else:
            method = Sliding(each.window, each.stride)
            how = Settings(recipe, method, each.depth, concurrency=each.batch)
        driver = Driver(engine, how, _Noting(traces))
        rankings: dict[str, Ranking] = {}
        await engine.open()
        try:
            async for result in driver.run(self._held_out.work):
                rankings[result.query_id] = result.ranking
        finally:
            await engine.close()
        return {
            DEFAULT: self._measure(rankings),
            "retrieved": self.initial,
            "flawed": mean(bool(trace.flaws.names()) for trace in traces),
            "length": mean(trace.completion_tokens for trace in traces),
        }

    def _measure(self, rankings: Mapping[str, Ranking]) -> float:
        run = self._judgements.allowed(Run.by_rank(rankings, ""))
        return self._scorer.evaluate("", run).figures[DEFAULT]
