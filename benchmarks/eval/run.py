"""Compare ways to evaluate a long run: `python benchmarks/eval/run.py`.

A run as long as MS MARCO dev's (6,980 queries x 1,000 hits) and its judgements are generated from a
fixed seed, then `rearank eval`, `python -m ir_measures`, trec_eval (the program in the Anserini
jar) and ranx compute nDCG@10 and RR@10 in turn, each in a process of its own, several times over.
Printed are medians, the ratio to rearank, and what each computed. ranx is measured when --ranx
names a Python that has it: `python -m venv /tmp/ranx && /tmp/ranx/bin/pip install ranx`.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.eval import trec_eval  # noqa: E402  needs the line above when run as a script

RANX = """
import sys
from ranx import Qrels, Run, evaluate
qrels = Qrels.from_file(sys.argv[1], kind="trec")
run = Run.from_file(sys.argv[2], kind="trec")
print(evaluate(qrels, run, ["ndcg@10", "mrr@10"], make_comparable=True))
"""


@dataclass
class Contender:
    """A command, and the seconds, CPU seconds and peak MiB of each time it ran."""

    name: str
    command: Sequence[str]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    values: str = ""


def generate(folder: Path, queries: int, hits: int) -> tuple[Path, Path]:
    """Write a run and judgements: distinct falling scores, about one relevant hit per query."""
    draw = random.Random(6980)
    run, qrels = folder / "run.trec", folder / "qrels.txt"
    with run.open("w") as lines, qrels.open("w") as judged:
        for number in range(queries):
            query_id = 1_000 + 150 * number
            doc_ids = draw.sample(range(8_841_823), hits)
            score = 30.0
            for rank, doc_id in enumerate(doc_ids, 1):
                score -= 0.0001 + 0.02 * draw.random()
                lines.write(f"{query_id} Q0 {doc_id} {rank} {score:.6f} bm25\n")
            place = int(draw.expovariate(1 / 40))
            relevant = doc_ids[place] if place < hits else 8_841_823
            judged.write(f"{query_id} 0 {relevant} 1\n")
    return run, qrels


def contenders(run: Path, qrels: Path, folder: Path, ranx: str | None) -> list[Contender]:
    """Return the commands to compare; those that this machine lacks are named and left out."""
    python, files = sys.executable, (str(qrels), str(run))
    found = [
        Contender(
            "rearank eval",
            [python, "-m", "rearank_cli", "eval", files[1], "--qrels", files[0]]
            + ["-m", "nDCG@10", "-m", "RR@10"],
        ),
        Contender(
            "python -m ir_measures", [python, "-m", "ir_measures", *files, "nDCG@10", "RR@10"]
        ),
    ]
    program = trec_eval.unpack(folder)
    if program is None:
        print("trec_eval: the Anserini jar has none for this machine")
    else:
        # -M 10 makes the reciprocal rank that of the first 10 hits
        options = ["-c", "-M", "10", "-m", "ndcg_cut.10", "-m", "recip_rank"]
        found.append(Contender("trec_eval 9.0.4", [str(program), *options, *files]))
    if ranx is None:
        print("ranx: not measured, see --help")
    else:
        found.append(Contender("ranx", [ranx, "-c", RANX, *files]))
    return found


def measure(contender: Contender) -> None:
    """Run a command once and note its seconds, its peak memory and its two values."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        contender.command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None and process.stderr is not None
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{contender.name} failed:\n{errors}")
    contender.wall.append(time.perf_counter() - start)
    contender.cpu.append(usage.ru_utime + usage.ru_stime)
    contender.peak.append(usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2))
    values = sorted((float(text) for text in re.findall(r"\b0\.\d+", output)), reverse=True)
    contender.values = ", ".join(f"{value:.4f}" for value in values)


def main() -> None:
    """Generate, measure in turn, print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=6_980)
    parser.add_argument("--hits", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranx", metavar="PYTHON", help="a Python that has ranx")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run, qrels = generate(Path(name), options.queries, options.hits)
        lines, size = options.queries * options.hits, run.stat().st_size / 1e6
        print(f"{lines:,} lines, {size:.0f} MB, {options.rounds} rounds, {os.cpu_count()} cores")
        found = contenders(run, qrels, Path(name), options.ranx)
        for _ in range(options.rounds):
            for contender in found:
                measure(contender)
    report(found)


def report(found: Sequence[Contender]) -> None:
    """Print medians and ratios as a Markdown table."""
    base = statistics.median(found[0].wall)
    print("\n| | seconds | of rearank | CPU seconds | peak MiB | nDCG@10, RR@10 |")
    print("| :-- | --: | --: | --: | --: | --: |")
    for item in found:
        wall, cpu = statistics.median(item.wall), statistics.median(item.cpu)
        print(
            f"| {item.name} | {wall:.1f} | {wall / base:.1f} x | {cpu:.1f} | {max(item.peak):.0f} "
            f"| {item.values} |"
        )


if __name__ == "__main__":
    main()
