"""Published prompts that come with a model: fetched once, held against their digest, kept.

The files are of the same making as the published ones, with words of our own.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from command import FILES, Numbers, rearank
from llm_server import running, serving
from test_importers import TURNS

from rearank_cli.errors import RearankError
from rearank_cli.evaluation.expected import expectations
from rearank_cli.recipes.choosing import better, choose_recipe
from rearank_cli.recipes.loading import load_recipe, recipe_names
from rearank_cli.recipes.originals import catalogue
from rearank_cli.recipes.recipe import CUTS

COMMIT = "c0ffee" * 6 + "c0ff"
PATH = f"/us/rank/{COMMIT}/code/rank.py"
SHIPPED = catalogue()


class Mirror(ThreadingHTTPServer):
    """Serves one file; notes paths and ranges. `cut` ends each answer after so many bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = TURNS.encode()
        self.cut: int | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:  # noqa: N802  the name that http.server calls
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        if self.path != PATH:
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.server.content) - start))
        self.end_headers()
        self.wfile.write(self.server.content[start:][: self.server.cut])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def own_catalogue(folder: Path, address: str) -> Path:
    """Write a catalogue with one model, as a user may have one."""
    place = folder / "originals.toml"
    place.write_text(
        f'address = "{address}"\n[[original]]\nmodels = ["Us/Sorter-1B", "scripted"]\n'
        f'description = "ours"\nrepository = "us/rank"\ncommit = "{COMMIT}"\n'
        f'path = "code/rank.py"\nfunction = "build"\nsize = {len(TURNS.encode())}\n'
        f'sha256 = "{hashlib.sha256(TURNS.encode()).hexdigest()}"\n'
        'licence = "CC0"\ninstead = "choice"\n'
        'expected = [{ collection = "demo", measure = "nDCG@10", value = 0.7 }]\n'
        '[original.recipe]\nmethod = "setwise"\nanswer = "choice"\nthinks = true\n'
        "numbers = { children = 4, top = 3 }\npassage_words = 9\nmax_tokens = 77\n"
        "sampling = { temperature = 0.25 }\n"
    )
    return place


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    with running(Mirror()) as server:
        monkeypatch.setenv("REARANK_ORIGINALS", str(own_catalogue(tmp_path, server.url)))
        monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path / "cache"))
        load_recipe.cache_clear()
        yield server
    load_recipe.cache_clear()


def test_the_words_are_fetched_once_and_the_catalogue_says_the_rest(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rearank_cli")
    recipe, why = choose_recipe(None, "us/sorter-1b")
    assert recipe.render("a query", ["one"])[0].content == "You sort things."
    assert (recipe.name, recipe.method, recipe.kind) == ("Us/Sorter-1B", "setwise", "choice")
    assert (recipe.cut, recipe.sampling.temperature) == (("words", 9), 0.25)
    assert recipe.sampling.max_tokens == 77
    assert (
        why == "made for Us/Sorter-1B, in its published words: rank.py of us/rank at c0ffeec0ffee"
    )
    assert hashlib.sha256(TURNS.encode()).hexdigest() in recipe.source
    assert f"prompt of Us/Sorter-1B once: {mirror.url}{PATH}" in caplog.text
    load_recipe.cache_clear()
    mirror.shutdown()
    assert choose_recipe(None, "Us/Sorter-1B")[0].digest == recipe.digest
    assert mirror.asked == [(PATH, None)]


def test_another_file_than_the_promised_one_gives_way_to_our_own_words(
    mirror: Mirror, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror.content = mirror.content.replace(b"sort", b"burn")
    recipe, why = choose_recipe(None, "scripted")
    ours = load_recipe("choice")
    assert recipe.render("q", ["one", "two"]) == ours.render("q", ["one", "two"])
    # All but the words is as the model wants it.
    assert (recipe.name, recipe.numbers) == ("choice", {"children": 4, "top": 3})
    assert (recipe.thinks, recipe.sampling.max_tokens, recipe.cut.unit) == (True, 77, "words")
    assert why == "made for scripted, in words of our own"
    assert "published prompt of scripted could not be had" in caplog.text
    assert "expected SHA-256" in caplog.text
    assert "figures may differ from the published ones" in caplog.text
    assert [path.name for path in (tmp_path / "cache" / "originals").glob("us*")] == []


def test_half_a_download_is_no_file_and_is_taken_up_where_it_ended(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.cut = 100
    assert choose_recipe(None, "scripted")[0].name == "choice"
    assert [each for _, each in mirror.asked] == [None, "bytes=100-"]
    mirror.cut = None
    assert choose_recipe(None, "scripted")[0].name == "scripted"
    assert mirror.asked[-1] == (PATH, "bytes=200-")


def test_a_kept_file_that_was_spoilt_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    load_recipe("scripted")
    (kept,) = (tmp_path / "cache" / "originals").glob("us*")
    kept.write_text("print('no')\n")
    load_recipe.cache_clear()
    assert load_recipe("scripted").render("q", ["one"])[0].content == "You sort things."
    assert kept.read_bytes() == mirror.content


def test_who_asks_for_the_words_by_name_gets_them_or_an_error(mirror: Mirror) -> None:
    assert choose_recipe("Us/Sorter-1B", "another")[1] == "asked for"
    assert choose_recipe("rearank", "Us/Sorter-1B")[0].name == "rearank"
    mirror.content = b"gone"
    load_recipe.cache_clear()
    for place in Path(os.environ["REARANK_CACHE_DIR"], "originals").glob("us*"):
        place.unlink()
    with pytest.raises(RearankError, match="expected SHA-256"):
        choose_recipe("Us/Sorter-1B", "another")


def test_a_folder_is_told_of_the_words_that_were_made_for_it(mirror: Mirror) -> None:
    assert better(load_recipe("rearank"), "models/Sorter-1B") == "Us/Sorter-1B"
    assert better(load_recipe("Us/Sorter-1B"), "models/Sorter-1B") is None


def test_the_published_figures_are_known_by_the_models_id(mirror: Mirror) -> None:
    (found,) = expectations("us/sorter-1b")
    assert (found.collection, found.value, found.source) == ("demo", 0.7, "ours")


def test_a_mirror_may_be_a_folder(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "files" / PATH.lstrip("/")
    place.parent.mkdir(parents=True)
    place.write_text(TURNS)
    address = (tmp_path / "files").as_uri()
    monkeypatch.setenv("REARANK_ORIGINALS", str(own_catalogue(tmp_path, address)))
    assert load_recipe("scripted").name == "scripted"
    assert mirror.asked == []
    monkeypatch.setenv("REARANK_ORIGINALS", address)
    assert {each.address for each in catalogue()} == {address}


@pytest.mark.parametrize("text", ["[[original]]\nmodels = 3\n", "x", "original = 3\n"])
def test_a_catalogue_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    (tmp_path / "own.toml").write_text(text)
    monkeypatch.setenv("REARANK_ORIGINALS", str(tmp_path / "own.toml"))
    with pytest.raises(RearankError, match="expected the address of a mirror or a catalogue"):
        catalogue()


def test_every_entry_that_comes_along_is_whole() -> None:
    for entry in SHIPPED:
        assert len(entry.commit) == 40 and len(entry.sha256) == 64 and entry.size > 500
        assert entry.licence == "Apache-2.0" and entry.instead in recipe_names()
        assert entry.download.urls[0].startswith("https://")
        assert {"method", "answer", "max_tokens"} < set(entry.recipe)
        assert len(set(CUTS) & set(entry.recipe)) == 1
    models = [model for entry in SHIPPED for model in entry.models]
    assert len(models) == len(set(models)) == 20


def test_reranking_asks_in_the_published_words_and_says_so(mirror: Mirror, tmp_path: Path) -> None:
    Numbers(2, 6).write(tmp_path)
    extra = {"REARANK_ORIGINALS": os.environ["REARANK_ORIGINALS"]}
    with serving(lambda prompt: "<think>hm</think> [1]") as server:
        options = ("rerank", "run.trec", *FILES, "--base-url", server.url, "--model", "scripted")
        done = rearank(tmp_path, *options, "--top", "1", "-o", "new.trec", env=extra)
        assert done.returncode == 0, done.stderr
        assert server.finished[0][0].content == "You sort things."
        assert {body["max_tokens"] for body in server.bodies} == {77}
    assert f"fetching the published prompt of scripted once: {mirror.url}" in done.stderr
    told = "recipe: scripted, made for scripted, in its published words: rank.py of us/rank at"
    assert told in done.stderr
    first = json.loads((tmp_path / "new.trace.jsonl").read_text().splitlines()[0])["provenance"]
    assert (first["recipe"], first["settings"]["top"]) == ("scripted", 1)
    assert first["recipe_chosen"].startswith("made for scripted, in its published words")
    assert hashlib.sha256(TURNS.encode()).hexdigest() in first["recipe_source"]
    listed = rearank(tmp_path, "recipe", "list", env=extra).stdout.splitlines()
    row = next(line for line in listed if line.startswith("Us/Sorter-1B"))
    assert row.split()[1:4] == ["setwise", "choice", "text"]
    assert row.endswith("ours (us/rank, here)")
