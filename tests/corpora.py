"""Tiny collections and ways to run the command, for the tests of retrieval."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

DOCS = (
    {"_id": "d1", "title": "Cats", "text": "A cat sleeps most of the day."},
    {"_id": "d2", "title": "Dogs", "text": "A dog guards the house and chases the cat."},
    {"_id": "d3", "title": "", "text": "Bread rises because yeast makes gas."},
    {"_id": "d4", "title": "Ovens", "text": "Bread bakes in a hot oven."},
)
QUERIES = ({"_id": "q1", "text": "cat"}, {"_id": "q2", "text": "bread oven"})
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td4\t1\n"


def jsonl(path: Path, entries: Iterable[Mapping[str, object]]) -> Path:
    """Write one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def beir_folder(folder: Path) -> Path:
    """Write the tiny collection in BEIR layout."""
    jsonl(folder / "corpus.jsonl", DOCS)
    jsonl(folder / "queries.jsonl", QUERIES)
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text(QRELS, encoding="utf-8")
    return folder


def rearank(
    *arguments: str | Path, cache: Path, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with Java where it needs it."""
    environment = {**os.environ, "REARANK_CACHE_DIR": str(cache), **(env or {})}
    environment.setdefault("PYTHONPATH", str(Path(__file__).parents[1]))
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )
