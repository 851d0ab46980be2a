"""An enterprise's evaluation through the API: every factor and record, past days, and nothing that may not be named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.credit import evaluations
from registry.domain.credit import scorecard
from registry.domain.credit.evaluation import Evaluator
from tests import china
from tests.api.conftest import Api, Reader
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc
from tests.credit.evaluation.cards import changed_card

TODAY = china.today()  # what is visible follows the real clock here; days are chosen relative to it
RECENT = f"{TODAY - timedelta(days=20)}"
FINE = {"amount": "2", "unit": "万元", "currency": "CNY"}


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    made.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    made.say("administrative_penalty", {"P1": penalty(1, decided_on=RECENT, fine=FINE, content="罚款20000元")})
    made.say("tax_credit_rating", {"T1": body(1, year=f"{TODAY.year - 1}", grade="A")})
    yield made
    made.connection.close()


@pytest.fixture
def office(api: Api) -> Reader:
    return api.client("credit:department")


def factor(said: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in said["factors"] if each["name"] == name]
    return dict(found)


def repair(town: Town) -> None:
    town.connection.execute(
        "INSERT INTO registry.credit_mark (dataset_id, key, entity, repaired_at)"
        " SELECT id, 'P1', %s, now() FROM registry.dataset WHERE name = 'administrative_penalty'",
        (uscc(1),),
    )


def test_every_factor_is_answered_with_its_weight_and_its_records(town: Town, office: Reader) -> None:
    town.follow()
    said = office.get(f"/enterprises/{uscc(1)}/evaluation")

    assert (said["scorecard"], said["day"], said["uscc"]) == ("enterprise_credit@1", f"{TODAY}", uscc(1))
    assert sum(each["points"] for each in said["factors"]) == said["score"]
    assert sum(each["weight"] for each in said["factors"]) == said["best"] == 100
    assert all(
        each["starts_at"] + sum(one["points"] for one in each["records"]) + each["limited"] == each["points"]
        for each in said["factors"]
    )
    (counted,) = factor(said, "penalties")["records"]
    assert (counted["key"], counted["rule"], counted["points"], counted["disputed"]) == (
        "P1", "ordinary_recent", -8, False,
    )  # fmt: skip
    assert counted["title"]["zh"] == "一年内的一般处罚"
    by_number = office.get(f"/enterprises/{enterprise(1)['registration_number']}/evaluation")
    differing = {"as_of": "", "sources": {}, "found_by": ""}
    assert by_number | differing == said | differing
    assert by_number["sources"].keys() == said["sources"].keys()


@pytest.mark.usefixtures("town")
def test_an_evaluation_says_how_old_the_data_is_that_it_rests_on(office: Reader) -> None:
    found = office.get(f"/enterprises/{uscc(1)}/evaluation")["sources"]

    assert {"legal_entity", "administrative_penalty", "tax_credit_rating"} <= found.keys()
    assert all(source["read_at"] and not source["late"] for each in found.values() for source in each)


def test_what_was_repaired_a_moment_ago_counts_no_longer_and_is_named_no_more(town: Town, office: Reader) -> None:
    before = office.get(f"/enterprises/{uscc(1)}/evaluation")
    repair(town)
    after = office.get(f"/enterprises/{uscc(1)}/evaluation")

    assert after["score"] == before["score"] + 8
    assert "P1" not in str(after)


def test_a_past_day_is_answered_from_what_was_held_then_without_what_may_not_be_named_now(
    town: Town, office: Reader
) -> None:
    town.connection.execute("UPDATE registry.record SET valid_from = valid_from - interval '10 days'")
    then = f"{TODAY - timedelta(days=3)}"
    named = office.get(f"/enterprises/{uscc(1)}/evaluation", day=then)
    repair(town)
    nameless = office.get(f"/enterprises/{uscc(1)}/evaluation", day=then)
    today = office.get(f"/enterprises/{uscc(1)}/evaluation")

    assert factor(named, "penalties")["records"][0]["key"] == "P1"
    assert nameless["score"] == named["score"] == today["score"] - 8
    assert "P1" not in str(nameless)
    assert factor(nameless, "penalties")["records"][0]["points"] == -8
    assert (
        office.ask(f"/api/v1/enterprises/{uscc(1)}/evaluation", day="2020-01-01", card="enterprise_credit@1").json()[
            "type"
        ]
        == "/problems/not-found"
    )


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("path", "asked", "status", "kind"),
    [
        (uscc(1), {"card": "enterprise_credit@9"}, 400, "invalid-parameter"),
        (uscc(1), {"card": "other"}, 400, "invalid-parameter"),
        (uscc(1), {"day": "2020-01-01"}, 400, "invalid-parameter"),
        (uscc(1), {"day": f"{TODAY + timedelta(days=3)}"}, 400, "invalid-parameter"),
        (uscc(1), {"day": "yesterday"}, 400, "invalid-parameter"),
        (uscc(1), {"reader": "public"}, 400, "unknown-parameter"),
        (uscc(9), {}, 404, "not-found"),
        ("330203000000009", {}, 404, "not-found"),
    ],
)
def test_what_cannot_be_answered_says_why(
    office: Reader, path: str, asked: dict[str, Any], status: int, kind: str
) -> None:
    answer = office.ask(f"/api/v1/enterprises/{path}/evaluation", **asked)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")


@pytest.mark.usefixtures("town")
def test_a_draft_is_nobodys_evaluation(office: Reader, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = changed_card(tmp_path, lambda data: data.update(status="draft"), version=2)
    cards = scorecard.Scorecards((*scorecard.default_scorecards().all, draft))
    monkeypatch.setattr("registry.api.routes.credit.evaluations.default_scorecards", lambda: cards)

    assert office.ask(f"/api/v1/enterprises/{uscc(1)}/evaluation", card="enterprise_credit@2").status_code == 400
    assert office.get(f"/enterprises/{uscc(1)}/evaluation")["scorecard"] == "enterprise_credit@1"


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize("scope", ["credit:public", "read:*", "operate"])
def test_evaluations_are_for_departments(api: Api, scope: str) -> None:
    assert api.client(scope).ask(f"/api/v1/enterprises/{uscc(1)}/evaluation").status_code == 403


@pytest.mark.usefixtures("town")
def test_answers_are_what_the_description_says(office: Reader, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    path = "/api/v1/enterprises/{enterprise}/evaluation"
    schema = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {"components": description["components"], **schema}

    found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(
        office.get(f"/enterprises/{uscc(1)}/evaluation")
    )
    assert [error.message for error in found] == []


def test_until_all_are_evaluated_by_a_new_card_the_one_before_holds(
    town: Town, office: Reader, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scorecard.default_scorecards().one("enterprise_credit@1")
    new = changed_card(tmp_path, lambda data: data.update(valid_from="2026-05-01"), version=2)
    evaluations.keep(town.connection, first, now=town.now)
    monkeypatch.setattr("registry.storage.reads.credit.default_scorecards", lambda: scorecard.Scorecards((first, new)))

    def versions() -> list[int]:
        return [each["version"] for each in office.get(f"/enterprises/{uscc(1)}/credit")["evaluations"]]

    assert versions() == [1]
    evaluations.begin(town.connection, Evaluator(new), now=town.now)
    assert versions() == [1]
    evaluations.keep(town.connection, new, now=town.now)
    assert versions() == [2]
