"""Headless Chromium, found on the machine and driven through its own driver."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / ".tools" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --hide-scrollbars "
    "--force-device-scale-factor=1 --disable-dev-shm-usage"
).split()


def find() -> tuple[str, str] | None:
    """Return the paths of Chromium and its driver; None where one is missing."""
    names = (os.environ.get("REARANK_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    binary = next((path for name in names if name and (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (binary, driver) if binary and driver else None


@contextmanager
def chromium(profile: Path, width: int = 1280, height: int = 900) -> Iterator[Any]:
    """Start Chromium with an empty profile in the folder `profile`; close it at the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    found = find()
    assert found is not None, "no Chromium: run tests/browser/install.sh"
    options = Options()
    options.binary_location = found[0]
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    driver.set_window_size(width, height)
    try:
        yield driver
    finally:
        driver.quit()


def prefer(driver: Any, scheme: str) -> None:
    """Say that the reader's system is `dark` or `light`, and does without smooth scrolling."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
