"""Evaluations on a real PostgreSQL: first all, then only those that changed; past days; any interruption."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from registry.credit import evaluations
from registry.credit.enterprise_file import china_day
from registry.domain.credit.scorecard import Scorecard, UnknownScorecard, default_scorecards
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc
from tests.credit.evaluation.cards import CARD, SHIPPED, changed_card


def rows(town: Town, card: Scorecard = CARD) -> dict[str, tuple[Any, ...]]:
    """What is kept, by enterprise, without the moment."""
    found = town.rows(
        "SELECT entity, day, score, grade, factors, input_digest, changes_on FROM registry.evaluation"
        " WHERE scorecard = %s AND version = %s",
        card.name,
        card.version,
    )
    return {row[0]: row[1:] for row in found}


def keep(town: Town, card: Scorecard = CARD, **options: Any) -> dict[str, int]:
    """Keep the evaluations; what it came to."""
    report = evaluations.keep(town.connection, card, now=town.now, **options)
    assert report.complete
    return dict(report.counts)


def agree_with_the_registry(town: Town, card: Scorecard = CARD) -> None:
    """Each kept evaluation is what its enterprise's records give today."""
    kept = rows(town, card)
    today = china_day(town.now)
    registered = {
        entity
        for (entity,) in town.rows(
            "SELECT entity FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id"
            " WHERE d.name = 'legal_entity'"
        )
    }
    assert set(kept) == registered
    for entity in kept:
        stored = evaluations.read(town.connection, card, entity)
        now = evaluations.evaluate_now(town.connection, card, entity, today)
        with town.connection.transaction(force_rollback=True):
            town.connection.execute("UPDATE registry.record SET valid_from = '2026-01-01'")
            past = evaluations.evaluate_as_of(town.connection, card, entity, today)
        assert stored is not None
        assert now is not None
        assert now == past
        assert {**stored.as_dict(), "day": ""} == {**now.as_dict(), "day": ""}


def populate(town: Town, number: int = 6) -> None:
    town.say("legal_entity", {str(each): enterprise(each) for each in range(number)})
    town.say("administrative_penalty", {"p1": penalty(1, decided_on="2026-08-01", fine=fine("2"))})
    town.say(
        "tax_credit_rating",
        {
            f"t{each}": body(each, year=2025, grade="ABMCD"[each % 5], valid_from="2026-04-15", valid_to="2027-03-31")
            for each in range(number)
        },
    )


def fine(amount: str) -> dict[str, str]:
    return {"amount": amount, "unit": "万元", "currency": "CNY"}


def test_all_registered_enterprises_are_evaluated_and_then_nothing_is_left_to_do(town: Town) -> None:
    populate(town)

    counts = keep(town)
    assert (counts["evaluated"], counts["written"]) == (6, 6)

    agree_with_the_registry(town)
    assert {entity: row[2] for entity, row in rows(town).items()} == {
        uscc(0): "A", uscc(1): "A", uscc(2): "A", uscc(3): "A", uscc(4): "C", uscc(5): "A",
    }  # fmt: skip
    before = rows(town)
    assert not keep(town).get("evaluated")
    assert rows(town) == before


def test_only_those_are_evaluated_again_whose_records_changed(town: Town) -> None:
    populate(town)
    keep(town)

    town.say("administrative_penalty", {"p2": penalty(2, decided_on="2026-10-01", fine=fine("2"))})
    town.say("legal_entity", {"5": enterprise(5, status="revoked")})

    counts = keep(town)
    assert (counts["evaluated"], counts["written"]) == (2, 2)
    assert {entity: row[2] for entity, row in rows(town).items() if entity in (uscc(2), uscc(5))} == {
        uscc(2): "B",
        uscc(5): "D",
    }
    agree_with_the_registry(town)


def test_a_deleted_record_and_a_deleted_enterprise_are_followed(town: Town) -> None:
    populate(town)
    keep(town)

    town.end("administrative_penalty", "p1")
    town.end("legal_entity", "3")
    counts = keep(town)

    assert (counts["written"], counts["removed"]) == (1, 1)
    assert uscc(3) not in rows(town)
    agree_with_the_registry(town)


def test_an_enterprise_is_evaluated_again_when_its_day_has_come(town: Town) -> None:
    populate(town)
    keep(town)
    on = rows(town)[uscc(1)][5]
    assert on == date(2027, 4, 1)  # the rating's last day is over

    town.now = datetime(2027, 3, 31, 15, 59, tzinfo=UTC)
    assert not keep(town).get("written")
    town.now = datetime(2027, 3, 31, 16, 1, tzinfo=UTC)
    assert keep(town)["written"] == 6
    agree_with_the_registry(town)


def test_marks_are_followed_whoever_makes_them(town: Town) -> None:
    populate(town)
    keep(town)
    town.connection.execute(
        "INSERT INTO registry.credit_mark (dataset_id, key, entity, disputed_since)"
        " SELECT id, 'p1', %s, %s FROM registry.dataset WHERE name = 'administrative_penalty'",
        (uscc(1), town.now),
    )
    assert keep(town)["written"] == 1
    disputed = evaluations.read(town.connection, CARD, uscc(1))
    assert disputed is not None
    assert [record.disputed for record in disputed.factors[4].records] == [True]

    town.connection.execute("UPDATE registry.credit_mark SET disputed_since = NULL, repaired_at = %s", (town.now,))
    assert keep(town)["written"] == 1
    repaired = evaluations.read(town.connection, CARD, uscc(1))
    assert repaired is not None
    assert [(record.key, record.rule) for record in repaired.factors[4].records] == [(None, "repaired")]
    assert repaired.score == disputed.score + 8
    agree_with_the_registry(town)

    town.connection.execute("DELETE FROM registry.credit_mark")
    assert keep(town)["written"] == 1
    assert town.rows("SELECT count(*) FROM registry.evaluation_touch WHERE xid < (SELECT min(touched_xid::text::bigint)"
                     "::text::xid8 FROM registry.evaluation_card)") == [(0,)]  # fmt: skip
    agree_with_the_registry(town)


def test_a_record_without_a_code_counts_while_its_match_is_accepted(town: Town) -> None:
    populate(town)
    town.say("administrative_penalty", {"x": penalty(2, uscc=None, holder_code="330203000000002",
                                                     holder_code_type="099", fine=fine("2"))})  # fmt: skip
    keep(town)
    before = rows(town)[uscc(2)]
    town.connection.execute(
        "INSERT INTO registry.entity_match (dataset_id, key, entity, score, features, subject, state, decided_by,"
        " decided_at, found_at, accepted_at) SELECT id, 'x', %s, 1, '{}', gen_random_uuid(), 'accepted', 'rule:test',"
        " now(), now(), now() FROM registry.dataset WHERE name = 'administrative_penalty'",
        (uscc(2),),
    )
    assert keep(town)["written"] == 1
    assert rows(town)[uscc(2)][1] == before[1] - 8

    town.connection.execute("UPDATE registry.entity_match SET state = 'undone', ended_at = now()")
    assert keep(town)["written"] == 1
    assert rows(town)[uscc(2)][1:] == before[1:]


def test_a_past_day_is_evaluated_from_what_was_held_then(town: Town) -> None:
    populate(town, 2)
    today = datetime.now(UTC)
    day = china_day(today)
    town.connection.execute("UPDATE registry.record SET valid_from = valid_from - interval '10 days'")
    town.say("legal_entity", {"0": enterprise(0, status="revoked")})

    then = evaluations.evaluate_as_of(town.connection, CARD, uscc(0), date.fromordinal(day.toordinal() - 3))
    now = evaluations.evaluate_as_of(town.connection, CARD, uscc(0), day)
    assert then is not None
    assert now is not None
    assert (then.grade, now.grade) == ("A", "D")
    assert evaluations.evaluate_as_of(town.connection, CARD, uscc(0), date(2020, 1, 1)) is None


def test_another_text_of_the_card_begins_again_and_drops_nothing_meanwhile(town: Town, tmp_path: Any) -> None:
    populate(town)
    keep(town)
    town.end("legal_entity", "4")

    def change(data: dict[str, Any]) -> None:
        data["factors"][0]["rules"][0]["points"] = 10

    other = changed_card(tmp_path, change)
    assert keep(town, other)["evaluated"] >= 5
    agree_with_the_registry(town, other)
    assert uscc(4) not in rows(town)


def test_who_runs_with_other_rules_than_those_begun_with_is_refused(
    town: Town, tmp_path: Any, monkeypatch: Any
) -> None:
    populate(town)
    keep(town)
    other = changed_card(tmp_path, lambda data: data.update(source="another text"))
    town.say("legal_entity", {"5": enterprise(5, status="revoked")})
    monkeypatch.setattr(evaluations, "begin", lambda *_, **__: False)
    monkeypatch.setattr(evaluations, "complete", lambda *_, **__: True)

    with pytest.raises(evaluations.OtherRules, match="other rules"):
        keep(town, other)


def test_the_parts_of_the_first_evaluation_leave_nobody_out(town: Town, monkeypatch: Any) -> None:
    monkeypatch.setattr(evaluations, "FIRST_STEP", 3)
    monkeypatch.setattr(evaluations, "PARTS", 4)
    town.say("legal_entity", {str(each): enterprise(each) for each in range(29)})

    assert keep(town)["evaluated"] == 29
    agree_with_the_registry(town)
    assert town.rows("SELECT count(*), bool_and(done) FROM registry.evaluation_part") == [(4, True)]


def test_two_processes_evaluate_everybody_once(town: Town, registry_url: str) -> None:
    town.say("legal_entity", {str(each): enterprise(each) for each in range(50)})

    evaluations.evaluate_in_processes(registry_url, SHIPPED, 2, now=town.now)

    assert not keep(town).get("evaluated")
    agree_with_the_registry(town)
    assert len(rows(town)) == 50


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_statement_it_goes_on_and_comes_to_the_same(town: Town, seed: int, monkeypatch: Any) -> None:
    """The connection dies in the middle of some statement, over and over, while records change."""
    monkeypatch.setattr(evaluations, "FIRST_STEP", 2)
    monkeypatch.setattr(evaluations, "STEP", 2)
    draws = random.Random(seed)
    populate(town, 8)
    attempts = 0
    while True:
        attempts += 1
        statements = draws.randint(3, 40)
        connection = psycopg.connect(town.url, autocommit=True)
        dying = Dying(connection, statements)
        try:
            evaluations.keep(dying, CARD, now=town.now)  # type: ignore[arg-type]
        except psycopg.OperationalError:
            connection.close()
            if attempts == 2:
                town.say("legal_entity", {"7": enterprise(7, status="revoked"), "9": enterprise(9)})
            if attempts > 8:
                break
            continue
        connection.close()
        break
    keep(town)
    agree_with_the_registry(town)


class Dying:
    """A connection whose server goes away at its n-th statement."""

    def __init__(self, connection: psycopg.Connection, statements: int) -> None:
        self._connection = connection
        self._left = statements

    def execute(self, *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            with psycopg.connect(self._connection.info.dsn, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (self._connection.info.backend_pid,))
        return self._connection.execute(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def test_a_card_out_of_use_is_dropped_with_its_evaluations(town: Town) -> None:
    populate(town)
    keep(town)

    assert evaluations.drop(town.connection, CARD) == 6
    assert rows(town) == {}
    assert town.rows("SELECT count(*) FROM registry.evaluation_part") == [(0,)]
    assert keep(town)["written"] == 6


def test_the_card_in_force_is_found_by_the_day() -> None:
    assert default_scorecards().live_one("enterprise_credit", date(2026, 4, 1)).reference == "enterprise_credit@1"
    with pytest.raises(UnknownScorecard, match="no version of the scorecard"):
        default_scorecards().live_one("enterprise_credit", date(2026, 3, 31))
