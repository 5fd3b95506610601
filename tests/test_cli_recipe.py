"""`rearank recipe`, and reranking with recipes of other kinds."""

import json
import re
from pathlib import Path

import pytest
from command import Numbers, rearank, served
from llm_server import serving
from test_importers import TURNS

from rearank_cli.records import Prompt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Numbers(2, 30).write(tmp_path)
    return tmp_path


def test_recipes_are_listed_with_what_they_need(folder: Path) -> None:
    done = rearank(folder, "recipe", "list")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: " ".join(line.split()) for line in done.stdout.splitlines()}
    assert rows["rearank"].startswith("rearank sliding order text")
    assert rows["letters"].startswith("letters sliding letters logprobs")
    assert rows["likelihood"].startswith("likelihood pointwise likelihood prompt logprobs")


def test_what_is_shown_can_be_checked(folder: Path) -> None:
    shown = rearank(folder, "recipe", "show", "choice")
    (folder / "mine.toml").write_text(shown.stdout)
    done = rearank(folder, "recipe", "check", "mine.toml")
    assert (done.returncode, done.stdout) == (0, "")
    assert "mine.toml: a recipe for setwise with answers of the kind choice" in done.stderr
    (folder / "mine.toml").write_text(shown.stdout.replace("{{ query }}", "{{ querry }}"))
    done = rearank(folder, "recipe", "check", "mine.toml")
    assert done.returncode == 2
    assert "querry" in done.stderr


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("children", "childs"), "the method setwise has no childs"),
        (("children = 9", "children = '9'"), "expected --children to be int, found '9'"),
        (('"setwise"', '"setwice"'), "found 'setwice'"),
        (("max_tokens", "max_token"), "did you mean 'max_tokens'?"),
    ],
)
def test_mistakes_are_told_with_exit_code_2(
    folder: Path, change: tuple[str, str], told: str
) -> None:
    shown = rearank(folder, "recipe", "show", "choice").stdout
    (folder / "mine.toml").write_text(shown.replace(*change))
    done = rearank(folder, "recipe", "check", "mine.toml")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_imported_recipe_reranks(folder: Path) -> None:
    (folder / "rank.py").write_text(TURNS)
    done = rearank(folder, "recipe", "import", "rank.py", "-o", "exact.toml")
    assert done.returncode == 0, done.stderr
    with serving() as server:
        done = rearank(folder, "rerank", "run.trec", *served(server.url), "--recipe", "exact.toml")
        assert done.returncode == 0, done.stderr
        assert server.finished[0][0].content == "You sort things."
    assert [line.split()[2] for line in done.stdout.splitlines()][:3] == ["d000", "d001", "d002"]


def best(prompt: Prompt) -> str:
    """Choose the passage with the lowest number."""
    shown = re.findall(r"^\[(\d+)\] passage (\d+)$", prompt[-1].content, re.MULTILINE)
    return f"[{min(shown, key=lambda each: int(each[1]))[0]}]"


def test_a_recipe_brings_its_method_and_numbers_and_options_go_before_it(folder: Path) -> None:
    with serving(best) as server:
        options = ("--recipe", "choice", "--top", "3", "-o", "new.trec")
        done = rearank(folder, "rerank", "run.trec", *served(server.url), *options)
        assert done.returncode == 0, done.stderr
    new = [line.split()[2] for line in (folder / "new.trec").read_text().splitlines()]
    assert new[:4] == ["d000", "d001", "d002", "d029"]
    first = json.loads((folder / "new.trace.jsonl").read_text().splitlines()[0])["provenance"]
    assert first["settings"]["method"] == "setwise"
    assert (first["settings"]["children"], first["settings"]["top"]) == (9, 3)
    assert (first["recipe"], first["recipe_chosen"]) == ("choice", "asked for")


def test_a_recipe_is_found_by_the_models_id_and_told(folder: Path) -> None:
    with serving() as server:
        where = ("--base-url", server.url, "--corpus", "corpus.tsv", "--queries", "queries.tsv")
        done = rearank(
            folder, "rerank", "run.trec", *where, "--model", "Qwen/Qwen3-8B", "--dry-run"
        )
    assert done.returncode == 0, done.stderr
    assert "recipe: qwen3, made for Qwen/Qwen3-8B; --recipe chooses another" in done.stderr


def test_numbers_of_another_method_are_refused_with_those_that_are(folder: Path) -> None:
    with serving() as server:
        done = rearank(folder, "rerank", "run.trec", *served(server.url), "--children", "3")
    assert done.returncode == 2
    assert "the method sliding has no children" in done.stderr
    assert "it has window, stride, top, samples, shuffle" in done.stderr
