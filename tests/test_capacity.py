"""How much vLLM takes at once, without a vLLM; tests/test_forking.py asks a real one."""

from types import SimpleNamespace

import pytest

from rearank_cli.engines.base import EngineSettings, Model
from rearank_cli.engines.vllm import CPU_SEQUENCES, VllmEngine, kv_tokens


@pytest.mark.parametrize(
    ("arguments", "capacity"),
    [
        ({"max_num_seqs": 8}, 8),
        ({"max_num_seqs": 8, "data_parallel_size": 3}, 24),
        ({"max_num_seqs": "8", "data_parallel_size": "3"}, 24),
        ({"data_parallel_size": 2}, 2 * CPU_SEQUENCES),
    ],
)
def test_the_capacity_is_that_of_all_ranks_together(
    arguments: dict[str, object], capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rearank_cli.engines.vllm.has_gpu", lambda: False)
    settings = EngineSettings(Model("m"), engine_args=arguments)
    assert VllmEngine(settings).capacity == capacity


@pytest.mark.parametrize(
    ("cache", "tokens"),
    [
        # What vLLM itself counts, for one rank, is right for every kind of model.
        ({"kv_cache_size_tokens": 1000, "num_gpu_blocks": 500, "block_size": 16}, 2000),
        ({"kv_cache_size_tokens": None, "num_gpu_blocks": 500, "block_size": 16}, 8000),
        ({"num_gpu_blocks": 500, "block_size": 16}, 8000),
        ({"num_gpu_blocks": None, "block_size": None}, 0),
    ],
)
def test_room_for_keys_and_values_is_that_of_all_ranks_together(
    cache: dict[str, int | None], tokens: int
) -> None:
    assert kv_tokens(SimpleNamespace(**cache), 2) == tokens
