"""transformers as an engine: its log-probabilities are the model's, and no token is done twice."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_model

from rearank_cli.engines.base import EngineSettings
from rearank_cli.engines.models import resolve_model
from rearank_cli.engines.opening import with_adapter
from rearank_cli.engines.splitting import first_tokens, split
from rearank_cli.engines.transformers import TransformersEngine
from rearank_cli.errors import EngineError, EngineStartError, PromptTooLong, RearankError
from rearank_cli.records import Completion, Message, Request, Sampling

torch = pytest.importorskip("torch", reason="needs torch and transformers")

ONE = Sampling(1)
SHOWN = "Passage: honey keeps\nQuestion: does honey go bad\n\n"
PASSAGES = ["the sea", "high water comes twelve hours apart", "a jar", "the moon pulls at the sea"]
QUERIES = [" what causes tides", " jar", " why is the sea so high, and for how long"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny"))


def engine_for(folder: Path, dtype: str = "float32", **arguments: Any) -> TransformersEngine:
    settings = EngineSettings(resolve_model(str(folder)), engine_args={"dtype": dtype, **arguments})
    return TransformersEngine(settings)


def ask(engine: TransformersEngine, requests: Sequence[Request]) -> list[Completion]:
    async def all_at_once() -> list[Completion]:
        await engine.open()
        try:
            return await asyncio.gather(*map(engine.complete, requests))
        finally:
            await engine.close()

    return asyncio.run(all_at_once())


def likelihoods(exemplars: str = "") -> list[Request]:
    return [
        Request(f"{exemplars}Passage: {passage}\nQuestion:", ONE, continuation=query)
        for query in QUERIES
        for passage in PASSAGES
    ]


def plain(folder: Path, text: str) -> Any:
    """The log-probabilities of every next token, by one pass over the text alone."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        scores = model(ids).logits[0].log_softmax(-1)
    return ids[0], scores


def seen_tokens(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the tokens that go through the model, pass by pass, padding included."""
    from transformers import Qwen2ForCausalLM

    counts: list[int] = []
    forward = Qwen2ForCausalLM.forward

    def counting(self: Any, input_ids: Any, **rest: Any) -> Any:
        counts.append(input_ids.numel())
        return forward(self, input_ids=input_ids, **rest)

    monkeypatch.setattr(Qwen2ForCausalLM, "forward", counting)
    return counts


@pytest.mark.parametrize("exemplars", ["", SHOWN], ids=["none", "exemplars"])
def test_the_scores_of_a_continuation_are_those_of_the_whole_text(
    folder: Path, exemplars: str
) -> None:
    requests = likelihoods(exemplars)
    for request, found in zip(requests, ask(engine_for(folder), requests), strict=True):
        assert isinstance(request.prompt, str)
        ids, scores = plain(folder, request.prompt + request.continuation)
        start = len(ids) - len(found.tokens)
        expected = [scores[at - 1, ids[at]].item() for at in range(start, len(ids))]
        assert [token.logprob for token in found.tokens] == pytest.approx(expected, abs=1e-4)
        assert "".join(token.text for token in found.tokens) == request.continuation
        assert found.prompt_tokens == len(ids)


def test_a_passage_and_the_exemplars_are_computed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = seen_tokens(monkeypatch)
    ask(engine_for(folder), likelihoods(SHOWN))
    # A letter is a token of this model. All that is repeated is the last token of a prompt, and
    # what is padded to the longest passage or query.
    longest, queries = max(map(len, PASSAGES)), max(map(len, QUERIES))
    shared = len(SHOWN) + len("Passage: ")
    rest = len(PASSAGES) * (longest + len("\nQuestion"))
    assert sum(counts) <= shared + rest + len(QUERIES) * len(PASSAGES) * queries


def test_a_model_that_forgets_is_asked_whole_texts(folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    other = tmp_path / "sliding"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text("utf-8"))
    config |= {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 0}
    config["layer_types"] = ["sliding_attention"] * 2
    (other / "config.json").write_text(json.dumps(config), "utf-8")
    requests = likelihoods(SHOWN)[:3]
    for request, found in zip(requests, ask(engine_for(other), requests), strict=True):
        ids, scores = plain(other, str(request.prompt) + request.continuation)
        start = len(ids) - len(found.tokens)
        expected = [scores[at - 1, ids[at]].item() for at in range(start, len(ids))]
        assert [token.logprob for token in found.tokens] == pytest.approx(expected, abs=1e-4)


def test_choices_are_the_log_probabilities_of_first_tokens(folder: Path) -> None:
    chat = (Message("user", "a or b?"),)
    requests = [
        Request(chat, ONE, choices=("A", "B", "yes")),
        Request("which? ", Sampling(3), choices=("A", "no")),
        Request("which one of them? ", Sampling(3), choices=("A", "no")),
    ]
    chatted, text, longer = ask(engine_for(folder), requests)
    rendered = "<|im_start|>user\na or b?<|im_end|>\n<|im_start|>assistant\n"
    for found, prompt in ((chatted, rendered), (text, "which? "), (longer, "which one of them? ")):
        _, scores = plain(folder, prompt)
        for name, score in found.choices.items():
            (token, *_), _ = plain(folder, name)
            assert score == pytest.approx(scores[-1, token].item(), abs=1e-4)
    assert list(chatted.choices) == ["A", "B", "yes"]
    assert longer.completion_tokens <= 3


def test_choices_that_begin_alike_are_refused(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    with pytest.raises(RearankError, match="'yes' and 'yellow' begin with the same token"):
        first_tokens(tokenizer, ("yes", "no", "yellow"))
    with pytest.raises(RearankError, match="at least one token"):
        first_tokens(tokenizer, ("",))
    assert len(first_tokens(tokenizer, ("yes", "no", "yes"))) == 2


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_a_continuation_is_split_off_without_loss(before: str, behind: str) -> None:
    tokenizer = _letters()
    found = split(tokenizer, Request(before, ONE, continuation=behind))
    assert list(found.ids) == tokenizer(before + behind)["input_ids"]
    assert "".join(found.texts) == behind
    assert len(found.texts) == len(found.ids) - found.start == len(behind.encode())


def test_a_token_that_reaches_over_the_end_is_the_prompts(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)  # " > " is a token of it
    found = split(tokenizer, Request("a >", ONE, continuation=" b"))
    assert found.texts == ("b",)
    with pytest.raises(RearankError, match="at least one token each"):
        split(tokenizer, Request("a >", ONE, continuation=" "))


def _letters() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner)


def test_what_is_drawn_does_not_depend_on_what_else_is_asked(folder: Path) -> None:
    drawn = Sampling(12, temperature=1.0, seed=7)
    requests = [Request((Message("user", text),), drawn) for text in ("one", "two", "three")]
    together = [each.text for each in ask(engine_for(folder), requests)]
    assert together == [ask(engine_for(folder), [each])[0].text for each in requests]
    other = Request(requests[0].prompt, Sampling(12, temperature=1.0, seed=8))
    assert ask(engine_for(folder), [other])[0].text != together[0]


def test_what_does_not_fit_is_said_before_it_is_tried(folder: Path) -> None:
    with pytest.raises(PromptTooLong) as caught:
        ask(engine_for(folder), [Request("x" * 600, ONE, continuation=" y")])
    assert (caught.value.tokens, caught.value.limit) == (602, 511)
    with pytest.raises(PromptTooLong) as caught:
        ask(engine_for(folder, max_model_len=64), [Request("x" * 60, Sampling(10))])
    assert caught.value.limit == 54


def test_an_adapter_leaves_the_model_its_precision(folder: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason="needs peft")
    from transformers import AutoModelForCausalLM

    half, lora = shutil.copytree(folder, tmp_path / "half"), tmp_path / "lora"
    AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(half)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    base = AutoModelForCausalLM.from_pretrained(half)
    peft.get_peft_model(base, config).save_pretrained(lora)
    bare = EngineSettings(resolve_model(str(half)))
    without, _ = TransformersEngine(bare)._load()
    under, _ = TransformersEngine(with_adapter(bare, str(lora)))._load()
    assert without.dtype == under.dtype == torch.bfloat16
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not torch.equal(without.state_dict()[name], under.state_dict()[name])


def test_arguments_of_another_engine_are_refused(folder: Path) -> None:
    with pytest.raises(RearankError, match="quantization: transformers has no such argument"):
        engine_for(folder, quantization="fp8")
    with pytest.raises(EngineStartError, match="expected a dtype out of float32"):
        ask(engine_for(folder, dtype="int4"), [])


def test_a_model_that_fails_fails_all_who_wait(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Qwen2ForCausalLM

    def broken(self: Any, **_: Any) -> None:
        raise RuntimeError("out of memory\nsecond line")

    monkeypatch.setattr(Qwen2ForCausalLM, "forward", broken)
    with pytest.raises(EngineError, match=r"^the model failed: out of memory$"):
        ask(engine_for(folder), likelihoods())


@pytest.mark.parametrize("prefill", ["[", "<think>well</think><answer>"])
def test_an_answer_goes_on_from_its_beginning(folder: Path, prefill: str) -> None:
    chat = (Message("user", "A or B?"),)
    request = Request(chat, ONE, choices=("A", "B"), prefill=prefill)
    bare, begun = ask(engine_for(folder), [replace(request, prefill=""), request])
    ids, scores = plain(
        folder, f"<|im_start|>user\nA or B?<|im_end|>\n<|im_start|>assistant\n{prefill}"
    )
    (a, *_), _ = plain(folder, "A")
    (b, *_), _ = plain(folder, "B")
    expected = {"A": scores[-1, a].item(), "B": scores[-1, b].item()}
    assert dict(begun.choices) == pytest.approx(expected, abs=1e-4)
    assert dict(bare.choices) != pytest.approx(expected, abs=1e-4)
    assert begun.prompt_tokens == len(ids)
    assert not begun.text.startswith(prefill)
