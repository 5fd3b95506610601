"""Lists for contrast: what is drawn, what is left out as too alike, and whose scores go with it."""

import json
from pathlib import Path

from corpora import beir_folder, rearank

from rearank_cli.collection import Collection
from rearank_cli.recipes.loading import load_recipe
from rearank_cli.records import Run
from rearank_cli.training.contrasts import Contrast, Example, contrasts_of
from rearank_cli.training.tally import Tally

TEXTS = {
    "far": "A passage that BM25 did not find at all.",
    "own": "Tides come from the pull of the moon on the sea.",
    "copy": "Tides come from the pull of the moon on the sea!",
    "dogs": "Dogs bark at the moon.",
    "cats": "Cats sleep by the sea.",
    "bees": "Bees pull nectar from flowers.",
}
RUN = Run({"q": ("copy", "own", "dogs", "cats", "bees")}, {"q": (5, 4, 3, 2, 1)}, "bm25")


def draw(
    grades: dict[str, int], how: Contrast, teacher: Run | None = None
) -> tuple[list[Example], Tally]:
    collection = Collection.of(TEXTS, {"q": "what causes the tides"}, {"q": grades})
    tally = Tally()
    made = contrasts_of(collection, (RUN, "bm25"), load_recipe("likelihood"), how, teacher)
    return list(made.draw(tally)), tally


def test_one_relevant_passage_comes_first_and_its_copy_is_left_out() -> None:
    (made,), _ = draw({"own": 1}, Contrast(size=4, depth=5))
    assert made["doc_ids"][0] == "own"
    assert set(made["doc_ids"][1:]) == {"dogs", "cats", "bees"}  # never the copy
    assert made["grades"] == [1, 0, 0, 0]
    assert made["passages"][0] == TEXTS["own"]
    # The copy is out because it is alike, not for any other reason.
    lists = [draw({"own": 1}, Contrast(4, 5, 1, 1.0, seed))[0][0]["doc_ids"] for seed in range(9)]
    assert any("copy" in doc_ids for doc_ids in lists)


def test_every_relevant_passage_has_a_list_of_its_own_found_or_not() -> None:
    made, tally = draw({"own": 2, "far": 1, "dogs": 1}, Contrast(size=3, depth=5, draws=9))
    assert {each["doc_ids"][0] for each in made} == {"own", "far", "dogs"}
    hard = {doc_id for each in made for doc_id in each["doc_ids"][1:]}
    assert hard <= {"copy", "cats", "bees"}  # what is relevant is no hard passage
    assert tally.kept == 3


def test_the_seed_alone_decides() -> None:
    first, _ = draw({"own": 1}, Contrast(size=3, depth=5, seed=1))
    assert first == draw({"own": 1}, Contrast(size=3, depth=5, seed=1))[0]
    found = [draw({"own": 1}, Contrast(3, 5, seed=seed))[0][0]["doc_ids"] for seed in range(9)]
    assert len({tuple(doc_ids) for doc_ids in found}) > 1


def test_a_list_needs_enough_hard_passages_and_all_of_the_teachers_scores() -> None:
    made, tally = draw({"own": 1}, Contrast(size=5, depth=5))
    assert (made, dict(tally.dropped)) == ([], {"too few hard passages": 1})
    teacher = Run({"q": ("own", "dogs", "cats")}, {"q": (0.9, 0.7, 0.6)}, "teacher")
    made, tally = draw({"own": 1}, Contrast(size=4, depth=5), teacher)
    assert (made, dict(tally.dropped)) == ([], {"without a teacher's score": 1})
    whole = Run({"q": (*teacher.rankings["q"], "bees")}, {"q": (0.9, 0.7, 0.6, 0.2)}, "teacher")
    ((taught,), _) = draw({"own": 1}, Contrast(size=4, depth=5), whole)
    scores = dict(zip(taught["doc_ids"], taught["teacher"], strict=True))
    assert scores == {"own": 0.9, "dogs": 0.7, "cats": 0.6, "bees": 0.2}


def test_pairs_need_no_judgements(tmp_path: Path) -> None:
    lines = [f"{query}\t{text}" for query, text in zip("abcdef", TEXTS.values(), strict=True)]
    lines[1] = json.dumps({"query": "what makes the tides of the sea", "passage": TEXTS["own"]})
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("\n".join(lines) + "\n", "utf-8")
    command: list[str | Path] = [
        "augment",
        pairs,
        "--pairs",
        "--objective",
        "likelihood",
        "--window",
        "2",
    ]
    done = rearank(*command, cache=tmp_path)
    assert done.returncode == 0, done.stderr
    made = {line["query"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert made["what makes the tides of the sea"]["passages"][0] == TEXTS["own"]
    assert made["what makes the tides of the sea"]["passages"][1] != TEXTS["copy"]
    bad = tmp_path / "bad.tsv"
    bad.write_text(f"{lines[0]}\nno tab here\n", "utf-8")
    done = rearank("augment", bad, "--pairs", "--objective", "likelihood", cache=tmp_path)
    assert done.returncode == 2
    assert "bad.tsv:2: expected a query and a passage, found 'no tab here'" in done.stderr


def test_options_of_the_other_objective_are_refused(tmp_path: Path) -> None:
    beir_folder(tmp_path / "tiny")
    run = tmp_path / "run.trec"
    run.write_text("q1 Q0 d1 1 1 bm25\n", "utf-8")
    plain: list[str | Path] = ["augment", run, "-d", tmp_path / "tiny"]
    for words, found in (
        (["--objective", "likelihood", "--sft"], "--sft: does not go with --objective likelihood"),
        (["--objective", "better"], "expected one of order, likelihood, found better"),
        (["--pairs"], "--pairs and --teacher go with --objective likelihood"),
        (["--objective", "likelihood", "--window", "5-9"], "expected one size for likelihood"),
    ):
        done = rearank(*plain, *words, cache=tmp_path)
        assert done.returncode == 2, done.stderr
        assert found in done.stderr.replace("\n", " ")
