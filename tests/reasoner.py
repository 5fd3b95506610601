"""A stand-in for a 7B reasoning model: long reasoning, good but imperfect orders, some flaws.

It goes through the real driver (`Driver`), so that the traces are what the program writes. Its
knowledge is the judgements, blurred with a fixed seed.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rearank_cli.collection import open_collection
from rearank_cli.engines.base import Ability
from rearank_cli.formats.trec import write_run
from rearank_cli.methods.sliding import Sliding
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Completion, Passage, Prompt, Query, Request, Run
from rearank_cli.reranking.chain import Candidates, Reranked
from rearank_cli.reranking.driver import Driver, Settings

COMMON = frozenset(
    "about after also and because been does from have into only that their them then "
    "there they this what when where which while with would your".split()
)
GOOD = (
    "Passage [{n}] is about {title}. It speaks directly to the question: it explains {words}, and "
    "that is the mechanism the user is asking for, so it belongs near the top.",
    "[{n}] ({title}) names {words} and gives the actual reason, not only the symptom. Relevant.",
    "Looking at [{n}], the text on {title} covers {words}. This is close to a complete answer.",
)
FAIR = (
    "[{n}] deals with {title}. It shares {words} with the query and gives background, but it stops "
    "short of the answer.",
    "Passage [{n}] mentions {words}; it is related, although {title} is a neighbouring topic.",
)
POOR = (
    "[{n}] is about {title}. It has {words} in it, but in another sense, so the overlap is on the "
    "surface only.",
    "As for [{n}], {title} does not help with this question at all.",
    "[{n}] talks about {title}, which is a different subject; I will put it low.",
)


@dataclass
class Reasoner:
    """Answers prompts of the `rearank` profile; `grades` are by query text and title."""

    grades: Mapping[tuple[str, str], int]
    capacity: int = 4
    kv_tokens: int = 0
    most_choices: int = 0
    abilities: frozenset[Ability] = frozenset(("chat",))
    reserved: Sequence[str] = ()
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def identity(self) -> Mapping[str, Any]:
        """Say what this is."""
        return {"model": "stand-in"}

    async def complete(self, request: Request) -> Completion:
        """Reason about every passage shown, then order them, now and then with a flaw."""
        prompt = request.prompt
        assert not isinstance(prompt, str), "recipes of the tests are chats"
        asked = re.search(
            r"relevant they are to this query: (.*)\.\nBegin", prompt[1].content, re.S
        )
        query = asked[1] if asked else ""
        shown = [match for turn in prompt if (match := _shown(turn.content))]
        values: list[float] = []
        thoughts = [f"The user wants to know: {query} Let me go through the passages one by one."]
        for number, title, text in shown:
            grade = self.grades.get((query, title), 0)
            values.append(grade + self.rng.gauss(0, 1.2) - 0.01 * number)
            kind = (POOR, FAIR, FAIR, GOOD)[min(grade, 3)]
            words = _shared(query, text) or "little of what was asked"
            thoughts.append(self.rng.choice(kind).format(n=number, title=title, words=words))
        order = sorted(range(1, len(shown) + 1), key=lambda number: -values[number - 1])
        thoughts.append(self._conclusion(order))
        return self._completion(prompt, "\n".join(thoughts), order)

    def _conclusion(self, order: Sequence[int]) -> str:
        first, second = order[0], order[min(1, len(order) - 1)]
        return (
            f"\nComparing the best ones: [{first}] answers the question itself, whereas [{second}] "
            f"adds to it. The others, such as passages {order[-2]} and {order[-1]}, come last."
        )

    def _completion(self, prompt: Prompt, thoughts: str, order: list[int]) -> Completion:
        chance = self.rng.random()
        if chance < 0.04:  # cut in the middle of a thought
            text = f"<think>{thoughts[: len(thoughts) * 3 // 5]}"
        else:
            if chance < 0.10:
                order = [*order[:-2], order[0]]
            elif chance < 0.13:
                order = [*order[:3], len(order) + 4, *order[3:]]
            answer = " > ".join(f"[{number}]" for number in order)
            text = f"<think>{thoughts}\n</think>\n<answer> {answer} </answer>"
        asked = sum(len(turn.content) for turn in prompt) // 4
        finish = "length" if chance < 0.04 else "stop"
        return Completion(text, "", finish, asked, len(text) // 4, self.rng.random() < 0.1)


def _shown(content: str) -> tuple[int, str, str] | None:
    match = re.fullmatch(r"\[(\d+)\] Title: (.*?) Content: (.*)", content, re.S)
    return (int(match[1]), match[2], match[3]) if match else None


def _shared(query: str, text: str) -> str:
    """Return the words that a query and a text share, as a sentence would list them."""
    ours = set(re.findall(r"[a-z]{4,}", query.lower())) - COMMON
    found = list(dict.fromkeys(w for w in re.findall(r"[a-z]{4,}", text.lower()) if w in ours))[:3]
    return ", ".join(f'"{word}"' for word in found)


def rerank(
    work: Sequence[Candidates],
    grades: Mapping[tuple[str, str], int],
    settings: Settings,
    stem: Path,
) -> tuple[Path, Path]:
    """Rerank with the stand-in; write and return `stem.trec` and `stem.trace.jsonl`."""
    engine = Reasoner(grades)
    driver = Driver(engine, settings)

    async def collect() -> list[Reranked]:
        return [result async for result in driver.run(work)]

    rng = random.Random(11)
    rankings = {}
    run, trace = (stem.with_name(stem.name + end) for end in (".trec", ".trace.jsonl"))
    with trace.open("w", encoding="utf-8") as handle:
        handle.write(json.dumps({"provenance": PROVENANCE}) + "\n")
        for result in asyncio.run(collect()):
            rankings[result.query_id] = result.ranking
            for each in result.traces:
                took = 0.0 if each.cached else rng.lognormvariate(2.2, 0.4)
                handle.write(replace(each, seconds=round(took, 3)).to_json() + "\n")
    write_run(run, Run.by_rank(rankings, "stand-in"))
    return run, trace


def sliding(depth: int, window: int, stride: int) -> Settings:
    """Return the paper's way of reranking with these numbers."""
    return Settings(load_recipe("rearank"), Sliding(window, stride), depth)


PROVENANCE = {
    "rearank": "0.1.0",
    "command": ["rearank", "rerank", "first-stage.trec", "-d", "demo"],
    "started": "2026-01-05T09:00:00+00:00",
    "model": "stand-in of the tests",
    "sampling": {"max_tokens": 2048, "temperature": 0.0, "seed": 0},
    "prompt": "rearank",
    "settings": {"depth": 20, "window": 10, "stride": 5, "passes": 1},
}


def demo_work(hits: int = 20) -> tuple[list[Candidates], dict[tuple[str, str], int]]:
    """Return the demo's queries with `hits` candidates each by shared words, and the grades."""
    collection = open_collection("demo")
    documents = {passage.doc_id: passage for passage in collection.documents()}
    qrels = collection.judgements()
    work, grades = [], {}
    for query_id, query in collection.queries().items():
        judged = qrels[query_id]
        ranking = _first_stage(query, judged, documents)[:hits]
        work.append(Candidates(query, tuple(ranking), documents))
        for doc_id, grade in judged.items():
            grades[query.text, documents[doc_id].title] = grade
    return work, grades


def _first_stage(
    query: Query, judged: Mapping[str, int], documents: Mapping[str, Passage]
) -> list[str]:
    """Order the documents by shared words with a little knowledge: a middling first stage."""
    rng = random.Random(query.query_id)
    words = set(re.findall(r"[a-z]{4,}", query.text.lower())) - COMMON

    def score(passage: Passage) -> float:
        found = words & set(re.findall(r"[a-z]{4,}", f"{passage.title} {passage.text}".lower()))
        bonus = rng.random() * 2 if judged.get(passage.doc_id, 0) > 0 else 0.0
        return -len(found) - bonus - 1.5 * rng.random()

    return sorted(documents, key=lambda doc_id: score(documents[doc_id]))


def write_demo(folder: Path) -> tuple[Path, Path, Path]:
    """Write the old run, the new run and the trace of the demo; return their paths."""
    work, grades = demo_work()
    old = folder / "first-stage.trec"
    write_run(old, Run.by_rank({each.query.query_id: each.ranking for each in work}, "first-stage"))
    run, trace = rerank(work, grades, sliding(20, 10, 5), folder / "stand-in")
    return old, run, trace


def write_large(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Write 50 queries of 100 hits: old run, new run, trace, and the folder of the collection.

    The demo's queries come twice and some three times, under new ids.
    """
    base, grades = demo_work(100)
    work = [
        Candidates(
            Query(f"{n:03}", base[n % 24].query.text), base[n % 24].ranking, base[0].passages
        )
        for n in range(50)
    ]
    collection = folder / "large"
    (collection / "qrels").mkdir(parents=True)
    with (collection / "corpus.jsonl").open("w") as handle:
        for passage in open_collection("demo").documents():
            entry = {"_id": passage.doc_id, "title": passage.title, "text": passage.text}
            handle.write(json.dumps(entry) + "\n")
    judged = open_collection("demo").judgements()
    with (collection / "qrels" / "test.tsv").open("w") as handle:
        handle.write("query-id\tcorpus-id\tscore\n")
        for n in range(50):
            for doc_id, grade in judged[base[n % 24].query.query_id].items():
                handle.write(f"{n:03}\t{doc_id}\t{grade}\n")
    with (collection / "queries.jsonl").open("w") as handle:
        for each in work:
            handle.write(json.dumps({"_id": each.query.query_id, "text": each.query.text}) + "\n")
    old = folder / "first-stage.trec"
    write_run(old, Run.by_rank({each.query.query_id: each.ranking for each in work}, "first-stage"))
    run, trace = rerank(work, grades, sliding(100, 20, 10), folder / "stand-in")
    return old, run, trace, collection
