"""One query's way through a method: what is ready to be asked, and what came of it."""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from rearank_cli.methods import Answer, Ask, Hit, Method, Result, Stage
from rearank_cli.records import Passage, Query, Ranking
from rearank_cli.reranking.trace import AskTrace, settle


class Candidates(NamedTuple):
    """What is to be reranked for one query.

    `passages` holds every doc id within the depth. `scores` are those of the run, one for each
    hit; without them the ranks alone count. `below` are the ids of further hits, which follow.
    """

    query: Query
    ranking: Ranking
    passages: Mapping[str, Passage]
    scores: Sequence[float] = ()
    below: Sequence[str] = ()


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
    """An ask that is ready: the chain it belongs to, its stage and its place there, from 1.

    `fate` is there for an ask that was begun early: it ends when it is known that the ask is
    needed.
    """

    chain: "Chain"
    stage: int
    place: int
    ask: Ask
    fate: "asyncio.Future[None] | None" = None


class Moves(NamedTuple):
    """What follows from an answer: tasks that are ready, and what becomes of those begun early."""

    ready: Sequence[Task] = ()
    kept: Sequence[Task] = ()
    dropped: Sequence[Task] = ()


class _Step(NamedTuple):
    """A stage of the pass with this number, from 1."""

    pass_: int
    stage: Stage


class _Asked(NamedTuple):
    """The tasks of a stage, and what is known of their answers so far, by place."""

    tasks: Sequence[Task]
    known: dict[int, Answer]


_Steps = Generator[_Step, Sequence[Answer], Result]


class Chain:
    """The stages of one query, one after the other, for one pass or several.

    `first` is the ranking that it begins with; `result` is None until the last stage is done.

    A stage may be begun early, when enough is known of the answers before it (`foresee`). The plan
    knows nothing of that: what it would ask next is found out by a second plan that is given the
    same answers. When the answers are all there, the plan itself says what follows; what was begun
    early is kept if it asks the same, and else dropped.
    """

    def __init__(self, candidates: Candidates, method: Method, depth: int, passes: int) -> None:
        """Plan the way; nothing is asked before `start`."""
        self.query = candidates.query
        self.passages = candidates.passages
        self.result: Result | None = None
        self.stages = 0
        self.asked = 0
        self.first = candidates.ranking[:depth]
        self._candidates = candidates
        self._depth = depth
        hits = _hits(candidates, depth)
        self._plan_again = partial(_steps, method, hits, passes)
        self._plan = self._plan_again()
        self._past: list[Sequence[Answer]] = []
        self._step = _Step(0, Stage([], ()))
        self._now = _Asked((), {})
        self._early: list[_Asked] = []
        self._ranks: dict[str, int] = {}
        self._open: dict[int, tuple[Answer, AskTrace]] = {}
        self._traces: list[AskTrace] = []

    def start(self) -> Sequence[Task]:
        """Return the tasks of the first stage."""
        return self._advance(None).ready

    def _advance(self, answers: Sequence[Answer] | None) -> Moves:
        """Give the plan its answers; return the tasks of the next stage that has any."""
        early, self._early = self._early, []
        if answers is not None:
            self._past.append(answers)
        while True:
            try:
                step = next(self._plan) if answers is None else self._plan.send(answers)
            except StopIteration as end:
                self._settle(end.value.ranking)
                self.result = end.value
                return Moves(dropped=_tasks(early))
            self._settle(step.stage.ranking)
            self._step = step
            self._ranks = {doc_id: rank for rank, doc_id in enumerate(step.stage.ranking, 1)}
            if step.stage.asks:
                break
            answers = []
        self.stages += 1
        if early and [task.ask for task in early[0].tasks] == list(step.stage.asks):
            self._now, *self._early = early
            return Moves(kept=self._now.tasks)
        self._now = self._asked(self.stages, step.stage)
        return Moves(self._now.tasks, dropped=_tasks(early))

    def _asked(self, number: int, stage: Stage) -> _Asked:
        return _Asked(
            [Task(self, number, place, ask) for place, ask in enumerate(stage.asks, 1)], {}
        )

    def foresee(self, task: Task, answer: Answer) -> Sequence[Task]:
        """Note what is known of an answer; return the tasks that can be begun early by it.

        `answer` is right in the ranks that its ask needs, or is likely to be.
        """
        levels = [self._now, *self._early]
        at = task.stage - self.stages
        if not 0 <= at < len(levels) or task not in levels[at].tasks:
            return ()  # it has been dropped
        levels[at].known[task.place] = answer
        if at + 1 < len(levels) or any(len(each.known) < len(each.tasks) for each in levels):
            return ()
        stage = self._foreseen([[known[place] for place in sorted(known)] for _, known in levels])
        if stage is None:
            return ()
        self._early.append(self._asked(task.stage + 1, stage))
        return self._early[-1].tasks

    def _foreseen(self, guesses: Sequence[Sequence[Answer]]) -> Stage | None:
        """Return the stage that would follow these answers to the latest stages, if any."""
        plan = self._plan_again()
        try:
            stage = _with_asks(plan, next(plan))
            for answers in (*self._past, *guesses):
                stage = _with_asks(plan, plan.send(answers))
        except StopIteration:
            return None
        return stage

    def give_up(self) -> Sequence[Task]:
        """Return all tasks that were begun early and are not needed, and forget them."""
        early, self._early = self._early, []
        return _tasks(early)

    def _settle(self, ranking: Ranking) -> None:
        """Note where the documents of the stage before now stand."""
        asks = [trace for _, (_, trace) in sorted(self._open.items())]
        self._traces += settle(asks, self._step.stage.ranking, ranking)
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
            pass_=self._step.pass_,
            stage=task.stage,
            place=task.place,
            before=task.ask.doc_ids,
            after=answer.ranking,
            ranks_before=self.ranks(task.ask),
            hits=self._step.stage.ranking if first else (),
            scores=tuple(map(answer.scores.get, task.ask.doc_ids)) if answer.scores else (),
            reasoning=answer.reasoning,
            answer=answer.text,
            flaws=answer.flaws,
            read=answer.read,
        )

    def done(self, task: Task, answer: Answer, trace: AskTrace) -> Moves:
        """Note an answer; return what follows from it."""
        self.asked += 1
        self._now.known[task.place] = answer
        self._open[task.place] = (answer, trace)
        if len(self._open) < len(self._now.tasks):
            return Moves()
        return self._advance([answer for _, (answer, _) in sorted(self._open.items())])

    def settled(self) -> tuple[AskTrace, ...]:
        """Return the traces of the stages that are done, and let go of them."""
        traces, self._traces = tuple(self._traces), []
        return traces

    def ranking(self) -> Ranking:
        """Return the whole new ranking, with the hits below the depth."""
        assert self.result is not None, "all stages are done"
        candidates = self._candidates
        return (*self.result.ranking, *candidates.ranking[self._depth :], *candidates.below)


def _hits(candidates: Candidates, depth: int) -> list[Hit]:
    ranking = candidates.ranking[:depth]
    scores = candidates.scores or [-float(rank) for rank in range(1, len(ranking) + 1)]
    return [Hit(doc_id, score) for doc_id, score in zip(ranking, scores, strict=False)]


def _steps(method: Method, hits: Sequence[Hit], passes: int) -> _Steps:
    """Plan all passes, each over the ranking that the one before has made."""
    result = Result(tuple(hit.doc_id for hit in hits))
    for number in range(1, passes + 1):
        plan = method.plan(hits)
        try:
            stage = next(plan)
            while True:
                stage = plan.send((yield _Step(number, stage)))
        except StopIteration as end:
            result = end.value
        known = {hit.doc_id: hit for hit in hits}
        hits = [known[doc_id] for doc_id in result.ranking]
    return result


def _with_asks(plan: _Steps, step: _Step) -> Stage:
    """Go on to a stage that asks anything."""
    while not step.stage.asks:
        step = plan.send([])
    return step.stage


def _tasks(stages: Sequence[_Asked]) -> list[Task]:
    return [task for stage in stages for task in stage.tasks]
