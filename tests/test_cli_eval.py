import subprocess
import sys
from pathlib import Path

import pytest

from rearank_cli.commands.eval import command
from rearank_cli.errors import RearankError

QRELS = "q1 0 a 2\nq1 0 b 0\nq2 0 c 1\n"
GOOD = "q1 Q0 a 1 9 t\nq1 Q0 b 2 8 t\nq2 Q0 x 1 9 t\nq2 Q0 c 2 8 t\n"
HALF = "q1 Q0 b 1 9 t\nq1 Q0 a 2 8 t\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "qrels.txt").write_text(QRELS)
    (tmp_path / "good.trec").write_text(GOOD)
    (tmp_path / "half.trec").write_text(HALF)
    return tmp_path


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
    assert done.stdout == "run\tnDCG@10\nstdin\t0.8155\n"


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
    with pytest.raises(RearankError, match="neither --qrels nor --dataset"):
        command([str(files / "good.trec")])


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
