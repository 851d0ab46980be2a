"""How many discrepancies each department had, day by day, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.domain.credit.marks import china_day
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.town import Town, enterprise, taxpayer

PATH = "/credit/discrepancies/counts"


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    """Two discrepancies of the tax office, one of which is closed two days later, yesterday."""
    made = Town(registry_url, now=datetime.now(UTC) - timedelta(days=3))
    made.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    made.say("tax_registration", {"1": taxpayer(1, name="别名"), "2": taxpayer(2, name="别名")})
    made.follow()
    made.later(days=2)
    made.say("tax_registration", {"1": taxpayer(1)})
    made.follow()
    yield made
    made.connection.close()


@pytest.fixture
def hub(api: Api) -> Reader:
    return api.client("operate")


def test_counts_of_days_are_given_per_department_and_field(town: Town, hub: Reader) -> None:
    first = china_day(town.now - timedelta(days=2))

    found = hub.get(PATH, since=f"{first}")

    assert {"legal_entity", "tax_registration"} <= found["sources"].keys()
    assert [(each["opened"], each["closed"], each["open_in_the_evening"]) for each in found["counts"]] == [
        (2, 0, 2),
        (0, 0, 2),
        (0, 1, 1),
        (0, 0, 1),
    ]
    assert [each["day"] for each in found["counts"]] == [f"{first + timedelta(days=each)}" for each in range(4)]
    assert {(each["department"], each["field"]) for each in found["counts"]} == {("tax", "name")}
    assert hub.get(PATH, department="tax")["counts"] == found["counts"]
    assert hub.get(PATH, department="water")["counts"] == []
    assert len(hub.get(PATH, since=f"{first}", until=f"{first}")["counts"]) == 1


@pytest.mark.parametrize(
    "days",
    [
        {"since": "2026-02-01", "until": "2026-01-01"},
        {"since": "2020-01-01", "until": "2026-01-01"},
        {"until": "0001-01-01"},
        {"since": "9999-12-31"},
        {"since": "yesterday"},
    ],
    ids=str,
)
def test_days_that_cannot_be_counted_are_refused(hub: Reader, days: dict[str, Any]) -> None:
    answer = hub.ask(f"/api/v1{PATH}", **days)

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-parameter")


@pytest.mark.usefixtures("town")
def test_the_answer_is_what_the_description_says(hub: Reader, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    schema = description["paths"][f"/api/v1{PATH}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {"components": description["components"], **schema}

    faults = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(hub.get(PATH))

    assert [fault.message for fault in faults] == []
