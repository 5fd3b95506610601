"""The model card: what the model was made from, how, and what was measured."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rearank_cli import __version__
from rearank_cli.formats.files import write_text
from rearank_cli.log import counted
from rearank_cli.training.data import Data
from rearank_cli.training.job import Job
from rearank_cli.training.precision import chosen

# The figure without which a step of a stage says nothing, and what is told of such steps.
_KEYS = {"grpo": "reward", "likelihood": "loss"}
_FIGURES = {
    "grpo": ("reward", "rank", "tags", "listed", "recall", "ndcg", "length", "kl"),
    "likelihood": ("loss", "first", "loglikelihood", "spread"),
}
_LIBRARIES = ("trl", "transformers", "peft", "accelerate", "torch")


def write_card(job: Job) -> None:
    """Write README.md and settings.toml into the run's folder."""
    with write_text(job.folder.path / "settings.toml") as handle:
        handle.write(job.settings.text)
    with write_text(job.folder.path / "README.md") as handle:
        handle.writelines(f"{line}\n" for line in _card(job, list(job.folder.records())))


def _card(job: Job, records: list[dict[str, Any]]) -> Iterable[str]:
    what = "LoRA adapter" if job.lora else "model"
    option = "--adapter" if job.lora else "--model"
    base = f" --model {job.name}" if job.lora else ""
    name = job.folder.path.name
    # JSON strings are YAML strings, whatever the names hold.
    yield from ("---", f"base_model: {json.dumps(job.name)}", "tags: [rearank, reranking]", "---")
    yield from (f"# {name}", "")
    does = (
        "tells how likely a query is after a passage" if job.recipe else "orders lists of passages"
    )
    recipe = f" --recipe {job.recipe.name}" if job.recipe else ""
    yield f"A {what} over `{job.name}` that {does}, made with `rearank train`."
    yield from ("", "```", f"rearank rerank RUN -d NAME{base} {option} {name}{recipe}", "```", "")
    yield from ("## Data", "")
    yield from _data("Warm-up (SFT)", job.answers)
    yield from _data("Likelihood, by contrast" if job.recipe else "GRPO", job.lists)
    if job.held_out:
        yield f"- Validation: {job.held_out.name}, {counted(len(job.held_out.work), 'query')}"
    if job.sources:
        yield from ("", job.sources.strip())
    yield from ("", "## Measured", "", *_measured(records), "")
    yield from ("## Settings", "", "Also in `settings.toml`.", "", "```toml")
    yield job.settings.text.rstrip()
    yield from ("```", "")
    yield f"Computed in {chosen(job.settings.run.precision)}."
    yield "Libraries: " + ", ".join(_versions()) + "."


def _data(stage: str, data: Data | None) -> Iterable[str]:
    if data:
        lists, queries = counted(len(data.examples), "list"), counted(len(data.queries), "query")
        yield (f"- {stage}: {lists} of {queries}, `{data.name}`, SHA-256 `{data.digest[:16]}…`")


def _measured(records: list[dict[str, Any]]) -> Iterable[str]:
    steps = [record for record in records if _KEYS.get(record["stage"]) in record]
    if steps:
        first, last = _window(steps[:10]), _window(steps[-10:])
        yield f"Means of the first and the last (at most) ten logged steps of {_of(steps)}:"
        yield from ("", "| | first | last |", "|---|---|---|")
        for name in _FIGURES[steps[0]["stage"]]:
            if name in first and name in last:
                yield f"| {name} | {first[name]:.3f} | {last[name]:.3f} |"
        yield ""
    validations = [record for record in records if record["stage"] == "validation"]
    if validations:
        yield "Held-out queries, reranked by the model in training (nDCG@10):"
        yield from ("", "| after | step | as retrieved | reranked | flawed answers |")
        yield "|---|---|---|---|---|"
        for each in validations:
            yield (
                f"| {each['after']} | {each['step']} | {each['retrieved']:.4f} "
                f"| {each['nDCG@10']:.4f} | {each['flawed']:.1%} |"
            )
    if not steps and not validations:
        yield "Nothing was measured on held-out queries."


def _of(steps: list[dict[str, Any]]) -> str:
    return "GRPO" if steps[0]["stage"] == "grpo" else str(steps[0]["stage"])


def _window(records: list[dict[str, Any]]) -> Mapping[str, float]:
    names = {name for record in records for name in record if name not in ("stage", "step")}
    return {
        name: sum(values) / len(values)
        for name in names
        if (values := [record[name] for record in records if name in record])
    }


def _versions() -> Iterable[str]:
    yield f"rearank {__version__}"
    for name in _LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
