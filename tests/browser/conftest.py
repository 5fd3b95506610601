"""The browser, and the demo's report in it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from reasoner import write_demo

from browser.chromium import chromium, find


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests; with REARANK_NEED_BROWSER set its absence is a failure."""
    if find_spec("selenium") is None:
        _give_up("needs selenium; pip install -e '.[dev]'")
    if find() is None:
        _give_up("needs Chromium and chromedriver; run tests/browser/install.sh")
    with chromium(tmp_path_factory.mktemp("profile") / "new") as driver:
        yield driver


def _give_up(reason: str) -> None:
    if os.environ.get("REARANK_NEED_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


def make_report(folder: Path, *arguments: str) -> Path:
    """Run `rearank report` in a folder; return the page."""
    page = folder / "report.html"
    subprocess.run(
        [sys.executable, "-m", "rearank_cli", "report", *arguments, "-o", str(page)],
        cwd=folder,
        check=True,
    )
    return page


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report on the demo, with the reasoning of the stand-in model."""
    folder = tmp_path_factory.mktemp("demo")
    old, new, trace = write_demo(folder)
    page = make_report(folder, str(old), str(new), "-d", "demo", "--trace", str(trace))
    return page.as_uri()
