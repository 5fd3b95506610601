from pathlib import Path

import pytest

from rearank_cli.errors import RearankError
from rearank_cli.formats.trec import read_queries
from rearank_cli.records import Query

TREC = """
<top>

<num> Number: 051
<title> Airbus Subsidies

<desc> Description:
Document will discuss government
assistance to Airbus &amp; Boeing.

<narr> Narrative:
Relevant documents name the sum.

</top>
<top>
<num> Number: 301 </num>
<title>Crime</title>
<desc>Who?</desc>
</top>
"""
COVID = """<topics task="COVIDSearch">
  <topic number="1">
    <query>coronavirus origin</query>
    <question>what is the origin</question>
  </topic>
  <topic number="C2"><query>immunity</query><question>can one be immune</question></topic>
</topics>
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "topics"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "q1\tfirst\nq2\tsecond one\n",
        "query_id\ttext\nq1\tfirst\nq2\tsecond one\n",
        "title\tqid\tquery\nx\tq1\tfirst\ny\tq2\tsecond one\n",
        '{"_id": "q1", "text": "first"}\n{"id": "q2", "query": "second one"}\n',
        '{"query_id": "q1", "text": "first "}\n\n{"qid": "q2", "contents": "second one"}\n',
        "\ufeffq1\tfirst\r\nq2\tsecond one\r\n",
    ],
)
def test_topics_in_any_form_are_the_same_queries(tmp_path: Path, text: str) -> None:
    assert read_queries(write(tmp_path, text)) == {
        "q1": Query("q1", "first"),
        "q2": Query("q2", "second one"),
    }


def test_trec_topics_give_the_title_and_numbers_as_the_qrels_have_them(tmp_path: Path) -> None:
    assert read_queries(write(tmp_path, TREC)) == {
        "51": Query("51", "Airbus Subsidies"),
        "301": Query("301", "Crime"),
    }


def test_fields_of_a_topic_can_be_chosen_and_joined(tmp_path: Path) -> None:
    path = write(tmp_path, TREC)
    assert read_queries(path, ["title", "description"])["51"].text == (
        "Airbus Subsidies Document will discuss government assistance to Airbus & Boeing."
    )
    assert read_queries(path, ["desc"])["301"].text == "Who?"


def test_topics_with_numbers_as_attributes(tmp_path: Path) -> None:
    path = write(tmp_path, COVID)
    assert read_queries(path)["1"].text == "coronavirus origin"
    assert read_queries(path, ["question"])["C2"].text == "can one be immune"


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("", [], "expected queries, found no lines"),
        ("\n \n", [], "expected queries, found no lines"),
        ("just words\n", [], "topics:1: expected a topic, found 'just words'"),
        ("a\tb\tc\n", [], "topics:1: expected 2 columns separated by a tab .*found 3: 'a"),
        ("1\tone\n2\n", [], "topics:2: expected 2 columns separated by tabs, found 1: '2'"),
        ("1\tone\n1\ttwo\n", [], "topics:2: query id 1 is there twice"),
        ("q 1\tone\n", [], "topics:1: expected a query id without spaces, found 'q 1'"),
        ('{"_id": "a\\nb", "text": "x"}\n', [], "topics:1: expected an id on one line"),
        ("\tone\n", [], "topics:1: expected an id, found an empty one"),
        ('[{"id": 1}]\n', [], "topics:1: expected a topic"),
        ('{"_id": "1"}\n', [], "topics:1: expected a text under .*found the fields _id"),
        ('{"text": "x"}\n', [], "topics:1: expected an id under .*found the fields text"),
        ('{"_id": "1", "text": "x"}\n{"_id"\n', [], "topics:2: expected a JSON object"),
        ('{"_id": "1", "text": "x"}\n2\tx\n', [], "topics:2: expected a JSON object"),
        ("<top>\n<num> 1\n<title> x\n", [], "topics:1: expected </top>"),
        ("<top>\n<title> x\n</top>\n", [], "topics:1: expected an id, found an empty one"),
        ("<top>\n<num> 1\n<desc> x\n</top>\n", [], "topics:1: expected a topic with <title>"),
        ('{"_id": "1", "text": "x"}\n', ["title"], "expected a text under title"),
        ("1\tx\n", ["title"], "expected a header that names the column title"),
        ("1\tx\n", ["title", "desc"], "expected one query field for tab-separated topics, found 2"),
    ],
)
def test_what_is_no_topic_is_refused_with_its_place(
    tmp_path: Path, text: str, fields: list[str], message: str
) -> None:
    with pytest.raises(RearankError, match=message):
        read_queries(write(tmp_path, text), fields)
