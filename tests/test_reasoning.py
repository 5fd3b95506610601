from hypothesis import given
from hypothesis import strategies as st

from rearank_cli.report.reasoning import (
    Piece,
    mentions,
    one_line,
    pieces,
    resolved,
    sentences,
    visible,
)

SHOWN = ("a", "b", "c")


def test_identifiers_name_passages() -> None:
    assert pieces("So [2] wins.", SHOWN) == [Piece("So "), Piece("[2]", "b"), Piece(" wins.")]


def test_lists_and_words_name_passages_too() -> None:
    assert resolved("[1, 3] beat passages 2 and 3", SHOWN) == (
        "[1 (a), 3 (c)] beat passages 2 (b) and 3 (c)"
    )
    assert resolved("Passage 1 and [ 2 ]", SHOWN) == "Passage 1 (a) and [2 b]"


def test_other_numbers_stay_text() -> None:
    for text in ("in 1999 it was 3", "[4] and [0]", "[12345678901234567890]", "passage 77", "[x]"):
        assert pieces(text, SHOWN) == [Piece(text)]


@given(st.text(alphabet="[]0123456789, passageand\n.", max_size=80))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text, SHOWN)) == text


def test_sentences_end_at_stops_and_lines() -> None:
    text = 'First, e.g. this. "Second" one?  Third:\n- fourth\n\n[2] fifth! [3] sixth'
    assert list(sentences(text)) == [
        "First, e.g. this.",
        '"Second" one?',
        "Third:",
        "- fourth",
        "[2] fifth!",
        "[3] sixth",
    ]


def test_mentions_are_the_sentences_that_name_a_passage() -> None:
    text = "The query asks. [2] is good. Passage 3 is not. So [2] > [1]."
    assert mentions(text, SHOWN, "b") == ["[2] is good.", "So [2] > [1]."]
    assert mentions(text, SHOWN, "z") == []


def test_characters_that_act_are_shown_as_such() -> None:
    assert visible("a\x1b[31mb\x00\x9b\r") == "a�[31mb���"
    assert visible("\u202egnp.exe\ud800") == "�gnp.exe�"
    assert visible("line\r\nnext\tcell שלום é 漢") == "line\nnext\tcell שלום é 漢"


@given(st.text(max_size=60))
def test_visible_text_can_be_written_and_keeps_its_length(text: str) -> None:
    seen = visible(text)
    seen.encode("utf-8")
    assert len(seen) == len(text) - text.count("\r\n")


def test_one_line_is_cut_with_an_ellipsis() -> None:
    assert one_line("one\n two   three", 9) == "one two…"
    assert one_line("short", 5) == "short"
