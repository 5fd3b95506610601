"""Training a likelihood for real, on a tiny random model: it learns, and a broken run goes on."""

import json
import random
import shutil
from pathlib import Path

import pytest
import tiny

from rearank_cli.collection import Judgements
from rearank_cli.errors import RearankError
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Passage, Query
from rearank_cli.reranking.chain import Candidates
from rearank_cli.training.data import read_contrasts
from rearank_cli.training.folder import Folder
from rearank_cli.training.job import Job
from rearank_cli.training.settings import load_settings
from rearank_cli.training.train import train
from rearank_cli.training.validation import HeldOut

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("peft", reason="needs the extra `train`")

RECIPE = """
method = "pointwise"
answer = "likelihood"
passage_chars = 60
text = "{{ passage }}:"
continuation = "{{ query }}"
[numbers]
scale = 20
[[exemplars]]
passage = "the sea is deep and wide"
query = "sea"
"""
WORDS = ("cat", "dog", "cow", "owl", "bee", "ant")
SETTINGS = (
    *("lora.rank=8", "lora.alpha=16", "run.precision=float32", "run.micro_batch=2"),
    *("likelihood.steps=30", "likelihood.lists_per_step=4", "likelihood.warmup_steps=2"),
    *("likelihood.lora_learning_rate=0.01", "likelihood.schedule=constant_with_warmup"),
    "likelihood.imitation=0.01",  # a random model finds everything unlikely
    *("run.save_every=10", "run.keep=9", "validation.every=15", "validation.depth=3"),
)


def line(generator: random.Random) -> str:
    """A list whose relevant passage alone holds the query; a word says it three times."""
    words = generator.sample(WORDS, 3)
    passages = [f"{word} {word} {word}" for word in words]
    return json.dumps({"query": words[0], "passages": passages, "grades": [1, 0, 0]})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("likelihood")
    generator = random.Random(0)
    (folder / "lists.jsonl").write_text("\n".join(line(generator) for _ in range(40)), "utf-8")
    (folder / "recipe.toml").write_text(RECIPE, "utf-8")
    tiny.make_model(folder / "model")
    return folder


def job(place: Path, name: str) -> Job:
    texts = {word: Passage(word, f"{word} {word} {word}") for word in WORDS}
    ranking = ("cat", "dog", "owl")
    work = [Candidates(Query("1", "owl"), ranking, texts, (3.0, 2.9, 2.8))]
    recipe = load_recipe(str(place / "recipe.toml"))
    return Job(
        base=str(place / "model"),
        name="tiny",
        settings=load_settings(None, SETTINGS),
        folder=Folder(str(place / name)),
        lists=read_contrasts(str(place / "lists.jsonl")),
        answers=None,
        held_out=HeldOut("held-out.trec", work, Judgements.of({"1": {"owl": 1}}), recipe),
        recipe=recipe,
        sources="Words of our own, CC0.",
    )


@pytest.fixture(scope="module")
def done(place: Path) -> Job:
    torch.set_num_threads(2)  # two, so that lists are shared out
    made = job(place, "whole")
    train(made)
    return made


def test_it_learns_which_passage_makes_the_query_likely(done: Job) -> None:
    steps = [each for each in done.folder.records() if each["stage"] == "likelihood"]
    assert [each["step"] for each in steps] == list(range(1, 31))
    first, last = steps[:5], steps[-5:]
    assert sum(each["loss"] for each in last) < 0.5 * sum(each["loss"] for each in first)
    assert sum(each["first"] for each in last) >= 4.5  # of 5; by chance 1.7
    validations = [each for each in done.folder.records() if each["stage"] == "validation"]
    assert [each["step"] for each in validations] == [0, 15, 30]
    # The relevant passage was retrieved last: nDCG@10 is 1 / log2(4); learned, it comes first.
    assert validations[0]["retrieved"] == 0.5
    assert validations[-1]["nDCG@10"] == 1


def test_a_run_that_was_stopped_ends_as_one_that_was_not(done: Job, place: Path) -> None:
    again = job(place, "again")
    shutil.copytree(done.folder.path, again.folder.path)
    (again.folder.path / "done").unlink()
    for name in ("checkpoint-20", "checkpoint-30"):
        shutil.rmtree(again.folder.checkpoints("likelihood") / name)
    train(again)
    weights = "adapter_model.safetensors"
    assert (again.folder.path / weights).read_bytes() == (done.folder.path / weights).read_bytes()
    figures = [
        [{**each, "seconds": 0} for each in folder.records()]
        for folder in (done.folder, again.folder)
    ]
    assert figures[0] == figures[1]


def test_the_card_says_what_it_was_made_of(done: Job) -> None:
    card = (done.folder.path / "README.md").read_text("utf-8")
    assert "40 lists" in card and "Words of our own, CC0." in card
    assert "| likelihood | 30 | 0.5000 | 1.0000 |" in card
    assert done.recipe is not None
    assert f"--adapter whole --recipe {done.recipe.name}\n" in card


def test_scores_in_training_are_those_of_reranking(place: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rearank_cli.engines.continuations import Continuations
    from rearank_cli.training.likelihood import Likelihoods

    model = AutoModelForCausalLM.from_pretrained(place / "model", dtype=torch.float32).eval()
    scorer = Likelihoods(
        model,
        AutoTokenizer.from_pretrained(place / "model"),
        load_recipe(str(place / "recipe.toml")),
    )
    # Of different lengths, so that both are padded, and more than go into one pass.
    pairs = [scorer.pair("owl " * (n % 3 + 1), "a bee " * (n % 7 + 1)) for n in range(20)]
    with torch.no_grad():
        found = scorer.means(pairs).tolist()
    wanted = [sum(each) / len(each) for each in Continuations(model).logprobs(pairs)]
    assert found == pytest.approx(wanted, abs=1e-5)
    assert len(set(wanted)) > 10


def test_a_teacher_shares_the_aim_with_the_grades() -> None:
    from rearank_cli.training.likelihood import targets

    how = load_settings(None, ("likelihood.teacher=0.75", "likelihood.temperature=0.5")).likelihood
    assert targets([0, 2, 2], None, how).tolist() == [0, 0.5, 0.5]
    soft = torch.tensor([2.0, 0.0, 1.0]).softmax(0)
    wanted = 0.75 * soft + 0.25 * torch.tensor([0, 1.0, 0])
    assert targets([0, 1, 0], [1.0, 0.0, 0.5], how).tolist() == pytest.approx(wanted.tolist())
    assert targets([0, 0, 0], [1.0, 0.0, 0.5], how).tolist() == pytest.approx(soft.tolist())


def test_the_loss_holds_on_to_the_likelihood_of_what_is_wanted() -> None:
    from rearank_cli.training.likelihood import loss

    how = load_settings(None, ("likelihood.scale=2", "likelihood.imitation=0.5")).likelihood
    means, wanted = torch.tensor([-1.0, -3.0]), torch.tensor([0.75, 0.25])
    contrast = -(wanted * torch.tensor([-2.0, -6.0]).log_softmax(0)).sum()
    assert float(loss(means, wanted, how)) == pytest.approx(float(contrast) + 0.5 * 1.5)
    # Contrast alone does not see that all of a list have become less likely; the loss does.
    assert float(loss(means - 1, wanted, how) - loss(means, wanted, how)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"passages": ["one"]}, "'passages' to be a list of at least two texts"),
        ({"grades": [1]}, "'grades' to have a number for each of 3 passages"),
        ({"grades": [0, 0, 0]}, "expected a relevant passage"),
        ({"teacher": [0.1, "b", 0.2]}, "'teacher' to be a list of numbers"),
        ({"query": " "}, "'query' to be a text"),
    ],
)
def test_a_line_that_is_no_list_is_named(
    tmp_path: Path, changed: dict[str, object], found: str
) -> None:
    good = json.loads(line(random.Random(0)))
    path = tmp_path / "lists.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, **changed}) + "\n", "utf-8")
    with pytest.raises(RearankError, match="lists.jsonl:2: expected") as caught:
        read_contrasts(str(path))
    assert found in str(caught.value)
