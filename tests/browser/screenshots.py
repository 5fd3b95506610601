"""Take the picture of the report that the README shows, from what `make demo` has written:

    python tests/browser/screenshots.py runs docs/report.png

The demo's report stands twice in one window: the top of the page in light colours, one query in
dark ones. Fails where the picture is not under 200 KB.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[place]) for place in (1, 2)]

from browser.chromium import chromium, prefer  # noqa: E402  the path comes first
from browser.conftest import make_report  # noqa: E402

MOST = 200_000
WIDTH, HEIGHT, ZOOM = 1360, 730, 0.62
FRAMES = """<!doctype html><style>
body {{ margin: 0; background: #8d949b; display: flex; gap: 8px; }}
iframe {{ border: 0; width: 676px; height: {height}px; }}
</style><iframe src="{page}"></iframe><iframe src="{page}#{query}"></iframe>"""


def take(driver: Any, page: Path, folder: Path, query: str) -> bytes:
    """Return the picture as PNG."""
    both = folder / "both.html"
    both.write_text(FRAMES.format(height=HEIGHT, page=page.as_uri(), query=query))
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
    )
    prefer(driver, "light")
    driver.get(both.as_uri())
    frames = driver.find_elements("tag name", "iframe")
    for frame, script in zip(frames, (LIGHT, DARK), strict=True):
        driver.switch_to.frame(frame)
        driver.execute_script(script)
        driver.switch_to.default_content()
    return bytes(driver.get_screenshot_as_png())


_ZOOM = f"document.documentElement.style.zoom = {ZOOM};"
LIGHT = _ZOOM
DARK = (
    _ZOOM
    + """
document.getElementById('theme').click();
const query = document.querySelector('details.query[open]');
document.activeElement.blur();
// The bump chart, and the new order with the words that passages made likely.
for (const part of query.querySelectorAll('.rest, .sides > :first-child')) part.hidden = true;
query.scrollIntoView({block: 'start', behavior: 'instant'});
"""
)


def main(runs: Path, target: Path) -> None:
    """Write the picture of the demo's report, made from the runs and the trace in a folder."""
    old, new = (str(runs.resolve() / f"demo.{name}.trec") for name in ("bm25", "rearank"))
    trace = str(runs.resolve() / "demo.rearank.trace.jsonl")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        page = make_report(folder, old, new, "-d", "demo", "--baseline", old, "--trace", trace)
        with chromium(folder / "profile", WIDTH, HEIGHT) as driver:
            picture = take(driver, page, folder, "q2")
    if len(picture) >= MOST:
        sys.exit(f"{target}: {len(picture):,} bytes, expected less than {MOST:,}")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(picture)


if __name__ == "__main__":
    main(*(Path(each) for each in (sys.argv[1:3] or ("runs", "docs/report.png"))))
