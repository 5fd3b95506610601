"""Several runs: one engine, one queue, a collection each."""

from pathlib import Path

import pytest
from command import Numbers, rearank, served
from llm_server import serving
from scripted import by_number

from rearank_cli.cli.names import check_distinct, fields_of, filled, pattern_for
from rearank_cli.errors import RearankError
from rearank_cli.records import Prompt

SIZES = {"one": 3, "two": 5, "three": 2}


def collections(place: Path) -> None:
    """Write three collections with the same query ids, and a run of each that knows its own."""
    for name, queries in SIZES.items():
        folder = place / name
        folder.mkdir()
        Numbers(queries, hits=25).write(folder)
        (folder / "run.trec").rename(place / f"{name}.bm25.trec")
        (folder / "qrels.txt").rename(folder / "qrels.trec")
        done = rearank(place, "fuse", f"{name}.bm25.trec", f"{name}.bm25.trec", "-o", "x.trec")
        assert done.returncode == 2  # each run once
        origin(place, name)


def origin(place: Path, name: str) -> None:
    from rearank_cli.formats.origin import Command, Source, describe, of_run, write_origin
    from rearank_cli.formats.trec import read_run, write_run

    run = place / f"{name}.bm25.trec"
    read = read_run(run)
    write_run(run, read)
    about = describe(Command("retrieve"), Source(dataset=str(place / name)), (), ())
    write_origin(str(run), of_run(about, read, str(run)))


def runs() -> list[str]:
    return [f"{name}.bm25.trec" for name in SIZES]


def test_each_run_is_what_it_is_alone(tmp_path: Path) -> None:
    collections(tmp_path)
    with serving() as server:
        options = ("--base-url", server.url, "--model", "scripted", "--no-cache", "--tag", "t")
        done = rearank(tmp_path, "rerank", *runs(), *options, "-o", "out/{stem}.rearank.trec")
        assert "no such folder: out" in done.stderr
        done = rearank(tmp_path, "rerank", *runs(), *options, "-o", "{stem}.rearank.trec")
        assert done.returncode == 0, done.stderr
        assert f"{sum(SIZES.values())} queries, {2 * sum(SIZES.values())} windows" in done.stderr
        for name in SIZES:
            alone = rearank(tmp_path, "rerank", f"{name}.bm25.trec", *options, "-o", "alone.trec")
            assert alone.returncode == 0, alone.stderr
            for end in ("trec", "trace.jsonl"):
                together = (tmp_path / f"{name}.rearank.{end}").read_text().splitlines()
                apart = (tmp_path / f"alone.{end}").read_text().splitlines()
                assert len(together) == len(apart)
            assert (tmp_path / f"{name}.rearank.trec").read_bytes() == (
                tmp_path / "alone.trec"
            ).read_bytes()
    done = rearank(tmp_path, "eval", *runs(), *(f"{name}.rearank.trec" for name in SIZES))
    assert done.stdout.splitlines() == [
        "run\tmeasure\tone\ttwo\tthree\tmean",
        "bm25\tnDCG@10\t0.0000\t0.0000\t0.0000\t0.0000",
        "rearank\tnDCG@10\t1.0000\t1.0000\t1.0000\t1.0000",
    ]


def test_a_run_that_fails_does_not_lose_the_others(tmp_path: Path) -> None:
    """One run has a document that is nowhere, another a query that fits no model."""
    collections(tmp_path)
    with (tmp_path / "three" / "corpus.tsv").open("r+") as corpus:
        kept = corpus.readlines()[1:]
        corpus.seek(0)
        corpus.truncate()
        corpus.writelines(kept)

    def script(prompt: Prompt) -> str:
        if any("what is q4" in message.content for message in prompt):  # of the second run alone
            raise OverflowError("the prompt has 9000 tokens, the model takes 8000")
        return by_number(prompt)

    with serving(script) as server:
        options = ("--base-url", server.url, "--model", "scripted")
        done = rearank(tmp_path, "rerank", *runs(), *options, "-o", "{stem}.rearank.trec")
    assert done.returncode == 1
    assert "failed: three.bm25.trec: 2 documents (d000" in done.stderr
    assert "failed: two.bm25.trec: query q4, ranks 6-25: the query does not fit" in done.stderr
    assert "error: 2 of 3 runs could not be reranked; the others are done" in done.stderr
    assert (tmp_path / "one.rearank.trec").is_file()
    assert not list(tmp_path.glob("t*.rearank.trec"))


def test_a_run_is_written_as_soon_as_it_is_complete(tmp_path: Path) -> None:
    """The server never answers the last collection before the files of the first are there."""
    collections(tmp_path)
    seen: list[bool] = []

    def script(prompt: Prompt) -> str:
        if "what is q4" in prompt[-1].content or "what is q4" in prompt[0].content:
            seen.append(any((tmp_path / f"{n}.rearank.trec").exists() for n in ("one", "three")))
        return by_number(prompt)

    with serving(script) as server:
        options = ("--base-url", server.url, "--model", "scripted", "--concurrency", "1")
        done = rearank(tmp_path, "rerank", *runs(), *options, "-o", "{stem}.rearank.trec")
    assert done.returncode == 0, done.stderr
    assert seen and seen[-1]


def test_the_baseline_is_that_of_each_collection(tmp_path: Path) -> None:
    collections(tmp_path)
    with serving() as server:
        options = ("--base-url", server.url, "--model", "scripted")
        rearank(tmp_path, "rerank", *runs(), *options, "-o", "{stem}.rearank.trec")
    files = [*runs(), *(f"{name}.rearank.trec" for name in SIZES)]
    done = rearank(tmp_path, "eval", *files, "--baseline", "bm25", "-f", "csv")
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert rows[0][:3] == ["collection", "run", "measure"], done.stderr
    compared = [row for row in rows[1:] if row[4]]
    assert [row[0] for row in compared] == list(SIZES)
    raw, holm = rows[0].index("randomization_p"), rows[0].index("randomization_p_holm")
    pairs = sorted((float(row[raw]), float(row[holm])) for row in compared)
    floor = 0.0
    for place, (p, corrected) in enumerate(pairs):  # a family of three, not three families of one
        floor = max(floor, min(1.0, p * (3 - place)))
        assert corrected == pytest.approx(floor, abs=1e-5)
    by_path = rearank(tmp_path, "eval", *files, "--baseline", "one.bm25.trec", "-f", "csv")
    assert by_path.stdout == done.stdout
    done = rearank(tmp_path, "eval", *files, "--baseline", "splade")
    assert "expected a run named splade of every collection" in done.stderr


def test_several_runs_need_a_name_each(tmp_path: Path) -> None:
    collections(tmp_path)
    for output in ((), ("-o", "x.trec")):
        options = ("--base-url", "http://127.0.0.1:9/v1", "--model", "scripted")
        done = rearank(tmp_path, "rerank", *runs(), *options, *output)
        assert done.returncode == 2
        assert "-o: expected a name for each of 3 runs" in done.stderr


def test_the_fields_of_a_pattern() -> None:
    fields = fields_of("runs/cacm.bm25.trec.gz", "bm25", "/data/my cacm")
    assert filled("{stem}|{name}|{tag}|{collection}", fields) == "cacm|cacm.bm25|bm25|data-my-cacm"
    with pytest.raises(RearankError, match="found {model}"):
        filled("{model}.trec", fields)
    assert pattern_for("-", "out", 3) == "out/{name}.trec"
    with pytest.raises(RearankError, match="expected a name for each run"):
        check_distinct(["a.trec", "./a.trec"], [])
    with pytest.raises(RearankError, match="one of the runs to read"):
        check_distinct(["a.trec"], ["a.trec"])


def test_one_run_still_goes_to_stdout(tmp_path: Path) -> None:
    Numbers(2, 10).write(tmp_path)
    with serving() as server:
        done = rearank(tmp_path, "rerank", "run.trec", *served(server.url))
    assert len(done.stdout.splitlines()) == 20
