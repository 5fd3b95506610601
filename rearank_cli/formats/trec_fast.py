"""Long runs, read by columns with pyarrow; the rules are those of `trec.read_run`.

This reader only knows the plain case: six columns parted by single spaces or single tabs. Whatever
it does not understand it hands to `trec.read_run`, which decides, and which says `path:line` where
something is wrong. So there is one set of rules, and a fast way through it.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rearank_cli.formats.files import STDIO, display_name, open_bytes
from rearank_cli.formats.hits import PackedIds
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


def read_run_top(source: Source, depth: int) -> Run:
    """Read a run as `trec.read_run(source, depth)` does."""
    lines = _columns(source)
    if lines is None:
        return read_run(source, depth)
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    below: dict[str, Sequence[str]] = {}
    lines = _in_order(lines)
    for query_id, start, stop in _queries(display_name(source), lines):
        end = min(start + depth, stop)
        rankings[query_id] = tuple(lines.doc_ids.slice(start, end - start).to_pylist())
        scores[query_id] = tuple(lines.scores[start:end].tolist())
        if end < stop:
            below[query_id] = PackedIds(lines.doc_ids.slice(end, stop - end).to_pylist())
    return Run(rankings, scores, lines.tag, below)


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


N = TypeVar("N", bound=np.generic)


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
    if not _is_long(source):
        return None
    import pyarrow

    codes: dict[str, int] = {}
    queries: list[NDArray[np.int32]] = []
    ranks: list[NDArray[np.int64]] = []
    scores: list[NDArray[np.float64]] = []
    keys: list[NDArray[np.uint64]] = []
    doc_ids: list[Any] = []
    tag = ""
    with open_bytes(source) as handle:
        text = _Plain(handle)
        try:
            for batch in _batches(text):
                if not batch.num_rows:
                    continue
                part = _part(batch, codes)
                if part is None:
                    return None
                queries.append(part.queries)
                ranks.append(part.ranks)
                scores.append(part.scores)
                doc_ids.append(part.doc_ids)
                keys.append(_keys(part))
                tag = part.tag
        except pyarrow.ArrowInvalid:
            return None
    if not doc_ids or not text.plain or _has_twice(_joined(keys)):
        return None
    ids = pyarrow.chunked_array(doc_ids)
    return _Lines(tuple(codes), _joined(queries), ids, _joined(ranks), _joined(scores), tag)


def _is_long(source: Source) -> bool:
    """Tell whether a file is long enough for columns."""
    path = Path(source)
    if str(source) == STDIO or not path.is_file():
        return False
    return path.stat().st_size >= LONG / (1 + (packing(path) is not None))


class _Plain:
    """A file, as long as one kind of white space stands between its columns; then it ends.

    It is read in pieces: neither the file nor what it unpacks to is ever in memory as a whole.
    """

    closed = False

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._first = handle.read(_BLOCK)
        self.plain = True
        self.delimiter = " " if b" " in self._first else "\t"
        self._others = b"\r\t" if self.delimiter == " " else b"\r "

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, or nothing after what is not plain."""
        piece, self._first = self._first or self._handle.read(size), b""
        if any(piece.find(other) >= 0 for other in (self._others[:1], self._others[1:])):
            self.plain = False
        return piece if self.plain else b""

    def close(self) -> None:
        """Leave the file to whoever opened it."""


def _batches(text: _Plain) -> Iterator[Any]:
    """Yield parsed lines of six columns; `ArrowInvalid` for more or fewer, or no number.

    The system's allocator gives back what parsing took in between; pyarrow's own keeps as much
    again as the columns need (measured with 7,000,000 lines: a peak of 737 MB, not 509).
    """
    import pyarrow
    from pyarrow import csv

    word = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    kinds = (word, word, pyarrow.string(), pyarrow.int64(), pyarrow.float64(), word)
    before, pool = pyarrow.default_memory_pool(), pyarrow.system_memory_pool()
    pyarrow.set_memory_pool(pool)
    batches = csv.open_csv(
        pyarrow.PythonFile(text, mode="r"),
        csv.ReadOptions(column_names=list(_NAMES), block_size=_BLOCK),
        csv.ParseOptions(delimiter=text.delimiter, quote_char=False),
        csv.ConvertOptions(
            column_types=dict(zip(_NAMES, kinds, strict=True)),
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    try:
        for batch in batches:
            yield batch
            pool.release_unused()
    finally:
        pyarrow.set_memory_pool(before)


def _part(batch: Any, codes: dict[str, int]) -> _Lines | None:
    """Return the columns of a batch; None where a check fails. `codes` number the queries."""
    words = {name: batch[name].dictionary.to_pylist() for name in ("query_id", "Q0", "tag")}
    scores = batch["score"].to_numpy()
    if not all(_is_word(each) for found in words.values() for each in found):
        return None
    if not np.isfinite(scores).all():
        return None
    numbers = [codes.setdefault(each, len(codes)) for each in words["query_id"]]
    queries = np.array(numbers, np.int32)[batch["query_id"].indices.to_numpy()]
    ranks = batch["rank"].to_numpy()
    return _Lines((), queries, batch["doc_id"], ranks, scores, batch["tag"][-1].as_py())


def _is_word(text: str) -> bool:
    return text.split() == [text]


def _keys(part: _Lines) -> NDArray[np.uint64]:
    """Return a number for the query and the document of each line."""
    keys = _hashes(part.doc_ids)
    keys ^= (part.queries.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    return keys


def _joined(parts: list[NDArray[N]]) -> NDArray[N]:
    """Return one array of several, and let go of these."""
    joined: NDArray[N] = np.concatenate(parts)
    parts.clear()
    return joined


def _has_twice(keys: NDArray[np.uint64]) -> bool:
    """Return whether a query seems to have a document twice; may err towards yes."""
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
    rankings: dict[str, Ranking] = {}
    scores: dict[str, tuple[float, ...]] = {}
    lines = _in_order(lines)
    for query_id, start, stop in _queries(name, lines):
        count = _stop(lines.scores[start:stop], depth) if _is_in(query_id, wanted) else 0
        rankings[query_id] = tuple(lines.doc_ids.slice(start, count).to_pylist())
        scores[query_id] = tuple(lines.scores[start : start + count].tolist())
    return Run(rankings, scores, lines.tag)


def _queries(name: str, lines: _Lines) -> Iterator[tuple[str, int, int]]:
    """Yield every query and where its lines start and stop; warn of ranks that contradict."""
    queries = lines.queries
    same = queries[1:] == queries[:-1]
    contradicting = queries[1:][same & (lines.ranks[1:] < lines.ranks[:-1])]
    if len(contradicting):
        count = len(np.unique(contradicting))
        warn_of_ranks(name, count, lines.query_ids[contradicting[0]])
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(queries)]])
    for start, stop in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        yield lines.query_ids[queries[start]], start, stop


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
