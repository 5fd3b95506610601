"""What people get wrong: one clear message with the place, the right exit code, nothing written."""

import gzip
import shlex
from pathlib import Path

import pytest
from command import Numbers, rearank

LINE = "q0 Q0 d000 1 2 t\n"
FILES = "--corpus corpus.tsv --queries queries.tsv"
RERANK = f"rerank run.trec {FILES} --base-url http://127.0.0.1:9/v1 --model m -o out.trec"
EVAL = "eval run.trec --qrels qrels.txt -o out.trec"
BAD_FILES: dict[str, bytes] = {
    "empty.trec": b"",
    "five.trec": (LINE + "q0 Q0 d001 2 1\n").encode(),
    "score.trec": b"q0 Q0 d000 1 high t\n",
    "nan.trec": b"q0 Q0 d000 1 nan t\n",
    "rank.trec": b"q0 Q0 d000 first 2 t\n",
    "twice.trec": (LINE + LINE).encode(),
    "latin.trec": b"q0 Q0 caf\xe9 1 2 t\n",
    "plain.trec.gz": LINE.encode(),
    "cut.trec.gz": gzip.compress(
        "".join(f"q0 Q0 d{n} 1 2 t\n" for n in range(500)).encode(), mtime=0
    )[:-30],
    "doc.trec": b"q0 Q0 stranger 1 2 t\n",
    "query.trec": b"q99 Q0 d000 1 2 t\n",
    "bad.qrels": b"q0 0 d000\n",
    "grade.qrels": b"q0 0 d000 good\n",
    "empty.qrels": b"",
    "bad.tsv": b"no tab here\n",
    "twice.tsv": b"q0\tone\nq0\ttwo\n",
    "bad.jsonl": b'{"_id": "d000", "text": "x"}\n{"_id": \n',
    "noid.jsonl": b'{"text": "x"}\n',
    "bad.toml": b"[[messages\n",
}
# (command line, exit code, what the message must contain)
CASES: list[tuple[str, int, str]] = [
    (RERANK.replace("run.trec", "none.trec"), 2, "none.trec: no such file"),
    (RERANK.replace("run.trec", ".", 1), 2, ".: expected a file, found a directory"),
    (RERANK.replace("run.trec", "empty.trec"), 2, "empty.trec: expected a run, found no lines"),
    (RERANK.replace("run.trec", "five.trec"), 2, "five.trec:2: expected 6 columns"),
    (RERANK.replace("run.trec", "score.trec"), 2, "score.trec:1: expected a finite number"),
    (RERANK.replace("run.trec", "nan.trec"), 2, "nan.trec:1: expected a finite number"),
    (RERANK.replace("run.trec", "rank.trec"), 2, "rank.trec:1: expected a whole number as rank"),
    (RERANK.replace("run.trec", "twice.trec"), 2, "twice.trec:2: doc id d000 is there twice"),
    (RERANK.replace("run.trec", "latin.trec"), 2, "latin.trec:1: expected UTF-8 text"),
    (RERANK.replace("run.trec", "plain.trec.gz"), 2, "plain.trec.gz: expected gzip data"),
    (RERANK.replace("run.trec", "cut.trec.gz"), 2, "cut.trec.gz: expected gzip data"),
    (RERANK.replace("run.trec", "doc.trec"), 2, "doc.trec: document stranger (query q0) is not in"),
    (RERANK.replace("run.trec", "query.trec"), 2, "query.trec: query q99 is not in"),
    (f"{RERANK} --window 1", 2, "expected a window of at least 2 passages, found 1"),
    (f"{RERANK} --stride 20", 2, "expected a stride between 1 and 19"),
    (f"{RERANK} --stride 0", 2, "expected a stride between 1 and 19"),
    (f"{RERANK} --depth -5", 2, "expected --depth to be at least 1, found -5"),
    (f"{RERANK} --passes 0", 2, "expected --passes to be at least 1, found 0"),
    (f"{RERANK} --concurrency 0", 2, "expected --concurrency to be at least 1, found 0"),
    (f"{RERANK} --max-tokens 0", 2, "expected --max-tokens to be at least 1, found 0"),
    (f"{RERANK} --temperature=-1", 2, "expected --temperature to be 0 or more, found -1"),
    (f"{RERANK} --shard 3/2", 2, "--shard: expected I/N with 1 <= I <= N, found '3/2'"),
    (f"{RERANK} --prompt nothing", 2, "expected a recipe, found 'nothing'"),
    (f"{RERANK} --prompt bad.toml", 2, "bad.toml: "),
    (f"{RERANK} --engine-arg x", 2, "--engine-arg: expected key=value, found 'x'"),
    (f"{RERANK} --base-url host:1", 2, "--base-url: expected http://"),
    (f"{RERANK} --adapter model", 2, "--adapter needs a model in this process"),
    (f"{RERANK} --tag 'two words'", 2, "--tag: expected a name without spaces"),
    (f"{RERANK} --window many", 2, "--window: expected a whole number, found 'many'"),
    (f"{RERANK} --depht 5", 2, "--depht: expected an option of rearank rerank"),
    (RERANK, 1, "no server answers: http://127.0.0.1:9/v1"),
    (RERANK.replace("-o out.trec", "-o none/out.trec"), 2, "none/out.trec: no such folder"),
    (RERANK.replace("-o out.trec", "-o ."), 2, "expected a file to write, found a directory"),
    (f"{RERANK} --trace out.trec", 2, "the run and the trace need a file each"),
    (f"rerank run.trec {FILES} --model ./none -o out.trec", 2, "--model ./none: no such folder"),
    (
        f"rerank run.trec {FILES} --model model -o out.trec",
        2,
        "not a model: the folder has no config",
    ),
    (f"rerank run.trec {FILES} --model run.trec -o out.trec", 2, "found a file"),
    ("rerank run.trec --queries queries.tsv -o out.trec", 2, "--corpus"),
    ("rerank run.trec --corpus corpus.tsv -o out.trec", 2, "--queries"),
    ("rerank run.trec -d no-such-set -o out.trec", 2, "no-such-set"),
    ("rerank run.trec -d beir/scifact/test -o out.trec", 2, "beir/scifact/test"),
    ("retrieve -d none/ -o out.trec", 2, "none/: no such folder"),
    ("retrieve -d run.trec -o out.trec", 2, "run.trec: expected a collection, found a file"),
    ("retrieve --corpus corpus.tsv -o out.trec", 2, "--queries"),
    ("retrieve --corpus bad.jsonl --queries queries.tsv -o out.trec", 2, "bad.jsonl:2: expected"),
    ("retrieve --corpus noid.jsonl --queries queries.tsv -o out.trec", 2, "noid.jsonl:1: expected"),
    ("retrieve --corpus corpus.tsv --queries bad.tsv -o out.trec", 2, "bad.tsv:1: expected"),
    ("retrieve --corpus corpus.tsv --queries twice.tsv -o out.trec", 2, "twice.tsv:2: query id q0"),
    (f"retrieve {FILES} --hits 0 -o out.trec", 2, "--hits"),
    (f"retrieve {FILES} -o none/out.trec", 2, "none/out.trec: no such folder"),
    ("eval none.trec --qrels qrels.txt -o out.trec", 2, "none.trec: no such file"),
    ("eval five.trec --qrels qrels.txt -o out.trec", 2, "five.trec:2: expected 6 columns"),
    ("eval run.trec -o out.trec", 2, "--qrels"),
    ("eval run.trec --qrels bad.qrels -o out.trec", 2, "bad.qrels:1: expected 4 columns"),
    ("eval run.trec --qrels grade.qrels -o out.trec", 2, "grade.qrels:1: expected a whole number"),
    (
        "eval run.trec --qrels empty.qrels -o out.trec",
        2,
        "empty.qrels: expected relevance judgements",
    ),
    (f"{EVAL} -m nDGC@10", 2, "nDGC@10"),
    (f"{EVAL} -m nDCG@ten", 2, "nDCG@ten"),
    ("retreive demo", 2, "expected a command, found 'retreive'"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bad")
    Numbers(queries=2, hits=3).write(made)
    (made / "model").mkdir()
    for name, content in BAD_FILES.items():
        (made / name).write_bytes(content)
    return made


@pytest.mark.parametrize(("line", "code", "message"), CASES, ids=[case[0] for case in CASES])
def test_a_clear_message_and_nothing_else(folder: Path, line: str, code: int, message: str) -> None:
    before = sorted(path.name for path in folder.iterdir() if path.name != "cache")
    done = rearank(folder, *shlex.split(line))
    assert message in done.stderr
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    after = sorted(path.name for path in folder.iterdir() if path.name != "cache")
    assert after == before


@pytest.mark.parametrize("change", ["bom", "crlf"])
def test_marks_and_foreign_line_ends_are_accepted(
    folder: Path, tmp_path: Path, change: str
) -> None:
    content = (folder / "run.trec").read_bytes()
    changed = b"\xef\xbb\xbf" + content if change == "bom" else content.replace(b"\n", b"\r\n")
    (tmp_path / "run.trec").write_bytes(changed)
    (tmp_path / "qrels.txt").write_bytes((folder / "qrels.txt").read_bytes())
    done = rearank(tmp_path, "eval", "run.trec", "--qrels", "qrels.txt")
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr and "warning" not in done.stderr
    assert "0.5000" in done.stdout


def test_a_full_disk_fails_and_says_so(folder: Path) -> None:
    done = rearank(folder, "eval", "run.trec", "--qrels", "qrels.txt", "-o", "/dev/full")
    assert done.returncode == 2
    assert "/dev/full: cannot be written: no space left on device" in done.stderr


def test_an_unreadable_cache_fails_and_says_so(folder: Path, tmp_path: Path) -> None:
    Numbers(queries=1, hits=2).write(tmp_path)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "completions.sqlite").write_bytes(b"no database" * 1000)
    done = rearank(tmp_path, *shlex.split(RERANK))
    assert done.returncode == 2
    assert "the cache cannot be opened" in done.stderr
    assert "--no-cache" in done.stderr
