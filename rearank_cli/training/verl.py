"""For those who train with verl: its parquet layout, and our reward as its custom function.

Give verl `data.train_files=train.parquet`, `custom_reward_function.path=` this file and
`custom_reward_function.name=compute_score`.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rearank_cli.errors import RearankError
from rearank_cli.formats.files import check_writable
from rearank_cli.training.examples import Example
from rearank_cli.training.reward import Shown, Weights, score

SOURCE = "rearank"


def to_verl(example: Example, index: int) -> dict[str, Any]:
    """Return an example as a row of verl: what the reward needs is JSON in `ground_truth`."""
    truth = {name: example[name] for name in ("grades", "ideal", "thinks")}
    return {
        "data_source": SOURCE,
        "prompt": example["prompt"],
        "ability": "ranking",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(truth)},
        "extra_info": {
            "split": "train",
            "index": index,
            "query_id": example["query_id"],
            "query": example["query"],
            "doc_ids": example["doc_ids"],
        },
    }


def write_parquet(target: str, examples: Iterable[Example]) -> None:
    """Write examples as a parquet file, whole or not at all.

    Raises `RearankError` when it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    check_writable(target)
    rows = [to_verl(example, index) for index, example in enumerate(examples)]
    scratch = Path(f"{target}.partial")
    try:
        parquet.write_table(pyarrow.Table.from_pylist(rows), scratch)
        scratch.replace(target)
    except OSError as error:
        raise RearankError(f"{target}: cannot be written: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Return the reward of one rollout as verl's custom reward functions do.

    The signature is verl's. Lists in ideal order are there only if `augment` was told to keep
    them. A list whose orders are all worth the same earns its format parts only; `augment` writes
    none.
    """
    truth = json.loads(ground_truth)
    parts = score(solution_str, Shown(**truth), keep_ideal=True)
    weights = Weights()
    total = parts.total(weights)
    return {
        "score": weights.tags * parts.tags + weights.listed * parts.listed
        if total is None
        else total,
        "ndcg_reward": parts.ndcg,
        "rank_reward": parts.rank or 0.0,
        "format_reward": parts.tags * parts.listed,
    }
