from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from browser.chromium import AXE, prefer

pytestmark = pytest.mark.browser

SHOWN = """
return [...document.querySelectorAll('details.query:not([hidden]) .qid')].map(e => e.textContent)
"""
OPENED = "details.query[open]"
SERIOUS = ("serious", "critical")


@pytest.fixture
def page(browser: Any, demo: str) -> Any:
    """The report, freshly opened in light colours on a desk."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    prefer(browser, "light")
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(demo)
    return browser


def until(driver: Any, condition: Callable[[Any], bool]) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 10, 0.05).until(condition)


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def phone(driver: Any) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def test_it_opens_from_disk_without_a_word_on_the_console(page: Any) -> None:
    assert page.current_url.startswith("file:")
    assert page.title == "stand-in against first-stage · rearank"
    assert page.get_log("browser") == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert len(page.execute_script(SHOWN)) == 24


def test_search_keeps_the_queries_in_which_every_word_occurs(page: Any) -> None:
    box = page.find_element("id", "search")
    box.send_keys("hydrangeas BLUE")
    until(page, lambda driver: driver.execute_script(SHOWN) == ["q09"])
    assert page.find_element("id", "count").text == "1 of 24 queries"
    box.clear()
    box.send_keys("nosuchwordanywhere")
    until(page, lambda driver: driver.execute_script(SHOWN) == [])
    assert page.find_element("id", "nothing").is_displayed()
    box.send_keys("\ue00c")  # Escape
    until(page, lambda driver: len(driver.execute_script(SHOWN)) == 24)


def test_search_reads_passages_and_reasoning_too(page: Any) -> None:
    page.find_element("id", "search").send_keys("erythropoietin")
    until(page, lambda driver: len(driver.execute_script(SHOWN)) < 24)
    assert "q03" in page.execute_script(SHOWN)


@pytest.mark.parametrize(
    ("order", "value", "falling"),
    [
        ("gain", "Number(q.dataset.gain)", True),
        ("loss", "Number(q.dataset.gain)", False),
        ("worst", "Number(q.dataset.value)", False),
        ("flaws", "Number(q.dataset.flaws)", True),
        ("id", "q.querySelector('.qid').textContent", False),
        ("order", "Number(q.dataset.order)", False),
    ],
)
def test_sort(page: Any, order: str, value: str, falling: bool) -> None:
    from selenium.webdriver.support.select import Select

    menu = Select(page.find_element("id", "sort"))
    menu.select_by_value("loss")
    menu.select_by_value(order)
    found = page.execute_script(
        f"return [...document.querySelectorAll('details.query')].map(q => {value})"
    )
    assert len(set(found)) > 1
    assert found == sorted(found, reverse=falling)


def test_a_bar_leads_to_its_query(page: Any) -> None:
    bar = page.find_elements("css selector", ".large svg a")[2]
    name = bar.get_attribute("aria-label").split(":")[0]
    bar.click()
    until(
        page, lambda driver: len(driver.find_elements("css selector", "details.query[open]")) == 1
    )
    query = page.find_element("css selector", OPENED)
    assert query.find_element("class name", "qid").text == name
    top = page.execute_script("return arguments[0].getBoundingClientRect().top", query)
    assert 0 <= top < 300


def test_a_bar_leads_to_a_query_that_the_search_had_hidden(page: Any) -> None:
    page.find_element("id", "search").send_keys("nosuchwordanywhere")
    until(page, lambda driver: driver.execute_script(SHOWN) == [])
    page.find_elements("css selector", ".large svg a")[0].click()
    until(page, lambda driver: len(driver.execute_script(SHOWN)) == 24)
    assert page.find_element("css selector", OPENED).is_displayed()


def test_a_passage_named_in_the_reasoning_leads_to_its_text_and_its_line(page: Any) -> None:
    page.execute_script("document.getElementById('q1').open = true")
    link = page.find_element("css selector", "#q1 .window[open] .think a")
    target = link.get_attribute("href").split("#")[1]
    page.execute_script("arguments[0].focus()", link)
    hot = page.execute_script("return document.querySelector('path.hot')?.dataset.d")
    assert hot == target
    link.click()
    until(page, lambda driver: driver.find_element("id", target).is_displayed())
    assert "aim" in page.find_element("id", target).get_attribute("class")


def test_keys_alone_suffice(page: Any) -> None:
    press(page, "/")
    assert page.switch_to.active_element.get_attribute("id") == "search"
    press(page, "siren\ue004")  # Tab leaves the box
    until(page, lambda driver: len(driver.execute_script(SHOWN)) < 24)
    page.execute_script("document.activeElement.blur()")
    press(page, "j")
    assert page.switch_to.active_element.find_element("class name", "qid").text == "q01"
    press(page, "\ue007")  # Enter
    assert page.find_element("id", "q1").get_attribute("open") is not None
    press(page, "k")
    assert page.switch_to.active_element.find_element("class name", "qid").text == "q01"


def test_dark_and_light(page: Any, tmp_path: Path) -> None:
    colours, pictures = {}, {}
    style = "return getComputedStyle(document.body)"
    for scheme in ("light", "dark"):
        prefer(page, scheme)
        colours[scheme] = page.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
        pictures[scheme] = page.get_screenshot_as_png()
        (tmp_path / f"{scheme}.png").write_bytes(pictures[scheme])
    assert colours == {"light": "rgb(251, 250, 248)", "dark": "rgb(20, 23, 26)"}
    assert pictures["light"] != pictures["dark"]
    page.find_element("id", "theme").click()
    assert page.execute_script(f"{style}.color") == "rgb(29, 34, 39)"


def test_a_phone_shows_everything_without_scrolling_sideways(page: Any) -> None:
    phone(page)
    page.execute_script("document.getElementById('q2').open = true")
    width = page.execute_script("return document.documentElement.scrollWidth")
    assert width == 390


def test_paper_holds_what_was_closed(page: Any) -> None:
    closed = "return document.querySelectorAll('#list details:not([open])').length"
    before = page.execute_script(closed)
    assert before > 24
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert page.execute_script(closed) == 0
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page.execute_script(closed) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("small", [False, True], ids=["desk", "phone"])
def test_axe_finds_no_serious_violation(page: Any, scheme: str, small: bool) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core; run tests/browser/install.sh")
    prefer(page, scheme)
    if small:
        phone(page)
    page.execute_script("for (const id of ['q1', 'q2']) document.getElementById(id).open = true")
    page.execute_script(AXE.read_text("utf-8"))
    result = page.execute_async_script("const done = arguments[0]; axe.run().then(done)")
    assert len(result["passes"]) > 20
    found = [
        (
            each["id"],
            each["impact"],
            each["nodes"][0]["html"][:200],
            each["nodes"][0]["failureSummary"],
        )
        for each in result["violations"]
        if each["impact"] in SERIOUS
    ]
    assert found == []
