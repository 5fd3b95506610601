"""Runs that papers have published: the catalogue, `datasets runs`, and `retrieve --run-of`."""

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from corpora import beir_folder, rearank

from rearank_cli.collection.published import catalogue, narrowed
from rearank_cli.formats.trec import read_run
from rearank_cli.records import Run

RUN = "q1 Q0 d2 1 9.5 dense\nq1 Q0 d1 2 9.25 dense\nq2 Q0 d4 1 7.5 dense\nq2 Q0 d3 2 7 dense\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Stay silent."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


class Mirror:
    """A folder with one run, and a catalogue that names it."""

    def __init__(self, folder: Path, run: str = RUN, promised: str | None = None) -> None:
        self.folder = folder
        (folder / "files").mkdir()
        (folder / "files" / "pets.txt").write_text(run)
        self.promised = (promised or run).encode()
        beir_folder(folder / "pets")

    def env(self, url: str) -> dict[str, str]:
        md5 = hashlib.md5(self.promised).hexdigest()
        (self.folder / "runs.toml").write_text(
            '[[group]]\nname = "dense"\ndescription = "a dense model"\nlicence = "CC0"\n'
            f'source = "us"\nurl = "{url}"\nrun = [\n{{ name = "pets", collection = "pets", '
            f'path = "pets.txt", size = {len(self.promised)}, md5 = "{md5}" }},\n]\n'
        )
        return {"REARANK_RUNS": str(self.folder / "runs.toml"), "REARANK_DATASET": ""}


def fetched(
    mirror: Mirror, *options: str | Path, url: str = "http://127.0.0.1:9/"
) -> subprocess.CompletedProcess[str]:
    return rearank(
        *("retrieve", "--run-of", "dense.pets", *options),
        cache=mirror.folder / "cache",
        env=mirror.env(url),
    )


def test_a_run_is_fetched_checked_and_written_once(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    with served(tmp_path / "files") as url:
        done = fetched(mirror, "-d", tmp_path / "pets", "-o", tmp_path / "out.trec", url=url)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = read_run(tmp_path / "out.trec")
    assert found.rankings == {"q1": ("d2", "d1"), "q2": ("d4", "d3")}
    assert found.scores == {"q1": (9.5, 9.25), "q2": (7.5, 7.0)}
    assert "a dense model; us; licence: CC0" in done.stderr
    again = fetched(mirror, "--hits", "1")  # the server has gone
    assert [line.split()[2] for line in again.stdout.splitlines()] == ["d2", "d4"]
    assert "ids were not checked; -d pets does so" in again.stderr


def test_another_file_than_the_promised_one_is_refused_and_removed(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, promised=RUN + "more")
    with served(tmp_path / "files") as url:
        done = fetched(mirror, "-o", tmp_path / "out.trec", url=url)
    assert done.returncode == 2
    assert "expected MD5" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out.trec").exists()
    assert not [path for path in (tmp_path / "cache" / "runs").glob("dense*")]


def test_without_a_network_the_file_can_be_put_there_by_hand(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    done = fetched(mirror)
    place = tmp_path / "cache" / "runs" / "dense.pets.trec"
    assert done.returncode == 2
    assert f"hint: bring the file there by other means: {place}" in done.stderr
    place.write_text(RUN)
    assert fetched(mirror).returncode == 0


def test_ids_are_held_against_the_collection(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, RUN + "q1 Q0 stranger 3 9 dense\nq9 Q0 d1 1 3 dense\n")
    with served(tmp_path / "files") as url:
        done = fetched(mirror, "-d", tmp_path / "pets", url=url)
    assert done.returncode == 0
    assert "1 of 3 queries are not in the collection (first: q9)" in done.stderr
    assert "1 of 5 documents are not in the collection (first: stranger)" in done.stderr
    done = fetched(mirror, "-d", "demo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "3 of 3 queries are not in the collection" in done.stderr
    assert "hint: is this the collection of the run?" in done.stderr


def test_exclusions_are_dropped_before_the_cut(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    (tmp_path / "exclude.tsv").write_text("q1\td2\n")
    with served(tmp_path / "files") as url:
        done = fetched(mirror, "--exclude", tmp_path / "exclude.tsv", "--hits", "1", url=url)
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["d1", "d4"]
    assert "1 excluded document left out" in done.stderr


def test_a_documents_own_id_is_dropped_where_that_is_wanted() -> None:
    run = Run({"a": ("a", "b")}, {"a": (2.0, 1.0)}, "t")
    assert narrowed(run, {"a": frozenset(["a"])}, 5) == (Run({"a": ("b",)}, {"a": (1.0,)}, "t"), 1)


def test_runs_are_listed_and_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    env, cache = mirror.env("http://127.0.0.1:9/"), tmp_path / "cache"
    done = rearank("datasets", "runs", cache=cache, env=env)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows[0][:2] == ["run", "collection"]
    assert ["dense.pets", "pets", "a dense model", "us", "CC0", "0.0 MB"] in rows
    some = rearank("datasets", "runs", "reasonir*", cache=cache, env=env).stdout.splitlines()
    assert len(some) == 13 and all("ReasonRank" in line for line in some[1:])
    none = rearank("datasets", "runs", "nothing", cache=cache, env=env)
    assert none.returncode == 2 and "rearank datasets runs" in none.stderr
    wrong = rearank("retrieve", "--run-of", "dense.pts", cache=cache, env=env)
    assert wrong.returncode == 2 and "--run-of: expected the name" in wrong.stderr
    assert "did you mean dense.pets" in wrong.stderr


@pytest.mark.parametrize("text", ["", "[[group]]\nname = 3\n", "x", "group = 3\n"])
def test_a_catalogue_of_ones_own_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    env = {"REARANK_RUNS": str(tmp_path / "own.toml")}
    done = rearank("datasets", "runs", cache=tmp_path / "cache", env=env)
    assert done.returncode == 2
    assert "own.toml: expected a catalogue of runs" in done.stderr


def test_every_entry_is_whole() -> None:
    entries = catalogue().values()
    assert len(entries) == 40
    for entry in entries:
        assert entry.licence and entry.source and entry.description
        assert entry.download.size > 100_000 and len(entry.download.md5) == 32
        assert entry.download.urls[0].startswith("https://")
    assert len({entry.download.md5 for entry in entries}) == 40
