"""What the platform is told, held against what the public could see on each day of a record's life."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.credit.marks import CHINA, Mark, china_day, with_mark
from registry.domain.credit.publication import Publish, Version, Withdraw, publication
from registry.domain.credit.record_facts import facts_of
from registry.domain.credit.visibility import visibility
from tests.credit.enterprise_file.town import penalty

DATASET, SCHEMA = "administrative_penalty", "administrative_penalty@1"
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
TODAY = china_day(NOW)


def offence(**fields: Any) -> dict[str, Any]:
    """A penalty of the ordinary grade, public until a year after its decision."""
    return penalty(1, **{"penalty_kinds": ["confiscation_of_income"], "decided_on": "2026-10-12"} | fields)


def at(days_ago: int, hour: int = 1) -> datetime:
    return NOW - timedelta(days=days_ago) + timedelta(hours=hour - 1)


def told(*versions: Version, mark: Mark | None = None, since: int | None = None, **options: Any) -> Any:
    """What is told today; ``since``: days ago, from the beginning of that day in China."""
    moment = None if since is None else datetime.combine(TODAY - timedelta(days=since), time(), CHINA)
    return publication(DATASET, SCHEMA, versions, mark or Mark(), NOW, since=moment, **options)


def present(days_ago: int, **fields: Any) -> Version:
    return Version(offence(**fields), at(days_ago), None)


def former(first: int, last: int, **fields: Any) -> Version:
    return Version(offence(**fields), at(first), at(last))


def withdrawn(said: Any) -> tuple[str, date]:
    assert isinstance(said, Withdraw), said
    return said.reason.code, said.since


def test_what_is_public_is_told_and_of_it_what_the_public_sees() -> None:
    said = told(present(30, legal_representative="司马仲达", remark="内部"))

    assert isinstance(said, Publish)
    assert "司马仲达" not in str(said.shown)
    assert "remark" not in said.shown
    assert said.shown["decision_number"] == offence()["decision_number"]


@pytest.mark.parametrize(
    "fields",
    [
        {"use_scope": "government"},
        {"use_scope": "internal"},
        {"penalty_kinds": ["warning"], "fine": None, "content": "警告"},
        {"status": "withdrawn"},
        {"holder_kind": "natural_person"},
        {"decided_on": "2020-01-06"},
    ],
)
def test_what_is_not_public_is_never_told(fields: dict[str, Any]) -> None:
    for since in (None, 0, 10, 400):
        assert told(present(5, **fields), since=since) is None


def test_only_what_is_new_since_then_is_told_again() -> None:
    assert told(present(5), since=4) is None
    assert isinstance(told(present(5), since=5), Publish)
    assert isinstance(told(present(5), since=4, mark=Mark(disputed_since=at(2))), Publish)
    assert isinstance(told(present(5), since=4, touched=True), Publish)
    assert told(present(5), since=1, mark=Mark(disputed_since=at(2))) is None


def test_an_open_objection_goes_with_the_decision() -> None:
    said = told(present(5), mark=Mark(disputed_since=at(2)))

    assert isinstance(said, Publish)
    assert said.disputed


def test_a_revoked_decision_is_withdrawn_with_its_last_day() -> None:
    said = told(former(30, 5), present(5, status="withdrawn"), since=7)

    assert withdrawn(said) == ("withdrawn", TODAY - timedelta(days=5))
    assert said.last_day == TODAY - timedelta(days=2)
    assert said.days_late == 2
    in_time = told(former(30, 3), present(3, status="withdrawn"), since=7)
    assert (in_time.last_day, in_time.days_late) == (TODAY, 0)


def test_a_revocation_dates_from_its_first_version_whatever_is_changed_after() -> None:
    said = told(former(30, 5), former(5, 2, status="withdrawn"), present(2, status="withdrawn", facts="补正"), since=7)

    assert withdrawn(said) == ("withdrawn", TODAY - timedelta(days=5))


def test_annulled_repaired_and_gone_decisions_are_withdrawn_for_that_reason() -> None:
    annulled = told(present(30), mark=Mark(withdrawn_at=at(2)), since=3)
    assert withdrawn(annulled) == ("changed", TODAY - timedelta(days=2))
    assert annulled.last_day == TODAY + timedelta(days=1)
    repaired = told(present(30), mark=Mark(repaired_at=at(2)), since=3)
    assert withdrawn(repaired) == ("repaired", TODAY - timedelta(days=2))
    assert (repaired.last_day, repaired.days_late) == (None, 0)
    assert withdrawn(told(former(30, 2), since=3)) == ("gone", TODAY - timedelta(days=2))
    assert withdrawn(told(former(30, 2), present(2, use_scope="internal"), since=3))[0] == "use_scope"
    ended = told(present(300, decided_on="2025-01-06", public_until=f"{TODAY - timedelta(days=2)}"), since=3)
    assert withdrawn(ended) == ("stated_term_over", TODAY - timedelta(days=1))


def test_what_ended_before_is_not_told_once_more() -> None:
    assert told(present(30), mark=Mark(repaired_at=at(9)), since=3) is None
    assert told(present(9, status="withdrawn"), since=3) is None
    assert told(former(30, 9), since=None) is None


def test_what_came_and_went_between_two_exports_is_withdrawn() -> None:
    assert withdrawn(told(former(2, 1), since=2)) == ("gone", TODAY - timedelta(days=1))
    assert withdrawn(told(present(1), mark=Mark(repaired_at=at(1, 5)), since=2))[0] == "repaired"


def test_a_corrected_decision_is_told_anew_and_not_withdrawn() -> None:
    said = told(former(30, 2), present(2, content="没收违法所得300元"), since=3)

    assert isinstance(said, Publish)
    assert said.shown["content"] == "没收违法所得300元"


BODIES = st.sampled_from(
    [
        offence(),
        offence(content="没收违法所得300元"),
        offence(status="withdrawn"),
        offence(use_scope="internal"),
        offence(public_until="2026-11-01"),
    ]
)


@given(
    bodies=st.lists(BODIES, min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 12), min_size=4, max_size=4),
    gone=st.booleans(),
    repaired=st.none() | st.integers(0, 20),
    exports=st.lists(st.integers(0, 25), min_size=1, max_size=4, unique=True),
)
def test_a_platform_that_takes_over_every_export_has_exactly_what_is_public(
    bodies: list[dict[str, Any]],
    lengths: list[int],
    gone: bool,  # noqa: FBT001
    repaired: int | None,
    exports: list[int],
) -> None:
    ends = 0
    versions: list[Version] = []
    for body, length in zip(reversed(bodies), lengths, strict=False):
        last = None if ends == 0 and not gone else at(ends)
        versions.insert(0, Version(body, at(ends + length), last))
        ends += length
    days = [*sorted(exports, reverse=True), 0]
    platform: dict[str, Any] | None = None
    before: int | None = None
    for day in days:
        now = at(day, 6)
        known = [each for each in versions if each.valid_from <= now]
        known = [
            replace(each, valid_to=None) if each.valid_to is not None and each.valid_to > now else each
            for each in known
        ]
        since = None if before is None else datetime.combine(china_day(at(before)) - timedelta(days=1), time(), CHINA)
        marked = repaired is not None and at(repaired) <= now
        mark = Mark(repaired_at=at(repaired or 0)) if marked else Mark()
        if since is None:
            known = [each for each in known if each.valid_to is None]
        else:
            known = [each for each in known if each.valid_to is None or each.valid_to >= since]
        said = publication(DATASET, SCHEMA, known, mark, now, since=since) if known else None
        if isinstance(said, Publish):
            platform = dict(said.shown)
        elif isinstance(said, Withdraw):
            platform = None
        before = day
    final = versions[-1]
    mark = Mark() if repaired is None else Mark(repaired_at=at(repaired))
    facts = with_mark(facts_of(DATASET, final.body), mark)
    public = final.valid_to is None and visibility(facts, china_day(at(0)), "public").visible
    assert (platform is not None) == public
    if platform is not None:
        assert platform["content"] == final.body["content"]
