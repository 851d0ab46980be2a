"""The documentation and the pages of problems in a real browser: on a desk, on a phone, without scripts."""

from __future__ import annotations

import itertools

from playwright.sync_api import Page, expect

from registry.api.manual import PAGES
from tests.browser.conftest import Hub, picture
from tests.browser.test_verification_page import CONTRAST, WIDE


def test_from_page_to_page_and_from_language_to_language(plain: Page, hub: Hub) -> None:
    plain.goto(f"{hub.base}/docs")
    expect(plain.locator("#text")).to_have_attribute("lang", "zh-CN")
    plain.locator(".languages a", has_text="English").click()
    expect(plain.locator("#text")).to_have_attribute("lang", "en")
    plain.locator(".contents a", has_text="When something goes wrong").click()
    assert plain.url == f"{hub.base}/docs/errors?lang=en"
    expect(plain.locator("[aria-current=page]")).to_have_text("When something goes wrong")
    plain.locator("#text a[href$='/problems']").click()
    plain.locator("#not-granted a").click()
    assert plain.url == f"{hub.base}/problems/not-granted"
    assert "请求方" in plain.locator(".problem").inner_text()


def test_everyone_can_read_them(page: Page, hub: Hub) -> None:
    for address in ("/docs", "/docs/errors?lang=en", "/problems", "/problems/busy"):
        answer = page.goto(hub.base + address)
        assert answer is not None
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert page.evaluate(CONTRAST) == []
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(it => Number(it.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert page.evaluate("document.querySelectorAll('[style], script').length") == 0


def test_on_a_phone_every_page_fits(phone: Page, hub: Hub) -> None:
    for name in PAGES:
        phone.goto(f"{hub.base}/docs/{name}?lang=en")
        assert phone.evaluate(WIDE) is False, name
    phone.goto(f"{hub.base}/docs")
    picture(phone, "docs-phone")
    phone.goto(f"{hub.base}/problems")
    assert phone.evaluate(WIDE) is False
