"""``shuqiao credit export`` and ``quality``: the same as over HTTP, page after page, with the figures beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shuqiao.cli import credit_exchange
from tests import china
from tests.cli.conftest import Desk
from tests.credit.enterprise_file.town import Town, penalty

TODAY = china.today()  # what is visible follows the real clock here; days are chosen relative to it
YESTERDAY = f"{TODAY - timedelta(days=1)}"


def offence(number: int = 1, **fields: Any) -> dict[str, Any]:
    said = {"penalty_kinds": ["confiscation_of_income"], "decided_on": YESTERDAY, "content": "没收违法所得2000元"}
    return penalty(number, **said | {"fine": None, "decision_number": f"桥市监罚〔2026〕{number}号"} | fields)


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url, datetime.now(UTC))
    made.say("administrative_penalty", {f"P{number}": offence(number) for number in range(1, 6)})
    yield made
    made.connection.close()


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize("edition", ["new", "old"])
def test_an_export_has_every_page_under_one_head(
    desk: Desk, edition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credit_exchange, "_PAGE", 2)
    file = tmp_path / "penalties.csv"

    printed = desk.shuqiao("credit", "export", "penalties", "--edition", edition)
    written = desk.shuqiao("credit", "export", "penalties", "--edition", edition, "--output", str(file))

    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row["CF_WSH"] for row in rows] == [f"桥市监罚〔2026〕{number}号" for number in range(1, 6)]
    with file.open(encoding="utf-8", newline="") as opened:
        assert list(csv.DictReader(opened)) == rows
    assert "to publish: 5" in written.err
    assert ("holder_kind: 5" in written.err) == (edition == "old")
    assert ("CF_CFJGDM missing: 5" in written.err) == (edition == "new")


def test_withdrawals_are_told_with_how_many_are_late(desk: Desk, town: Town) -> None:
    town.say("administrative_penalty", {"P2": offence(2, status="withdrawn")})
    town.end("administrative_penalty", "P3")

    answer = desk.shuqiao("credit", "export", "penalties", "--since", YESTERDAY, "--withdrawals")

    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert [(row["CF_WSH"], row["撤回原因代码"]) for row in rows] == [
        ("桥市监罚〔2026〕2号", "withdrawn"), ("桥市监罚〔2026〕3号", "gone"),
    ]  # fmt: skip
    assert "to withdraw: 2；其中决定变更或撤销 changed or revoked: 1，逾期 late: 0" in answer.err
    lines = desk.shuqiao("credit", "export", "penalties", "--since", YESTERDAY, "--json").lines
    assert [(each["action"], each["key"]) for each in lines] == [
        ("publish", "P1"), ("publish", "P4"), ("publish", "P5"), ("withdraw", "P2"), ("withdraw", "P3"),
    ]  # fmt: skip


def test_quality_is_shown_per_department(desk: Desk, town: Town) -> None:
    town.say("administrative_penalty", {"L": offence(9, decided_on=f"{TODAY - timedelta(days=40)}")})
    town.follow()

    (line,) = desk.shuqiao("credit", "quality", "--json").lines

    assert (line["department"], line["records"], line["late"]) == ("credit", 6, 1)
    assert "16.7%" in desk.shuqiao("credit", "quality").out
    covered = desk.shuqiao("credit", "quality", "--department", "credit", "--decided-penalties", "12")
    assert "50.0%" in covered.out
    assert "桥州市市场监督管理局" in desk.shuqiao("credit", "quality", "--by", "authority").out
    assert "no permits or penalties" in desk.shuqiao("credit", "quality", "--department", "tax").out


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("export", "fines"), 2, "penalties or permits"),
        (("export", "penalties", "--edition", "2015"), 2, "expected one of"),
        (("export", "penalties", "--since", "soon"), 2, "expected 2026-11-22"),
        (("export", "penalties", "--withdrawals"), 2, "--since"),
        (("export", "permits"), 1, "does not hold"),
        (("quality", "--by", "weather"), 2, "department or authority"),
        (("quality", "--decided-penalties", "3"), 2, "--department"),
    ],
)
def test_what_cannot_be_answered_says_what_to_do(desk: Desk, words: tuple[str, ...], code: int, said: str) -> None:
    answer = desk.shuqiao("credit", *words)

    assert answer.code == code
    assert said in answer.err
