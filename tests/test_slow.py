"""What a slow machine may leave out is left out by name, never in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def collected(expression: str) -> list[str]:
    """Return the ids of the tests that a marker expression picks; nothing is run."""
    words = ["--collect-only", "-m", expression, "tests/test_vllm.py", "tests/test_train.py"]
    done = pytest_run(*words)
    return [line for line in done.stdout.splitlines() if "::" in line]


def pytest_run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "REARANK_SKIP_SLOW": "1", "COLUMNS": "300"},
    )


@pytest.fixture(scope="module")
def slow() -> list[str]:
    return collected("slow")


def test_all_tests_that_start_an_engine_are_marked(slow: list[str]) -> None:
    assert any(name.startswith("tests/test_vllm.py") for name in slow)
    assert any(name.startswith("tests/test_train.py") for name in slow)
    assert not [name for name in collected("not slow") if name.startswith("tests/test_vllm.py")]


def test_every_one_that_is_left_out_is_named(slow: list[str]) -> None:
    done = pytest_run("-rs", "-m", "slow", "tests/test_vllm.py", "tests/test_train.py")
    assert done.returncode == 0, done.stdout
    assert f"{len(slow)} skipped" in done.stdout
    for name in slow:
        assert f"{name} is slow, and REARANK_SKIP_SLOW is set" in done.stdout
