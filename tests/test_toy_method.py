"""A method that is defined here and nowhere else: everything works for it.

A tournament of groups of four. In every round the documents that are still in the field meet in
groups that are spread over it, the first of every group goes on, and the others stay where they
finished. So its asks are no slices of the ranking, its stages shrink, and its numbers are its own.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import ClassVar

import pytest
from command import FILES, Numbers
from llm_server import LlmServer, serving

from rearank_cli.cli.app import main
from rearank_cli.formats.trec import read_run
from rearank_cli.methods import METHODS
from rearank_cli.methods.base import Ask, Hit, Kind, Plan, Result, Stage, ids

HITS = 18  # rounds of 18, 5, 2 and 1: groups of four and less, and one document that has no rival
ASKS = 5 + 2 + 1


@dataclass(frozen=True, slots=True)
class Tournament:
    """Groups of `group` documents; the winners meet in the next round."""

    group: int = 4

    name: ClassVar[str] = "tournament"
    kinds: ClassVar[frozenset[Kind]] = frozenset(("order", "choice"))
    repeats: ClassVar[bool] = False

    @property
    def window(self) -> int:
        """The most passages in one prompt."""
        return self.group

    def plan(self, hits: Sequence[Hit]) -> Plan:
        """Yield a stage for each round."""
        order = list(ids(hits))
        field = len(order)
        while field > 1:
            count = ceil(field / self.group)
            groups = [tuple(order[place:field:count]) for place in range(count)]
            asked = [group for group in groups if len(group) > 1]
            answers = iter((yield Stage([Ask(group) for group in asked], tuple(order))))
            groups = [next(answers).ranking if len(each) > 1 else each for each in groups]
            order[:field] = [
                group[rank] for rank in range(self.group) for group in groups if rank < len(group)
            ]
            field = count if count > 1 else 0
        return Result(tuple(order))

    def calls(self, hits: int) -> int:
        """Return too few on purpose: it is an estimate, and may be wrong."""
        return ceil(hits / self.group)

    def path(self, hits: int) -> int:
        """Return nothing of use, which may do no harm."""
        return 0


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def command(
    tmp_path: Path,
    server: LlmServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Return the command line in this process, where the method is known."""
    monkeypatch.setitem(METHODS, "tournament", Tournament)
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Numbers(2, HITS).write(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rearank", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        return said.out or said.err

    return run


def rerank(server: LlmServer, *more: str) -> tuple[str, ...]:
    served = ("--base-url", server.url, "--model", "scripted", "--method", "tournament")
    return ("rerank", "run.trec", *FILES, *served, "--depth", str(HITS), *more)


def test_driver_and_trace(command: Callable[..., str], server: LlmServer, tmp_path: Path) -> None:
    command(*rerank(server, "-o", "new.trec"))
    assert len(server.finished) == 2 * ASKS
    new = read_run(tmp_path / "new.trec")
    assert {ranking[0] for ranking in new.rankings.values()} == {"d000"}  # the lowest number wins
    assert all(sorted(each) == [f"d{n:03}" for n in range(HITS)] for each in new.rankings.values())
    records = [json.loads(line) for line in (tmp_path / "new.trace.jsonl").open()]
    asks = [each for each in records if each.get("query_id") == "q0"]
    assert [(each["stage"], each["place"]) for each in asks] == [
        *((1, place) for place in range(1, 6)),
        *((2, place) for place in range(1, 3)),
        (3, 1),
    ]
    assert asks[0]["ranks_before"] == [1, 6, 11, 16]  # spread over the field


def test_a_broken_run_is_resumed(command: Callable[..., str], server: LlmServer) -> None:
    command(*rerank(server, "--shard", "1/2", "-o", "first.trec"))
    done = len(server.finished)
    command(*rerank(server, "-o", "new.trec"))
    assert (done, len(server.finished)) == (ASKS, 2 * ASKS)
    told = command(*rerank(server, "-o", "again.trec"))
    assert len(server.finished) == 2 * ASKS
    assert f"2 queries, {2 * ASKS} windows" in told
    assert read_run("again.trec").rankings == read_run("new.trec").rankings


def test_a_dry_run_counts_it(command: Callable[..., str], server: LlmServer) -> None:
    found = dict(
        line.split("\t")
        for line in command(*rerank(server, "--dry-run")).splitlines()
        if "\t" in line
    )
    assert found["windows"] == str(2 * ASKS)
    assert found["windows in the longest chain"] == "3"
    assert server.finished == []


def test_explain_follows_a_document(command: Callable[..., str], server: LlmServer) -> None:
    command(*rerank(server, "-o", "new.trec"))
    trace = ("explain", "new.trace.jsonl", "--query", "q0")
    story = json.loads(command(*trace, "--json"))
    assert [hit["doc_id"] for hit in story["hits"]] == list(
        read_run("new.trec").rankings["q0"][:10]
    )
    assert len(story["windows"]) == ASKS
    way = json.loads(command(*trace, "--doc", "d000", "--json"))
    assert (way["old_rank"], way["new_rank"]) == (HITS, 1)
    ranks = [(step["old_rank"], step["new_rank"]) for step in way["windows"]]
    # d000 came last: it won the group of ranks 3, 8, 13 and 18, and then rose to the top.
    assert ranks[0] == (18, 3)
    assert ranks[-1][1] == 1
    assert all(now == then for (_, now), (then, _) in zip(ranks, ranks[1:], strict=False))
    assert "d000" in command(*trace, "--doc", "d000", *FILES, "--qrels", "qrels.txt")


def test_a_report_is_made_of_it(command: Callable[..., str], server: LlmServer) -> None:
    command(*rerank(server, "-o", "new.trec"))
    known = (*FILES, "--qrels", "qrels.txt")
    runs = ("run.trec", "new.trec", "--trace", "new.trace.jsonl")
    command("report", *runs, *known, "-m", "RR", "-o", "page.html")
    page = Path("page.html").read_text()
    assert "<b>1.0000</b>" in page  # RR of the new run
    assert "ranks 1, 6, 11, 16" in page.replace("–", "-")
