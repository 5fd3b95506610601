"""What is trained and how it is scored: layers with an adapter, tokens with a label."""

from pathlib import Path
from typing import Any

import pytest
import tiny

from rearank_cli.errors import RearankError
from rearank_cli.training.settings import Lora, load_settings

pytest.importorskip("trl", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_model(tmp_path_factory.mktemp("model"))


def lora(*changes: str) -> Lora:
    return load_settings(None, ["lora.rank=2", *changes]).lora


def adapted(folder: Path, *changes: str) -> dict[int, set[str]]:
    """The names of the modules with an adapter, by layer."""
    from rearank_cli.training import policy

    model = policy.with_adapter(policy.load_base(str(folder), True), lora(*changes), 0)
    found: dict[int, set[str]] = {}
    for name, _ in model.named_parameters():
        if "lora_A" in name:
            parts = name.split(".")
            found.setdefault(int(parts[parts.index("layers") + 1]), set()).add(
                parts[parts.index("lora_A") - 1]
            )
    return found


def test_the_first_layers_can_stay_as_they_are(folder: Path) -> None:
    everywhere = adapted(folder)
    assert sorted(everywhere) == [0, 1]
    assert "q_proj" in everywhere[1] and "down_proj" in everywhere[1]
    assert adapted(folder, "lora.first_layer=1") == {1: everywhere[1]}
    assert adapted(folder, "lora.first_layer=1", "lora.modules=q_proj,v_proj") == {
        1: {"q_proj", "v_proj"}
    }


@pytest.mark.parametrize("first", [2, -1])
def test_a_first_layer_that_the_model_lacks_is_said(folder: Path, first: int) -> None:
    with pytest.raises(RearankError, match=rf"first_layer: expected 0 to 1, .* found {first}"):
        adapted(folder, f"lora.first_layer={first}")


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_labelled_tokens_score_as_they_do_in_trl(folder: Path, temperature: float) -> None:
    import torch
    from trl.trainer import add_fused_lm_head

    from rearank_cli.training import policy
    from rearank_cli.training.scoring import score_labels_only

    torch.manual_seed(0)
    tokens = torch.randint(0, 200, (3, 12))
    labels = torch.where(torch.rand(3, 12) < 0.5, tokens, -100)
    labels[2] = -100  # a row without any label

    def scored(ours: bool) -> tuple[Any, dict[str, torch.Tensor]]:
        model = policy.load_base(str(folder), lora=False)
        add_fused_lm_head(
            model, temperature=temperature, outputs=("log_probs", "entropy", "is_top1")
        )
        if ours:
            assert score_labels_only(model, temperature)
        output = model(input_ids=tokens, labels=labels, fused_lm_head=True)
        (output.log_probs * torch.arange(11)).sum().backward()
        gradients = {name: weight.grad for name, weight in model.named_parameters()}
        return output, gradients

    (theirs, expected), (ours, found) = scored(False), scored(True)
    for name in ("loss", "log_probs", "entropy", "is_top1", "label_mask"):
        assert torch.allclose(ours[name].float(), theirs[name].float(), atol=1e-5), name
    assert ours.log_probs[2].abs().sum() == 0 < ours.log_probs.abs().sum()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-4), name


def test_models_that_change_their_logits_keep_the_head_of_trl(folder: Path) -> None:
    from rearank_cli.training import policy
    from rearank_cli.training.scoring import score_labels_only

    model = policy.load_base(str(folder), lora=False)
    model.config.final_logit_softcapping = 30.0
    before = model.forward
    assert not score_labels_only(model)
    assert model.forward == before
