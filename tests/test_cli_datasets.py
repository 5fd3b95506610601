from pathlib import Path

import pytest
from corpora import rearank

from rearank_cli.lucene.prebuilt import catalogue


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An ir_datasets home with the documents of vaswani and nothing else."""
    (tmp_path / "irds" / "vaswani").mkdir(parents=True)
    (tmp_path / "irds" / "vaswani" / "docs.txt").write_text("1\ntext\n   /\n", encoding="utf-8")
    return {"IR_DATASETS_HOME": str(tmp_path / "irds"), "PYSERINI_CACHE": str(tmp_path / "none")}


def rows(stdout: str) -> dict[str, list[str]]:
    lines = [line.split("\t") for line in stdout.splitlines()]
    return {line[0]: line[1:] for line in lines[1:]}


def test_every_name_is_listed_with_its_parts_its_place_and_its_index(
    tmp_path: Path, home: dict[str, str]
) -> None:
    done = rearank("datasets", cache=tmp_path / "cache", env=home)
    listed = rows(done.stdout)
    assert done.returncode == 0
    assert listed["demo"] == ["docs,queries,qrels", "yes", "", ""]
    assert listed["vaswani"] == ["docs,queries,qrels", "yes", "", ""]
    assert listed["bright/biology"][1:] == ["no", "bright-biology", "no (0.03 GB to fetch)"]
    name = "beir-v1.0.0-nfcorpus.flat"
    assert listed["beir/nfcorpus/test"][1:] == ["no", name, "no (0.01 GB to fetch)"]
    assert done.stdout.splitlines()[0].split("\t")[3:] == ["prebuilt index", "index here"]


def test_an_index_that_is_here_is_here(tmp_path: Path, home: dict[str, str]) -> None:
    entry = catalogue()["bright-biology"]
    folder = tmp_path / "none" / "indexes" / entry.folder
    folder.mkdir(parents=True)
    (folder / "segments_1").touch()
    done = rearank("datasets", "bright/biology", cache=tmp_path / "cache", env=home)
    assert rows(done.stdout)["bright/biology"][3:] == ["yes"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("bright/pony*", ["bright/pony", "bright/pony-long"]),
        ("demo", ["demo"]),
        (
            "trec-dl-hard/fold1",
            ["msmarco-document/trec-dl-hard/fold1", "msmarco-passage/trec-dl-hard/fold1"],
        ),
    ],
)
def test_a_pattern_chooses(
    tmp_path: Path, home: dict[str, str], pattern: str, names: list[str]
) -> None:
    done = rearank("datasets", pattern, cache=tmp_path / "cache", env=home)
    assert list(rows(done.stdout)) == names


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path, home: dict[str, str]) -> None:
    done = rearank("datasets", "no-such-thing", cache=tmp_path / "cache", env=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "found none among the known collections" in done.stderr
