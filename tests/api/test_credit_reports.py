"""Credit reports as documents, checked by their number; the public look-up page without a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509

from registry.documents import reading
from registry.domain.credit import report_numbers
from registry.licences import issuers
from tests.api.conftest import Api, Reader
from tests.api.test_credit import RECENT, RESIDENT_ID, checked, confiscation, listed, mark
from tests.api.test_credit_consents import HEADERS, give
from tests.credit.enterprise_file.town import Town, body, enterprise, taxpayer, uscc
from tests.licences.documents.conftest import poppler as poppler  # noqa: PLC0414  (a fixture)
from tests.licences.issue.town import BASE, BUREAU, BUREAU_CODE, MASTER_KEY

PUBLIC = "https://hub.example.gov.cn"
REPORT = f"/enterprises/{uscc(1)}/report"
PDF = {"Accept": "application/pdf"}
NUMBER = re.compile(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}")


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    issuers.enter(
        made.connection, BUREAU_CODE, BUREAU, "Bureau", base=BASE, master_key=MASTER_KEY, now=datetime.now(UTC)
    )
    made.say("legal_entity", {"1": enterprise(1)})
    yield made
    made.connection.close()


@pytest.fixture
def hub(start: Callable[..., Api]) -> Api:
    return start(master_key=MASTER_KEY, public_url=PUBLIC)


@dataclass
class Printed:
    """A report as PDF, and its words."""

    pdf: bytes
    text: str

    @property
    def number(self) -> str:
        (found,) = set(NUMBER.findall(self.text))
        return str(found)


Reads = Callable[..., Printed]


@pytest.fixture
def printed(poppler: Callable[..., str]) -> Reads:
    def read(
        asking: Reader, path: str = f"/api/v1{REPORT}", /, headers: dict[str, str] | None = None, **parameters: Any
    ) -> Printed:
        answer = asking.ask(path, headers=PDF | (headers or {}), **parameters)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "application/pdf"
        as_of, read_at = (datetime.fromisoformat(answer.headers[f"Shuqiao-{name}"]) for name in ("As-Of", "Read-At"))
        assert read_at <= as_of <= datetime.now(UTC)
        assert answer.headers["Cache-Control"] == "no-store"
        return Printed(answer.content, "".join(poppler("pdftotext", answer.content).split()))

    return read


def said_of(api: Api, number: str) -> dict[str, Any]:
    return api.anyone.get(f"/credit/reports/{number}")


def test_the_document_says_what_the_report_says_with_its_number_and_what_to_check_it_by(
    town: Town, hub: Api, printed: Reads
) -> None:
    town.say(
        "administrative_penalty", {"P1": confiscation(), "P2": confiscation(use_scope="government", content="内部")}
    )
    town.say("abnormal_operation", {"A1": listed()})
    mark(town, "administrative_penalty", "P1", "disputed_since")
    reader = hub.client("credit:public")

    report, document = reader.get(REPORT), printed(reader)

    for said in (
        "公共信用信息报告", "Reportofpubliccreditinformation", "公开版", "Publicedition", enterprise(1)["name"],
        "数据时间", "经营超过保质期的食品", "没收违法所得", "异议处理中", "未公示年度报告", report["check"]["digest"],
        "P1", uscc(1), f"{PUBLIC}/reports/{document.number}", "不得继续保存", "maynotbekept", "可申请信用修复",
    ):  # fmt: skip
        assert said in document.text, said
    for hidden in ("P2", "内部", "政务版", "王某", "适用的奖惩措施"):
        assert hidden not in document.text.replace(document.number, ""), hidden  # the number is drawn by lot
    assert report["check"]["digest"] == f"sha256:{checked(report)}"
    found = said_of(hub, document.number)
    assert found["check"] == {"digest": report["check"]["digest"], "records": 2}
    assert (found["genuine"], found["still_so"], found["edition"], found["uscc"]) == (True, True, "public", uscc(1))


def test_the_department_edition_has_what_departments_see_and_says_for_whom_it_is(
    town: Town, hub: Api, printed: Reads
) -> None:
    town.say("administrative_penalty", {"P2": confiscation(use_scope="government")})
    town.say("abnormal_operation", {"A1": listed()})
    office = hub.client("credit:department")

    document = printed(office)
    public = printed(office, reader="public")

    for said in ("政务版", "Departmentedition", "P2", "适用的奖惩措施", "仅供查询部门依法履职使用"):
        assert said in document.text, said
        assert said not in public.text.replace(public.number, ""), said  # the number is drawn by lot
    assert said_of(hub, document.number)["edition"] == "department"
    assert hub.client("credit:public").ask(f"/api/v1{REPORT}", headers=PDF, reader="department").status_code == 403


def test_a_lenders_edition_has_what_was_consented_to_and_says_for_what(town: Town, hub: Api, printed: Reads) -> None:
    town.say("administrative_penalty", {"P1": confiscation(), "P2": confiscation(use_scope="government")})
    town.say("abnormal_operation", {"A1": listed()})
    bank, window = hub.client("credit:bank"), hub.client("credit:consent")
    assert bank.ask(f"/api/v1{REPORT}", headers=PDF | HEADERS).status_code == 403
    consent = give(window, bank, "registration", "penalties")

    document = printed(bank, headers=HEADERS)

    for said in ("授权版", "Authorisededition", "P1", HEADERS["Case-Number"], consent["id"], "不得保存至授权期满之后"):
        assert said in document.text, said
    for hidden in ("P2", "A1", "未公示年度报告"):
        assert hidden not in document.text.replace(document.number, ""), hidden  # the number is drawn by lot
    assert said_of(hub, document.number)["edition"] == "bank"
    town.say("abnormal_operation", {"A2": listed()})
    assert said_of(hub, document.number)["still_so"] is True
    town.say("administrative_penalty", {"P1": confiscation(content="没收违法所得1元")})
    assert said_of(hub, document.number)["still_so"] is False


@pytest.mark.usefixtures("town")
def test_the_document_is_sealed_with_the_hubs_key_and_all_of_it_is_signed(
    hub: Api, printed: Reads, poppler: Callable[..., str]
) -> None:
    document = printed(hub.client("credit:public"))

    signature = poppler("pdfsig", document.pdf)

    assert "Signature is Valid" in signature
    assert "Total document signed" in signature
    assert "ETSI.CAdES.detached" in signature
    root = x509.load_pem_x509_certificate(hub.anyone.ask("/root.pem").content)
    assert reading.check_signature(document.pdf, root, datetime.now(UTC)).ok
    assert not reading.check_signature(document.pdf.replace(b"/Title", b"/Titel", 1), root, datetime.now(UTC)).ok
    fonts = poppler("pdffonts", document.pdf).splitlines()[2:]
    assert all("Noto" in line and line.split()[-5:-3] == ["yes", "yes"] for line in fonts)


@pytest.mark.usefixtures("town")
def test_who_takes_a_report_for_a_licence_is_led_to_where_it_is_checked(hub: Api, printed: Reads) -> None:
    document = printed(hub.client("credit:public"))

    page = hub.anyone.session.post(f"{hub.address}/verify", files={"file": ("r.pdf", document.pdf)}, timeout=60).text

    assert "/reports" in page


def test_who_asks_again_on_the_day_gets_the_same_number_until_it_would_say_something_else(
    town: Town, hub: Api, printed: Reads
) -> None:
    town.say("administrative_penalty", {"P1": confiscation()})
    one, other = hub.client("credit:public"), hub.client("credit:public")

    first, again, anothers = printed(one).number, printed(one).number, printed(other).number
    town.say("administrative_penalty", {"P3": confiscation(decision_number="桥市监罚〔2026〕3号")})
    changed = printed(one).number

    assert first == again
    assert len({first, anothers, changed}) == 3
    ((asked_by, records),) = town.rows(
        "SELECT asked_by, records FROM registry.credit_report WHERE number = %s", changed
    )
    assert one.client is not None
    assert asked_by == one.client.id
    assert [each["key"] for each in records] == ["P1", "P3"]


@pytest.mark.parametrize(
    "happens",
    [
        lambda town: mark(town, "administrative_penalty", "P1", "repaired_at"),
        lambda town: mark(town, "administrative_penalty", "P1", "withdrawn_at"),
        lambda town: mark(town, "administrative_penalty", "P1", "disputed_since"),
        lambda town: town.end("administrative_penalty", "P1"),
        lambda town: town.say("administrative_penalty", {"P1": confiscation(content="没收违法所得1元")}),
        lambda town: town.say("administrative_penalty", {"P9": confiscation()}),
        lambda town: town.say("legal_entity", {"1": enterprise(1, status="revoked")}),
        lambda town: town.end("legal_entity", "1"),
    ],
    ids=[
        "repaired",
        "withdrawn",
        "disputed",
        "deleted",
        "corrected",
        "another",
        "registration changed",
        "registration gone",
    ],
)
def test_once_anything_has_changed_the_check_says_so_and_not_what(
    town: Town, hub: Api, printed: Reads, happens: Callable[[Town], None]
) -> None:
    town.say("administrative_penalty", {"P1": confiscation()})
    number = printed(hub.client("credit:public")).number
    assert said_of(hub, number)["still_so"] is True

    happens(town)

    found = said_of(hub, number)
    page = hub.anyone.ask(f"/reports/{number}")
    assert (found["genuine"], found["still_so"], found["check"]["records"]) == (True, False, None)
    assert 'data-outcome="changed"' in page.text
    for hidden in ("经营超过保质期的食品", "没收违法所得", "桥市监罚", enterprise(1)["name"]):
        assert hidden not in page.text
        assert hidden not in str(found)


def test_a_number_that_was_never_issued_or_was_copied_wrongly_is_told_apart(hub: Api) -> None:
    number = report_numbers.new()
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")

    answers = [hub.anyone.ask(f"/api/v1/credit/reports/{each}") for each in (number, wrong, "7Q2M")]
    pages = [hub.anyone.ask(f"/reports/{each}") for each in (number, wrong, "7Q2M")]

    assert [(each.status_code, each.json()["type"]) for each in answers] == [
        (404, "/problems/not-found"),
        (400, "/problems/invalid-parameter"),
        (400, "/problems/invalid-parameter"),
    ]
    assert [each.status_code for each in pages] == [404, 404, 400]
    assert [re.findall('data-outcome="([a-z_]*)"', each.text)[0] for each in pages] == [
        "no_such_report",
        "number_mistyped",
        "number_malformed",
    ]


def test_without_the_master_key_no_number_is_taken_and_json_goes_on(town: Town, api: Api) -> None:
    reader = api.client("credit:public")

    answer = reader.ask(f"/api/v1{REPORT}", headers=PDF)

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/signing-unavailable")
    assert reader.get(REPORT)["uscc"] == uscc(1)
    assert town.rows("SELECT count(*) FROM registry.credit_report") == [(0,)]
    page = api.anyone.ask(f"/credit/{uscc(1)}")
    assert "report.pdf" not in page.text
    assert api.anyone.ask(f"/credit/{uscc(1)}/report.pdf").status_code == 503


@pytest.mark.usefixtures("town")
def test_another_form_than_json_and_pdf_is_refused_with_those_there_are(hub: Api) -> None:
    answer = hub.client("credit:public").ask(f"/api/v1{REPORT}", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.json()["forms"]) == (406, ["application/json", "application/pdf"])


@pytest.mark.parametrize(("accept", "status"), [("application/pdf", 503), ("text/html", 406)])
def test_a_form_that_cannot_be_given_uses_no_consent(town: Town, api: Api, accept: str, status: int) -> None:
    bank, window = api.client("credit:bank"), api.client("credit:consent")
    give(window, bank, "registration", "penalties")

    refused = bank.ask(f"/api/v1{REPORT}", headers=HEADERS | {"Accept": accept})

    assert refused.status_code == status
    assert town.rows("SELECT count(*) FROM registry.consent_use") == [(0,)]


HIDDEN: dict[str, dict[str, Any]] = {
    "repaired": {},
    "withdrawn": {},
    "expired": {"decided_on": "2021-03-01"},
    "tomorrow": {"decided_on": "2099-01-01"},
    "not published": {"penalty_kinds": ["warning"], "fine": None, "content": "警告"},
    "government": {"use_scope": "government"},
    "internal": {"use_scope": "internal"},
    "revoked decision": {"status": "withdrawn"},
    "natural person": {"holder_kind": "natural_person"},
}


def test_nothing_that_the_days_rules_do_not_allow_is_on_the_page_or_in_the_document(
    town: Town, hub: Api, printed: Reads
) -> None:
    facts = {name: f"隐去之事实{number}号" for number, name in enumerate(HIDDEN)}
    town.say(
        "administrative_penalty",
        {
            "shown": confiscation(
                facts=f"可以公示的事实 {RESIDENT_ID} 13800138000", legal_representative_id=RESIDENT_ID
            ),
            **{name: confiscation(**({"facts": facts[name]} | fields)) for name, fields in HIDDEN.items()},
        },
    )
    town.say("utility_payment", {"U": body(1, period="2026-10", utility="water", account="隐去的户号")})
    mark(town, "administrative_penalty", "repaired", "repaired_at")
    mark(town, "administrative_penalty", "withdrawn", "withdrawn_at")

    page = hub.anyone.ask(f"/credit/{uscc(1)}").text
    document = printed(hub.anyone, f"/credit/{uscc(1)}/report.pdf").text

    for text in ("".join(page.split()), document):
        assert "可以公示的事实" in text
        for hidden in (*facts.values(), "隐去的户号", RESIDENT_ID, "13800138000", "王某"):
            assert hidden not in text, hidden


def test_the_page_finds_by_code_old_identifier_and_whole_name_and_by_nothing_less(town: Town, hub: Api) -> None:
    town.say("legal_entity", {"2": enterprise(2), "3": enterprise(3, name=enterprise(2)["name"])})
    town.say("tax_registration", {"1": taxpayer(1, taxpayer_number="330203197001010012"), "7": taxpayer(7)})
    town.follow()
    name = enterprise(1)["name"]

    def leads(given: str) -> str:
        answer = hub.anyone.session.get(f"{hub.address}/credit", params={"q": given}, allow_redirects=False, timeout=30)
        return answer.headers.get("Location") or re.findall('data-outcome="([a-z_]*)"', answer.text)[0]

    for given in (uscc(1), f" {uscc(1).lower()} ", enterprise(1)["registration_number"], name, f" {name} "):
        assert leads(given) == f"/credit/{uscc(1)}", given
    for part in (
        taxpayer(7)["name"],
        name[:-1],
        name[:6],
        "桥州",
        "桥州%",
        "_" * len(name),
        "王某",
        enterprise(1)["address"],
    ):
        assert leads(part) == "unknown", part
    assert leads(uscc(1)[:-1] + ("0" if uscc(1)[-1] != "0" else "1")) == "mistyped"
    assert leads(enterprise(2)["name"]) == "several"
    assert leads("330203197001010012") == "mistyped"  # an old taxpayer number: its owner's resident number
    assert leads("  ") == "nothing_given"
    assert leads("公" * 300) == "unknown"
    assert leads(uscc(9)) == f"/credit/{uscc(9)}"
    assert hub.anyone.ask(f"/credit/{uscc(9)}").status_code == 404


@pytest.mark.usefixtures("town")
def test_the_pages_are_for_no_search_engine_no_cache_and_no_script(hub: Api) -> None:
    for path in ("/credit", f"/credit/{uscc(1)}", "/credit/nobody", "/reports", f"/reports/{report_numbers.new()}"):
        answer = hub.anyone.ask(path, whatever="x")
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert '<meta name="robots" content="noindex">' in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_what_visitors_type_is_shown_as_text(hub: Api) -> None:
    for path, name in (("/credit", "q"), ("/reports", "number")):
        given: dict[str, Any] = {name: '"><script>alert(1)</script>'}
        page = hub.anyone.ask(path, **given).text
        assert "<script" not in page


@pytest.mark.usefixtures("town")
def test_a_crowd_at_the_page_is_told_to_come_back_and_clients_are_served(hub: Api) -> None:
    state = hub.server._state
    state.lookups._here = 10**6

    crowded = hub.anyone.ask(f"/credit/{uscc(1)}")

    assert (crowded.status_code, crowded.headers["Retry-After"]) == (503, "10")
    assert 'data-outcome="unavailable"' in crowded.text
    assert hub.client("credit:public").get(REPORT)["uscc"] == uscc(1)


def test_names_with_characters_that_no_typeface_has_are_printed_all_the_same(
    town: Town, hub: Api, printed: Reads
) -> None:
    town.say("legal_entity", {"1": enterprise(1, name="桥州\U00020bb7野餐饮有限公司")})

    document = printed(hub.client("credit:public"))

    assert "桥州" in document.text
    assert RECENT not in document.text
