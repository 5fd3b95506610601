"""The commands write what they wrote before the house was rebuilt.

tests/recorded.py says what is compared, what is left out, and how to see or renew it.
"""

import json
import os
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest
from recorded import FOLDER, SHARED, digests, every, judge

from rearank_cli.records import Message

ROOT = Path(__file__).resolve().parents[1]
Outputs = Mapping[str, Future[dict[str, str]]]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    """What the commands write now; all collections are under way at once."""
    shared = Path(os.environ.get("REARANK_SHARED") or ROOT.parent / "shared")
    return every(ROOT, tmp_path_factory.mktemp("recorded"), shared)


def changed(name: str, found: dict[str, str]) -> list[str]:
    """Return the names of the outputs that are not as recorded."""
    before = json.loads((FOLDER / f"{name}.json").read_text())
    now = digests(found)
    return sorted(step for step in before.keys() | now.keys() if before.get(step) != now.get(step))


def test_the_demo(outputs: Outputs) -> None:
    assert changed("demo", outputs["demo"].result()) == []


@pytest.mark.parametrize("name", SHARED)
def test_shared_collections(name: str, outputs: Outputs, shared: Path) -> None:
    assert changed(name, outputs[name].result()) == []


def test_the_judge_answers_with_every_flaw_and_mostly_without() -> None:
    said = []
    for n in range(64):
        turns = [Message("user", f"[{k}] passage {n} {k}") for k in range(1, 6)]
        answer = judge(tuple(turns)).partition("<answer>")[2]
        said.append((answer.count("["), "[7]" in answer))
    assert {(0, False), (4, False), (6, False), (6, True), (5, False)} == set(said)
    assert said.count((5, False)) > 32
