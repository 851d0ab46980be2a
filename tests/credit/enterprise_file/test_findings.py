"""Permits and penalties whose publication went wrong: found, given to their department, closed when mended."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from registry.credit.enterprise_file import china_day
from registry.domain.credit.working_days import default_calendar
from tests.credit.enterprise_file import asked
from tests.credit.enterprise_file.town import Town, penalty, uscc

CALENDAR = default_calendar(assume_weekdays=True)


def today() -> date:
    """The registry dates what it publishes by its own clock."""
    return china_day(datetime.now(UTC))


def working_days_ago(count: int) -> str:
    """The latest day of which today is the ``count``-th working day, or the first day off after it."""
    day = today()
    while CALENDAR.between(day, today()) < count:
        day -= timedelta(days=1)
    return day.isoformat()


def of(town: Town, *, closed: bool = False) -> list[SimpleNamespace]:
    return asked.findings(town.connection, "credit", closed=closed)


@pytest.fixture
def after_the_first_batch(town: Town) -> Town:
    """The credit centre has published before: what comes now is new."""
    town.now = datetime.now(UTC)
    town.say("administrative_penalty", {"old": penalty(9, decided_on="2020-01-01")})
    town.follow()
    assert of(town) == []
    return town


def test_a_decision_is_late_from_the_eighth_working_day_on(after_the_first_batch: Town) -> None:
    town = after_the_first_batch
    records = {
        "seven": penalty(1, decided_on=working_days_ago(7)),
        "eight": penalty(2, decided_on=working_days_ago(8)),
        "twenty": penalty(3, decided_on=working_days_ago(20)),
    }
    town.say("administrative_penalty", records)
    town.follow()

    late = {found.key: found for found in of(town)}
    assert set(late) == {"eight", "twenty"} or not CALENDAR.is_working_day(today())
    assert late["twenty"].detail["working_days_late"] == 13
    assert (late["twenty"].kind, late["twenty"].entity) == ("late", uscc(3))
    assert late["twenty"].detail["published_on"] == today().isoformat()


def test_a_connectors_first_batch_is_judged_by_the_sources_own_time_or_not_at_all(town: Town) -> None:
    records = {
        "old": penalty(1, decided_on="2024-03-01"),
        "late": penalty(2, decided_on="2024-03-01", source_time="2024-03-13T09:00:00+08:00"),
        "timely": penalty(3, decided_on="2024-03-01", source_time="2024-03-12T09:00:00+08:00"),
    }
    town.say("administrative_penalty", records)
    town.follow()

    (found,) = of(town)
    assert (found.key, found.detail["working_days_late"], found.detail["deadline"]) == ("late", 1, "2024-03-12")


def test_what_was_in_time_does_not_become_late_when_it_is_corrected_later(after_the_first_batch: Town) -> None:
    town = after_the_first_batch
    town.say("administrative_penalty", {"p": penalty(1, decided_on=working_days_ago(2))})
    town.follow()
    town.rows("UPDATE registry.record SET valid_from = valid_from - interval '30 days' WHERE key = 'p' RETURNING key")
    town.say("administrative_penalty", {"p": penalty(1, decided_on=working_days_ago(2), remark="更正")})
    town.follow()

    assert of(town) == []


def test_an_amount_that_its_text_contradicts_closes_when_it_is_corrected(after_the_first_batch: Town) -> None:
    town = after_the_first_batch
    slip = penalty(1, fine={"amount": "2000", "unit": "万元", "currency": "CNY"}, decided_on=working_days_ago(1))
    town.say("administrative_penalty", {"p": slip})
    town.follow()

    (found,) = of(town)
    (amount,) = found.detail["amounts"]
    assert (found.kind, amount["suspicion"]) == ("amount", "yuan_entered_as_wan")
    assert (amount["given_yuan"], amount["stated_yuan"]) == ("20000000", "2000")

    town.say("administrative_penalty", {"p": penalty(1, decided_on=working_days_ago(1))})
    town.follow()
    assert of(town) == []
    assert [closed.id for closed in of(town, closed=True)] == [found.id]


def revoked(number: int, **fields: Any) -> dict[str, Any]:
    return penalty(number, status="withdrawn", decided_on=working_days_ago(1), **fields)


def test_a_revoked_decision_must_be_gone_by_the_third_day(after_the_first_batch: Town) -> None:
    town = after_the_first_batch
    town.say("administrative_penalty", {"p": revoked(1), "q": revoked(2), "internal": revoked(3, use_scope="internal")})
    town.follow()
    assert of(town) == []
    last_day = today() + timedelta(days=3)
    assert sorted(town.rows("SELECT key, due_on FROM registry.credit_due")) == [("p", last_day), ("q", last_day)]

    town.later(days=3)
    town.follow()
    assert of(town) == [], "the third day is in time"
    town.end("administrative_penalty", "q")
    town.later(days=1)
    assert town.follow().counts["findings_opened"] == 1
    assert town.follow().counts["findings_opened"] == 0

    (found,) = of(town)
    assert (found.kind, found.key) == ("not_withdrawn", "p")
    assert found.detail == {"revoked_on": today().isoformat(), "last_day": last_day.isoformat()}
    assert town.rows("SELECT key FROM registry.credit_due") == []

    town.end("administrative_penalty", "p")
    town.follow()
    assert of(town) == []
    assert [closed.kind for closed in of(town, closed=True)] == ["not_withdrawn"]


def test_the_day_counts_from_when_the_record_first_said_so(after_the_first_batch: Town) -> None:
    town = after_the_first_batch
    town.say("administrative_penalty", {"p": revoked(1)})
    town.say("administrative_penalty", {"p": revoked(1, remark="说明")})
    town.rows(
        "WITH moved AS (UPDATE registry.record_history SET valid_from = valid_from - interval '2 days'"
        " WHERE key = 'p' RETURNING key) SELECT key FROM moved"
    )
    town.follow()

    assert town.rows("SELECT due_on FROM registry.credit_due") == [(today() + timedelta(days=1),)]
