"""The catalogue in a real browser: on a desk and on a phone, with and without scripts, by keys alone."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Hub, picture
from tests.browser.test_verification_page import CONTRAST, WIDE

FOOD = "food_business_licence"


@pytest.fixture(params=["page", "plain", "phone"])
def any_page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.getfixturevalue(request.param)
    return found


def test_from_the_list_to_a_dataset_and_back(any_page: Page, hub: Hub) -> None:
    any_page.goto(f"{hub.base}/catalogue")
    expect(any_page.locator("#result")).to_have_attribute("data-outcome", "listed")
    assert any_page.evaluate(WIDE) is False
    any_page.locator(f"#dataset-{FOOD} a").click()
    expect(any_page.locator("#result")).to_have_attribute("data-outcome", "shown")
    assert any_page.url == f"{hub.base}/catalogue/{FOOD}"
    assert any_page.evaluate(WIDE) is False
    for part in ("apply", "freshness", "quality", "fields", "versions"):
        expect(any_page.locator(f"#{part} h2")).to_be_visible()
    assert "有条件共享" in any_page.locator(".who").inner_text()
    any_page.locator(".elsewhere a").click()
    expect(any_page.locator("#result")).to_have_attribute("data-outcome", "listed")


def test_both_pages_can_be_read_by_everyone(page: Page, hub: Hub) -> None:
    for address in ("/catalogue", f"/catalogue/{FOOD}", "/catalogue/there-is-none"):
        page.goto(hub.base + address)
        assert page.evaluate(CONTRAST) == []
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(it => Number(it.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator("[lang=en]").count() > 3
        unnamed = "[...document.querySelectorAll('table')].filter(it => !it.querySelector('th[scope=col]')).length"
        assert page.evaluate(unnamed) == 0
    picture(page, "catalogue-none")


def test_keys_alone_lead_to_a_dataset(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/catalogue")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator(f"#dataset-{FOOD} a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result")).to_have_attribute("data-outcome", "shown")
    picture(page, "catalogue-dataset")


def test_what_is_not_there_is_said_in_words(plain: Page, hub: Hub) -> None:
    answer = plain.goto(f"{hub.base}/catalogue/%3Cb%3Ethere-is-none")
    assert answer is not None
    assert answer.status == 404
    expect(plain.locator("#result")).to_have_attribute("data-outcome", "unknown")
    assert "<b>there-is-none" in plain.locator(".given").inner_text()


def test_nothing_runs_or_loads_from_elsewhere(page: Page, hub: Hub) -> None:
    answer = page.goto(f"{hub.base}/catalogue/{FOOD}")
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.evaluate("document.querySelectorAll('[style], script, [onclick]').length") == 0
