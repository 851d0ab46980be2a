"""What the look-up page and the document say: all of what the day's rules allow, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.api.credit import answers as credit_answers
from registry.api.credit import reports as credit_reports
from registry.api.credit.answers import Found
from registry.api.credit.report_words import ages, page_of, sections
from registry.credit.reports import IssuedReport
from registry.domain.credit.report_words import lines
from registry.storage.reads.datasets import DatasetState
from tests.credit.enterprise_file.town import enterprise, penalty, uscc
from tests.credit.rules.slow_model import Case, marked, seen
from tests.credit.rules.test_visibility import DAYS, decision_days

DAY = timedelta(days=1)
FIELDS: dict[tuple[str, str], dict[str, Any]] = {
    ("2019", "minor"): {"penalty_kinds": ["fine"], "content": "当场处罚，罚款50元"},
    ("2019", "ordinary"): {"penalty_kinds": ["warning"], "fine": None, "content": "警告"},
    ("2019", "serious"): {"penalty_kinds": ["licence_revocation"], "fine": None, "content": "吊销许可证"},
    ("2023", "minor"): {"penalty_kinds": ["warning", "public_criticism"], "fine": None, "content": "警告"},
    ("2023", "ordinary"): {"penalty_kinds": ["fine"], "content": "罚款3000元"},
    ("2023", "safety"): {"penalty_kinds": ["fine"], "legal_basis": "《食品安全法》第一百二十四条"},
    ("2026", "minor"): {"penalty_kinds": ["warning"], "fine": None, "content": "警告"},
    ("2026", "ordinary"): {"penalty_kinds": ["confiscation_of_income"], "fine": None, "content": "没收违法所得"},
    ("2026", "serious"): {"penalty_kinds": ["trade_ban"], "fine": None, "content": "限制从业"},
}
"""How a decision of each grade reads."""


@st.composite
def cases(draw: st.DrawFn) -> Case:
    regime, grade = draw(st.sampled_from(sorted(FIELDS)))
    decided_on = draw(decision_days(regime))
    return Case(
        regime=regime,
        kind="penalty",
        grade=grade,
        decided_on=decided_on,
        holder=draw(st.sampled_from(["legal_person", "legal_person", "individual_business", "natural_person"])),
        use_scope=draw(st.sampled_from(["public", "public", "government", "internal"])),
        stated_until=draw(st.none() | st.integers(-2, 1200).map(lambda days: decided_on + days * DAY)),
        withdrawn=draw(st.sampled_from([False, False, False, True])),
        disputed_since=draw(st.none() | st.just(decided_on)),
    )


def decision(case: Case, number: int) -> dict[str, Any]:
    fields = FIELDS[case.regime, case.grade] | {
        "facts": f"事实第{number}项",
        "decided_on": f"{case.decided_on}",
        "holder_kind": case.holder,
        "use_scope": case.use_scope,
        "public_until": None if case.stated_until is None else f"{case.stated_until}",
        "status": "withdrawn" if case.withdrawn else "valid",
    }
    return penalty(1, **fields)


@dataclass
class Registry:
    """What the database would give: one enterprise with its decisions."""

    found: list[Case]
    at: datetime

    async def rows(self, statement: str, *_: object) -> list[dict[str, Any]]:
        if "registry.credit_mark" not in statement:
            return []
        decisions = [("administrative_penalty", f"P{number}", decision(each, number), each.disputed_since)
                     for number, each in enumerate(self.found)]  # fmt: skip
        return [self._row(*each) for each in [("legal_entity", "1", enterprise(1), None), *decisions]]

    async def row(self, statement: str, *arguments: object) -> dict[str, Any] | None:
        return next(iter(await self.rows(statement, *arguments)), None)

    def _row(self, dataset: str, key: str, body: dict[str, Any], disputed: date | None) -> dict[str, Any]:
        since = None if disputed is None else datetime.combine(disputed, time(12), UTC)
        return {
            "dataset": dataset, "schema": f"{dataset}@1", "key": key, "version": 1, "valid_from": self.at,
            "batch_id": 1, "matched": False, "body": orjson.dumps(body), "personal": None, "dataset_id": 1,
            "connector": "c", "department": "credit",
            "confirmed_at": self.at, "disputed_since": since, "stale_since": None, "stale_reasons": None,
        }  # fmt: skip


def dataset(number: int, name: str) -> DatasetState:
    return DatasetState(
        number,
        name,
        f"{name}@1",
        name,
        name,
        "office",
        ("id",),
        "uscc",
        "conditional",
        datetime(2020, 1, 1, tzinfo=UTC),
        (),
    )


DATASETS = {name: dataset(number, name) for number, name in enumerate(["legal_entity", "administrative_penalty"])}


def report(found: list[Case], today: date, reader: Any) -> dict[str, Any]:
    at = datetime.combine(today, time(3), UTC)
    pool: Any = Registry(found, at)
    return asyncio.run(credit_answers.report(pool, DATASETS, Found(uscc(1), "uscc"), reader, at))


def said(found: dict[str, Any]) -> str:
    """Every word of the document; the page is made of the same parts."""
    at = found["as_of"]
    issued = IssuedReport("7Q2M-4K9Z-P1XW-8TR5-B0HU", uscc(1), "public", None, at.date(), at, "x", b"", b"", 0)
    page = page_of(found, issued, DATASETS, issuer="数桥", check_address="https://hub.example.gov.cn/reports/x")
    assert page.sections == sections(found, DATASETS)
    assert page.ages == ages(found, DATASETS)
    return repr(page)


@settings(deadline=None)
@given(st.lists(cases(), max_size=4), st.dates(DAYS["2019"][0], date(2029, 12, 31)))
def test_the_document_and_the_page_have_just_the_records_that_the_slow_model_lets_the_public_see(
    found: list[Case], today: date
) -> None:
    made = report(found, today, "public")
    text = said(made)

    expected = {number for number, case in enumerate(found) if seen(case, today, "public")}
    assert {number for number in range(len(found)) if f"事实第{number}项" in text} == expected
    disputed = sum(marked(found[number], today) for number in expected)
    assert sum(each.mark is not None for each in sections(made, DATASETS)) == disputed


@settings(deadline=None, max_examples=30)
@given(st.lists(cases(), max_size=3), st.dates(date(2026, 4, 1), date(2029, 12, 31)), st.integers(1, 900))
def test_a_report_is_still_so_until_what_may_be_seen_changes(found: list[Case], today: date, days: int) -> None:
    now, later = report(found, today, "public"), report(found, today + days * DAY, "public")

    same = [each["key"] for each in now["records"]] == [each["key"] for each in later["records"]]
    assert (credit_reports.standing(now).content_digest == credit_reports.standing(later).content_digest) == same


def test_what_a_report_says_but_for_ages_is_in_its_digest() -> None:
    case = Case("2026", "penalty", "ordinary", date(2026, 11, 3))
    made = report([case], date(2026, 11, 23), "public")
    before = credit_reports.standing(made).content_digest

    for changed in (
        made | {"name": "别的名字"},
        made | {"status": "revoked"},
        made | {"records": []},
        made | {"records": [made["records"][0] | {"marks": ["disputed"]}]},
        made | {"evaluations": [{"scorecard": "c", "version": 1, "score": 1, "grade": "D"}]},
    ):
        assert credit_reports.standing(changed).content_digest != before
    older = made | {"as_of": None, "oldest_read_at": None, "sources": {}}
    assert credit_reports.standing(older).content_digest == before


def test_fields_have_their_names_and_codes_their_meanings_in_both_languages() -> None:
    found = {each.name: each for each in lines(penalty(1, status="valid"), "administrative_penalty@1")}

    assert (found["penalty_kinds"].value.zh, found["penalty_kinds"].value.en) == ("罚款", "Fine")
    assert (found["status"].value.zh, found["status"].value.en) == ("有效", "Valid")
    assert (found["fine"].label.zh, found["fine"].label.en) == ("罚款金额", "Fine")
    assert (found["fine"].value.zh, found["fine"].value.en) == ("0.2万元人民币", "0.2 × 10,000 Renminbi yuan")
    assert found["facts"].value.zh == found["facts"].value.en
    assert "holder_name" not in found
