"""Each kind of answer: what is understood, what is a flaw, and that no passage is lost."""

from math import isfinite, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.methods import Answer, Ask
from rearank_cli.methods.answers import KINDS, Form
from rearank_cli.methods.answers.judgement import expected
from rearank_cli.records import Completion, Flaws, Kind, TokenScore

THREE = Ask(("a", "b", "c"))
ONE = Ask(("a",))
PERFECT = Flaws()
NO_ANSWER = Flaws(no_answer=True)


def read(kind: Kind, said: str | Completion, ask: Ask = THREE, form: Form | None = None) -> Answer:
    completion = said if isinstance(said, Completion) else Completion(said)
    return KINDS[kind].read(completion, ask, form or Form())


WORDS = st.text(alphabet="[]{}<>:=,0123456789ABC \n\"'/think-answer.", max_size=60)


@pytest.mark.parametrize("kind", KINDS)
@given(
    text=WORDS,
    cut=st.booleans(),
    thinks=st.booleans(),
    letters=st.booleans(),
    logprobs=st.dictionaries(
        st.sampled_from(["A", "B", "C", "Yes", "No", "1"]), st.floats(max_value=0), max_size=5
    ),
    tokens=st.lists(st.floats(max_value=0), max_size=4),
)
def test_no_answer_loses_or_invents_a_passage(
    kind: Kind,
    text: str,
    cut: bool,
    thinks: bool,
    letters: bool,
    logprobs: dict[str, float],
    tokens: list[float],
) -> None:
    ask = ONE if KINDS[kind].single else THREE
    completion = Completion(
        text,
        finish_reason="length" if cut else "stop",
        choices=logprobs,
        tokens=tuple(TokenScore("x", each) for each in tokens),
    )
    for first_token in (False, True):
        form = Form(thinks, letters or first_token, first_token, ("Yes", "No"))
        found = read(kind, completion, ask, form)
        assert sorted(found.ranking) == sorted(ask.doc_ids)
        assert set(found.scores) <= set(ask.doc_ids)
        assert all(isfinite(score) for score in found.scores.values())


@pytest.mark.parametrize(
    "text",
    [
        "[2]",
        "2",
        "Passage [2]",
        "**Passage 2**.",
        "<answer>[2]</answer>",
        "<think>[1] is close, [3] is not</think> <answer> [2] </answer>",
        "The best passage is [2].",
        "[2] > [1] > [3]",
    ],
)
def test_choices_that_are_understood(text: str) -> None:
    found = read("choice", text)
    assert (found.ranking, found.flaws) == (("b", "a", "c"), PERFECT)


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("", NO_ANSWER),
        ("none of them", NO_ANSWER),
        ("either [2] or [3] could be it", NO_ANSWER),
        ("<think>[2] is best, because", NO_ANSWER),
        ("[7]", Flaws(unknown=(7,))),
        ("In 2019 there were 3", NO_ANSWER),
        ("2 > 1 > 3", NO_ANSWER),
        ("[B]", NO_ANSWER),
    ],
)
def test_what_is_no_choice_leaves_the_passages_as_shown(text: str, flaws: Flaws) -> None:
    found = read("choice", text)
    assert (found.ranking, found.flaws) == (("a", "b", "c"), flaws)


SAID: list[tuple[Kind, str]] = [
    ("order", "[1] > [2] > [3]"),
    ("choice", "[1]"),
    ("scores", "[1]: 3, [2]: 2, [3]: 1"),
    ("judgement", "Yes"),
]
THINKS = Form(thinks=True, words=("Yes", "No"))


@pytest.mark.parametrize(("kind", "said"), SAID)
def test_reasoning_is_kept_beside_the_answer_as_it_was_written(kind: Kind, said: str) -> None:
    within = read(kind, f"<think> it says so </think> {said} ", form=THINKS)
    assert (within.reasoning, within.text, within.flaws) == ("it says so", said, PERFECT)
    apart = read(kind, Completion(said, reasoning="apart"), form=THINKS)
    assert (apart.reasoning, apart.text, apart.flaws) == ("apart", said, PERFECT)
    both = read(kind, Completion(f"<think>so</think>{said}", reasoning="apart"), form=THINKS)
    assert (both.reasoning, both.text) == ("apart", said)


@pytest.mark.parametrize(("kind", "said"), SAID)
def test_an_answer_that_was_cut_counts_unless_it_is_unfinished_reasoning(
    kind: Kind, said: str
) -> None:
    def cut(text: str, form: Form, reasoning: str = "") -> Answer:
        return read(kind, Completion(text, reasoning, "length"), form=form)

    thinking = cut(said, THINKS)
    assert thinking.flaws == Flaws(truncated=True, no_answer=True)
    assert (thinking.text, thinking.reasoning, thinking.scores) == ("", said, {})
    plain = Form(words=("Yes", "No"))
    for answer in (cut(said, plain), cut(said, THINKS, "apart")):
        assert (answer.text, answer.flaws) == (said, Flaws(truncated=True))
    assert cut(f"<answer>{said}</answer> and", plain).flaws == PERFECT
    assert read(kind, said, form=THINKS).flaws == PERFECT


def test_a_choice_among_letters() -> None:
    form = Form(letters=True)
    assert read("choice", "Passage B", form=form).ranking == ("b", "a", "c")
    assert read("choice", "[C]", form=form).ranking == ("c", "a", "b")
    assert read("choice", "[2]", form=form).flaws == NO_ANSWER
    assert read("choice", "[B] > [A]", form=form).flaws == NO_ANSWER
    assert read("choice", "[1]").ranking == ("a", "b", "c")


def test_a_choice_from_log_probabilities() -> None:
    asked = Completion("B", choices={"A": -2.0, "B": -0.2, "C": -1.5})
    found = read("choice", asked, form=Form(letters=True, logprobs=True))
    assert found.ranking[0] == "b"
    assert found.scores == {"a": -2.0, "b": -0.2, "c": -1.5}
    digits = Completion("2", choices={"1": -2.0, "2": -0.2, "3": -1.5})
    assert read("choice", digits, form=Form(logprobs=True)).ranking == ("b", "c", "a")


@pytest.mark.parametrize(
    "text",
    [
        '{"[1]": 3, "[2]": 9.5, "[3]": 0}',
        '{"1": 3, "2": 9.5, "3": 0}',
        '```json\n{"[1]": 3, "[2]": 9.5, "[3]": 0}\n```',
        '<think>{"[1]": 1}</think><answer>{"[1]": 3, "[2]": 9.5, "[3]": 0}</answer>',
        "[1]: 3\n[2]: 9.5\n[3]: 0",
        "[1] = 3, [2] = 9.5, [3] = 0",
        "1: 3; 2: 9.5; 3: 0;",
    ],
)
def test_scores_that_are_understood(text: str) -> None:
    found = read("scores", text)
    assert found.scores == {"a": 3.0, "b": 9.5, "c": 0.0}
    assert (found.ranking, found.flaws) == (("b", "a", "c"), PERFECT)


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("[2] > [1] > [3]", NO_ANSWER),
        ("I give passage [1]: 7", NO_ANSWER),
        ('{"[1]": "high"}', NO_ANSWER),
        ('{"[1]": true, "[2]": false}', NO_ANSWER),
        ('{"[1]": NaN, "[2]": 3}', NO_ANSWER),
        ('{"[1]": 1e999}', NO_ANSWER),
        ('{"scores": [1, 2, 3]}', NO_ANSWER),
        ('{"[1]": {"score": 3}}', NO_ANSWER),
        ('{"[1]": 3', NO_ANSWER),
        ("{" * 100_000, NO_ANSWER),
        ("7", NO_ANSWER),
        ("", NO_ANSWER),
    ],
)
def test_what_is_no_scores_is_no_answer(text: str, flaws: Flaws) -> None:
    found = read("scores", text)
    assert (found.ranking, found.scores, found.flaws) == (("a", "b", "c"), {}, flaws)


def test_scores_with_flaws() -> None:
    found = read("scores", '{"[3]": 5, "[3]": 1, "[4]": 2, "[1]": 5}')
    assert found.flaws == Flaws(missing=(2,), repeated=(3,), unknown=(4,))
    assert found.scores == {"a": 5.0, "c": 5.0}
    assert found.ranking == ("a", "c", "b")


def test_passages_called_by_letters_get_scores_by_letters() -> None:
    form = Form(letters=True)
    for text in ('{"A": 3, "c": 9}', '{"[A]": 3, "[ C ]": 9}', "A: 3, C: 9", "[a] = 3; [c] = 9"):
        found = read("scores", text, form=form)
        assert (found.scores, found.flaws) == ({"a": 3.0, "c": 9.0}, Flaws(missing=(2,)))
    for text in ('{"1": 3}', '{"A": 3, "AB": 9}', '{"A": 3, "": 9}', "A: 3, 2: 9"):
        assert read("scores", text, form=form).flaws == NO_ANSWER


def test_something_else_than_an_identifier_with_a_number_is_no_scores() -> None:
    for text in ('{"[1]": 3, "total": 9}', '{"[1]": 3, "1234567890": 9}', "[1]: 3, A: 4"):
        assert read("scores", text).flaws == NO_ANSWER


def test_a_score_of_more_digits_than_a_number_can_hold_is_no_answer() -> None:
    for digits in (400, 5000):
        assert read("scores", '{"[1]": ' + "9" * digits + "}").flaws == NO_ANSWER


def test_a_score_of_a_single_passage_may_stand_alone() -> None:
    for text in ("7", "<score>7</score>", "<think>so so</think>7.0", "[1]: 7"):
        assert read("scores", text, ONE).scores == {"a": 7.0}


def test_letters_order_by_their_log_probabilities() -> None:
    form = Form(letters=True, logprobs=True)
    said = Completion("C", choices={"A": -3.0, "B": -1.0, "C": -0.5})
    found = read("letters", said, form=form)
    assert (found.ranking, found.flaws, found.text) == (("c", "b", "a"), PERFECT, "C")
    part = Completion("C", choices={"C": -0.5, "A": float("-inf")})
    assert read("letters", part, form=form).flaws == Flaws(missing=(1, 2))
    assert read("letters", part, form=form).ranking == ("c", "a", "b")
    assert read("letters", Completion("?"), form=form).flaws == NO_ANSWER
    apart = Completion(" C ", reasoning="apart", choices={"C": -0.5})
    assert read("letters", apart, form=form).reasoning == "apart"
    with pytest.raises(ValueError):
        read("letters", said, Ask(tuple(map(str, range(27)))), form)


def test_a_judgement_is_the_probability_of_yes_among_both_words() -> None:
    form = Form(logprobs=True, words=("Yes", "No"))
    said = Completion("Yes", choices={"Yes": log(0.3), "No": log(0.1)})
    assert read("judgement", said, ONE, form).scores["a"] == pytest.approx(0.75)
    only = Completion("Yes", choices={"Yes": log(0.3)})
    assert read("judgement", only, ONE, form).scores == {"a": 1.0}
    none = read(
        "judgement", Completion(" x ", reasoning="apart", finish_reason="length"), ONE, form
    )
    assert (none.flaws, none.text, none.reasoning) == (NO_ANSWER, "x", "apart")


def test_a_judgement_by_numbers_is_their_expected_value() -> None:
    found = expected({"0": log(0.1), "1": log(0.1), "2": log(0.2)}, ("0", "1", "2", "3"))
    assert found == pytest.approx((0.1 + 2 * 0.2) / 0.4)
    assert expected({"0": -2000.0, "3": -2000.0}, ("0", "3")) == pytest.approx(1.5)


def test_a_judgement_after_reasoning_is_read_from_the_text() -> None:
    form = Form(thinks=True, words=("true", "false"))
    assert read("judgement", "<think>hm, false?</think> True.", ONE, form).scores == {"a": 1.0}
    assert read("judgement", "<think>x</think>false", ONE, form).scores == {"a": 0.0}
    assert read("judgement", "<think>x</think>maybe", ONE, form).flaws == NO_ANSWER
    grades = Form(words=("0", "1", "2"))
    assert read("judgement", "**2**", ONE, grades).scores == {"a": 2.0}


def test_a_likelihood_is_the_mean_over_the_continuations_tokens() -> None:
    tokens = (TokenScore(" why", -4.0), TokenScore(" not", -1.0))
    assert read("likelihood", Completion("", tokens=tokens), ONE).scores == {"a": -2.5}
    assert read("likelihood", Completion(""), ONE).flaws == NO_ANSWER
    broken = Completion("", tokens=(TokenScore("x", float("-inf")),))
    assert read("likelihood", broken, ONE).flaws == NO_ANSWER
    huge = Completion("", tokens=(TokenScore("x", -1e308), TokenScore("y", -1e308)))
    assert read("likelihood", huge, ONE).flaws == NO_ANSWER


def test_a_kind_says_what_it_needs_and_what_it_asks_for() -> None:
    first_token = Form(letters=True, logprobs=True)
    assert KINDS["letters"].choices(first_token, 3) == ("A", "B", "C")
    assert KINDS["letters"].most(first_token) == 26
    assert KINDS["choice"].choices(Form(), 3) == ()
    assert KINDS["choice"].needs(Form()) == ""
    assert KINDS["choice"].needs(first_token) == "choices"
    assert KINDS["judgement"].choices(Form(logprobs=True, words=("y", "n")), 1) == ("y", "n")
    assert KINDS["likelihood"].needs(Form()) == "continuation"
