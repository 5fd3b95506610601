"""Draw a run's learning curve: `python benchmarks/training/curve.py metrics.jsonl curve.png`.

Needs matplotlib, which the package itself does not.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  after the choice of a backend without a screen

Records = Sequence[dict[str, Any]]
PLOTS = (
    ("sft", ("loss",), "warm-up: loss"),
    ("grpo", ("reward", "rank", "format"), "GRPO: reward and its parts"),
    ("likelihood", ("loss", "first"), "loss; best passage first"),
    ("likelihood", ("spread",), "spread within a list"),
    ("likelihood", ("loglikelihood",), "log-likelihood after the best passage"),
)


def smooth(values: Sequence[float], width: int) -> list[float]:
    """Return means over the last `width` values, as far as there are any."""
    return [
        sum(values[max(0, at - width + 1) : at + 1]) / min(at + 1, width)
        for at in range(len(values))
    ]


def series(records: Records, stage: str, name: str) -> tuple[list[int], list[float]]:
    """Return the steps of a stage and what was measured there."""
    found = [each for each in records if each["stage"] == stage and name in each]
    return [each["step"] for each in found], [each[name] for each in found]


def draw(records: Records, target: Path) -> None:
    """Draw loss, reward and validation beside each other."""
    figure, panels = pyplot.subplots(1, 3, figsize=(12, 3.4), constrained_layout=True)
    plots = [plot for plot in PLOTS if series(records, plot[0], plot[1][0])[0]]
    for panel, (stage, names, title) in zip(panels, plots, strict=False):
        for name in names:
            steps, values = series(records, stage, name)
            width = max(10, len(steps) // 10)
            smoothed = smooth(values, width)
            (line,) = panel.plot(steps, smoothed, label=f"{name} (mean of {width} steps)")
            panel.plot(steps, values, color=line.get_color(), alpha=0.2)
        panel.set(title=title, xlabel="step")
        panel.legend(fontsize=7)
    if len(plots) < len(panels):
        validated(panels[2], [each for each in records if each["stage"] == "validation"])
    figure.savefig(target, dpi=110)


def validated(panel: Any, validation: Records) -> None:
    """Draw what held-out queries reached."""
    labels = [f"{each['after']} {each['step']}" for each in validation]
    panel.plot(labels, [each["nDCG@10"] for each in validation], "o-", label="reranked")
    panel.plot(labels, [each["retrieved"] for each in validation], "--", label="as retrieved")
    panel.set(title="held-out queries: nDCG@10")
    low, high = panel.get_ylim()
    middle = (low + high) / 2  # without this, rounding errors fill the panel
    panel.set_ylim(min(low, middle - 0.05), max(high, middle + 0.05))
    panel.tick_params(axis="x", rotation=60, labelsize=7)
    panel.legend(fontsize=7)


def main() -> None:
    """Read the metrics named first and write the picture named second."""
    source, target = map(Path, sys.argv[1:])
    draw([json.loads(line) for line in source.read_text("utf-8").splitlines()], target)


if __name__ == "__main__":
    main()
