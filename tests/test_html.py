import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

from test_material import material
from windows import LOWER, UPPER

from rearank_cli.collection import Judgements
from rearank_cli.records import Passage
from rearank_cli.report.build import build_page
from rearank_cli.report.context import Context
from rearank_cli.report.html import render, signed
from rearank_cli.report.story import Trace, tell

BAD = "<script>alert(1)</script>\x1b\ud800"


def page(**more: object) -> str:
    return render(build_page(material(**more), 10, [("command", BAD)]))


def test_the_policy_names_our_script_and_style_by_hash() -> None:
    html = page()
    for element, source in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{source} &#39;sha256-{digest}&#39;" in html
    assert "default-src &#39;none&#39;" in html


def test_texts_are_escaped_and_can_be_written() -> None:
    context = Context({"e": Passage("e", BAD, BAD)}, Judgements.of({"q1": {"e": 1}}))
    html = page(context=context)
    html.encode("utf-8")
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;��" in html


def test_nothing_is_loaded_from_elsewhere() -> None:
    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
            for name, value in attrs:
                assert not name.startswith("on")
                assert name not in ("src", "srcset", "xlink:href", "action", "style")
                self.found += [value or ""] if name == "href" else []

    html = page()
    Links().feed(html)
    assert "#p1-0" in Links.found
    assert all(re.fullmatch(r"#[a-z0-9-]+", link) for link in Links.found)
    assert not re.search(r"@import|url\(", html)


def test_differences_have_signs() -> None:
    assert [signed(value) for value in (0.5, -0.25, None)] == ["+0.500", "−0.250", ""]


def test_scores_are_shown_where_an_answer_has_them() -> None:
    windows = (replace(LOWER, kind="scores", scores=(1.0, 2.5, None, -3.0)), UPPER)
    html = page(trace=Trace("t", {}, {"q1": tell("t", windows)}))
    told = re.sub(r"<[^>]+>", "", html)
    assert "scores [1 b] 1, [2 c] 2.5, [3 d] none, [4 e] -3" in told
