"""Whether a record without a code gets into the wrong enterprise's file: ``make bench-matching`` (``ROWS=100000``).

A city of enterprises, a tenth of them with a sister that differs by little: another ending, one other character,
another district, a branch, the very same name elsewhere. Among them records without a code, for each of which it is
known which enterprise is meant, or that it is none of these: its own spelling, endings, regions and typing errors on
the one hand, and on the other, records of enterprises that are not in the registry, as like to one that is as can be.

* automatic_precision: of the records that a rule gave to an enterprise, the share that are its own. Must be 1.
* automatic_recall: of the records whose enterprise is registered, the share that a rule found.
* recall: the same, with those where it is among the candidates put before a person.
* first_load_s, records_per_s: the follower's time for the enterprises, and for the records without a code.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.server import running
from registry.credit import keeping
from registry.domain.batches import Limits, Mode
from registry.domain.credit.sources import SourceEditions, default_sources
from registry.domain.keys import key_text
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.storage.database import connect
from registry.storage.migrate import migrate
from schemas.identifiers import organisation_code_check_character, uscc_check_character

CITY = "桥州"
DIVISIONS = {"330203": "海曙区", "330205": "江北区", "330206": "北仑区", "330212": "鄞州区", "330281": "余姚市"}
TRADE = (
    "瑞恒永昌兴盛隆泰和顺德诚信达通利源丰华宏博远大中正天成金宝安康福裕鼎盈嘉美佳新世纪蓝海云帆锦绣东方银河启明凌志鑫"
)
WORDS = ("餐饮管理", "食品", "建设工程", "软件科技", "信息技术", "商务咨询", "物流", "模具制造", "服饰", "电子", "贸易")
ENDINGS = ("有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司")
SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰"
SISTERS_PER_MILLE = 100
RECORDS_PER_MILLE = 20
"""Records without a code of each kind, of the enterprises."""
BATCH = 5000

_HUB = default_sources().all[-1]
EDITIONS = SourceEditions(
    (replace(_HUB, matching=replace(_HUB.matching, regions=_HUB.matching.regions | {CITY, f"{CITY}市"})),)
)
"""The hub's own edition, with the name of a city that is on no map."""


@dataclass(frozen=True, slots=True)
class Firm:
    """An enterprise."""

    uscc: str
    number: int
    trade: str
    word: str
    ending: str
    bracketed: bool
    person: str
    division: str
    founded: date

    @property
    def name(self) -> str:
        """In one of the two usual forms."""
        if self.bracketed:
            return f"{self.trade}（{CITY}）{self.word}{self.ending}"
        return f"{CITY}{self.trade}{self.word}{self.ending}"


@dataclass(frozen=True, slots=True)
class Planted:
    """A record without a code."""

    kind: str
    body: Mapping[str, Any]
    meant: str | None
    """The enterprise it is about; None: one that is not registered."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=int(os.environ.get("ROWS", "100000")))
    arguments = parser.parse_args()
    console = Console(stderr=False, width=110)
    with running() as (server, _):
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE matching")
        url = server.conninfo("matching")
        migrate(url)
        figures, by_kind = measure(url, arguments.rows)
    table = Table(title=f"records without a code among {figures['enterprises']:,} enterprises")
    for heading in ("planted", "records", "by rule, right", "by rule, wrong", "its own among the candidates"):
        table.add_column(heading, justify="left" if heading == "planted" else "right")
    for kind, counts in by_kind.items():
        table.add_row(kind, *(str(counts[name]) for name in ("records", "right", "wrong", "candidate")))
    console.print(table)
    print(json.dumps({"bench": "matching", "figures": figures}))
    return 0 if figures["automatic_precision"] == 1 else 1


def measure(url: str, rows: int, seed: int = 20261120) -> tuple[dict[str, float | int], dict[str, Counter[str]]]:
    """The figures, and per kind of planted record how many were given to the right and to a wrong enterprise."""
    chance = random.Random(seed)
    firms = city(rows, chance)
    planted = records(firms, chance)
    now = datetime.now(UTC)
    feed(url, "legal_entity", "market-supervision", [(firm.uscc, firm.uscc, registration(firm)) for firm in firms])
    with connect(url) as connection:
        began = time.perf_counter()
        keeping.follow(connection, now=now, editions=EDITIONS)
        first_load = time.perf_counter() - began
        feed(url, "serious_dishonesty", "credit", [(f"S{n}", None, each.body) for n, each in enumerate(planted)])
        began = time.perf_counter()
        keeping.follow(connection, now=now, editions=EDITIONS)
        matching = time.perf_counter() - began
        matched: dict[str, dict[str, str]] = {}
        for key, entity, state in connection.execute(
            "SELECT key, entity, state FROM registry.entity_match WHERE state IN ('accepted', 'candidate')"
        ):
            matched.setdefault(key, {})[entity] = state
    by_kind: dict[str, Counter[str]] = {}
    for number, each in enumerate(planted):
        counts = by_kind.setdefault(each.kind, Counter())
        found = matched.get(f"S{number}", {})
        counts["records"] += 1
        counts["meant"] += each.meant is not None
        for entity, state in found.items():
            if state == "accepted":
                counts["right" if entity == each.meant else "wrong"] += 1
        counts["candidate"] += found.get(each.meant or "") == "candidate"
    total: Counter[str] = Counter()
    for counts in by_kind.values():
        total += counts
    figures: dict[str, float | int] = {
        "enterprises": len(firms),
        "records": len(planted),
        "automatic": total["right"] + total["wrong"],
        "wrong": total["wrong"],
        "automatic_precision": round(total["right"] / max(total["right"] + total["wrong"], 1), 6),
        "automatic_recall": round(total["right"] / total["meant"], 4),
        "recall": round((total["right"] + total["candidate"]) / total["meant"], 4),
        "first_load_s": round(first_load, 1),
        "records_per_s": round(len(planted) / matching),
    }
    return figures, by_kind


def city(rows: int, chance: random.Random) -> list[Firm]:
    """Enterprises, a tenth of them with a sister."""
    firms: list[Firm] = []
    while len(firms) < rows:
        division = chance.choice(list(DIVISIONS))
        firm = Firm(
            uscc(len(firms), division),
            len(firms),
            "".join(chance.choice(TRADE) for _ in range(chance.choice((2, 2, 3, 4)))),
            chance.choice(WORDS),
            chance.choice(ENDINGS),
            chance.random() < 0.25,  # noqa: PLR2004
            person(chance),
            division,
            date(2000, 1, 1) + timedelta(days=chance.randrange(9000)),
        )
        firms.append(firm)
        if chance.randrange(1000) < SISTERS_PER_MILLE and len(firms) < rows:
            firms.append(sister(firm, len(firms), chance))
    return firms


def sister(firm: Firm, number: int, chance: random.Random) -> Firm:
    """An enterprise that differs by little, of the same person."""
    other = chance.choice([division for division in DIVISIONS if division != firm.division])
    changes: tuple[dict[str, Any], ...] = (
        {"ending": "有限责任公司" if firm.ending == "有限公司" else "有限公司"},
        {"trade": mistyped(firm.trade, chance)},
        {"bracketed": not firm.bracketed},
        {"division": other},
        {"division": other, "person": person(chance)},
        {"ending": f"{firm.ending}{DIVISIONS[firm.division]}分公司"},
    )
    given = {name: getattr(firm, name) for name in Firm.__slots__} | chance.choice(changes)
    return Firm(**given | {"number": number, "uscc": uscc(number, given["division"])})


def records(firms: Sequence[Firm], chance: random.Random) -> list[Planted]:
    """Records without a code: of enterprises that are registered, and of such as only look like it."""
    each = max(len(firms) * RECORDS_PER_MILLE // 1000, 10)
    found: list[Planted] = []
    # By chance a record may say, word for word, what another enterprise's would: then that one is meant.
    word_for_word = {who(said_of(firm)): firm.uscc for firm in firms}
    for kind in (*REGISTERED, *NOT_REGISTERED):
        for firm in chance.sample(list(firms), min(each, len(firms))):
            said = said_of(firm) | (REGISTERED | NOT_REGISTERED)[kind](firm, chance)
            body = {name: value for name, value in said.items() if value is not None}
            meant = word_for_word.get(who(body), firm.uscc if kind in REGISTERED else None)
            if body["listed_on"] < firm.founded.isoformat():
                meant = None
            found.append(Planted(kind, body, meant))
    chance.shuffle(found)
    return found


def who(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of whom a record speaks."""
    return body["name"], body.get("legal_representative"), body.get("division")


def spelt(firm: Firm, chance: random.Random) -> dict[str, Any]:
    """The same name as somebody else writes it."""
    name = firm.name
    for old, new in chance.choice(
        ((("（", "("), ("）", ")")), (("（", "〔"), ("）", "〕")), ((CITY, f"{CITY} "),), ())
    ):
        name = name.replace(old, new)
    return {"name": f" {name}\u3000" if chance.random() < 0.5 else name}  # noqa: PLR2004


def mistyped(trade: str, chance: random.Random) -> str:
    """Another character in the place of one."""
    place = chance.randrange(len(trade))
    other = chance.choice([character for character in TRADE if character != trade[place]])
    return trade[:place] + other + trade[place + 1 :]


def other_ending(firm: Firm) -> str:
    """The same name with an ending of the same meaning, or of another one."""
    ending = {"有限公司": "有限责任公司", "有限责任公司": "有限公司"}.get(firm.ending, "有限公司")
    return firm.name.removesuffix(firm.ending) + ending


REGISTERED: dict[str, Any] = {
    "its name, spelt otherwise": spelt,
    "its name alone": lambda firm, chance: spelt(firm, chance) | {"legal_representative": None, "division": None},
    "its name with an ending of the same meaning": lambda firm, _: {"name": other_ending(firm)},
    "its name with city and district before it": lambda firm, _: {
        "name": f"{CITY}市{DIVISIONS[firm.division]}{firm.trade}{firm.word}{firm.ending}"
    },
    "its name with a typing error": lambda firm, chance: {
        "name": firm.name.replace(firm.trade, mistyped(firm.trade, chance), 1)
    },
    "its name and a new representative": lambda _, chance: {"legal_representative": person(chance)},
}
NOT_REGISTERED: dict[str, Any] = {
    "not registered: the same name in another district": lambda firm, chance: {
        "division": chance.choice([division for division in DIVISIONS if division != firm.division])
    },
    "not registered: the same name, another representative": lambda _, chance: {"legal_representative": person(chance)},
    "not registered: a sister with another ending": lambda firm, _: {"name": other_ending(firm)},
    "not registered: a sister with another character": lambda firm, chance: {
        "name": firm.name.replace(firm.trade, mistyped(firm.trade, chance), 1)
    },
    "not registered: a branch": lambda firm, _: {"name": f"{firm.name}{DIVISIONS[firm.division]}分公司"},
    "not registered: the predecessor of the same name": lambda firm, _: {
        "listed_on": (firm.founded - timedelta(days=30)).isoformat()
    },
}


def said_of(firm: Firm) -> dict[str, Any]:
    """An entry of the list of the seriously dishonest that has everything but the code."""
    return {
        "name": firm.name,
        "holder_code": "无",
        "holder_code_type": "099",
        "legal_representative": firm.person,
        "division": firm.division,
        "listed_on": (firm.founded + timedelta(days=300)).isoformat(),
        "listed_reason": "拒不履行",
        "listed_by": f"{CITY}市{DIVISIONS[firm.division]}市场监督管理局",
    }


def registration(firm: Firm) -> dict[str, Any]:
    """The record of market supervision."""
    return {
        "uscc": firm.uscc,
        "name": firm.name,
        "legal_representative": firm.person,
        "division": firm.division,
        "address": f"{CITY}市{DIVISIONS[firm.division]}中山东路{firm.number}号",
        "established_on": firm.founded.isoformat(),
        "status": "active",
        "registration_number": f"330200{firm.number:09d}",
    }


def person(chance: random.Random) -> str:
    """Draw a name."""
    return chance.choice(SURNAMES) + "".join(chance.choice(GIVEN) for _ in range(chance.choice((1, 2, 2))))


def uscc(number: int, division: str) -> str:
    """A valid code."""
    first = f"91{division}{number:08d}"
    first += organisation_code_check_character(first[8:16])
    return first + uscc_check_character(first)


def feed(url: str, dataset: str, department: str, rows: Iterable[tuple[str, str | None, Mapping[str, Any]]]) -> None:
    """Publish records (key, entity, body) through the intake, as one batch."""
    entry = DatasetEntry(dataset, f"{dataset}@1", dataset, dataset, department, ("key",), "uscc")
    connector = ConnectorEntry(
        f"{department}.{dataset}", department, dataset, dataset, "Office", "office@example.gov.cn", None, None, "d"
    )
    with connect(url) as connection:
        position = batches.register(connection, entry, connector)
        batch = batches.plan(
            connection, position, [PlannedPart(0, "all", {})], mode=Mode.INCREMENTAL, schema=f"{dataset}@1",
            manifest_digest="d", dry_run=False, run_id=None,
        )  # fmt: skip
        staging = Staging(connection, batch, 0)
        waiting = list(rows)
        for start in range(0, len(waiting), BATCH):
            some = waiting[start : start + BATCH]
            staging.add(
                list(range(start, start + len(some))),
                [key_text([key]) for key, _, _ in some],
                [f"row-{key}" for key, _, _ in some],
                [entity for _, entity, _ in some],
                [orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for _, _, body in some],
            )
        staging.finish({"read": len(waiting)})
        publish(connection, batch, {"cursor": batch}, Limits(max_refused=1.0, max_shrink=1.0))


if __name__ == "__main__":
    sys.exit(main())
