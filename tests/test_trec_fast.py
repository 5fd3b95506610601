import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import RearankError
from rearank_cli.formats import trec_fast
from rearank_cli.formats.trec import read_run
from rearank_cli.formats.trec_fast import read_run_head, read_run_top
from rearank_cli.records import Run


@pytest.fixture(autouse=True, scope="module")
def columns_for_every_length() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trec_fast, "LONG", 0)
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "r.trec"


def outcome(read: object, path: Path) -> Run | str:
    assert callable(read)
    try:
        run = read(path)
    except RearankError as error:
        return error.message
    assert isinstance(run, Run)
    return run


fields = st.sampled_from(["1", "2", "-7", "1.5", "1e3", "nan", "inf", "-", "x", "é", "", " ", "\t"])
hits = st.builds(
    "{} Q0 {} {} {} t".format,
    st.sampled_from(["q1", "q2", "q3"]),
    st.sampled_from(["a", "b", "long-document-id-1", "long-document-id-2", "ü"]),
    st.integers(-2, 9),
    st.sampled_from(["1", "1", "-2.5", "3e38", "1e-9", "0.1"]),
)
lines = st.one_of(hits, hits, hits, st.lists(fields, min_size=5, max_size=7).map(" ".join))


@given(st.lists(lines, min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_columns_and_lines_agree_on_every_text(
    path: Path, texts: list[str], end: str, tabs: bool
) -> None:
    text = end.join(texts) + end
    path.write_bytes((text.replace(" ", "\t") if tabs else text).encode())
    assert outcome(read_run_head, path) == outcome(read_run, path)


@given(st.lists(hits, min_size=1, max_size=30, unique_by=lambda line: tuple(line.split()[::2][:2])))
def test_good_runs_go_through_the_columns(path: Path, texts: list[str]) -> None:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    assert trec_fast._columns(path) is not None
    assert read_run_head(path) == read_run(path)


def whole(run: Run) -> dict[str, tuple[str, ...]]:
    """Return the rankings with what is below the depth."""
    return {name: (*top, *run.below.get(name, ())) for name, top in run.rankings.items()}


@given(
    st.lists(hits, min_size=1, max_size=30, unique_by=lambda line: tuple(line.split()[::2][:2])),
    st.integers(1, 3),
)
def test_of_hits_below_the_depth_the_ids_are_kept(path: Path, texts: list[str], depth: int) -> None:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    full = read_run(path)
    for part in (read_run(path, depth), read_run_top(path, depth)):
        assert whole(part) == full.rankings
        assert list(part.below) == [name for name, ids in full.rankings.items() if ids[depth:]]
        assert part.scores == {name: values[:depth] for name, values in full.scores.items()}
        assert [part.below[name][0] for name in part.below] == [
            full.rankings[name][depth] for name in part.below
        ]


def test_a_run_is_never_in_memory_as_a_whole(path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number in range(40_000):
            out.write(f"q{number // 1000} Q0 document-{number} {number} {-number % 1000} tag\n")
    tracemalloc.start()
    run = read_run(path, 10)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(run.below["q7"]) == 990
    assert peak < 3_500_000  # 8,700,000 where every hit is an object of its own
    assert held < 1_000_000


def test_depth_keeps_the_ties_of_the_last_hit(path: Path) -> None:
    # 0.9 and 0.900000001 are one number in float32
    path.write_text(
        "q Q0 a 1 1.0 t\nq Q0 b 2 0.900000001 t\nq Q0 c 3 0.9 t\nq Q0 d 4 0.8 t\np Q0 a 1 1 t\n"
    )
    assert read_run_head(path, {"q"}, 2).rankings == {"q": ("a", "b", "c"), "p": ()}
    assert read_run_head(path, {"q"}, 1).rankings == {"q": ("a",), "p": ()}
    assert read_run_head(path, {"p"}, 9).rankings == {"q": (), "p": ("a",)}


def test_lines_cut_a_ranking_as_columns_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("".join(f"q Q0 d{i} {i} {9 - i // 3} t\n" for i in range(20)))
    by_columns = [read_run_head(path, None, depth) for depth in (1, 2, 3, 4, 19, 20, 21)]
    monkeypatch.setattr(trec_fast, "LONG", 10**9)
    by_lines = [read_run_head(path, None, depth) for depth in (1, 2, 3, 4, 19, 20, 21)]
    assert by_columns == by_lines
    assert [len(run.rankings["q"]) for run in by_lines] == [3, 3, 3, 6, 20, 20, 20]


def test_scores_beyond_float32_are_tied(path: Path) -> None:
    path.write_text("q Q0 a 1 2e39 t\nq Q0 b 2 1e39 t\nq Q0 c 3 1e38 t\n")
    assert read_run_head(path, None, 1).rankings == {"q": ("a", "b")}


def test_gzip_and_byte_order_mark(path: Path) -> None:
    packed = path.with_name("r.trec.gz")
    packed.write_bytes(gzip.compress(b"q Q0 a 1 2 t\nq Q0 b 2 1 t\n"))
    assert trec_fast._columns(packed) is not None
    assert read_run_head(packed).rankings == {"q": ("a", "b")}
    path.write_bytes(b"\xef\xbb\xbfq Q0 a 1 2 t\n")
    assert read_run_head(path).rankings == {"q": ("a",)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 a 3 1 t", "r.trec:3: doc id a is there twice for query q"),
        ("q Q0 c 3 1", "r.trec:3: expected 6 columns"),
        ("q Q0 c 3 NaN t", "r.trec:3: expected a finite number as score (column 5), found 'NaN'"),
        ("q Q0 c x 1 t", "r.trec:3: expected a whole number as rank (column 4), found 'x'"),
    ],
)
def test_bad_lines_are_named(path: Path, line: str, message: str) -> None:
    path.write_text(f"q Q0 a 1 3 t\nq Q0 b 2 2 t\n{line}\n")
    with pytest.raises(RearankError) as caught:
        read_run_head(path, {"other"}, 1)
    assert message in caught.value.message


def test_text_that_is_not_utf8_is_named(path: Path) -> None:
    path.write_bytes(b"q Q0 a 1 3 t\nq Q0 \xff 2 2 t\n")
    with pytest.raises(RearankError, match=r"r\.trec:2: expected UTF-8 text, found byte 0xff"):
        read_run_head(path)


def test_ranks_that_contradict_scores_are_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("q Q0 a 2 3 t\nq Q0 b 1 2 t\np Q0 a 1 3 t\n")
    assert read_run_head(path).rankings["q"] == ("a", "b")
    warning = "contradicts the scores in 1 query (first: q)"
    assert warning in caplog.text


def test_hashes_differ_by_query_and_by_every_byte(path: Path) -> None:
    ids = [f"{'x' * length}{end}" for length in range(40) for end in "yz"]
    path.write_text("".join(f"{q} Q0 {d} 1 1 t\n" for q in ("1", "2") for d in ids))
    assert trec_fast._columns(path) is not None
