"""`rearank.toml`: what it sets, what beats what, and what is wrong with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import Numbers, environment, served
from llm_server import serving


def run(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, with a user's config folder below it."""
    own = {**environment(folder), "XDG_CONFIG_HOME": str(folder / "config"), **(env or {})}
    own = {name: value for name, value in own.items() if value}
    return subprocess.run(
        [sys.executable, "-m", "rearank_cli", *arguments],
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=120,
    )


def files(folder: Path, here: str = "", user: str = "") -> None:
    (folder / "config" / "rearank").mkdir(parents=True)
    if here:
        (folder / "rearank.toml").write_text(here)
    if user:
        (folder / "config" / "rearank" / "rearank.toml").write_text(user)


def shown(folder: Path, *verb: str, env: dict[str, str] | None = None) -> dict[str, list[str]]:
    """Return value and origin by setting, as `config show` tells of one verb."""
    done = run(folder, "config", "show", *verb, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return {
        each["setting"]: [each["value"], each["from"]]
        for each in json.loads(done.stdout)["settings"]
    }


def test_the_environment_beats_the_folder_and_that_the_user(tmp_path: Path) -> None:
    files(
        tmp_path,
        here='dataset = "here"\n[rerank]\ndepth = 30\n',
        user='dataset = "user"\nmodel = "m"\n[rerank]\ndepth = 50\nwindow = 7\n',
    )
    here, user = (
        str(tmp_path / "rearank.toml"),
        str(tmp_path / "config" / "rearank" / "rearank.toml"),
    )
    assert shown(tmp_path, "rerank") == {
        "dataset": ["here", here],
        "depth": [30, here],
        "window": [7, user],
        "model": ["m", user],
    }
    environ = {"REARANK_DATASET": "env", "REARANK_BASE_URL": "http://x/v1"}
    found = shown(tmp_path, "rerank", env=environ)
    assert found["dataset"] == ["env", "REARANK_DATASET"]
    assert found["base-url"] == ["http://x/v1", "REARANK_BASE_URL"]
    assert set(shown(tmp_path, "eval")) == {"dataset"}


def test_a_verbs_own_table_beats_the_top_of_the_same_file(tmp_path: Path) -> None:
    files(tmp_path, here='model = "all"\n[rerank]\nmodel = "own"\n', user='[rerank]\nmodel = "u"\n')
    assert shown(tmp_path, "rerank")["model"][0] == "own"
    assert shown(tmp_path, "prompt", "show")["model"][0] == "all"


def test_a_reranking_takes_its_options_from_the_file_unless_they_are_typed(tmp_path: Path) -> None:
    Numbers(queries=1, hits=20).write(tmp_path)
    with serving() as server:
        files(
            tmp_path,
            here=f'base-url = "{server.url}"\nmodel = "scripted"\n[rerank]\nwindow = 4\n'
            "stride = 2\ndepth = 8\n"
            'corpus = "corpus.tsv"\nqueries = "queries.tsv"\ntag = "filed"\n',
        )
        done = run(tmp_path, "rerank", "run.trec")
        assert done.returncode == 0, done.stderr
        assert len(server.finished) == 3  # windows of 4 over 8
        assert done.stdout.split()[5] == "filed"
        typed = run(tmp_path, "rerank", "run.trec", "--depth", "4", "--tag", "typed")
        assert len(server.finished) == 4
        assert typed.stdout.split()[5] == "typed"


def test_a_server_of_the_environment_beats_the_files(tmp_path: Path) -> None:
    Numbers(queries=1, hits=5).write(tmp_path)
    files(tmp_path, here='base-url = ["http://127.0.0.1:9/v1"]\n')
    with serving() as server:
        done = run(
            tmp_path,
            *("rerank", "run.trec", *served(server.url)[:4], "--model", "scripted"),
            env={"REARANK_BASE_URL": server.url},
        )
        assert (done.returncode, len(server.finished)) == (0, 1), done.stderr


def test_the_collection_of_a_file_gives_way_to_an_argument(tmp_path: Path) -> None:
    from corpora import beir_folder

    beir_folder(tmp_path / "pets")
    files(tmp_path, here='dataset = "demo"\n')
    done = run(tmp_path, "retrieve", "pets")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[2] == "d1"
    both = run(tmp_path, "retrieve", "pets", "-d", "demo")
    assert "expected collections as arguments or by -d, found both: pets, demo" in both.stderr


def test_the_cache_folder_is_beside_the_file_that_names_it(tmp_path: Path) -> None:
    files(tmp_path, user='cache-dir = "kept"\n')
    env = {"REARANK_CACHE_DIR": ""}
    done = run(tmp_path, "cache", "info", env=env)
    place = tmp_path / "config" / "rearank" / "kept"
    assert str(place / "completions.sqlite") in done.stdout
    assert shown(tmp_path, env=env)["cache-dir"][0] == str(place)
    done = run(tmp_path, "cache", "info")  # the tests' own REARANK_CACHE_DIR
    assert str(tmp_path / "cache") in done.stdout
    assert shown(tmp_path)["cache-dir"][1] == "REARANK_CACHE_DIR"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('dataet = "demo"', 1, "expected a setting, found dataet", "did you mean dataset?"),
        ("[rerank]\n\ndepht = 3", 3, "a setting of rerank, found depht", "did you mean depth?"),
        ("[rernk]\ndepth = 3", 1, "expected a verb, found rernk", "did you mean rerank?"),
        ("hits = 3", 1, "expected a setting, found hits", "there are dataset, model"),
        ('[rerank]\ndepth = "x"', 2, "depth to be a whole number, found 'x'", ""),
        ("[rerank]\ndepth = 2.5", 2, "depth to be a whole number, found 2.5", ""),
        ("[rerank]\npassage-tokens = 0", 2, "of at least 1, found 0", ""),
        ("[rerank]\ncache = 1", 2, "cache to be true or false, found 1", ""),
        ("[rerank]\nconcurrency = true", 2, "a whole number, found true", ""),
        ("[rerank]\nbase-url = [3]", 2, "base-url to be a text, found 3", ""),
        ('[eval]\nties = "x"', 2, "ties to be docid or rank, found 'x'", ""),
        ("[cache]\nclear = 1", 2, "[cache.clear], found clear", ""),
        ("[eval]\n[rerank]\nhits = 1", 3, "a setting of rerank, found hits", ""),
        ("cache-dir = 3", 1, "cache-dir to be a folder, found 3", ""),
        ("[retrieve\n", 0, "rearank.toml: ", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    files(tmp_path, here=text + "\n")
    for command in (("cache", "info"), ("config", "show")):
        done = run(tmp_path, *command)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr and hint in done.stderr
        assert (f"rearank.toml:{line}: " in done.stderr) == bool(line)
        assert "Traceback" not in done.stderr


def test_help_comes_whatever_the_file_says(tmp_path: Path) -> None:
    files(tmp_path, here="nonsense")
    assert run(tmp_path, "rerank", "--help").returncode == 0
    assert run(tmp_path, "--version").returncode == 0


def test_without_files_it_is_said_where_they_would_be(tmp_path: Path) -> None:
    done = run(tmp_path, "config", "show", "rerank")
    assert done.stdout == (
        f"# no files; looked for rearank.toml and {tmp_path}/config/rearank/rearank.toml\n"
    )
    every = run(tmp_path, "config", "show", "rerank", "--all").stdout.splitlines()
    assert "rerank\tdepth\t100\tdefault" in every
    assert run(tmp_path, "config", "show", "nothing").returncode == 2
