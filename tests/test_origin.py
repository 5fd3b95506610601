"""Runs know where they come from: what is written beside them, and what that saves its user."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import ROOT, Numbers, environment, rearank, served
from llm_server import serving
from scripted import ids, shown

from rearank_cli.errors import RearankError
from rearank_cli.formats.lineage import lineage, tree
from rearank_cli.formats.origin import (
    Command,
    Input,
    Source,
    content_digest,
    describe,
    origin_file,
    source_of,
    write_run_and_origin,
)
from rearank_cli.records import Run
from rearank_cli.reranking.trace import read_provenance

SMALL = Numbers(queries=3, hits=25)
RUN = Run.by_rank({"q1": ("a", "b"), "q2": ("b",)}, "t")


def origin(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def folder(place: Path) -> Path:
    """Make a collection folder with the texts and judgements of `SMALL`, and its run beside it."""
    place.mkdir(parents=True)
    SMALL.write(place)
    (place / "run.trec").rename(place.parent / "first.trec")
    (place / "qrels.txt").rename(place / "qrels.trec")
    return place


def made(place: Path, file: str = "run.trec", inputs: tuple[Input, ...] = ()) -> str:
    """Write a run with its origin, of a collection in `place`."""
    target = str(place / file)
    command = Command("retrieve", ["retrieve", "data"], settings={"hits": 2})
    write_run_and_origin(target, RUN, describe(command, Source(dataset=str(place)), inputs, ()))
    return target


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("runs/x.trec", "runs/x.meta.yml"),
        ("x.trec.gz", "x.meta.yml"),
        ("x.run", "x.run.meta.yml"),
        ("-", None),
        ("/dev/null", None),
    ],
)
def test_where_an_origin_is(run: str, expected: str | None) -> None:
    assert origin_file(run) == expected


def test_an_origin_is_believed_while_its_run_is_the_one_that_was_written(tmp_path: Path) -> None:
    run = made(tmp_path)
    found = source_of(run)
    assert found and found[0].dataset == str(tmp_path)
    assert origin(tmp_path / "run.meta.yml")["run"]["sha256"] == content_digest(run)
    with Path(run).open("a") as more:
        more.write("q3 Q0 a 1 1 t\n")
    with pytest.raises(RearankError, match="found a changed one") as told:
        source_of(run)
    assert "name the collection" in told.value.hint


def test_a_collection_that_moved_is_said(tmp_path: Path) -> None:
    place = folder(tmp_path / "data")
    run = str(tmp_path / "run.trec")
    source = Source(dataset=str(place))
    write_run_and_origin(run, RUN, describe(Command("retrieve"), source, (), ()))
    place.rename(tmp_path / "elsewhere")
    done = rearank(tmp_path, "eval", "run.trec")
    assert done.returncode == 2
    assert "error: data: no such file or folder, although" in done.stderr
    assert "hint: where it is now: name the collection (-d)" in done.stderr


def test_an_origin_that_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    run = made(tmp_path)
    (tmp_path / "run.meta.yml").write_text("run:\n  sha256: [\n", "utf-8")
    with pytest.raises(RearankError, match=r"run\.meta\.yml:\d+: expected the origin of a run"):
        source_of(run)


def test_a_lineage_names_what_was_changed_and_what_is_gone(tmp_path: Path) -> None:
    first = made(tmp_path, "first.trec")
    second = made(tmp_path, "second.trec")
    fused = made(tmp_path, "fused.trec", (Input(first, "t"), Input(second, "t")))
    Path(second).unlink()
    Path(first).write_text("q1 Q0 a 1 1 other\n")
    found = lineage(fused)
    assert found.remark == ""
    assert [step.remark for step in found.inputs] == [
        "another run than the one that was read",
        "no such file any more",
    ]
    lines = list(tree(found))
    assert lines[0].startswith(fused) or lines[0].startswith("fused.trec")
    assert any(line.startswith("├─ ") and "first.trec" in line for line in lines)
    assert any(line.startswith("└─ ") and "second.trec" in line for line in lines)


def test_the_three_words_that_people_type(tmp_path: Path) -> None:
    """Nothing names the collection but the first of them."""
    with serving(lambda prompt: ids(range(len(shown(prompt))))) as server:
        asked = {
            "REARANK_BASE_URL": server.url,
            "REARANK_MODEL": "scripted",
            "REARANK_CACHE_DIR": os.environ.get("REARANK_CACHE_DIR") or str(tmp_path / "cache"),
        }
        line = (
            f'alias_() {{ {sys.executable} -m rearank_cli "$@"; }}; '
            "alias_ retrieve demo -o run.trec && alias_ rerank run.trec && alias_ eval run.trec"
        )
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**environment(tmp_path), **asked},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    *reranked, head, figures = done.stdout.splitlines()
    assert len(reranked) == len((tmp_path / "run.trec").read_text().splitlines())
    assert (head, figures) == ("run\tnDCG@10", "run\t0.6081")
    assert done.stderr.count("collection: demo, from run.meta.yml") == 2


def test_every_command_takes_the_collection_from_the_run_and_hands_it_on(tmp_path: Path) -> None:
    folder(tmp_path / "data")
    with serving() as server:
        options = ("--base-url", server.url, "--model", "scripted")
        done = rearank(tmp_path, "rerank", "first.trec", "-d", "data", *options, "-o", "new.trec")
        assert done.returncode == 0, done.stderr
        assert rearank(tmp_path, "rerank", "new.trec", *options, "-o", "again.trec").returncode == 0
    done = rearank(tmp_path, "fuse", "new.trec", "again.trec", "-o", "fused.trec")
    assert done.returncode == 0, done.stderr
    done = rearank(tmp_path, "eval", "new.trec", "fused.trec")
    assert done.stdout.splitlines()[0] == "run\tnDCG@10", done.stderr
    assert "collection: data, from fused.meta.yml" in done.stderr
    done = rearank(tmp_path, "report", "new.trec", "fused.trec", "-o", "page.html")
    assert done.returncode == 0 and "passage 00" in (tmp_path / "page.html").read_text()
    done = rearank(tmp_path, "explain", "new.trec", "--query", "q0")
    assert "passage 0" in done.stdout, done.stderr
    done = rearank(tmp_path, "augment", "new.trec", "--draws", "1", "-o", "lists.jsonl")
    assert "collection: data, from new.meta.yml" in done.stderr
    done = rearank(tmp_path, "explain", "fused.trec", "--provenance", "--json")
    steps = json.loads(done.stdout)
    assert steps["origin"]["method"]["retrieval"] == [
        {"name": "rrf", "method": "rearank fuse", "reranks": "new, again"}
    ]
    assert steps["inputs"][1]["inputs"][0]["inputs"][0] == {
        "file": str(tmp_path / "first.trec"),
        "remark": "no origin",
        "inputs": [],
    }


def test_trace_and_origin_say_the_same(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        rearank(tmp_path, "rerank", "run.trec", *served(server.url), "-o", "new.trec")
    found = origin(tmp_path / "new.meta.yml")
    assert read_provenance(str(tmp_path / "new.trace.jsonl")) == found
    assert found["collection"]["corpus"] == str(tmp_path / "corpus.tsv")
    assert found["settings"]["window"] == 20  # nobody typed it
    assert found["inputs"][0]["sha256"] == content_digest(tmp_path / "run.trec")
    libraries = found["platform"]["software"]["libraries"]["python"]
    assert not any(name.startswith(("torch", "vllm")) for name in libraries)


def test_no_meta_leaves_it_away(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    with serving() as server:
        options = (*served(server.url), "--no-meta", "-o", "new.trec")
        assert rearank(tmp_path, "rerank", "run.trec", *options).returncode == 0
    shutil.copy(tmp_path / "new.trec", tmp_path / "other.trec")
    command = ("fuse", "new.trec", "run.trec", "-o", "fused.trec", "--no-meta")
    assert rearank(tmp_path, *command).returncode == 0
    assert list(tmp_path.glob("*.meta.yml")) == []


def test_the_command_of_an_origin_works_when_it_is_pasted(tmp_path: Path) -> None:
    work = tmp_path / "a folder"
    folder(work / "data")
    with serving() as server:
        done = subprocess.run(
            [sys.executable, "-m", "rearank_cli", "rerank", "first.trec", "-o", "new.trec"],
            cwd=work,
            env={
                **environment(tmp_path),
                "REARANK_DATASET": "data",
                "REARANK_BASE_URL": server.url,
                "REARANK_MODEL": "scripted",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = origin(work / "new.meta.yml")
        line = found["implementation"]["executable"]["cmd"]
        before = (work / "new.trec").read_bytes()
        (work / "new.trec").unlink()
        binary = tmp_path / "bin"
        binary.mkdir()
        (binary / "rearank").write_text(
            f'#!/bin/sh\nexec {sys.executable} -m rearank_cli "$@"\n', "utf-8"
        )
        (binary / "rearank").chmod(0o755)
        pasted = subprocess.run(
            ["bash", "-c", line],
            cwd="/",
            env={**environment(tmp_path), "PATH": f"{binary}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert pasted.returncode == 0, pasted.stderr
    assert (work / "new.trec").read_bytes() == before


def test_what_is_typed_beats_the_origin_and_that_beats_the_environment(tmp_path: Path) -> None:
    folder(tmp_path / "data")
    run = str(tmp_path / "run.trec")
    shutil.copy(tmp_path / "first.trec", run)
    kept = Run.by_rank({f"q{n}": tuple(f"d{k:03}" for k in range(25)) for n in range(3)}, "t")
    source = Source(dataset=str(tmp_path / "data"))
    write_run_and_origin(run, kept, describe(Command("retrieve"), source, (), ()))
    env = {**environment(tmp_path), "REARANK_DATASET": "demo", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "rearank_cli", "eval", "run.trec"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[1:] == ["run\t1.0000"], done.stderr
    done = rearank(tmp_path, "eval", "run.trec", "-d", "demo")
    assert "of its 3 queries none is judged" in done.stderr


def test_a_run_without_origin_says_how_to_name_a_collection(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    for verb in ("rerank", "eval", "augment"):
        done = rearank(tmp_path, verb, "run.trec")
        assert done.returncode == 2
        assert "-d demo" in done.stderr, verb
