"""The public look-up page and the check of reports in a real browser: desk and phone, with and without scripts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from registry.api.settings import ApiSettings
from registry.domain.credit import report_numbers
from registry.licences import issuers
from shuqiao.stack.postgres import EmbeddedPostgres, free_port
from tests import china
from tests.api.conftest import serving
from tests.browser.conftest import picture
from tests.browser.test_verification_page import CONTRAST, WIDE
from tests.conftest import _database
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc
from tests.licences.issue.town import BUREAU, BUREAU_CODE, MASTER_KEY

TODAY = china.today()  # what is visible follows the real clock here
RECENT = f"{TODAY - timedelta(days=20)}"
LISTED, CLEAN, CHANGES, NAMESAKE, OTHER_NAMESAKE = range(1, 6)
HIDDEN = "没有公示的事实"


@dataclass
class Office:
    """A registry with public credit data, served at its public address."""

    town: Town
    base: str

    def page_of(self, number: int) -> str:
        return f"{self.base}/credit/{uscc(number)}"


def _decision(number: int, **fields: object) -> dict[str, object]:
    given = {
        "decision_number": f"桥市监罚〔{TODAY.year}〕{number}号",
        "penalty_kinds": ["confiscation_of_income"],
        "content": "没收违法所得2000元",
        "fine": None,
        "decided_on": RECENT,
    }
    return penalty(LISTED, **(given | fields))


def _fill(town: Town) -> None:
    town.say("legal_entity", {f"{number}": enterprise(number) for number in (LISTED, CLEAN, CHANGES, NAMESAKE)})
    town.say("legal_entity", {"5": enterprise(OTHER_NAMESAKE, name=enterprise(NAMESAKE)["name"])})
    town.say(
        "administrative_penalty",
        {
            "P1": _decision(1),
            "P2": _decision(2, facts="使用未经检定的计量器具"),
            "P3": _decision(3, facts=HIDDEN, use_scope="government"),
            "P4": _decision(4, facts=HIDDEN, decided_on="2021-03-01"),
            "P5": _decision(5, facts=HIDDEN),
            "C1": _decision(6) | {"uscc": uscc(CHANGES)},
        },
    )
    permit = {
        "holder_name": enterprise(LISTED)["name"],
        "holder_kind": "legal_person",
        "decision_title": "准予行政许可决定书",
        "decision_number": "桥许〔2026〕12号",
        "licence_name": "道路运输经营许可证",
        "licence_category": "ordinary",
        "content": "道路普通货物运输",
        "decided_on": RECENT,
        "valid_from": RECENT,
        "valid_to": "2099-12-31",
        "authority": "桥州市交通运输局",
        "use_scope": "public",
        "status": "valid",
    }
    town.say("administrative_licence", {"L1": body(LISTED, **permit)})
    town.say(
        "abnormal_operation",
        {"A1": body(LISTED, listed_on=RECENT, listed_reason="未按规定公示年度报告", listed_by="桥州市市场监督管理局")},
    )
    mark(town, "P2", LISTED, "disputed_since")
    mark(town, "P5", LISTED, "repaired_at")
    town.follow()


def mark(town: Town, key: str, number: int, column: str) -> None:
    town.connection.execute(
        f"INSERT INTO registry.credit_mark (dataset_id, key, entity, {column})"
        " SELECT id, %s, %s, now() - interval '1 day' FROM registry.dataset WHERE name = 'administrative_penalty'",
        (key, uscc(number)),
    )


@pytest.fixture(scope="session")
def hub(
    postgres: EmbeddedPostgres, registry_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    """One for all tests of this page."""
    with contextmanager(_database)(postgres, registry_template) as url:
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        town = Town(url)
        issuers.enter(
            town.connection, BUREAU_CODE, BUREAU, "Bureau", base=base, master_key=MASTER_KEY, now=datetime.now(UTC)
        )
        _fill(town)
        settings = ApiSettings(
            database_url=url,
            token_key=tmp_path_factory.mktemp("token") / "key.pem",
            port=port,
            public_url=base,
            master_key=MASTER_KEY,
            catalogue_seconds=0,
        )
        with serving(settings):
            yield Office(town, base)
        town.connection.close()


def outcome(page: Page) -> str:
    return page.locator("#result").get_attribute("data-outcome") or ""


def look_up(page: Page, hub: Office, text: str) -> None:
    page.goto(f"{hub.base}/credit")
    page.locator("#q").fill(text)
    page.locator("#look-up button").click()


def pages(page: Page, plain: Page) -> Iterator[Page]:
    """With scripts and without."""
    yield page
    yield plain


def test_a_code_an_old_identifier_or_the_whole_name_leads_to_the_record(page: Page, plain: Page, hub: Office) -> None:
    for each in pages(page, plain):
        for given in (uscc(LISTED), enterprise(LISTED)["registration_number"], f" {enterprise(LISTED)['name']} "):
            look_up(each, hub, given)
            each.wait_for_url(hub.page_of(LISTED))
            assert outcome(each) == "shown"
            assert each.locator("#verdict").inner_text() == enterprise(LISTED)["name"]
            assert each.title().startswith(enterprise(LISTED)["name"])
    picture(page, "credit-desk")


def test_only_what_may_be_published_today_is_shown_each_with_its_mark_and_age(page: Page, hub: Office) -> None:
    page.goto(hub.page_of(LISTED))

    shown = page.locator("#result").inner_text()

    for said in ("经营超过保质期的食品", "使用未经检定的计量器具", "未按规定公示年度报告", "道路运输经营许可证"):
        assert said in shown
    assert HIDDEN not in page.content()
    assert "王某" not in page.content()
    (disputed,) = page.locator("section.part", has=page.locator(".disputed")).all()
    assert "使用未经检定的计量器具" in disputed.inner_text()
    assert "Disputed" in disputed.inner_text()
    assert page.locator(".ages tbody tr").count() == 4
    assert "异议" in page.locator("#objection").inner_text()
    assert "信用修复" in page.locator("#objection").inner_text()


def test_an_enterprise_without_records_is_no_clearance_in_words(page: Page, hub: Office) -> None:
    page.goto(hub.page_of(CLEAN))

    assert outcome(page) == "shown"
    assert "没有可以展示的信用信息" in page.locator(".nothing").inner_text()


@pytest.mark.parametrize(
    ("typed", "said", "status"),
    [
        (enterprise(LISTED)["name"][:-2], "unknown", 404),
        ("桥州", "unknown", 404),
        (uscc(9), "unknown", 404),
        (uscc(1)[:-1] + ("0" if uscc(1)[-1] != "0" else "1"), "mistyped", 404),
        ("   ", "nothing_given", 400),
        (enterprise(NAMESAKE)["name"], "several", 300),
    ],
)
def test_what_leads_nowhere_is_explained(
    page: Page, plain: Page, hub: Office, typed: str, said: str, status: int
) -> None:
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/credit" in answer.url else None)
    for each in pages(page, plain):
        look_up(each, hub, typed)
        expect(each.locator("#result")).to_have_attribute("data-outcome", said)
        assert each.locator("#verdict").inner_text()
    assert answers[-1] == status


def test_of_several_with_one_name_each_is_one_click_away(page: Page, hub: Office) -> None:
    look_up(page, hub, enterprise(NAMESAKE)["name"])

    assert sorted(page.locator(".advice a").all_inner_texts()) == sorted([uscc(NAMESAKE), uscc(OTHER_NAMESAKE)])
    page.locator(".advice a", has_text=uscc(OTHER_NAMESAKE)).click()
    page.wait_for_url(hub.page_of(OTHER_NAMESAKE))
    assert outcome(page) == "shown"


def _report(page: Page, hub: Office, number: int) -> str:
    """The number of the public edition as anyone gets it."""
    page.goto(hub.page_of(number))
    address = page.locator("#pdf").get_attribute("href")
    assert address is not None
    answer = page.request.get(f"{hub.base}{address}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    found = re.search(r"credit-report-([0-9A-Z-]{24})\.pdf", answer.headers["content-disposition"])
    assert found is not None
    return found[1]


def test_the_number_of_a_downloaded_report_is_found_genuine_and_still_so(page: Page, plain: Page, hub: Office) -> None:
    number = _report(page, hub, LISTED)

    for each in pages(page, plain):
        each.goto(f"{hub.base}/reports")
        each.locator("#number").fill(number.lower().replace("-", " "))
        each.locator("#by-number button").click()
        expect(each.locator("#result")).to_have_attribute("data-outcome", "still_so")
        said = each.locator("#result").inner_text()
        assert number in said
        assert uscc(LISTED) in said
        assert "sha256:" in said
    picture(page, "report-genuine")


def test_a_report_that_no_longer_holds_is_said_to_without_what_it_was(page: Page, phone: Page, hub: Office) -> None:
    number = _report(page, hub, CHANGES)
    mark(hub.town, "C1", CHANGES, "repaired_at")

    for each in (page, phone):
        each.goto(f"{hub.base}/reports/{number}")
        assert outcome(each) == "changed"
        assert "不再反映现状" in each.locator("#result").inner_text()
        assert "没收" not in each.content()
        assert "记录数" not in each.locator("#result").inner_text()
    picture(phone, "report-changed-phone")


def test_a_number_that_leads_nowhere_is_explained(page: Page, plain: Page, hub: Office) -> None:
    number = report_numbers.new()
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    for each in pages(page, plain):
        for typed, said in ((number, "no_such_report"), (wrong, "number_mistyped"), ("7Q2M", "number_malformed")):
            each.goto(f"{hub.base}/reports")
            each.locator("#number").fill(typed)
            each.locator("#by-number button").click()
            expect(each.locator("#result")).to_have_attribute("data-outcome", said)


def test_on_a_phone_nothing_is_wider_than_the_screen_and_fingers_hit_what_they_want(phone: Page, hub: Office) -> None:
    number = report_numbers.new()
    for address in (f"{hub.base}/credit", hub.page_of(LISTED), f"{hub.base}/reports", f"{hub.base}/reports/{number}"):
        phone.goto(address)
        assert phone.evaluate(WIDE) is False, address
        for button in phone.locator("button, input[type=text]").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
    phone.goto(hub.page_of(LISTED))
    expect(phone.locator("#verdict")).to_be_in_viewport()
    picture(phone, "credit-phone")


def test_every_text_stands_out_fields_have_labels_and_headings_are_in_order(page: Page, hub: Office) -> None:
    number = _report(page, hub, LISTED)
    for address in (
        f"{hub.base}/credit",
        hub.page_of(LISTED),
        hub.page_of(9),
        f"{hub.base}/reports",
        f"{hub.base}/reports/{number}",
    ):
        page.goto(address)
        assert page.evaluate(CONTRAST) == [], address
        assert page.evaluate("[...document.querySelectorAll('input')].filter(it => !it.labels.length).length") == 0
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(it => Number(it.tagName[1]))")
        assert (levels[0], levels.count(1)) == (1, 1), address
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.locator("[lang=en]").count() > 5
        identifiers = page.evaluate("[...document.querySelectorAll('[id]')].map(it => it.id)")
        assert len(identifiers) == len(set(identifiers))


def test_keys_alone_are_enough(page: Page, hub: Office) -> None:
    page.goto(f"{hub.base}/credit")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#q").focus()
    page.keyboard.type(uscc(LISTED))
    page.keyboard.press("Enter")
    page.wait_for_url(hub.page_of(LISTED))


def test_printed_it_is_the_record_alone(page: Page, hub: Office) -> None:
    page.goto(hub.page_of(LISTED))
    page.emulate_media(media="print")
    expect(page.locator(".ask")).to_be_hidden()
    expect(page.locator("#verdict")).to_be_visible()


def test_nothing_runs_and_nothing_but_the_hubs_own_files_loads(page: Page, hub: Office) -> None:
    for address in (hub.page_of(LISTED), f"{hub.base}/reports"):
        answer = page.goto(address)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert page.evaluate("document.querySelectorAll('[style], script, [onclick]').length") == 0
