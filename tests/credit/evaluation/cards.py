"""Cards and records for the tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from registry.domain.credit.evaluation import NO_MARKS, RecordMarks, RecordToScore
from registry.domain.credit.scorecard import SCORECARDS, Scorecard, load_scorecard
from tests.credit.enterprise_file.town import uscc

SHIPPED = SCORECARDS / "enterprise_credit" / "1.yaml"
CARD = load_scorecard(SHIPPED)
DAY = date(2026, 11, 20)


def card_text(change: Callable[[dict[str, Any]], None] = lambda _: None) -> str:
    """The shipped card, changed."""
    data = yaml.safe_load(SHIPPED.read_text("utf-8"))
    data["valid_from"] = str(data["valid_from"])
    change(data)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def write_card(folder: Path, change: Callable[[dict[str, Any]], None], version: int = 1) -> Path:
    """A changed card in a folder of its own."""
    path = folder / "enterprise_credit" / f"{version}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)

    def numbered(data: dict[str, Any]) -> None:
        data["version"] = version
        change(data)

    path.write_text(card_text(numbered), "utf-8")
    return path


def changed_card(folder: Path, change: Callable[[dict[str, Any]], None], version: int = 1) -> Scorecard:
    return load_scorecard(write_card(folder, change, version))


def registration(status: str = "active", established_on: str = "2015-03-01", **fields: Any) -> RecordToScore:
    body = {"uscc": uscc(1), "name": "桥州天成餐饮有限公司", "status": status, "established_on": established_on}
    return RecordToScore("legal_entity", "r", 1, body | fields)


def penalty(
    key: str = "p", decided_on: str = "2026-08-01", *, marks: RecordMarks = NO_MARKS, version: int = 7, **fields: Any
) -> RecordToScore:
    """An ordinary penalty."""
    body = {
        "uscc": uscc(1),
        "holder_kind": "legal_person",
        "decision_number": f"桥市监罚〔2026〕{key}号",
        "penalty_kinds": ["fine"],
        "content": "罚款20000元",
        "fine": {"amount": "2", "unit": "万元", "currency": "CNY"},
        "decided_on": decided_on,
        "use_scope": "public",
    }
    return RecordToScore("administrative_penalty", key, version, body | fields, marks)


def rating(year: int, grade: str, **fields: Any) -> RecordToScore:
    return RecordToScore("tax_credit_rating", str(year), year, {"uscc": uscc(1), "year": year, "grade": grade} | fields)


def arrears(amount: str, key: str = "q", **fields: Any) -> RecordToScore:
    balance = {"amount": amount, "unit": "元", "currency": "CNY"}
    body = {"uscc": uscc(1), "tax_type": "增值税", "balance": balance, "announced_on": "2026-03-01"}
    return RecordToScore("tax_arrears", key, 3, body | fields)


def listed(dataset: str, listed_on: str, key: str = "l", **fields: Any) -> RecordToScore:
    return RecordToScore(dataset, key, 4, {"uscc": uscc(1), "listed_on": listed_on, "listed_reason": "…"} | fields)
