"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

settings.register_profile("busy machines", deadline=None)  # time is no part of what is tested
settings.load_profile("busy machines")
if "MUTANT_UNDER_TEST" in os.environ:
    # A mutant is killed by any example: the same few are tried on each, and none is made smaller.
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        max_examples=40,
        phases=[Phase.explicit, Phase.generate],
    )
    settings.load_profile("mutants")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave slow tests out where that was asked for, each with its name in the summary."""
    if os.environ.get("REARANK_SKIP_SLOW"):
        for item in items:
            if item.get_closest_marker("slow"):
                reason = f"{item.nodeid} is slow, and REARANK_SKIP_SLOW is set"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers be tried again at once, and asked without anybody's key."""
    from rearank_cli.engines import openai, persistence, replies

    monkeypatch.setattr(persistence, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(persistence, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(replies, "LONGEST_WAIT", 0.0)
    for name in openai.API_KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shared() -> Path:
    """The folder of shared collections, runs and qrels beside the checkout."""
    place = os.environ.get("REARANK_SHARED")
    folder = Path(place) if place else Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"needs the shared collections in {folder} (or REARANK_SHARED)")
    return folder
