"""Who sees a record is right on every day of its life: held against a slow model, and at the boundaries by hand."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.domain.credit.publicity import REGIMES, GradeInputs, Regimes, load_regimes
from registry.domain.credit.readers import Reader
from registry.domain.credit.visibility import Facts, is_disputed, visibility
from tests.credit.rules.slow_model import Case, marked, seen

DAY = timedelta(days=1)
READERS: tuple[Reader, ...] = get_args(Reader)

INPUTS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("2019", "penalty", "minor"): {"penalty_kinds": {"fine"}, "procedure": "summary"},
    ("2019", "penalty", "ordinary"): {"penalty_kinds": {"warning"}},
    ("2019", "penalty", "serious"): {"penalty_kinds": {"licence_revocation"}},
    ("2019", "penalty", "special"): {"penalty_kinds": {"suspension_of_business"}, "sectors": {"fire"}},
    ("2023", "penalty", "minor"): {"penalty_kinds": {"warning", "public_criticism"}},
    ("2023", "penalty", "ordinary"): {"penalty_kinds": {"fine"}, "fine": Decimal(3000)},
    ("2023", "penalty", "safety"): {"penalty_kinds": {"warning", "fine"}, "sectors": {"food"}},
    ("2026", "penalty", "minor"): {"penalty_kinds": {"warning"}},
    ("2026", "penalty", "ordinary"): {"penalty_kinds": {"warning", "confiscation_of_income"}},
    ("2026", "penalty", "serious"): {"penalty_kinds": {"fine", "trade_ban"}},
    **{(regime, "tax_rating", "a"): {"stated_grade": "A"} for regime in ("2019", "2023", "2026")},
    **{(regime, "tax_rating", "other"): {"stated_grade": "C"} for regime in ("2019", "2023", "2026")},
}
DAYS = {
    "2019": (date(2015, 1, 1), date(2023, 4, 30)),
    "2023": (date(2023, 5, 1), date(2026, 3, 31)),
    "2026": (date(2026, 4, 1), date(2029, 12, 31)),
}
KINDS = [
    *INPUTS,
    *((regime, "permit", "valid") for regime in DAYS),
    *((regime, "serious_dishonesty", "serious") for regime in DAYS),
    *((regime, "abnormal_operation", "listed") for regime in DAYS),
    *((regime, "red_list", "listed") for regime in DAYS),
    *((regime, "tax_arrears", "announced") for regime in DAYS),
]


@st.composite
def decision_days(draw: st.DrawFn, regime: str) -> date:
    """Any day of a regime, often a month's end, a leap day or the regime's own first or last day."""
    first, last = DAYS[regime]
    leap = (date(year, 2, 29) for year in (2016, 2020, 2024, 2028))
    special = [day for day in (first, last, *leap) if first <= day <= last]
    ends = st.builds(
        lambda year, month: date(year + month // 12, month % 12 + 1, 1) - DAY,
        st.integers(first.year, last.year),
        st.integers(1, 12),
    ).filter(lambda day: first <= day <= last)
    return draw(st.one_of(st.dates(first, last), ends, st.sampled_from(special)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    regime, kind, grade = draw(st.sampled_from(KINDS))
    decided_on = draw(decision_days(regime))

    def later(chance: int = 3) -> date | None:
        if draw(st.integers(1, chance)) > 1:
            return None
        return decided_on + draw(st.integers(-2, 1200)) * DAY

    return Case(
        regime=regime,
        kind=kind,
        grade=grade,
        decided_on=decided_on,
        holder=draw(st.sampled_from(["legal_person", "legal_person", "individual_business", "natural_person"])),
        use_scope=draw(st.sampled_from(["public", "public", "government", "internal"])),
        stated_until=later(),
        removed_on=later() if kind in {"serious_dishonesty", "abnormal_operation", "red_list", "tax_arrears"} else None,
        necessary=draw(st.booleans()),
        performed_on=later(),
        repaired_on=later(4),
        changed_on=later(5),
        withdrawn=draw(st.integers(1, 10)) == 1,
        disputed_since=(since := later()),
        disputed_until=None if since is None else since + draw(st.integers(0, 60)) * DAY,
    )


@given(cases(), st.sampled_from(READERS))
def test_visibility_is_that_of_the_slow_model_on_every_day_of_a_records_life(case: Case, reader: Reader) -> None:
    facts = facts_of_case(case)

    for day in days_of_life(case):
        found = visibility(facts, day, reader)
        assert found.visible is seen(case, day, reader), day
        assert found.visible is (found.since is not None and found.since <= day and not ended(found.until, day)), day
        assert found.marks == (("disputed",) if found.visible and marked(case, day) else ()), day
        assert is_disputed(facts, day) is marked(case, day), day
        assert found.grade == case.grade


@pytest.fixture(scope="module")
def continuing(tmp_path_factory: pytest.TempPathFactory) -> Regimes:
    """Regimes of a sector that publishes beyond the maximum until the duty is performed."""
    folder = tmp_path_factory.mktemp("regimes")
    for path in REGIMES.iterdir():
        shutil.copy(path, folder)
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("at_maximum: stop", "at_maximum: continue"), encoding="utf-8")
    return load_regimes(folder)


@given(cases().filter(lambda case: case.grade in {"ordinary", "serious", "safety", "special"}))
@settings(max_examples=60)
def test_a_sector_may_publish_on_until_the_duty_is_performed(continuing: Regimes, case: Case) -> None:
    facts = facts_of_case(case)

    for day in days_of_life(case):
        found = visibility(facts, day, "department", continuing)
        assert found.visible is seen(case, day, "department", continues=True), day
        assert found.visible is (found.since is not None and found.since <= day and not ended(found.until, day)), day


PENALTY = Case("2026", "penalty", "ordinary", date(2026, 5, 31))
BOUNDARIES = [
    # case, reader, the last day on which it is seen
    ("ordinary of 2026, one year", PENALTY, "public", "2027-05-31"),
    ("from a month's last day", replace(PENALTY, decided_on=date(2026, 8, 31)), "public", "2027-08-31"),
    ("from a leap day", Case("2023", "penalty", "ordinary", date(2024, 2, 29)), "public", "2027-02-28"),
    ("to a leap year's February", replace(PENALTY, decided_on=date(2027, 2, 28)), "public", "2028-02-28"),
    (
        "31 January and a month clip to February's end",
        replace(PENALTY, grade="minor", decided_on=date(2026, 11, 30), necessary=True),
        "public",
        "2027-02-28",
    ),
    ("serious of 2026, three years", replace(PENALTY, grade="serious"), "public", "2029-05-31"),
    ("the last day of the trial order", Case("2023", "penalty", "safety", date(2026, 3, 31)), "public", "2029-03-31"),
    ("the first day of order 36", replace(PENALTY, decided_on=date(2026, 4, 1)), "public", "2027-04-01"),
    ("the last day of 2019's", Case("2019", "penalty", "ordinary", date(2023, 4, 30)), "public", "2024-04-30"),
    ("the first of 2023's", Case("2023", "penalty", "ordinary", date(2023, 5, 1)), "public", "2026-05-01"),
    ("serious of 2019, three years", Case("2019", "penalty", "serious", date(2021, 1, 31)), "public", "2024-01-31"),
    (
        "the department's own last day within the term",
        replace(PENALTY, stated_until=date(2026, 12, 1)),
        "public",
        "2026-12-01",
    ),
    ("its own last day before the minimum", replace(PENALTY, stated_until=date(2026, 6, 1)), "public", "2026-08-31"),
    ("its own last day beyond the maximum", replace(PENALTY, stated_until=date(2029, 1, 1)), "public", "2027-05-31"),
    ("repaired", replace(PENALTY, repaired_on=date(2026, 9, 1)), "department", "2026-08-31"),
    ("revoked", replace(PENALTY, changed_on=date(2026, 6, 15)), "department", "2026-06-14"),
    (
        "removed from the list",
        Case("2026", "abnormal_operation", "listed", date(2026, 5, 1), removed_on=date(2026, 7, 1)),
        "public",
        "2026-06-30",
    ),
    (
        "a permit to its last day",
        Case("2026", "permit", "valid", date(2026, 5, 1), stated_until=date(2029, 4, 30)),
        "public",
        "2029-04-30",
    ),
    (
        "the serious list at its maximum",
        Case("2026", "serious_dishonesty", "serious", date(2026, 5, 1)),
        "public",
        "2029-05-01",
    ),
]


@pytest.mark.parametrize(
    ("case", "reader", "last"), [row[1:] for row in BOUNDARIES], ids=[row[0] for row in BOUNDARIES]
)
def test_a_record_is_seen_from_its_decision_to_its_last_day(case: Case, reader: Reader, last: str) -> None:
    facts, until = facts_of_case(case), date.fromisoformat(last)

    assert not visibility(facts, case.decided_on - DAY, reader).visible
    assert visibility(facts, case.decided_on, reader).visible
    assert visibility(facts, until, reader).visible
    assert not visibility(facts, until + DAY, reader).visible
    assert visibility(facts, until, reader).until == until


NEVER = [
    ("a warning of 2023", Case("2023", "penalty", "minor", date(2024, 1, 5)), "grade_not_published"),
    ("a warning of 2026", replace(PENALTY, grade="minor"), "publication_not_requested"),
    ("a natural person", replace(PENALTY, holder="natural_person"), "holder_kind"),
    ("for government only", replace(PENALTY, use_scope="government"), "use_scope"),
    ("internal", replace(PENALTY, use_scope="internal"), "use_scope"),
    ("withdrawn by the source", replace(PENALTY, withdrawn=True), "withdrawn"),
    ("repaired on the day of the decision", replace(PENALTY, repaired_on=PENALTY.decided_on), "repaired"),
]


@pytest.mark.parametrize(("case", "reason"), [row[1:] for row in NEVER], ids=[row[0] for row in NEVER])
def test_the_public_never_sees(case: Case, reason: str) -> None:
    found = visibility(facts_of_case(case), case.decided_on, "public")

    assert (found.visible, found.since, found.until) == (False, None, None)
    assert found.reason.code == reason


STATED = replace(PENALTY, stated_until=date(2027, 1, 1))
REPAIRED = replace(PENALTY, repaired_on=date(2026, 9, 1))
LISTED = Case("2026", "abnormal_operation", "listed", date(2026, 5, 1))
PERMIT = Case("2023", "permit", "valid", date(2024, 1, 1))


@pytest.mark.parametrize(
    ("case", "day", "code", "rule"),
    [
        (PENALTY, "2026-05-30", "before_decision", "publicity/2026#penalty.ordinary"),
        (PENALTY, "2026-05-31", "in_term", "publicity/2026#penalty.ordinary"),
        (PENALTY, "2027-06-01", "maximum_term_over", "publicity/2026#penalty.ordinary"),
        (STATED, "2027-01-02", "stated_term_over", "publicity/2026#penalty.ordinary"),
        (REPAIRED, "2026-09-01", "repaired", "publicity/2026#penalty.ordinary"),
        (replace(REPAIRED, changed_on=date(2026, 9, 1)), "2026-09-01", "changed", "publicity/2026#penalty.ordinary"),
        (
            replace(PENALTY, repaired_on=date(2028, 9, 1)),
            "2028-09-02",
            "maximum_term_over",
            "publicity/2026#penalty.ordinary",
        ),
        (replace(PENALTY, use_scope="government"), "2026-06-01", "use_scope", "readers/1#public"),
        (PERMIT, "2026-06-01", "valid", "publicity/2023#permit.valid"),
        (
            replace(PERMIT, stated_until=date(2025, 1, 1)),
            "2026-06-01",
            "permit_expired",
            "publicity/2023#permit.valid",
        ),
        (LISTED, "2036-06-01", "listed", "publicity/2026#abnormal_operation.listed"),
        (
            replace(LISTED, removed_on=date(2026, 6, 1)),
            "2026-06-01",
            "removed",
            "publicity/2026#abnormal_operation.listed",
        ),
    ],
)
def test_it_says_why_and_by_which_rule(case: Case, day: str, code: str, rule: str) -> None:
    found = visibility(facts_of_case(case), date.fromisoformat(day), "public")

    assert (found.reason.code, found.rule) == (code, rule)
    assert found.reason.zh
    assert found.reason.en


def test_beyond_the_maximum_it_says_that_the_duty_is_open(continuing: Regimes) -> None:
    facts = facts_of_case(PENALTY)

    assert visibility(facts, date(2027, 5, 31), "public", continuing).reason.code == "in_term"
    assert visibility(facts, date(2027, 6, 1), "public", continuing).reason.code == "unperformed"
    done = replace(facts, duty_performed_on=date(2028, 1, 1))
    assert visibility(done, date(2028, 1, 1), "public", continuing).reason.code == "performed"


@pytest.mark.parametrize(("performed", "last"), [("2027-05-30", "31"), ("2027-05-31", "31"), ("2027-06-02", "1")])
def test_a_duty_performed_within_the_maximum_does_not_shorten_it(
    continuing: Regimes, performed: str, last: str
) -> None:
    facts = replace(facts_of_case(PENALTY), duty_performed_on=date.fromisoformat(performed))

    found = visibility(facts, date(2027, 1, 1), "public", continuing)

    assert found.until is not None
    assert str(found.until.day) == last


def test_a_stated_end_at_the_maximum_does_not_end_what_goes_on_beyond_it(continuing: Regimes) -> None:
    at_maximum = facts_of_case(replace(PENALTY, stated_until=date(2027, 5, 31)))
    before = facts_of_case(replace(PENALTY, stated_until=date(2027, 5, 30)))

    assert visibility(at_maximum, date(2028, 1, 1), "public", continuing).visible
    assert not visibility(before, date(2027, 5, 31), "public", continuing).visible
    assert visibility(at_maximum, date(2027, 6, 1), "public").reason.code == "maximum_term_over"


def test_a_disputed_record_stays_visible_with_its_mark_until_the_objection_is_decided() -> None:
    facts = replace(facts_of_case(PENALTY), disputed_since=date(2026, 7, 1), disputed_until=date(2026, 7, 8))

    marks = {day: visibility(facts, date(2026, 7, day), "public").marks for day in (1, 7, 8)}

    assert marks == {1: ("disputed",), 7: ("disputed",), 8: ()}
    assert visibility(facts, date(2026, 6, 30), "public").marks == ()


def test_a_record_of_a_grade_that_is_not_published_is_shared_with_departments_for_its_term() -> None:
    facts = facts_of_case(Case("2023", "penalty", "minor", date(2024, 1, 31)))

    assert visibility(facts, date(2024, 4, 30), "department").visible
    assert not visibility(facts, date(2024, 5, 1), "department").visible
    assert not visibility(facts, date(2024, 4, 30), "public").visible


def facts_of_case(case: Case) -> Facts:
    found = INPUTS.get((case.regime, case.kind, case.grade), {})
    inputs = GradeInputs(
        holder=case.holder,  # type: ignore[arg-type]
        penalty_kinds=frozenset(found.get("penalty_kinds", ())),
        fine=found.get("fine"),
        procedure=found.get("procedure", "ordinary"),
        sectors=frozenset(found.get("sectors", ())),
        stated_grade=found.get("stated_grade"),
    )
    return Facts(
        kind=case.kind,
        decided_on=case.decided_on,
        inputs=inputs,
        use_scope=case.use_scope,  # type: ignore[arg-type]
        stated_until=case.stated_until,
        ended_on=case.removed_on,
        publication_requested=case.necessary,
        duty_performed_on=case.performed_on,
        repaired_on=case.repaired_on,
        changed_on=case.changed_on,
        withdrawn=case.withdrawn,
        disputed_since=case.disputed_since,
        disputed_until=case.disputed_until,
    )


def days_of_life(case: Case) -> list[date]:
    """Every day from shortly before the decision to a month after everything is over."""
    return [case.decided_on + number * DAY for number in range(-3, 1240)]


def ended(until: date | None, day: date) -> bool:
    return until is not None and until < day


def test_the_regimes_are_those_that_come_with_the_hub() -> None:
    assert sorted(path.stem for path in REGIMES.glob("*.yaml")) == sorted(DAYS)


def test_a_million_records_take_well_under_a_minute_of_one_core() -> None:
    facts = [facts_of_case(replace(PENALTY, decided_on=PENALTY.decided_on + number * DAY)) for number in range(20_000)]
    begun = time.process_time()

    seen_ones = sum(visibility(each, date(2040, 1, 1), "public").visible for each in facts)

    assert seen_ones > 0
    assert (time.process_time() - begun) * 50 < 40
