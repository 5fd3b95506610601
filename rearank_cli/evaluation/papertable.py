"""Our figures beside the paper's: `python -m rearank_cli.evaluation.papertable table1 FILE`.

FILE is what `rearank eval --format tsv` wrote of runs that are called dl19.bm25.trec,
dl19.rearank.trec, dl20.bm25.trec and so on. Figures are nDCG@10 in percent. The trace of a
reranking, dl19.rearank.trace.jsonl beside FILE, tells which prompt was used.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rearank_cli.evaluation.expected import MEASURE, paper_table
from rearank_cli.evaluation.several import MEAN
from rearank_cli.formats.files import STDIO, write_text
from rearank_cli.recipes.originals import find_original

# The paper's line that our run is to be held against, by the end of our run's name.
BESIDE = {"bm25": "BM25", "rearank": "REARANK-7B"}
OWN_WORDING = """\
Its wording is our own, not the one that REARANK-7B was trained on, and the paper's figures are with
that one. To ask with the original, see docs/reranking.md ("The model's own wording"), and name the
recipe le723z/Rearank-7B in PAPER_RERANK, with another PAPER_RUNS."""

Table = Mapping[str, Mapping[str, str]]


def read_tsv(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a table under its header; lines that begin with # are remarks."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    header = lines[0].split("\t")
    for line in lines[1:]:
        yield dict(zip(header, line.split("\t"), strict=True))


def ours(path: Path) -> dict[str, dict[str, float]]:
    """Return our figures, in percent, by the kind of run and collection.

    Of several collections the table has a column for each, of one a row `dl19.bm25` for each run.
    """
    found: dict[str, dict[str, float]] = {kind: {} for kind in BESIDE}
    for row in read_tsv(path):
        name, _, kind = row.pop("run").rpartition(".")
        if kind not in found or row.pop("measure", MEASURE) != MEASURE:
            continue
        columns = {name: row[MEASURE]} if name else row
        found[kind] = {each: 100 * float(value) for each, value in columns.items() if value}
        found[kind].pop(MEAN, None)
    return found


def average(values: Sequence[float]) -> str:
    """Return a mean as the table shows it."""
    return f"{sum(values) / len(values):.2f}" if values else ""


def lines(table: Table, figures: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield the table as Markdown: our collections only, so that averages are of the same ones."""
    sets = [name for name in next(iter(table.values())) if name in figures["rearank"]]
    yield "| " + " | ".join([f"{MEASURE} (%)", *sets, "average"]) + " |"
    yield "|---" * (len(sets) + 2) + "|"
    for model, row in table.items():
        values = [float(row[name]) for name in sets]
        yield "| " + " | ".join([model, *(row[name] for name in sets), average(values)]) + " |"
    for kind, beside in BESIDE.items():
        mine = [figures[kind][name] for name in sets]
        shown = [f"{value:.2f}" for value in mine]
        yield "| " + " | ".join([f"**ours: {kind}**", *shown, average(mine)]) + " |"
        gaps = [value - float(table[beside][name]) for name, value in zip(sets, mine, strict=True)]
        yield "| " + " | ".join([f"- {beside}", *(f"{gap:+.2f}" for gap in gaps), ""]) + " |"


def prompt(trace: Path) -> str:
    """Return the prompt that a reranking was done with, as its trace says; "" without a trace."""
    try:
        with trace.open(encoding="utf-8") as handle:
            about = json.loads(handle.readline())["provenance"]
            return str(about.get("recipe") or about["prompt"])  # its name in earlier traces
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def wording(folder: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield what a reader must know of the prompts before comparing our figures with the paper's.

    `names` are the collections whose traces lie in `folder`. A prompt of its own is a TOML file, or
    that of a published model, called by its id; one that comes with the program is in our words.
    """
    asked: dict[str, list[str]] = {}
    for name in names:
        trace = folder / f"{name}.rearank.trace.jsonl"
        asked.setdefault(prompt(trace), []).append(name)
    for name, sets in asked.items():
        if name.endswith(".toml") or find_original(name):
            yield f"Ours of {', '.join(sets)}: asked with {name}."
            continue
        said = f"the prompt {name}" if name else "a prompt that no trace tells"
        yield f"Ours of {', '.join(sets)}: asked with {said}."
        if name:
            yield OWN_WORDING


def main() -> None:
    """Print the table of the file named on the command line."""
    table, name = sys.argv[1:]
    figures, file = ours(Path(name)), Path(name)
    with write_text(STDIO) as out:
        out.writelines(f"{line}\n" for line in lines(paper_table(table).rows, figures))
        out.writelines(f"{line}\n" for line in ("", *wording(file.parent, figures["rearank"])))


if __name__ == "__main__":
    main()
