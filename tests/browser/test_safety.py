import json
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import make_report
from rearank_cli.records import Flaws
from rearank_cli.reranking.trace import AskTrace

pytestmark = pytest.mark.browser

# Each would set window.hit if it ran. They close what they might stand in: text, attributes with
# and without quotes, comments, titles, style, script, SVG, JSON, template syntax.
ATTACKS = (
    "<script>hit=1</script>",
    "</script><script>hit=1</script>",
    "</style><script>hit=1</script>",
    "</title></svg><script>hit=1</script>",
    "--><script>hit=1</script>",
    "<img src=x onerror=hit=1>",
    '"><img src=x onerror=hit=1>',
    "'><img src=x onerror=hit=1>",
    "x onmouseover=hit=1 autofocus onfocus=hit=1 y=",
    "<svg onload=hit=1><animate onbegin=hit=1 attributeName=x dur=1s></svg>",
    "<svg><script href=data:text/javascript,hit=1 /></svg>",
    "<a href=javascript:hit=1>click</a>",
    '<a href="java&#10;script:hit=1">click</a>',
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<object data=javascript:hit=1></object><embed src=javascript:hit=1>",
    "<meta http-equiv=refresh content='0;url=javascript:hit=1'><base href=//evil.example/>",
    "<details open ontoggle=hit=1><summary>x</summary></details>",
    "<style>@import '//evil.example/x.css'; *{background:url(//evil.example)}</style>",
    "<math><mtext></p><style><!--</style><img title='--><img src=x onerror=hit=1>'>",
    "{{ 7 * 7 }}{% raw %}${hit=1}`+hit=1+`",
    "\u202e<script>hit=1</script>\u2066\u0000\x1b[31m\ud800\ufeff",
    "＜script＞hit=1＜/script＞ \uff1cimg onerror\uff1dhit=1\uff1e <ſcript>hit=1</ſcript>",
    "<scr\u0000ipt>hit=1</scr\u0000ipt> <\u0000img src=x onerror=hit=1>",
    "[1](javascript:hit=1) [2]<script>hit=1</script> [3] > [1]",
    "javascript:hit=1//",
)


def attack(number: int) -> str:
    """Return an attack as an id: without white space, since ids stand in columns."""
    return "".join(ATTACKS[number % len(ATTACKS)].split()).replace("\x00", "").replace(
        "\ud800", ""
    ) + str(number)


def write_hostile(folder: Path) -> list[str]:
    """Write runs, collection and trace in which every text and id attacks; return arguments."""
    query_ids = [attack(number) for number in range(len(ATTACKS))]
    doc_ids = [attack(number + 3) for number in range(len(ATTACKS))]
    windows = []
    with (folder / "corpus.jsonl").open("w") as corpus:
        for number, doc_id in enumerate(doc_ids):
            text = ATTACKS[number] + " " + ATTACKS[number - 1]
            corpus.write(json.dumps({"_id": doc_id, "title": ATTACKS[number], "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w") as queries:
        for query_id, text in zip(query_ids, ATTACKS, strict=True):
            queries.write(json.dumps({"_id": query_id, "text": text}) + "\n")
    # As a file's name: a label in headings, tables, charts and attributes.
    new = "\"><img src=x onerror=hit=1>'{{7*7}}.trec"
    with (folder / "old.trec").open("w") as old, (folder / new).open("w") as run:
        with (folder / "qrels.txt").open("w") as qrels:
            for number, query_id in enumerate(query_ids):
                shown = tuple(doc_ids[:12])
                after = shown[number % 12 :] + shown[: number % 12]
                for rank, (was, now) in enumerate(zip(shown, after, strict=True), 1):
                    old.write(f"{query_id} Q0 {was} {rank} {100 - rank} {attack(0)}\n")
                    run.write(f"{query_id} Q0 {now} {rank} {100 - rank} {attack(5)}\n")
                qrels.write(f"{query_id} 0 {shown[number % 12]} 2\n{query_id} 0 {shown[5]} 1\n")
                windows.append(hostile_window(number, query_id, shown, after))
    provenance = {ATTACKS[0]: {ATTACKS[5]: ATTACKS}, "command": list(ATTACKS)}
    lines = [json.dumps({"provenance": provenance}), *windows]
    (folder / "t.jsonl").write_text("\n".join(lines) + "\n")
    collection = ["--corpus", "corpus.jsonl", "--queries", "queries.jsonl", "--qrels", "qrels.txt"]
    return ["old.trec", new, *collection, "--trace", "t.jsonl"]


def hostile_window(
    number: int, query_id: str, before: tuple[str, ...], after: tuple[str, ...]
) -> str:
    attacks = [f"[{place}] {text}" for place, text in enumerate(ATTACKS[:12], 1)]
    window = AskTrace(
        query_id=query_id,
        query=ATTACKS[number],
        pass_=1,
        stage=1,
        place=1,
        before=before,
        after=after,
        ranks_before=tuple(range(1, len(before) + 1)),
        ranks_after=tuple(after.index(doc_id) + 1 for doc_id in before),
        hits=before,
        reasoning="\n".join([*attacks, *ATTACKS]),
        answer=ATTACKS[number] + " [1] > [2]",
        flaws=Flaws(missing=(3,), truncated=True),
        finish_reason=ATTACKS[number],
        prompt_tokens=1,
        completion_tokens=1,
        seconds=1.0,
        cached=False,
        passage_chars=400,
        shortened=True,
    )
    record = json.loads(json.dumps(json.loads(window.to_json())))
    return json.dumps(record)  # all ASCII: lone surrogates travel as escapes


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("hostile")
    return make_report(folder, *write_hostile(folder)).as_uri()


OPEN = """
for (const part of document.querySelectorAll('details')) part.open = true;
for (const node of document.querySelectorAll('*')) {
  for (const kind of ['mouseover', 'pointerover', 'focus', 'focusin', 'error', 'load', 'toggle'])
    node.dispatchEvent(new Event(kind, {bubbles: true}));
}
"""


def test_no_script_but_ours_runs(browser: Any, hostile: str) -> None:
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(hostile)
    browser.execute_script(OPEN)
    for link in browser.find_elements("css selector", "main a")[:120]:
        browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", link)
    box = browser.find_element("id", "search")
    box.send_keys("<img src=x onerror=hit=1>")
    assert browser.execute_script("return typeof window.hit") == "undefined"
    assert browser.get_log("browser") == []  # nothing was even tried and refused
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.current_url.startswith(hostile)


def test_attacks_make_no_elements_and_no_links(browser: Any, hostile: str) -> None:
    browser.get(hostile)
    forbidden = (
        "iframe, object, embed, img, base, link, form, math, foreignObject, animate, svg script"
    )
    assert browser.execute_script(f"return document.querySelectorAll('{forbidden}').length") == 0
    assert browser.execute_script("return document.scripts.length") == 1
    assert browser.execute_script("return document.styleSheets.length") == 1
    names = browser.execute_script(
        "const all = [...document.querySelectorAll('*')];"
        "return [...new Set(all.flatMap(element => element.getAttributeNames()))]"
    )
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    links = browser.execute_script(
        "return [...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))"
    )
    assert len(links) > 100
    assert all(link.startswith("#") for link in links)


def test_attacks_are_there_to_be_read(browser: Any, hostile: str) -> None:
    browser.get(hostile)
    page = browser.execute_script("return document.querySelector('main').textContent")
    for text in ("<script>hit=1</script>", "<a href=javascript:hit=1>click</a>", "{{ 7 * 7 }}"):
        assert page.count(text) > 25
    assert not any(sign in page for sign in "\u202e\u2066\x00\x1b")


@pytest.mark.parametrize(
    "attempt",
    [
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
        "document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.hit=1>')",
        "document.body.setAttribute('onclick', 'window.hit = 1'); document.body.click()",
        "location.href = 'javascript:window.hit=1'",
        "setTimeout('window.hit = 1', 0)",
    ],
)
def test_the_policy_would_stop_what_came_through(browser: Any, hostile: str, attempt: str) -> None:
    browser.get(hostile)
    tried = browser.execute_async_script(
        f"const done = arguments[0]; try {{ {attempt} }} catch (error) {{ }} setTimeout(done, 150)"
    )
    assert tried is None
    assert browser.execute_script("return typeof window.hit") == "undefined"


def test_a_hostile_fragment_is_only_looked_up(browser: Any, hostile: str) -> None:
    for fragment in ("<img src=x onerror=hit=1>", "javascript:hit=1", '"]{}'):
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(f"{hostile}#{fragment}")
        assert browser.execute_script("return typeof window.hit") == "undefined"
        assert browser.get_log("browser") == []
