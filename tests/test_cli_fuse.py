import subprocess
import sys
from pathlib import Path

import pytest

A = "q1 Q0 a 1 9 t\nq1 Q0 b 2 8 t\n"
B = "q1 Q0 b 1 9 t\nq1 Q0 c 2 8 t\nq2 Q0 x 1 9 t\n"


def rearank(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "a.trec").write_text(A)
    (folder / "b.trec").write_text(B)
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", "fuse", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_fused_run_on_stdout(tmp_path: Path) -> None:
    done = rearank(tmp_path, "a.trec", "-", stdin=B)
    assert done.stdout == ("q1 Q0 b 1 3 rrf\nq1 Q0 a 2 2 rrf\nq1 Q0 c 3 1 rrf\nq2 Q0 x 1 1 rrf\n")
    assert done.stderr == "a.trec: 1 of 2 queries missing\n"


def test_method_depth_tag_and_output(tmp_path: Path) -> None:
    done = rearank(
        tmp_path,
        *("a.trec", "b.trec", "--method", "combsum", "--depth", "1", "--tag", "mine"),
        *("-o", "out.trec"),
    )
    assert done.stdout == ""
    assert (tmp_path / "out.trec").read_text() == "q1 Q0 a 1 1 mine\nq2 Q0 x 1 1 mine\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.trec"], "expected two or more runs to fuse, found one"),
        (["a.trec", "a.trec"], "a.trec: expected each run once, found it twice"),
        (["a.trec", "none.trec"], "none.trec: no such file"),
        (["a.trec", "b.trec", "--tag", "two words"], "expected a run tag without spaces"),
        (["a.trec", "b.trec", "--method", "sum"], "--method"),
        (["a.trec", "b.trec", "--k", "0"], "--k"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = rearank(tmp_path, *arguments, "-o", "out.trec")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.trec").exists()
