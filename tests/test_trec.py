import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.errors import RearankError
from rearank_cli.formats.trec import read_qrels, read_queries, read_run, write_run
from rearank_cli.records import Qrel, Query, Run


def file(folder: Path, text: str | bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_run_is_ordered_by_score_and_equal_scores_by_rank(tmp_path: Path) -> None:
    run = read_run(
        file(
            tmp_path,
            "q2 Q0 a 1 3 t\nq1 Q0 x 3 1.5 t\nq1 Q0 y 2 1.5 t\nq1 Q0 z 1 9 t\nq2 Q0 b 2 -1e3 t\n",
        )
    )
    assert run.rankings == {"q2": ("a", "b"), "q1": ("z", "y", "x")}
    assert run.scores == {"q2": (3.0, -1000.0), "q1": (9.0, 1.5, 1.5)}
    assert list(run.rankings) == ["q2", "q1"]
    assert run.tag == "t"


def test_lines_of_queries_may_stand_in_any_mixture(tmp_path: Path) -> None:
    lines = ["q1 Q0 a 1 3 t", "q2 Q0 b 1 3 t", "q1 Q0 b 2 2 t", "q2 Q0 c 2 2 t", "q1 Q0 c 3 1 t"]
    run = read_run(file(tmp_path, "\n".join(lines)))
    assert run.rankings == {"q1": ("a", "b", "c"), "q2": ("b", "c")}
    with pytest.raises(RearankError, match=":6: doc id a is there twice for query q1"):
        read_run(file(tmp_path, "\n".join([*lines, "q1 Q0 a 4 0 t"])))


def test_of_hits_below_a_depth_the_ids_are_kept(tmp_path: Path) -> None:
    path = file(tmp_path, "q Q0 c 3 1 t\nq Q0 a 1 3 t\nq Q0 b 2 2 t\n")
    run = read_run(path, depth=1)
    assert (run.rankings, run.scores) == ({"q": ("a",)}, {"q": (3.0,)})
    assert {query: list(rest) for query, rest in run.below.items()} == {"q": ["b", "c"]}
    assert read_run(path, depth=3).below == {} == read_run(path).below


def test_lines_are_read_from_both_ends(tmp_path: Path) -> None:
    run = read_run(
        file(tmp_path, "q1 Q0 dir/Memory Management_2.txt 1 2.0 t\r\nq1\tQ0\tb\t2\t1.0\tt\r\n")
    )
    assert run.rankings["q1"] == ("dir/Memory Management_2.txt", "b")


def test_mark_gzip_and_blank_lines(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf\nq1 Q0 a 1 2 t\n\n"
    assert read_run(file(tmp_path, gzip.compress(text), "a.gz")).rankings == {"q1": ("a",)}


def test_ranks_that_contradict_the_scores_give_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = file(tmp_path, "".join(f"q{q} Q0 d{d} {d} {d} t\n" for q in (1, 2) for d in (1, 2, 3)))
    read_run(path)
    assert [record.message for record in caplog.records] == [
        f"{path}: the rank column contradicts the scores in 2 queries (first: q1); the scores count"
    ]


def test_ranks_that_are_equal_contradict_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_run(file(tmp_path, "q Q0 a 1 3 t\nq Q0 b 1 2 t\nq Q0 c 2 1 t\n"))
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a run, found no lines"),
        ("\n \n", "expected a run, found no lines"),
        (
            "q1 Q0 a 1 2 t\nq1 Q0 b 2 1\n",
            ":2: expected 6 columns (query_id Q0 doc_id rank score tag), found 5",
        ),
        ("q1\n", ":1: expected 6 columns (query_id Q0 doc_id rank score tag), found 1"),
        ("q1 Q0 a 1 high t\n", ":1: expected a finite number as score (column 5), found 'high'"),
        ("q1 Q0 a 1 nan t\n", ":1: expected a finite number as score (column 5), found 'nan'"),
        ("q1 Q0 a 1 inf t\n", ":1: expected a finite number as score (column 5), found 'inf'"),
        ("q1 Q0 a first 2 t\n", ":1: expected a whole number as rank (column 4), found 'first'"),
        (
            "q1 Q0 a 1 2 t\nq2 Q0 a 1 2 t\nq1 Q0 a 2 1 t\n",
            ":3: doc id a is there twice for query q1",
        ),
        (b"q1 Q0 caf\xe9 1 2 t\n", ":1: expected UTF-8 text, found byte 0xe9"),
    ],
)
def test_bad_runs_are_refused_with_their_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(RearankError) as caught:
        read_run(path)
    assert caught.value.message.startswith(f"{path}")
    assert message in caught.value.message


IDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, blacklist_categories=("Z", "C")),
    min_size=1,
    max_size=8,
)
DOC_IDS = st.lists(IDS, min_size=1, max_size=3).map(" ".join)


@given(st.dictionaries(IDS, st.lists(DOC_IDS, unique=True, min_size=1, max_size=20), min_size=1))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rankings: dict[str, list[str]]
) -> None:
    path = tmp_path_factory.mktemp("run") / "a.trec"
    run = Run.by_rank({query: tuple(ranking) for query, ranking in rankings.items()}, "tag")
    write_run(path, run)
    assert read_run(path) == run


def test_scores_by_rank_fall_strictly_to_one() -> None:
    assert Run.by_rank({"q": ("a", "b", "c")}, "t").scores == {"q": (3.0, 2.0, 1.0)}


def test_the_lines_of_a_run(tmp_path: Path) -> None:
    path = tmp_path / "a.trec"
    write_run(path, Run({"q": ("a", "b")}, {"q": (2.5, 1.0)}, "bm25"))
    assert path.read_text() == "q Q0 a 1 2.500000 bm25\nq Q0 b 2 1 bm25\n"


def test_a_run_whose_scores_are_too_few_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_run(tmp_path / "a.trec", Run({"q": ("a", "b")}, {"q": (1.0,)}, "t"))
    assert not list(tmp_path.iterdir())


def test_a_tag_is_one_word(tmp_path: Path) -> None:
    with pytest.raises(RearankError, match="tag"):
        write_run(tmp_path / "a.trec", Run({}, {}, "two words"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q1 0 a 1\nq1 0 b c 2\n", [Qrel("q1", "a", 1), Qrel("q1", "b c", 2)]),
        (
            "q1 0 a 1.0\nq1 0 b 0.0\nq1 0 c -2.\n",
            [Qrel("q1", d, g) for d, g in zip("abc", (1, 0, -2), strict=True)],
        ),
        ("query-id\tcorpus-id\tscore\nq1\ta\t-1\n", [Qrel("q1", "a", -1)]),
    ],
)
def test_judgements_in_both_forms(tmp_path: Path, text: str, expected: list[Qrel]) -> None:
    assert read_qrels(file(tmp_path, text)) == expected


QRELS_FORMS = (
    "expected 4 columns (query_id 0 doc_id relevance) or 3 separated by tabs "
    "(query-id corpus-id score), found "
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1 0 a 1\n\nq1 0 b\n", f":3: {QRELS_FORMS}3"),
        ("query-id\tcorpus-id\tscore\nq1\ta\n", f":2: {QRELS_FORMS}2"),
        ("q1\n", f":1: {QRELS_FORMS}1"),
        ("q1 0 a high\n", ":1: expected a whole number as relevance, found 'high'"),
        ("q1 0 a 1.5\n", ":1: expected a whole number as relevance, found '1.5'"),
        ("q1\ta b\tyes\n", ":1: expected a whole number as relevance, found 'yes'"),
        ("q1 0 a 1\nquery-id\tcorpus-id\tscore\n", ":2: expected a whole number as relevance"),
        (" \n", ": expected relevance judgements, found no lines"),
    ],
)
def test_bad_judgements_are_refused_with_their_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = file(tmp_path, text)
    with pytest.raises(RearankError) as caught:
        read_qrels(path)
    assert caught.value.message.startswith(f"{path}{message}")
    none = "found no lines" in message
    assert caught.value.hint == ("a line is: query_id 0 doc_id relevance" if none else "")


def test_hints_about_a_run_say_what_may_have_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hint(source: Path | str) -> str:
        with pytest.raises(RearankError) as caught:
            read_run(source)
        return caught.value.hint

    assert hint(file(tmp_path, "")) == "a line is: query_id Q0 doc_id rank score tag"
    twice = file(tmp_path, "q Q0 a 1 2 t\nq Q0 a 2 1 t\n")
    assert hint(twice) == "a run names each document once per query; remove one of the two lines"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    piped = "the command in front of the pipe may have failed: see what it said"
    assert hint("-") == piped


def test_a_tag_that_is_no_word_is_shown(tmp_path: Path) -> None:
    for tag in ("two words", "", "a\tb"):
        with pytest.raises(RearankError) as caught:
            write_run(tmp_path / "a.trec", Run({}, {}, tag))
        assert caught.value.message == f"expected a run tag without spaces, found {tag!r}"
    assert not list(tmp_path.iterdir())


def test_doc_ids_with_spaces_in_judgements_separated_by_tabs(tmp_path: Path) -> None:
    assert read_qrels(file(tmp_path, "q1\ta b\t2\n")) == [Qrel("q1", "a b", 2)]
    assert read_qrels(file(tmp_path, "q1\t0\ta b\t2\n")) == [Qrel("q1", "a b", 2)]
    header = "Query-ID  corpus-id score\nq1 0 a 1\n"
    assert read_qrels(file(tmp_path, header)) == [Qrel("q1", "a", 1)]


def test_queries_in_both_forms(tmp_path: Path) -> None:
    tsv = read_queries(file(tmp_path, "1\tfirst one\n2\tsecond\n"))
    assert tsv == {"1": Query("1", "first one"), "2": Query("2", "second")}
    jsonl = read_queries(file(tmp_path, '{"_id": "1", "text": "first"}\n{"id": 2, "text": "x"}\n'))
    assert list(jsonl) == ["1", "2"]
