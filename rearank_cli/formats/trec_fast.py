"""Long runs, read by columns with pyarrow; the rules are those of `trec.read_run`.

This reader only knows the plain case: six columns parted by single spaces or single tabs. Whatever
it does not understand it hands to `trec.read_run`, which decides, and which says `path:line` where
something is wrong. So there is one set of rules, and a fast way through it.
"""

import mmap
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rearank_cli.formats.files import STDIO, display_name, open_bytes
from rearank_cli.formats.packed import packing
from rearank_cli.formats.trec import Source, read_run, warn_of_ranks
from rearank_cli.records import Ranking, Run

LONG = 4_000_000
"""Bytes from which on columns pay (half for packed files): importing pyarrow takes as long as
50,000 lines read one by one, and those are 2 MB."""

_BLOCK = 4_000_000  # bytes that pyarrow parses at a time
_NAMES = ("query_id", "Q0", "doc_id", "rank", "score", "tag")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: Knuth's multiplicative hashing
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # the finalizer of MurmurHash3 (Appleby)


def read_run_head(
    source: Source, wanted: Container[str] | None = None, depth: int | None = None
) -> Run:
    """Read a run as `trec.read_run` does, but keep only the hits that a measure looks at.

    Queries that are not in `wanted` keep their place with an empty ranking. `depth` cuts every
    ranking after that many hits, and after those whose score equals the last one's as float32
    (trec_eval's type), because tools break such ties by doc id. None keeps everything.
    """
    lines = _columns(source)
    if lines is not None:
        return _head_of_columns(display_name(source), lines, wanted, depth)
    return head(read_run(source), wanted, depth)


def head(run: Run, wanted: Container[str] | None = None, depth: int | None = None) -> Run:
    """Return the same of a run in memory; the run itself where everything is kept."""
    if wanted is None and depth is None:
        return run
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    for query_id, ranking in run.rankings.items():
        values = np.array(run.scores[query_id]) if _is_in(query_id, wanted) else np.empty(0)
        stop = _stop(values, depth)
        rankings[query_id] = ranking[:stop]
        scores[query_id] = run.scores[query_id][:stop]
    return Run(rankings, scores, run.tag)


def _is_in(query_id: str, wanted: Container[str] | None) -> bool:
    return wanted is None or query_id in wanted


def _stop(scores: NDArray[np.float64], depth: int | None) -> int:
    """Return how many of these falling scores to keep: `depth`, and those tied with the last."""
    if depth is None or depth >= len(scores) or depth < 1:
        return len(scores)
    with np.errstate(over="ignore"):  # beyond float32 all scores are infinite, and so tied
        tied = scores[depth:].astype(np.float32) == np.float32(scores[depth - 1])
    return depth + int(np.argmin(tied)) if not tied.all() else len(scores)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a run by column; `queries` are indices into `query_ids`."""

    query_ids: tuple[str, ...]
    queries: NDArray[np.int32]
    doc_ids: Any  # a pyarrow array of strings
    ranks: NDArray[np.int64]
    scores: NDArray[np.float64]
    tag: str


def _columns(source: Source) -> _Lines | None:
    """Return the columns of a long, plain run in which every check passed, else None."""
    data = _long_data(source)
    if data is None:
        return None
    delimiter = _delimiter(data)
    table = None if delimiter is None else _table(data, delimiter)
    if table is None or table.num_rows == 0:
        return None
    queries = table["query_id"].unify_dictionaries()
    query_ids = tuple(queries.chunk(0).dictionary.to_pylist())
    if not all(_is_word(text) for text in {*query_ids, *_words(table, "Q0", "tag")}):
        return None
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in queries.chunks])
    scores = table["score"].to_numpy()
    if not np.isfinite(scores).all() or _has_twice(codes, table["doc_id"]):
        return None
    tag = table["tag"][-1].as_py()
    return _Lines(query_ids, codes, table["doc_id"], table["rank"].to_numpy(), scores, tag)


def _long_data(source: Source) -> Any:
    """Return the bytes of a file that is long enough for columns, else None."""
    path = Path(source)
    packed = packing(path) is not None
    if str(source) == STDIO or not path.is_file() or path.stat().st_size < LONG / (1 + packed):
        return None
    with open_bytes(path) as handle:
        if packed:
            return handle.read()
        return mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)


def _delimiter(data: Any) -> str | None:
    """Return the one kind of white space between the columns; None for a mixture."""
    if data.find(b"\r") >= 0:
        return None
    spaces, tabs = data.find(b" ") >= 0, data.find(b"\t") >= 0
    return None if spaces == tabs else (" " if spaces else "\t")


def _table(data: Any, delimiter: str) -> Any:
    """Parse six columns; None when a line has more or fewer, or a number is none."""
    import pyarrow
    from pyarrow import csv

    word = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    kinds = (word, word, pyarrow.string(), pyarrow.int64(), pyarrow.float64(), word)
    try:
        return csv.read_csv(
            pyarrow.BufferReader(pyarrow.py_buffer(data)),
            csv.ReadOptions(column_names=list(_NAMES), block_size=_BLOCK),
            csv.ParseOptions(delimiter=delimiter, quote_char=False),
            csv.ConvertOptions(
                column_types=dict(zip(_NAMES, kinds, strict=True)),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None


def _words(table: Any, *names: str) -> set[str]:
    """Return the different values of some columns."""
    return {
        word
        for name in names
        for chunk in table[name].chunks
        for word in chunk.dictionary.to_pylist()
    }


def _is_word(text: str) -> bool:
    return text.split() == [text]


def _has_twice(queries: NDArray[np.int32], doc_ids: Any) -> bool:
    """Return whether a query seems to have a document twice; may err towards yes."""
    keys = np.concatenate([_hashes(chunk) for chunk in doc_ids.chunks])
    keys ^= (queries.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    keys.sort()
    return bool((keys[1:] == keys[:-1]).any())


def _hashes(doc_ids: Any) -> NDArray[np.uint64]:
    """Hash strings eight bytes at a time, all strings at once."""
    offsets = np.frombuffer(doc_ids.buffers()[1], np.int32)
    offsets = offsets[doc_ids.offset : doc_ids.offset + len(doc_ids) + 1].astype(np.int64)
    text = np.frombuffer(doc_ids.buffers()[2], np.uint8)[: offsets[-1]]
    text = np.concatenate([text, np.zeros(8, np.uint8)])
    # The eight bytes from every position on, without a copy.
    words: NDArray[np.uint64] = np.ndarray(len(text) - 7, np.uint64, text, strides=(1,))
    masks = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
    lengths = np.diff(offsets)
    hashes = lengths.astype(np.uint64)
    for start in range(0, int(lengths.max()), 8):
        inside = np.clip(lengths - start, 0, 8)
        word = words[np.minimum(offsets[:-1] + start, len(words) - 1)] & masks[inside]
        hashes = (hashes ^ word) * _MIX
        hashes ^= hashes >> np.uint64(32)
    return hashes


def _head_of_columns(
    name: str, lines: _Lines, wanted: Container[str] | None, depth: int | None
) -> Run:
    lines = _in_order(lines)
    queries = lines.queries
    same = queries[1:] == queries[:-1]
    contradicting = queries[1:][same & (lines.ranks[1:] < lines.ranks[:-1])]
    if len(contradicting):
        count = len(np.unique(contradicting))
        warn_of_ranks(name, count, lines.query_ids[contradicting[0]])
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(queries)]])
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        query_id = lines.query_ids[queries[start]]
        count = _stop(lines.scores[start:stop], depth) if _is_in(query_id, wanted) else 0
        rankings[query_id] = tuple(lines.doc_ids.slice(start, count).to_pylist())
        scores[query_id] = tuple(lines.scores[start : start + count].tolist())
    return Run(rankings, scores, lines.tag)


def _in_order(lines: _Lines) -> _Lines:
    """Sort by query (first seen first), falling score and rank, unless that is the order."""
    queries, scores, ranks = lines.queries, lines.scores, lines.ranks
    same = queries[1:] == queries[:-1]
    falls = (scores[1:] < scores[:-1]) | ((scores[1:] == scores[:-1]) & (ranks[1:] >= ranks[:-1]))
    if (queries[1:] >= queries[:-1]).all() and (falls | ~same).all():
        return lines
    order = np.lexsort((ranks, -scores, queries))
    return _Lines(
        lines.query_ids,
        queries[order],
        lines.doc_ids.take(order),
        ranks[order],
        scores[order],
        lines.tag,
    )
