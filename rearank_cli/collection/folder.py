"""A folder in the layout of BEIR: corpus.jsonl, queries.jsonl and qrels/<split>.tsv."""

from collections.abc import Sequence
from pathlib import Path

from rearank_cli.collection.collection import Collection
from rearank_cli.collection.files import CorpusFile
from rearank_cli.errors import RearankError
from rearank_cli.formats.packed import KINDS, plain_name
from rearank_cli.formats.trec import read_qrels, read_queries
from rearank_cli.records import Query


def _names(stem: str, *endings: str) -> tuple[str, ...]:
    """Return the file names of a part in order of preference, plain before packed."""
    plain = tuple(f"{stem}.{ending}" for ending in endings)
    return plain + tuple(f"{name}{packing}" for packing in KINDS for name in plain)


CORPUS = _names("corpus", "jsonl", "tsv", "sgml")
QUERIES = _names("queries", "jsonl", "tsv", "trec")
QRELS = _names("qrels", "trec", "tsv", "txt")
LAYOUT = "a collection folder holds corpus.jsonl, queries.jsonl (or .tsv) and qrels/test.tsv"


def is_collection(folder: Path) -> bool:
    """Tell whether a folder holds any part of a collection."""
    return any(
        [_first(folder, CORPUS), _first(folder, QUERIES), _first(folder, QRELS), _splits(folder)]
    )


def open_folder(
    name: str, folder: Path, split: str | None = None, fields: Sequence[str] = ()
) -> Collection:
    """Open a folder; `split` names one of the files of its qrels folder (default `test`).

    Where there are several splits, only the queries that the split judges are its queries, as in
    BEIR. Raises `RearankError` for a folder that is none, and for an unknown split.
    """
    if not is_collection(folder):
        raise RearankError(f"{name}: expected a collection, found none of its files", hint=LAYOUT)
    splits = _splits(folder)
    judged = _choose(name, splits, split) if splits or split else _first(folder, QRELS)
    corpus, topics = _first(folder, CORPUS), _first(folder, QUERIES)
    chosen = judged if len(splits) > 1 else None
    return Collection(
        name,
        CorpusFile(corpus) if corpus else None,
        (lambda: _queries(topics, fields, chosen)) if topics else None,
        (lambda: read_qrels(judged)) if judged else None,
    )


def _queries(topics: Path, fields: Sequence[str], judged: Path | None) -> dict[str, Query]:
    """Return the topics of a folder, or only those that a file of judgements is about."""
    everything = read_queries(topics, fields)
    if judged is None:
        return everything
    wanted = {qrel.query_id for qrel in read_qrels(judged)}
    return {query_id: query for query_id, query in everything.items() if query_id in wanted}


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _splits(folder: Path) -> dict[str, Path]:
    """Return the judgement files of the folder `qrels` by the name of their split."""
    return {
        path.name.split(".")[0]: path
        for path in sorted((folder / "qrels").glob("*"))
        if plain_name(path.name).endswith((".tsv", ".trec", ".txt"))
    }


def _choose(name: str, splits: dict[str, Path], split: str | None) -> Path:
    wanted = split or ("test" if "test" in splits or len(splits) > 1 else next(iter(splits)))
    if wanted not in splits:
        known = ", ".join(splits) or "none"
        raise RearankError(
            f"{name}: expected a split of {known}, found {wanted!r}",
            hint=f"name the split after the folder, as in {name.rstrip('/')}/{next(iter(splits))}"
            if splits
            else LAYOUT,
        )
    return splits[wanted]
