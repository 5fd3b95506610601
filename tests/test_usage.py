"""Mistakes in the command line itself: told in the same style as mistakes in files."""

from pathlib import Path

import pytest
from command import rearank

# (arguments, the error, what the hint says)
CASES = [
    (
        "retrieve demo --hits x",
        "--hits: expected a whole number of at least 1, found 'x'",
        "rearank retrieve --help",
    ),
    (
        "retrieve demo --hits=0",
        "--hits: expected a whole number of at least 1, found '0'",
        "rearank retrieve --help",
    ),
    (
        "retrieve demo --b 2",
        "--b: expected a number from 0 to 1, found '2'",
        "rearank retrieve --help",
    ),
    ("retrieve demo --k1=-1", "--k1: expected a number of at least 0, found '-1'", "--help"),
    ("rerank r --window many", "--window: expected a whole number, found 'many'", "--help"),
    ("eval a --ties foo", "--ties: expected docid or rank, found 'foo'", "rearank eval --help"),
    (
        "eval a -fxml",
        "--format: expected table, tsv, json, csv, markdown or latex, found 'xml'",
        "rearank eval --help",
    ),
    (
        "retrieve --hitz 3",
        "--hitz: expected an option of rearank retrieve, found none of that name",
        "did you mean --hits?",
    ),
    (
        "prompt show r --profil x",
        "--profil: expected an option of rearank prompt show, found none of that name",
        "did you mean --profile?",
    ),
    (
        "eval a -z",
        "-z: expected an option of rearank eval, found none of that name",
        "rearank eval --help lists them",
    ),
    ("retrieve --hits", "--hits: expected a value, found none", "rearank retrieve --help"),
    ("explain t --json=3", "--json: expected no value, found '3'", "rearank explain --help"),
    ("eval", "rearank eval: expected RUN..., found nothing", "rearank eval --help"),
    ("rerank -d demo", "rearank rerank: expected RUN, found nothing", "rearank rerank --help"),
    (
        "doctor extra more",
        "rearank doctor: expected no further arguments, found extra more",
        "rearank doctor --help",
    ),
    ("retreive demo", "rearank: expected a command, found 'retreive'", "did you mean retrieve?"),
    ("prompt shw", "rearank prompt: expected a command, found 'shw'", "did you mean show?"),
    ("zzz", "rearank: expected a command, found 'zzz'", "rearank --help lists them"),
    (
        "--versoin",
        "--versoin: expected an option of rearank, found none of that name",
        "did you mean --version?",
    ),
]


@pytest.mark.parametrize(("line", "message", "hint"), CASES, ids=[case[0] for case in CASES])
def test_one_error_and_one_hint(tmp_path: Path, line: str, message: str, hint: str) -> None:
    done = rearank(tmp_path, *line.split())
    error, told = done.stderr.splitlines()
    assert error == f"error: {message}"
    assert told.startswith("hint: ") and told.endswith(hint)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("line", ["--help", "retrieve --help", "--version"])
def test_what_was_asked_for_is_no_error(tmp_path: Path, line: str) -> None:
    done = rearank(tmp_path, *line.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert "rearank" in done.stdout


@pytest.mark.parametrize("line", ["", "prompt", "cache"])
def test_a_group_without_a_command_shows_its_help(tmp_path: Path, line: str) -> None:
    done = rearank(tmp_path, *line.split())
    assert done.returncode == 2
    assert "Usage: rearank" in done.stdout + done.stderr
    assert "error" not in done.stderr
