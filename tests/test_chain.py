"""One query's way through a method, without any engine."""

from collections.abc import Generator, Sequence

import pytest
from scripted import numbered, query

from rearank_cli.methods import Answer, Ask, Hit, Kind, Method, Result, Stage, make_method
from rearank_cli.records import Flaws, Ranking
from rearank_cli.reranking.chain import Candidates, Chain, Task
from rearank_cli.reranking.trace import AskTrace


def chain(
    hits: int,
    method: Method | None = None,
    depth: int = 100,
    passes: int = 1,
    scores: Sequence[float] = (),
) -> Chain:
    passages = numbered(hits)
    candidates = Candidates(query(), tuple(passages), passages, scores)
    return Chain(candidates, method or make_method("sliding", {"window": 4}), depth, passes)


def answered(task: Task, answer: Answer) -> list[Task]:
    return list(task.chain.done(task, answer, task.chain.traced(task, answer)).ready)


def reverse(task: Task) -> Answer:
    return Answer(task.ask.doc_ids[::-1])


class Noting:
    """A method that asks nothing, or two asks at once; it notes its hits and swaps the first."""

    name, window, repeats = "noting", 2, False
    kinds: frozenset[Kind] = frozenset(("order",))

    def __init__(self, asks: Sequence[Ask] = (), empty: int = 0) -> None:
        self.asks, self.empty = asks, empty
        self.hits: list[list[Hit]] = []
        self.heard: list[list[Answer]] = []

    def plan(self, hits: Sequence[Hit]) -> Generator[Stage, Sequence[Answer], Result]:
        self.hits.append(list(hits))
        order: Ranking = tuple(hit.doc_id for hit in hits)
        for _ in range(self.empty):
            self.heard.append(list((yield Stage([], order))))
        if self.asks:
            self.heard.append(list((yield Stage(self.asks, order))))
        swapped = (order[1], order[0], *order[2:])
        return Result(swapped, {doc_id: 1.0 for doc_id in order})

    def calls(self, hits: int) -> int:
        return len(self.asks)

    def path(self, hits: int) -> int:
        return 1


def test_a_chain_goes_through_its_stages_and_traces_them() -> None:
    way = chain(6)
    assert (way.first, way.result, way.stages, way.asked) == (tuple(numbered(6)), None, 0, 0)
    (first,) = way.start()
    assert (first.chain, first.stage, first.place) == (way, 1, 1)
    assert first.ask.doc_ids == ("d02", "d03", "d04", "d05")
    assert way.ranks(first.ask) == (3, 4, 5, 6)
    answer = Answer(first.ask.doc_ids[::-1], {"d02": 1.5}, Flaws(missing=(1,)), "so", "[4]")
    (second,) = answered(first, answer)
    assert (second.stage, second.place, way.stages, way.asked) == (2, 1, 2, 1)
    assert second.ask.doc_ids == ("d00", "d01", "d05", "d04")
    assert way.ranks(second.ask) == (1, 2, 3, 4)
    (trace,) = way.settled()
    assert trace == AskTrace(
        query_id="q1",
        query="what is q1",
        pass_=1,
        stage=1,
        place=1,
        before=("d02", "d03", "d04", "d05"),
        after=("d05", "d04", "d03", "d02"),
        ranks_before=(3, 4, 5, 6),
        ranks_after=(6, 5, 4, 3),
        hits=tuple(numbered(6)),
        scores=(1.5, None, None, None),
        reasoning="so",
        answer="[4]",
        flaws=Flaws(missing=(1,)),
    )
    assert way.settled() == ()
    assert answered(second, reverse(second)) == []
    assert way.ranking() == ("d04", "d05", "d01", "d00", "d03", "d02")
    (last,) = way.settled()
    assert (last.hits, last.scores, last.stage) == ((), (), 2)
    assert (way.asked, way.stages) == (2, 2)


def test_answers_are_handed_over_in_the_order_of_the_asks_once_all_are_there() -> None:
    method = Noting([Ask(("d00", "d01")), Ask(("d02", "d03")), Ask(("d01", "d02"))])
    way = chain(4, method)
    tasks = way.start()
    assert [(task.stage, task.place) for task in tasks] == [(1, 1), (1, 2), (1, 3)]
    answers = [Answer(task.ask.doc_ids, text=str(task.place)) for task in tasks]
    assert answered(tasks[2], answers[2]) == answered(tasks[0], answers[0]) == []
    assert (way.settled(), way.result) == ((), None)
    assert answered(tasks[1], answers[1]) == []
    assert method.heard == [answers]
    settled = way.settled()
    assert [(trace.place, trace.answer) for trace in settled] == [(1, "1"), (2, "2"), (3, "3")]
    assert [trace.hits for trace in settled] == [tuple(numbered(4)), (), ()]
    assert way.ranking() == ("d01", "d00", "d02", "d03")
    assert way.result is not None and way.result.scores["d03"] == 1.0


def test_stages_without_asks_are_answered_at_once_and_are_no_stages() -> None:
    method = Noting([Ask(("d00", "d01"))], empty=2)
    way = chain(3, method)
    (task,) = way.start()
    assert (task.stage, way.stages) == (1, 1)
    assert method.heard == [[], []]
    nothing = chain(3, Noting())
    assert not nothing.start()
    assert (nothing.ranking(), nothing.stages) == (("d01", "d00", "d02"), 0)


def test_a_second_pass_gets_the_hits_in_their_new_order_with_their_scores() -> None:
    method = Noting([Ask(("d00", "d01"))])
    way = chain(3, method, passes=2, scores=(9.0, 7.0, 5.0))
    (one,) = way.start()
    (two,) = answered(one, reverse(one))
    answered(two, reverse(two))
    assert [trace.pass_ for trace in way.settled()] == [1, 2]
    assert (one.stage, two.stage) == (1, 2)
    hits = [Hit("d00", 9.0), Hit("d01", 7.0), Hit("d02", 5.0)]
    assert method.hits == [hits, [hits[1], hits[0], hits[2]]]
    assert way.ranking() == ("d00", "d01", "d02")


@pytest.mark.parametrize("depth", [2, 3, 9])
def test_hits_below_the_depth_are_not_planned_and_follow(depth: int) -> None:
    method = Noting()
    way = chain(5, method, depth)
    assert not way.start()
    assert method.hits == [
        [Hit(doc_id, -float(rank)) for rank, doc_id in enumerate(numbered(5), 1)][:depth]
    ]
    assert way.first == tuple(numbered(5))[:depth]
    assert way.ranking() == ("d01", "d00", "d02", "d03", "d04")
