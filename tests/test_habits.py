"""What people type who know other tools: their names, their order of arguments, plain lines."""

from pathlib import Path

from command import Numbers, rearank, served
from llm_server import serving


def test_short_options_for_help_and_version(tmp_path: Path) -> None:
    assert rearank(tmp_path, "-V").stdout == rearank(tmp_path, "--version").stdout != ""
    assert rearank(tmp_path, "eval", "-h").stdout == rearank(tmp_path, "eval", "--help").stdout


def test_judgements_are_known_by_their_columns(tmp_path: Path) -> None:
    Numbers(2, 12).write(tmp_path)
    named = rearank(tmp_path, "eval", "run.trec", "--qrels", "qrels.txt", "-m", "RR").stdout
    assert named.splitlines()[1].startswith("run\t0.0833")
    for order in (("run.trec", "qrels.txt"), ("qrels.txt", "run.trec")):
        done = rearank(tmp_path, "eval", *order, "-m", "recip_rank")
        assert done.stdout == named, done.stderr
    done = rearank(tmp_path, "eval", "qrels.txt", "qrels.txt", "run.trec")
    assert "expected judgements once" in done.stderr


def test_a_collection_may_be_the_last_word(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    Numbers(2, 12).write(folder)
    (folder / "qrels.txt").rename(folder / "qrels.trec")
    with serving() as server:
        options = ("--base-url", server.url)
        done = rearank(tmp_path, "rerank", "data/run.trec", "data", *options, "-o", "new.trec")
    assert done.returncode == 0, done.stderr
    assert "model: scripted, the only one of the server" in done.stderr
    assert rearank(tmp_path, "eval", "new.trec", "data").stdout.splitlines()[1] == "new\t1.0000"
    done = rearank(tmp_path, "rerank", "data/run.trec", "data", "-d", "other", *options)
    assert "expected one collection, found two: data and other" in done.stderr


def test_plain_lines_are_ordered_without_a_run(tmp_path: Path) -> None:
    text = "passage 3\npassage 1\n\npassage 2\n"
    (tmp_path / "lines.txt").write_text(text)
    with serving() as server:
        options = ("--query", "which?", "--base-url", server.url)
        from_file = rearank(tmp_path, "rerank", *options, "--docs", "lines.txt")
        piped = rearank(tmp_path, "rerank", *options, stdin=text)
        lost = rearank(tmp_path, "rerank", *options, "--docs", "nowhere.txt")
    assert from_file.stdout == "3\tpassage 1\n2\tpassage 2\n1\tpassage 3\n", from_file.stderr
    assert piped.stdout == from_file.stdout
    assert lost.returncode == 2 and "nowhere.txt: no such file" in lost.stderr


def test_the_parts_of_a_collection_can_be_had_as_files(tmp_path: Path) -> None:
    done = rearank(tmp_path, "export", "qrels", "demo", "-o", "demo.qrels")
    assert done.returncode == 0, done.stderr
    rearank(tmp_path, "export", "queries", "demo", "-o", "queries.tsv")
    rearank(tmp_path, "export", "docs", "demo", "-o", "corpus.jsonl")
    files = ("--corpus", "corpus.jsonl", "--queries", "queries.tsv", "--qrels", "demo.qrels")
    for part in ("qrels", "queries", "docs"):  # what was exported is what is read
        again = rearank(tmp_path, "export", part, *files).stdout
        assert again == rearank(tmp_path, "export", part, "demo").stdout != ""
    (tmp_path / "ids").write_text("q03\nq01 more\n")
    some = rearank(tmp_path, "export", "queries", "demo", "--ids", "ids").stdout.splitlines()
    assert [line.split("\t")[0] for line in some] == ["q01", "q03"]
    (tmp_path / "ids").write_text("nobody\n")
    done = rearank(tmp_path, "export", "docs", "demo", "--ids", "ids")
    assert done.returncode == 2 and "first: nobody" in done.stderr


def test_a_folder_is_described_as_a_name_is(tmp_path: Path) -> None:
    Numbers(1, 2).write(tmp_path)
    done = rearank(tmp_path, "datasets", ".")
    assert done.stdout.splitlines()[1].split("\t")[:3] == [".", "docs,queries,qrels", "yes"]


def test_a_run_is_still_wanted(tmp_path: Path) -> None:
    Numbers(1, 2).write(tmp_path)
    done = rearank(tmp_path, "rerank")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: rearank rerank: expected RUN, found nothing",
    )
    done = rearank(tmp_path, "rerank", "run.trec", "--query", "x", *served("http://127.0.0.1:9/v1"))
    assert "expected a run or --query, found both" in done.stderr
