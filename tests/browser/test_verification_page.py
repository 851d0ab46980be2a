"""The verification page in a real browser: every outcome, with and without scripts, on a desk and on a phone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    CANCELLED,
    CHANGED,
    EXPIRED,
    MOVED_OUT,
    OF_A_PERSON,
    OTHER,
    PERSON,
    RESIDENT,
    REVOKED,
    SUSPENDED,
    VALID,
    WITHDRAWN,
    Hub,
    picture,
)

LINES = {
    VALID: ("valid", "真实有效"),
    SUSPENDED: ("suspended", "真实，但已被暂扣"),
    REVOKED: ("revoked", "真实，但已被吊销"),
    CHANGED: ("valid", "真实有效"),
    EXPIRED: ("expired", "真实，但已过有效期"),
    CANCELLED: ("cancelled", "真实，但已注销"),
    WITHDRAWN: ("withdrawn", "真实，但已被撤销"),
    MOVED_OUT: ("moved_out", "真实，但已办理转出"),
    OTHER: ("other", "真实，但状态异常"),
}


def outcome(page: Page) -> str:
    return page.locator("#result").get_attribute("data-outcome") or ""


def big_line(page: Page) -> str:
    return page.locator("#verdict").inner_text()


def choose(page: Page, name: str, content: bytes, kind: str = "application/octet-stream") -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": kind, "buffer": content})


def wait_for(page: Page, wanted: str) -> None:
    expect(page.locator("#result")).to_have_attribute("data-outcome", wanted)


def enter(page: Page, text: str) -> None:
    page.locator("#identifier").fill(text)
    page.locator("#by-identifier button").click()


@pytest.mark.parametrize("number", LINES)
def test_the_address_in_the_qr_code_says_the_state_in_one_big_line(page: Page, hub: Hub, number: int) -> None:
    answer = page.goto(hub.page_of(number))
    assert answer is not None
    assert answer.status == 200
    assert (outcome(page), big_line(page).split("\n")[0].partition(" ")[0]) == LINES[number]
    assert page.title().startswith(LINES[number][1])
    assert page.locator(".summary .title").inner_text().startswith("食品经营许可证")
    assert f"JY{13302030000000 + number:014d}" in page.locator(".summary").inner_text()
    assert page.locator(".checks .passed").count() >= 8
    picture(page, f"verify-{LINES[number][0]}")


def test_a_superseded_version_leads_to_the_one_that_counts(page: Page, hub: Hub) -> None:
    page.goto(hub.page_of(CHANGED, 1))
    assert outcome(page) == "superseded"
    picture(page, "verify-superseded")
    assert page.locator(".chain li").count() == 2
    page.locator("a.newer").click()
    page.wait_for_url(hub.page_of(CHANGED, 2))
    assert outcome(page) == "valid"
    assert "宁波改名后的食品有限公司" in page.locator(".summary").inner_text()


def test_what_names_a_natural_person_is_shown_in_part(page: Page, hub: Hub) -> None:
    page.goto(hub.page_of(OF_A_PERSON))
    assert outcome(page) == "valid"
    shown = page.content()
    assert PERSON not in shown
    assert RESIDENT not in shown
    assert "欧***" in shown
    assert "11**************2X" in shown
    assert page.locator(".veiled").count() >= 3


def test_how_old_the_grounds_are_is_told(page: Page, hub: Hub) -> None:
    page.goto(hub.page_of(VALID))
    for label in ("签章时间", "状态清单取得时间", "信任列表签发时间", "登记数据读取时间"):
        assert page.get_by_text(label).count() == 1
    page.goto(hub.page_of(SUSPENDED))
    assert page.get_by_text("现状态始于").count() == 1


@pytest.mark.parametrize(
    "spelling", ["{0}", " {0} \n", "lower", "full width", "{base}/verify/{0}", "{base}/licences/{0}"]
)
def test_an_identifier_is_found_however_it_is_typed(page: Page, hub: Hub, spelling: str) -> None:
    identifier = hub.identifier(VALID)
    if spelling == "lower":
        typed = identifier.lower()
    elif spelling == "full width":
        typed = "".join(chr(ord(character) + 0xFEE0) for character in identifier)
    else:
        typed = spelling.format(identifier, base=hub.base)
    page.goto(f"{hub.base}/verify")
    enter(page, typed)
    wait_for(page, "valid")


def test_the_result_comes_in_place_and_is_announced(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    picture(page, "verify-start")
    page.evaluate("window.mark = 1")
    enter(page, hub.identifier(VALID))
    wait_for(page, "valid")
    assert page.evaluate("window.mark") == 1
    expect(page.locator("#ask-title")).to_contain_text("核验另一份证照")
    assert page.evaluate("document.activeElement.id") == "verdict"
    assert page.locator("#result").get_attribute("aria-live") == "polite"
    assert page.title().startswith("真实有效")
    page.reload()
    assert outcome(page) == "valid"
    page.go_back()
    expect(page.locator(".welcome")).to_be_visible()


def wrong_check(identifier: str) -> str:
    return identifier[:-1] + ("0" if identifier[-1] != "0" else "1")


def unknown(hub: Hub) -> str:
    from registry.domain.licences.identifiers import Identifier, parse  # noqa: PLC0415

    there = parse(hub.identifier(VALID)).identifier
    return str(Identifier(there.type_code, there.issuer_code, "0" * 20, 1))


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("wrong_check_character", 404, "校验位不符"),
        ("unknown", 404, "查无此证"),
        ("malformed_identifier", 400, "这不是证照标识"),
    ],
)
def test_an_identifier_that_leads_nowhere_is_explained(
    page: Page, plain: Page, hub: Hub, kind: str, status: int, words: str
) -> None:
    typed = {
        "wrong_check_character": wrong_check(hub.identifier(VALID)),
        "unknown": unknown(hub),
        "malformed_identifier": "JY13302030000001",
    }[kind]
    answer = page.goto(f"{hub.base}/verify/{typed}")
    assert answer is not None
    assert answer.status == status
    for each in (page, plain):
        each.goto(f"{hub.base}/verify")
        enter(each, typed)
        wait_for(each, kind)
        assert words in big_line(each)
        assert each.locator(".advice li").count() >= 1
    picture(page, f"verify-{kind.replace('_', '-')}")


def test_nothing_entered_is_said_at_the_field(page: Page, plain: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    enter(page, "   ")
    expect(page.locator("#identifier-says")).to_contain_text("请输入证照标识")
    page.locator("#by-file button").click()
    expect(page.locator("#file-says")).to_contain_text("请选择文件")
    plain.goto(f"{hub.base}/verify")
    plain.locator("#by-identifier button").click()
    wait_for(plain, "nothing_given")
    plain.locator("#by-file button").click()
    wait_for(plain, "nothing_given")


@pytest.mark.parametrize(
    ("form", "name"),
    [("vc", "licence.json"), ("jwt", "licence.jwt"), ("sd_jwt", "licence.txt"), ("pdf", "licence.pdf")],
)
def test_a_chosen_file_is_verified_at_once(page: Page, hub: Hub, form: str, name: str) -> None:
    page.goto(f"{hub.base}/verify")
    choose(page, name, hub.form(VALID, form))
    wait_for(page, "valid")
    assert name in page.locator(".given").last.inner_text()
    assert page.locator(".summary .title").inner_text().startswith("食品经营许可证")


def test_a_dropped_file_is_verified(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    text = hub.form(SUSPENDED, "vc").decode()
    dropped = page.evaluate_handle(
        "text => { const it = new DataTransfer(); it.items.add(new File([text], 'dropped.json')); return it; }", text
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_have_class("drop over")
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    wait_for(page, "suspended")


def test_a_pasted_token_is_verified(page: Page, plain: Page, hub: Hub) -> None:
    token = hub.form(VALID, "jwt").decode()
    for each in (page, plain):
        each.goto(f"{hub.base}/verify")
        each.locator(".paste summary").click()
        each.locator("#text").fill(f"\n{token}\n")
        each.locator("#by-file button").click()
        wait_for(each, "valid")


def test_a_tampered_file_is_not_genuine_and_nothing_of_it_is_repeated(page: Page, plain: Page, hub: Hub) -> None:
    document: dict[str, Any] = json.loads(hub.form(VALID, "vc"))
    document["credentialSubject"]["holder"][0]["holderName"] = "冒名顶替有限公司"
    tampered = json.dumps(document).encode()
    for each in (page, plain):
        each.goto(f"{hub.base}/verify")
        choose(each, "tampered.json", tampered)
        if each is plain:
            each.locator("#by-file button").click()
        wait_for(each, "not_genuine")
        assert big_line(each).startswith("未通过核验")
        assert each.locator(".checks .failed").count() == 1
        assert "冒名顶替有限公司" not in each.content()
    picture(page, "verify-not-genuine")


def test_a_pdf_that_was_added_to_is_not_genuine(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    choose(page, "licence.pdf", hub.form(VALID, "pdf") + b"\n% one more line\n")
    wait_for(page, "not_genuine")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.jpg", b"\xff\xd8\xff\xe0" + b"\x00" * 100, "照片"),
        ("scan.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "图片"),
        ("licence.ofd", b"PK\x03\x04" + b"\x00" * 100, "OFD"),
        ("page.html", b"<!doctype html><p>licence", "网页"),
        ("notes.txt", "证照".encode(), "既不是 PDF"),
        ("empty.pdf", b"", "空"),
    ],
)
def test_another_kind_of_file_is_named_and_the_way_out_shown(
    page: Page, plain: Page, hub: Hub, name: str, content: bytes, words: str
) -> None:
    for each in (page, plain):
        each.goto(f"{hub.base}/verify")
        choose(each, name, content)
        if each is plain:
            each.locator("#by-file button").click()
        wait_for(each, "wrong_kind")
        assert words in each.locator(".reason").inner_text()
        assert "请改为输入证照标识" in each.locator(".advice").inner_text()


def test_a_giant_file_is_refused_before_it_is_sent_and_after(page: Page, plain: Page, hub: Hub, tmp_path: Path) -> None:
    giant = tmp_path / "giant.pdf"
    giant.write_bytes(b"%PDF-1.7\n" + b"\x00" * (20 << 20))
    page.goto(f"{hub.base}/verify")
    page.locator("#file").set_input_files(giant)
    expect(page.locator("#file-says")).to_contain_text("超过 8 MB")
    plain.goto(f"{hub.base}/verify")
    plain.locator("#file").set_input_files(giant)
    plain.locator("#by-file button").click()
    wait_for(plain, "too_large")
    assert "文件过大" in big_line(plain)


def test_names_of_files_are_text_and_nothing_else(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    choose(page, "<img src=x onerror=alert(1)>.json", hub.form(VALID, "vc"))
    wait_for(page, "valid")
    assert page.locator("#result img").count() == 0
    assert "<img src=x onerror=alert(1)>.json" in page.locator(".given").last.inner_text()


def test_an_annotated_copy_says_its_use_until_it_is_revoked(page: Page, hub: Hub) -> None:
    made = hub.copy_of(VALID)
    page.goto(f"{hub.base}/verify/copies/{made.id}")
    assert outcome(page) == "valid"
    use = page.locator(".use").inner_text()
    assert "桥州银行桥东支行" in use
    assert "办理经营贷款" in use
    picture(page, "verify-copy")
    hub.revoke(made.id)
    page.reload()
    assert outcome(page) == "revoked"
    page.goto(f"{hub.base}/verify/copies/there-is-none")
    assert outcome(page) == "unknown"


def test_without_scripts_a_file_and_an_identifier_are_verified(plain: Page, hub: Hub) -> None:
    plain.goto(f"{hub.base}/verify")
    choose(plain, "licence.json", hub.form(REVOKED, "vc"))
    plain.locator("#by-file button").click()
    wait_for(plain, "revoked")
    enter(plain, hub.identifier(VALID))
    wait_for(plain, "valid")
    assert "真实有效" in big_line(plain)


def test_a_browser_that_opens_the_credentials_own_address_gets_the_page(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/licences/{hub.identifier(VALID)}")
    assert page.url == hub.page_of(VALID)
    assert outcome(page) == "valid"


WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize("number", [VALID, SUSPENDED, REVOKED, OF_A_PERSON])
def test_on_a_phone_everything_fits_and_the_big_line_is_seen_first(phone: Page, hub: Hub, number: int) -> None:
    phone.goto(hub.page_of(number))
    assert phone.evaluate(WIDE) is False
    expect(phone.locator("#verdict")).to_be_in_viewport()
    picture(phone, f"verify-phone-{number}")


def test_on_a_phone_an_identifier_is_entered_and_the_result_scrolled_to(phone: Page, hub: Hub) -> None:
    phone.goto(f"{hub.base}/verify")
    assert phone.evaluate(WIDE) is False
    phone.locator("#identifier").fill(hub.identifier(VALID))
    phone.locator("#by-identifier button").tap()
    wait_for(phone, "valid")
    expect(phone.locator("#verdict")).to_be_in_viewport()
    for button in phone.locator("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44


CONTRAST = """
() => {
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const ground = each => { for (let it = each; it; it = it.parentElement) {
    const found = parts(getComputedStyle(it).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found.slice(0, 3); }
    return [255, 255, 255]; };
  const poor = [];
  for (const each of document.querySelectorAll("body *")) {
    const own = [...each.childNodes].some(it => it.nodeType === 3 && it.textContent.trim());
    if (!own || !each.checkVisibility() || each.closest("svg")) continue;
    const [a, b] = [light(parts(getComputedStyle(each).color).slice(0, 3)), light(ground(each))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push([ratio.toFixed(2), each.tagName, each.className, each.textContent.trim().slice(0, 30)]);
  }
  return poor;
}
"""


@pytest.mark.parametrize("number", [VALID, SUSPENDED, REVOKED, EXPIRED])
def test_every_text_stands_out_from_its_ground(page: Page, hub: Hub, number: int) -> None:
    page.goto(hub.page_of(number))
    assert page.evaluate(CONTRAST) == []


def test_every_field_has_a_label_and_headings_are_in_order(page: Page, hub: Hub) -> None:
    for address in (f"{hub.base}/verify", hub.page_of(VALID)):
        page.goto(address)
        assert (
            page.evaluate("[...document.querySelectorAll('input,textarea')].filter(it => !it.labels.length).length")
            == 0
        )
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(it => Number(it.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator("[lang=en]").count() > 5


def test_keys_alone_are_enough(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.base}/verify")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#identifier").focus()
    page.keyboard.type(hub.identifier(VALID))
    page.keyboard.press("Enter")
    wait_for(page, "valid")


def test_printed_it_is_the_result_alone(page: Page, hub: Hub) -> None:
    page.goto(hub.page_of(VALID))
    page.emulate_media(media="print")
    expect(page.locator(".ask")).to_be_hidden()
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.locator(".host")).to_be_visible()


def test_nothing_but_the_hubs_own_files_may_run_or_load(page: Page, hub: Hub) -> None:
    answer = page.goto(hub.page_of(VALID))
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert page.evaluate("document.querySelectorAll('[style], script:not([src]), [onclick]').length") == 0
