import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import environment
from typer.main import get_command

from rearank_cli.cli.app import app
from rearank_cli.cli.eval import command
from rearank_cli.collection import Collection
from rearank_cli.errors import RearankError
from rearank_cli.evaluation import tables

QRELS = "q1 0 a 2\nq1 0 b 0\nq2 0 c 1\n"
GOOD = "q1 Q0 a 1 9 t\nq1 Q0 b 2 8 t\nq2 Q0 x 1 9 t\nq2 Q0 c 2 8 t\n"
HALF = "q1 Q0 b 1 9 t\nq1 Q0 a 2 8 t\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "qrels.txt").write_text(QRELS)
    (tmp_path / "good.trec").write_text(GOOD)
    (tmp_path / "half.trec").write_text(HALF)
    return tmp_path


# As Typer makes it; nothing was typed.
CONTEXT: Any = get_command(app).commands["eval"].make_context("eval", ["run"])  # type: ignore[attr-defined]


def rearank(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", "eval", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_tsv_when_piped_and_a_missing_query_counts_as_0(files: Path) -> None:
    done = rearank(
        files, "good.trec", "half.trec", "--qrels", "qrels.txt", "-m", "RR@10 P@1", "-m", "nDCG@10"
    )
    assert done.returncode == 0, done.stderr
    # good: RR is 1 and 1/2; half: 1/2 and nothing. 0.6309 = 1 / log2(3)
    assert done.stdout == (
        "run\tRR@10\tP@1\tnDCG@10\ngood\t0.7500\t0.5000\t0.8155\nhalf\t0.2500\t0.0000\t0.3155\n"
    )


def test_a_run_from_stdin_is_measured_with_ndcg_at_10(files: Path) -> None:
    done = rearank(files, "-", "--qrels", "qrels.txt", stdin=GOOD)
    assert done.stdout == "run\tnDCG@10\nt\t0.8155\n"  # called by its tag


def test_wrong_measures_are_listed_together_with_near_names(files: Path) -> None:
    done = rearank(files, "good.trec", "--qrels", "qrels.txt", "-m", "ndgc@10", "-m", "P@ten")
    assert done.returncode == 2
    assert "ndgc@10: no such measure; P@ten: cannot be read as a measure" in done.stderr
    assert "hint: near names: nDCG" in done.stderr
    assert done.stdout == ""


def test_a_bad_line_is_named_with_its_place(files: Path) -> None:
    (files / "bad.trec").write_text(GOOD + "q2 Q0 d 3 NaN t\n")
    done = rearank(files, "bad.trec", "--qrels", "qrels.txt")
    assert done.returncode == 2
    assert "bad.trec:5: expected a finite number as score (column 5), found 'NaN'" in done.stderr


def test_judgements_must_come_from_somewhere(files: Path) -> None:
    with pytest.raises(RearankError, match="expected relevance judgements, found none"):
        command(CONTEXT, [str(files / "good.trec")])


def test_baseline_joins_the_runs_and_diff_shows_query_texts(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = Collection.of(
        queries={"q1": "what is a", "q2": "what is c"},
        grades={"q1": {"a": 2, "b": 0}, "q2": {"c": 1}},
    )
    for place in ("collection", "evaluation.given"):
        monkeypatch.setattr(f"rearank_cli.{place}.open_collection", lambda name, **_: tiny)
    good, half = str(files / "good.trec"), str(files / "half.trec")
    command(CONTEXT, [good], dataset="tiny", measure=["RR"], baseline=half, diff=True)
    assert capsys.readouterr().out == (
        "run\tmeasure\tquery\tbaseline\tvalue\tdifference\ttext\n"
        "good\tRR\tq1\t0.5000\t1.0000\t0.5000\twhat is a\n"
        "good\tRR\tq2\t0.0000\t0.5000\t0.5000\twhat is c\n"
    )
    command(CONTEXT, [good, half], qrels="tiny", measure=["RR"], baseline=half)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:7] for row in rows[1:]] == [
        ["good", "RR", "0.7500", "0.5000", "2", "0", "0"],
        ["half", "RR", "0.2500", "", "", "", ""],
    ]


def test_per_query_values(files: Path) -> None:
    done = rearank(files, "half.trec", "--qrels", "qrels.txt", "-m", "RR", "--per-query")
    assert done.stdout == "query\tmeasure\trun\tvalue\nq1\tRR\thalf\t0.5000\nq2\tRR\thalf\t0.0000\n"


def test_notes_go_to_stderr_and_the_output_file_holds_the_figures(files: Path) -> None:
    done = rearank(
        files, "half.trec", "--qrels", "qrels.txt", "-f", "csv", "--digits", "2", "-o", "out.csv"
    )
    assert done.stdout == ""
    assert (files / "out.csv").read_text() == "run,nDCG@10\nhalf,0.32\n"
    assert "half: 1 judged query missing, counted as 0 (q2)" in done.stderr


def test_judgements_in_beir_form_and_gzip(files: Path) -> None:
    text = "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tb\t0\nq2\tc\t1\n"
    with gzip.open(files / "qrels.tsv.gz", "wt") as handle:
        handle.write(text)
    done = rearank(files, "good.trec", "--qrels", "qrels.tsv.gz")
    assert done.stdout == "run\tnDCG@10\ngood\t0.8155\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["good.trec", "--diff"], "--diff needs a run to compare with"),
        (["-", "--baseline", "-", "-"], "expected one input from stdin, found - more than once"),
        (["good.trec", "good.trec"], "good.trec: expected each run once, found it twice"),
        (["good.trec", "--per-query", "-f", "latex"], "expected --format tsv, csv or json"),
        (["good.trec", "--baseline", "none.trec"], "none.trec: no such file"),
        (["good.trec", "-o", "no/where.tsv"], "no/where.tsv: no such folder: no"),
        (["good.trec", "-f", "xml"], "--format"),
        (["qrels.txt"], "qrels.txt:1: expected 6 columns"),
        (["."], ".: expected a file, found a directory"),
        (["good.trec", "--qrels", "no.txt"], "no.txt: expected a file or the name of a collection"),
    ],
)
def test_bad_input(files: Path, arguments: list[str], message: str) -> None:
    done = rearank(files, "--qrels", "qrels.txt", *arguments, "-m", "RR", stdin=GOOD)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_small_evaluation_imports_nothing_heavy(files: Path) -> None:
    script = (
        "import sys; from rearank_cli.cli import app;"
        "sys.argv = ['rearank', 'eval', 'good.trec', '--qrels', 'qrels.txt'];"
        "app._run();"
        "heavy = {'torch', 'vllm', 'transformers', 'pyserini', 'scipy', 'pyarrow', 'pandas'};"
        "sys.exit(' '.join(heavy & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=files, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("run", "qrels", "expected"),
    [
        ("dl19.bm25", "dl19-passage", "0.5058"),
        ("dl20.bm25", "dl20-passage", "0.4796"),
        ("covid.bm25", "covid", "0.5947"),
    ],
)
def test_published_values(shared: Path, run: str, qrels: str, expected: str) -> None:
    done = rearank(shared, f"runs/{run}.trec", "--qrels", f"qrels/{qrels}.qrels")
    assert done.stdout.split()[-1] == expected


def test_runs_can_be_named_and_pipes_are_called_by_their_tags(files: Path) -> None:
    (files / "tagged.trec").write_text(re.sub(r"t$", "splade", GOOD, flags=re.MULTILINE))
    program = f"{sys.executable} -m rearank_cli"
    line = f"{program} eval <(cat tagged.trec) --qrels qrels.txt x=half.trec good.trec --baseline x"
    done = subprocess.run(
        ["bash", "-c", line], cwd=files, env=environment(files), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    names = [line.split("\t")[0] for line in done.stdout.splitlines()[1:]]
    assert names == ["splade", "x", "good"]
    twice = rearank(files, "x=half.trec", "x=good.trec", "--qrels", "qrels.txt")
    assert "x=: expected the name of one run, found it for two" in twice.stderr


def test_a_wide_table_comes_in_parts_that_keep_the_names(files: Path) -> None:
    (files / "a-run-with-a-long-name.trec").write_text(GOOD)
    cuts = (5, 10, 20, 100)
    measures = [word for cut in cuts for word in ("-m", f"nDCG@{cut}", "-m", f"P@{cut}")]
    given = ("a-run-with-a-long-name.trec", "--qrels", "qrels.txt", *measures, "-f", "table")
    for columns in (80, 60):
        done = subprocess.run(
            [sys.executable, "-m", "rearank_cli", "eval", *given],
            cwd=files,
            env={**environment(files), "COLUMNS": str(columns)},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= columns
        rows = [line for line in lines if "a-run-with-a-long-name " in line]
        assert len(rows) == (2 if columns == 80 else 3), done.stdout
        assert all(f"nDCG@{cut}" in done.stdout for cut in cuts)


def test_tables_are_ascii_where_the_reader_has_no_lines(files: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rearank_cli", "eval", "half.trec", "--qrels", "qrels.txt"]
        + ["-f", "table", "--baseline", "good.trec"],
        cwd=files,
        env={**environment(files), "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert done.returncode == 0
    assert b"---" in done.stdout and b"diff" in done.stdout
    done.stdout.decode("ascii")


def test_long_queries_are_cut_in_tables_alone() -> None:
    assert len(tables._short("question" * 40)) == tables.TEXT_CHARS
    assert tables._short(" why? ") == "why?"
