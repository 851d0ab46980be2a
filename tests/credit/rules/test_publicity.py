"""The grade and the terms of a record come from the regime of its decision's day; wrong files say what is wrong."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.publicity import (
    REGIMES,
    GradeInputs,
    HolderKind,
    NoRegime,
    add_months,
    default_regimes,
    load_regimes,
)
from registry.domain.credit.rule_files import RuleFileError
from schemas import code_lists
from tests.credit.rules.slow_model import within_months


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-08-31", 3, "2026-11-30"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2026-05-31", 0, "2026-05-31"),
    ],
)
def test_months_are_calendar_months_that_clip_to_the_months_end(day: str, months: int, end: str) -> None:
    assert add_months(date.fromisoformat(day), months) == date.fromisoformat(end)


@given(st.dates(date(2000, 1, 1), date(2090, 12, 31)), st.integers(0, 100))
def test_the_day_found_is_the_last_one_within_the_months(day: date, months: int) -> None:
    end = add_months(day, months)

    assert within_months(day, end, months)
    assert not within_months(day, end + timedelta(days=1), months)


ANY, FOOD, FIRE = (), ("food",), ("fire",)
LONG, SHORT = "ordinary", "summary"
TABLE = [
    # decided on, kinds of penalty, fine in yuan, procedure, sectors, grade, minimum until, maximum until, repair from
    ("2021-01-31", "warning", None, LONG, ANY, "ordinary", "2021-04-30", "2022-01-31", "2021-05-01"),
    ("2021-01-31", "licence_revocation", None, LONG, ANY, "serious", "2021-07-31", "2024-01-31", "2021-08-01"),
    ("2021-01-31", "closure", None, LONG, FOOD, "serious", "2021-07-31", "2024-01-31", "2021-08-01"),
    ("2021-01-31", "licence_revocation", None, LONG, FOOD, "special", "2024-01-31", "2024-01-31", None),
    ("2023-04-30", "fine", 3000, LONG, FOOD, "ordinary", "2023-07-30", "2024-04-30", "2023-07-31"),
    ("2023-05-01", "fine", 3000, LONG, FOOD, "safety", "2024-05-01", "2026-05-01", "2024-05-02"),
    ("2024-02-29", "fine", 3000, LONG, ANY, "ordinary", "2024-05-29", "2027-02-28", "2024-05-30"),
    ("2024-02-29", "fine", 3000, LONG, FIRE, "safety", "2025-02-28", "2027-02-28", "2025-03-01"),
    ("2026-03-31", "warning", None, LONG, FOOD, "minor", "2026-03-31", "2026-06-30", "2026-03-31"),
    ("2026-03-31", "trade_ban", None, LONG, ANY, "ordinary", "2026-06-30", "2029-03-31", "2026-07-01"),
    ("2026-04-01", "trade_ban", None, LONG, ANY, "serious", "2027-04-01", "2029-04-01", "2027-04-02"),
    ("2026-04-01", "warning", None, LONG, ANY, "minor", "2026-04-01", "2026-07-01", "2026-04-01"),
    ("2026-04-01", "warning public_criticism", None, LONG, ANY, "minor", "2026-04-01", "2026-07-01", "2026-04-01"),
    ("2026-04-01", "fine", 200, SHORT, ANY, "minor", "2026-04-01", "2026-07-01", "2026-04-01"),
    ("2026-04-01", "fine", 9999, LONG, ANY, "minor", "2026-04-01", "2026-07-01", "2026-04-01"),
    ("2026-04-01", "fine", 10000, LONG, ANY, "ordinary", "2026-07-01", "2027-04-01", "2026-07-02"),
    ("2026-04-01", "fine", None, LONG, ANY, "ordinary", "2026-07-01", "2027-04-01", "2026-07-02"),
    ("2026-04-01", "fine", 999999, LONG, ANY, "ordinary", "2026-07-01", "2027-04-01", "2026-07-02"),
    ("2026-04-01", "fine", 1000000, LONG, ANY, "serious", "2027-04-01", "2029-04-01", "2027-04-02"),
    ("2026-04-01", "confiscation_of_income", None, SHORT, ANY, "ordinary", "2026-07-01", "2027-04-01", "2026-07-02"),
    ("2026-08-31", "warning licence_revocation", None, LONG, ANY, "serious", "2027-08-31", "2029-08-31", "2027-09-01"),
    ("2026-05-31", "other", None, LONG, ANY, "ordinary", "2026-08-31", "2027-05-31", "2026-09-01"),
    ("2026-05-31", "", None, LONG, ANY, "ordinary", "2026-08-31", "2027-05-31", "2026-09-01"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]} {row[2]} {row[5]}")
def test_a_penalty_has_the_grade_and_terms_of_its_regime(row: tuple[object, ...]) -> None:
    decided_on, kinds, fine, procedure, sectors, grade, minimum, maximum, repair = row
    inputs = GradeInputs(
        holder="legal_person",
        penalty_kinds=frozenset(str(kinds).split()),
        fine=None if fine is None else Decimal(str(fine)),
        procedure=procedure,  # type: ignore[arg-type]
        sectors=frozenset(sectors),  # type: ignore[call-overload]
    )

    found = default_regimes().term("penalty", date.fromisoformat(str(decided_on)), inputs)

    assert (found.grade.code, str(found.minimum_until), str(found.maximum_until)) == (grade, minimum, maximum)
    assert (found.repair_from and str(found.repair_from)) == repair


@pytest.mark.parametrize(("holder", "grade"), [("legal_person", "ordinary"), ("individual_business", "serious")])
def test_what_is_a_huge_fine_depends_on_who_pays_it(holder: HolderKind, grade: str) -> None:
    inputs = GradeInputs(holder=holder, penalty_kinds=frozenset({"fine"}), fine=Decimal(200_000))

    assert default_regimes().term("penalty", date(2026, 5, 1), inputs).grade.code == grade


@given(
    st.dates(date(1990, 1, 1), date(2060, 1, 1)),
    st.frozensets(st.sampled_from(sorted(code_lists.load("penalty_kinds").codes))),
    st.one_of(st.none(), st.decimals(0, 10_000_000, places=2)),
    st.sampled_from(["ordinary", "summary"]),
    st.sampled_from(["legal_person", "individual_business", "natural_person"]),
)
def test_every_decision_has_one_regime_and_a_grade(
    day: date, kinds: frozenset[str], fine: Decimal | None, procedure: str, holder: HolderKind
) -> None:
    regimes = default_regimes()
    inputs = GradeInputs(holder, kinds, fine, procedure)  # type: ignore[arg-type]

    assert sum(regime.covers(day) for regime in regimes.all) == 1
    for kind in regimes.on(day).kinds:
        found = regimes.term(kind, day, inputs)
        assert found.maximum_until is None or found.minimum_until <= found.maximum_until


@given(st.frozensets(st.sampled_from(sorted(code_lists.load("penalty_kinds").codes)), min_size=1), st.data())
def test_a_further_kind_of_penalty_never_shortens_the_term(kinds: frozenset[str], data: st.DataObject) -> None:
    day = data.draw(st.sampled_from([date(2021, 1, 1), date(2024, 1, 1), date(2026, 5, 1)]))
    fewer = data.draw(st.frozensets(st.sampled_from(sorted(kinds)), min_size=1))

    many, few = (
        default_regimes().term("penalty", day, GradeInputs("legal_person", some)).grade for some in (kinds, fewer)
    )

    assert many.maximum_months is not None
    assert few.maximum_months is not None
    assert (many.minimum_months, many.maximum_months) >= (few.minimum_months, few.maximum_months)


def test_kinds_of_penalty_in_the_rules_are_those_of_the_code_list() -> None:
    known = code_lists.load("penalty_kinds").codes

    for regime in default_regimes().all:
        for rule in regime.kinds["penalty"].rules:
            assert rule.any_kind | rule.only_kinds <= known, regime.name


def test_every_regime_says_its_source_and_when_decisions_are_withdrawn() -> None:
    for regime in default_regimes().all:
        assert regime.source
        assert regime.withdraw_within_days == 3


def test_a_kind_without_rules_is_refused() -> None:
    with pytest.raises(NoRegime, match="regime 2026 has no rule for 'judgement'; it has penalty"):
        default_regimes().term("judgement", date(2026, 5, 1), GradeInputs("legal_person"))


def test_a_day_before_the_first_regime_is_refused(tmp_path: Path) -> None:
    _copy(tmp_path)
    (tmp_path / "2019.yaml").unlink()

    with pytest.raises(NoRegime, match="no regime of publicity covers decisions of 2020-01-01"):
        load_regimes(tmp_path).on(date(2020, 1, 1))


def test_a_new_regime_is_a_file(tmp_path: Path) -> None:
    _copy(tmp_path)
    text = (tmp_path / "2026.yaml").read_text(encoding="utf-8")
    (tmp_path / "2026.yaml").write_text(text.replace("valid_to: null", "valid_to: 2030-12-31"), encoding="utf-8")
    (tmp_path / "2031.yaml").write_text(
        text.replace('regime: "2026"', 'regime: "2031"')
        .replace("valid_from: 2026-04-01", "valid_from: 2031-01-01")
        .replace("maximum_months: 12", "maximum_months: 6"),
        encoding="utf-8",
    )

    regimes = load_regimes(tmp_path)
    inputs = GradeInputs("legal_person", frozenset({"other"}))

    assert regimes.term("penalty", date(2030, 12, 31), inputs).maximum_until == date(2031, 12, 31)
    assert regimes.term("penalty", date(2031, 1, 1), inputs).maximum_until == date(2031, 7, 1)


def test_every_fault_of_a_regime_is_said_with_its_line(tmp_path: Path) -> None:
    _copy(tmp_path)
    path = tmp_path / "2026.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('regime: "2026"', 'regime: "2025"')
        .replace("{grade: minor, procedure: summary}", "{grade: tiny, procedure: summary}")
        .replace("      - {grade: ordinary}\n", "")
        .replace("maximum_months: 12", "maximum_months: 2"),
        encoding="utf-8",
    )

    with pytest.raises(RuleFileError) as wrong:
        load_regimes(tmp_path)

    assert [(problem.key, problem.message) for problem in wrong.value.problems] == [
        ("regime", "got '2025' in 2026.yaml; expected the file's name"),
        ("kinds.penalty.grades.ordinary.maximum_months", "got 2; expected at least the minimum, 3"),
        ("kinds.penalty.rules[4].grade", "got 'tiny'; expected one of minor, ordinary, serious"),
        ("kinds.penalty.rules[7]", "expected no condition: the last rule takes what is left"),
    ]
    assert all(problem.line for problem in wrong.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("valid_from: 2026-04-01", "valid_from: 2026-04-02", "expected the day after the last one of 2023, 2026-03-31"),
        ("valid_from: 2026-04-01", "valid_from: 2026-02-30", "expected a day that exists"),
        ("valid_to: null", "valid_to: 2026-03-01", "expected no day before valid_from, 2026-04-01"),
        ("published: on_request", "published: sometimes", "expected one of always, on_request, never"),
        ("withdraw_within_days: 3\n", "", "withdraw_within_days: is missing"),
    ],
)
def test_a_wrong_regime_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    _copy(tmp_path)
    path = tmp_path / "2026.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    with pytest.raises(RuleFileError, match=message):
        load_regimes(tmp_path)


def _copy(folder: Path) -> None:
    for path in (*REGIMES.glob("*.yaml"), *REGIMES.glob("*.json")):
        shutil.copy(path, folder)
