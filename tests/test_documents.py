import pytest

from rearank_cli.errors import RearankError
from rearank_cli.formats.documents import parse_documents
from rearank_cli.records import Passage

SGML = """<DOC>
<DOCNO> FT911-3 </DOCNO>
<DATE>910514</DATE>
<HEADLINE>
FT  14 MAY 91 / Contigas
</HEADLINE>
<TEXT>
CONTIGAS, the German gas group, said<P>sales rose 5.2 per cent &amp; more.
</TEXT>
</DOC>
<DOC><DOCNO>WSJ-1</DOCNO><HL>Who's News</HL><LP>Lead.</LP><TEXT>Body.</TEXT></DOC>
<doc>
<docno>WEB-1</docno>
<title>Page</title>
Plain words, no text tag.
</doc>
"""


def parse(text: str) -> list[Passage]:
    return list(parse_documents("docs", iter(enumerate(text.split("\n"), 1))))


@pytest.mark.parametrize(
    "text",
    [
        '{"_id": "d 1", "title": "T", "text": "one"}\n{"id": 2, "contents": "two"}\n',
        '{"docid": "d 1", "title": "T", "text": "one "}\n'
        '{"doc_id": "2", "title": null, "text": "two"}',
        "docno\ttitle\ttext\nd 1\tT\tone\n2\t\ttwo\n",
        "text\ttitle\t_id\none\tT\td 1\ntwo\t\t2\n",
    ],
)
def test_documents_in_any_form_are_the_same_passages(text: str) -> None:
    assert parse(text) == [Passage("d 1", "one", "T"), Passage("2", "two")]


def test_trec_documents_give_headline_and_text() -> None:
    assert parse(SGML) == [
        Passage(
            "FT911-3",
            "CONTIGAS, the German gas group, said sales rose 5.2 per cent & more.",
            "FT 14 MAY 91 / Contigas",
        ),
        Passage("WSJ-1", "Lead. Body.", "Who's News"),
        Passage("WEB-1", "Plain words, no text tag.", "Page"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "docs: expected documents, found no lines"),
        ("no tab here", "docs:1: expected a document, found 'no tab here'"),
        ("id\turl\tbody text", "docs:1: expected 2 columns separated by a tab"),
        ("1\tx\n\ty", "docs:2: expected an id, found an empty one"),
        ("1\tx\n2", "docs:2: expected 2 columns separated by tabs, found 1"),
        ("_id\ttext\ttitle\n2\ty\tz\t", "docs:2: expected 3 columns separated by tabs, found 4"),
        ('{"_id": "1", "text": "x"}\n{"_id": "2"', "docs:2: expected a JSON object"),
        ('{"_id": "1", "text": "x"}\n[1]', "docs:2: expected a JSON object, found '\\[1\\]'"),
        ('{"_id": "1", "body": "x"}', "docs:1: expected a text under text or contents"),
        ('{"_id": "1", "text": ["x"]}', "docs:1: expected a text under text or contents"),
        ('{"_id": "1", "text": "x", "title": 3}', "docs:1: expected a text as title, found 3"),
        ('{"_id": true, "text": "x"}', "docs:1: expected an id under"),
        ('{"_id": " ", "text": "x"}', "docs:1: expected an id, found an empty one"),
        ("<DOC>\n<TEXT>x</TEXT>\n</DOC>", "docs:1: expected <DOCNO> in a document"),
        ("<DOC>\n<DOCNO>1</DOCNO>", "docs:1: expected </DOC> at the end"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RearankError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "1\tone\n2\ttwo\twith a\ttab\n",
        "2\ttwo\twith a\ttab\n1\tone\n",
        "_id\ttext\n1\tone\n2\ttwo\twith a\ttab\n",
        "title\tid\ttext\n\t1\tone\n\t2\ttwo\twith a\ttab\n",
    ],
)
def test_a_text_at_the_end_of_a_line_may_hold_tabs(text: str) -> None:
    found = {passage.doc_id: passage.text for passage in parse(text)}
    assert found == {"1": "one", "2": "two\twith a\ttab"}


def test_columns_without_a_header_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        list(parse_documents("wide.tsv", iter([(1, "1\ta title\ta text"), (2, "2\tb\tc")])))
    assert caplog.messages == [
        "wide.tsv:1: 3 columns without a header; all behind the first tab is the text"
    ]
