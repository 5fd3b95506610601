"""One query's way through a method: what is ready to be asked, and what came of it."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rearank_cli.methods import Answer, Ask, Hit, Method, Result, Stage
from rearank_cli.records import Passage, Query, Ranking
from rearank_cli.reranking.trace import AskTrace, settle


class Candidates(NamedTuple):
    """What is to be reranked for one query.

    `passages` holds every doc id within the depth. `scores` are those of the run, one for each
    hit; without them the ranks alone count.
    """

    query: Query
    ranking: Ranking
    passages: Mapping[str, Passage]
    scores: Sequence[float] = ()


class Reranked(NamedTuple):
    """A query's new ranking and the traces of its asks, stage by stage.

    `scores` are those of the method by doc id, empty where it has none.
    """

    query_id: str
    ranking: Ranking
    traces: tuple[AskTrace, ...]
    scores: Mapping[str, float]


@dataclass(eq=False, slots=True)
class Task:
    """An ask that is ready: the chain it belongs to, its stage and its place there, from 1."""

    chain: "Chain"
    stage: int
    place: int
    ask: Ask


class Chain:
    """The stages of one query, one after the other, for one pass or several.

    `first` is the ranking that it begins with; `result` is None until the last stage is done.
    """

    def __init__(self, candidates: Candidates, method: Method, depth: int, passes: int) -> None:
        """Plan the way; nothing is asked before `start`."""
        self.query = candidates.query
        self.passages = candidates.passages
        self.result: Result | None = None
        self.stages = 0
        self.asked = 0
        self.first = candidates.ranking[:depth]
        self._tail = candidates.ranking[depth:]
        self._hits = _hits(candidates, depth)
        self._pass = 0
        self._plan = self._passes(method, passes)
        self._stage = Stage([], ())
        self._ranks: dict[str, int] = {}
        self._open: dict[int, tuple[Answer, AskTrace]] = {}
        self._traces: list[AskTrace] = []

    def _passes(self, method: Method, passes: int) -> Generator[Stage, Sequence[Answer], Result]:
        hits = self._hits
        result = Result(tuple(hit.doc_id for hit in hits))
        for self._pass in range(1, passes + 1):
            result = yield from method.plan(hits)
            known = {hit.doc_id: hit for hit in hits}
            hits = [known[doc_id] for doc_id in result.ranking]
        return result

    def start(self) -> list[Task]:
        """Return the tasks of the first stage."""
        return self._advance(None)

    def _advance(self, answers: Sequence[Answer] | None) -> list[Task]:
        """Give the plan its answers and return the tasks of the next stage that has any."""
        while True:
            try:
                stage = self._plan.send(answers) if answers is not None else next(self._plan)
            except StopIteration as end:
                self._settle(end.value.ranking)
                self.result = end.value
                return []
            self._settle(stage.ranking)
            self._stage = stage
            self._ranks = {doc_id: rank for rank, doc_id in enumerate(stage.ranking, 1)}
            if stage.asks:
                self.stages += 1
                return [
                    Task(self, self.stages, place, ask) for place, ask in enumerate(stage.asks, 1)
                ]
            answers = []

    def _settle(self, ranking: Ranking) -> None:
        """Note where the documents of the stage before now stand."""
        asks = [trace for _, (_, trace) in sorted(self._open.items())]
        self._traces += settle(asks, self._stage.ranking, ranking)
        self._open.clear()

    def ranks(self, ask: Ask) -> tuple[int, ...]:
        """Return where the documents of an ask stand before its stage, from 1."""
        return tuple(self._ranks[doc_id] for doc_id in ask.doc_ids)

    def traced(self, task: Task, answer: Answer) -> AskTrace:
        """Return the trace of an answer, as far as the chain knows it."""
        first = task.stage == task.place == 1
        return AskTrace(
            query_id=self.query.query_id,
            query=self.query.text,
            pass_=self._pass,
            stage=task.stage,
            place=task.place,
            before=task.ask.doc_ids,
            after=answer.ranking,
            ranks_before=self.ranks(task.ask),
            hits=self._stage.ranking if first else (),
            scores=tuple(map(answer.scores.get, task.ask.doc_ids)) if answer.scores else (),
            reasoning=answer.reasoning,
            answer=answer.text,
            flaws=answer.flaws,
        )

    def done(self, task: Task, answer: Answer, trace: AskTrace) -> list[Task]:
        """Note an answer; return the tasks that have become ready by it."""
        self.asked += 1
        self._open[task.place] = (answer, trace)
        if len(self._open) < len(self._stage.asks):
            return []
        return self._advance([answer for _, (answer, _) in sorted(self._open.items())])

    def settled(self) -> tuple[AskTrace, ...]:
        """Return the traces of the stages that are done, and let go of them."""
        traces, self._traces = tuple(self._traces), []
        return traces

    def ranking(self) -> Ranking:
        """Return the whole new ranking, with the hits below the depth."""
        assert self.result is not None, "all stages are done"
        return (*self.result.ranking, *self._tail)


def _hits(candidates: Candidates, depth: int) -> list[Hit]:
    ranking = candidates.ranking[:depth]
    scores = candidates.scores or [-float(rank) for rank in range(1, len(ranking) + 1)]
    return [Hit(doc_id, score) for doc_id, score in zip(ranking, scores, strict=False)]
