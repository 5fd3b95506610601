import json
import os
import shutil
import struct
from pathlib import Path
from random import Random

import pytest

from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.revision import revision
from rearank_cli.engines.tokens import PromptTokens
from rearank_cli.errors import RearankError

TENSORS = 12
BYTES = 40_000  # of a tensor


def write_weights(file: Path, tensors: list[bytes]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for number, data in enumerate(tensors):
        header[f"layers.{number}.weight"] = {
            "dtype": "BF16",
            "shape": [len(data) // 2],
            "data_offsets": [at, at + len(data)],
        }
        at += len(data)
    head = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(tensors))


def tensors(seed: int = 0) -> list[bytes]:
    draw = Random(seed)
    return [draw.randbytes(BYTES) for _ in range(TENSORS)] + [draw.randbytes(64)]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"max_position_embeddings": 512}')
    (folder / "tokenizer.json").write_text('{"added_tokens": []}')
    write_weights(folder / "model.safetensors", tensors())
    return folder


def test_a_model_is_known_by_its_content_wherever_and_whenever(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resolve_model(str(model)).revision
    (model / "README.md").write_text("a card")
    (model / "trainer_state.json").write_text("{}")
    (model / "training_args.bin").write_bytes(b"12")
    (model / ".gitattributes").write_text("*.bin lfs")
    os.utime(model / "model.safetensors", (1, 1))
    assert resolve_model(str(model)).revision == before
    monkeypatch.chdir(tmp_path)
    assert resolve_model("./model").revision == before
    shutil.copytree(model, tmp_path / "copy")
    assert resolve_model("copy").revision == before


@pytest.mark.parametrize("tuned", [0, TENSORS // 2, TENSORS - 1, TENSORS])
def test_a_fine_tuned_model_differs_in_a_single_tensor_of_the_same_size(
    model: Path, tuned: int
) -> None:
    before, size = revision(model), (model / "model.safetensors").stat().st_size
    changed = tensors()
    # The last bit of one number in eight: training in 16 bits leaves most numbers as they are.
    data = bytearray(changed[tuned])
    data[::16] = bytes(byte ^ 1 for byte in data[::16])
    changed[tuned] = bytes(data)
    write_weights(model / "model.safetensors", changed)
    assert (model / "model.safetensors").stat().st_size == size
    assert revision(model) != before


@pytest.mark.parametrize(
    "name", ["config.json", "generation_config.json", "chat_template.jinja", "vocab.txt"]
)
def test_settings_and_vocabularies_count(model: Path, name: str) -> None:
    before = revision(model)
    (model / name).write_text('{"max_position_embeddings": 513}')
    assert revision(model) != before


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.gguf", "broken.safetensors"])
@pytest.mark.parametrize("place", ["head", "middle", "tail"])
def test_weights_without_a_list_of_tensors_are_told_apart(
    model: Path, name: str, place: str
) -> None:
    data = bytearray(Random(1).randbytes(20_000_000))
    (model / name).write_bytes(data)
    before = revision(model)
    at = {"head": 0, "middle": len(data) // 3, "tail": len(data) - 100_000}[place]
    data[at : at + 100_000] = bytes(100_000)
    (model / name).write_bytes(data)
    assert revision(model) != before


def test_many_tensors_are_read_in_part_and_each_of_them(model: Path) -> None:
    many = [bytes(3000)] * 6000
    write_weights(model / "model.safetensors", many)
    before = revision(model)
    many[5990] = bytes([1]) * 3000
    write_weights(model / "model.safetensors", many)
    assert revision(model) != before


def test_weights_that_cannot_be_read_are_named(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *arguments: object, **named: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RearankError, match=r"config\.json: permission denied"):
        revision(model)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    from tiny import make_model

    return make_model(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("change", "context"),
    [
        ({}, 512),
        # Models that also see keep the language model's settings below.
        ({"max_position_embeddings": None, "text_config": {"max_position_embeddings": 777}}, 777),
        ({"max_position_embeddings": None, "n_positions": 99}, 99),
        ({"max_position_embeddings": None, "model_type": "unheard-of"}, 0),
        # Gemma 3 leaves it to the architecture.
        (
            {
                "max_position_embeddings": None,
                "model_type": "gemma3",
                "architectures": ["Gemma3ForConditionalGeneration"],
                "text_config": {"model_type": "gemma3_text", "hidden_size": 64},
            },
            131072,
        ),
    ],
)
def test_a_models_context_is_found_where_its_settings_have_it(
    tiny: Path, change: dict[str, object], context: int
) -> None:
    file = tiny / "config.json"
    config = {**json.loads(file.read_text()), **change}
    file.write_text(
        json.dumps({name: value for name, value in config.items() if value is not None})
    )
    assert PromptTokens(resolve_model(str(tiny))).context == context
