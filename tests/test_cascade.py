"""A cheap model over many hits, a dear one over the best of them, in one pipe."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from command import Numbers, served, shell
from llm_server import serving
from scripted import shown

from rearank_cli.records import Prompt

RERANK = (sys.executable, "-m", "rearank_cli", "rerank")


def coarse(prompt: Prompt) -> str:
    """Score the one passage that is shown by its tens: lower is better."""
    text = next(part for part in prompt[-1].content.splitlines() if part.startswith("[1] passage"))
    return f'<answer>{{"[1]": {10 - int(text.split()[-1]) // 10}}}</answer>'


def piped(folder: Path, *commands: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run commands as a shell does, each reading what the one before it writes."""
    line = " | ".join(shlex.join([*RERANK, *command]) for command in commands)
    return shell(folder, line)


def test_a_cascade_in_one_pipe(tmp_path: Path) -> None:
    Numbers(queries=2, hits=60).write(tmp_path)
    with serving(coarse) as small, serving() as large:
        cheap = ("--depth", "1000", "--method", "pointwise", "--recipe", "groups")
        first = ("run.trec", *served(small.url), *cheap)
        second = ("-", *served(large.url), "--depth", "20")
        alone = piped(tmp_path, (*first, "--dry-run"))
        both = piped(tmp_path, first, (*second, "--dry-run"))
        asked = len(small.finished), len(large.finished)
        done = piped(tmp_path, first, second)
        again = len(small.finished)
    assert "windows\t120\n" in alone.stdout, alone.stderr
    assert "windows\t2\n" in both.stdout, both.stderr
    assert asked == (120, 0)  # the dry run of the second needs the first's answers, and keeps them
    assert again == 120 and len(large.finished) == 2
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    # The dear model puts the first 20 in order; below them all is as the cheap one has it, which
    # tells tens apart and keeps the first stage's order, highest first, within them.
    below = [ten + one for ten in (20, 30, 40, 50) for one in range(9, -1, -1)]
    assert [int(row[2][1:]) for row in rows if row[0] == "q0"] == [*range(20), *below]
    assert {row[5] for row in rows} == {"rearank-scripted"}
    assert shown(large.finished[0])[0] == "passage 009"


def test_a_failing_first_stage_leaves_nothing(tmp_path: Path) -> None:
    Numbers(queries=1, hits=30).write(tmp_path)
    with serving() as large:
        options = served(large.url)
        done = piped(tmp_path, ("missing.trec", *options), ("-", *options))
    assert done.returncode == 2
    assert done.stdout == "" and "missing.trec: " in done.stderr
    assert not large.finished
