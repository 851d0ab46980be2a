"""What the catalogue's pages say, in both languages; values come from the catalogue's entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from registry.api.pages.credit_words import Message
from registry.api.pages.finding import Headline, Text, Tone
from registry.documents.credit_report import Pair, Words

_ZONE = ZoneInfo("Asia/Shanghai")
_UNITS = ((86400, "天", "days"), (3600, "小时", "hours"), (60, "分钟", "minutes"), (1, "秒", "seconds"))
_NOTHING = Words("—", "—")


class Said(StrEnum):
    """What a page has to say when there is nothing to show."""

    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


MESSAGES: Mapping[Said, Message] = {
    Said.UNKNOWN: Message(
        Headline(Tone.UNKNOWN, "question", Text("没有这个数据集", "No such dataset")),
        Text("资源目录中没有这个名称。", "The catalogue has nothing of that name."),
        (Text("请从资源目录中选择。", "Choose one from the catalogue."),),
        404,
    ),
    Said.UNAVAILABLE: Message(
        Headline(Tone.CAUTION, "pause", Text("暂时不能查询", "Not available now")),
        Text(
            "登记库暂时没有答复，与您的操作无关。",
            "The registry does not answer now; nothing is wrong with what you did.",
        ),
        (Text("请稍后刷新。", "Try again in a moment."),),
        503,
    ),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A dataset in the list."""

    name: str
    title: Words
    sharing: Words
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of the dataset's records."""

    name: str
    title: Words
    kind: str
    required: bool
    personal: bool
    codes: str
    code_list: str | None
    complete: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A connector and how its promise was kept."""

    name: str
    cells: Sequence[Words]
    late: bool


def card(entry: Mapping[str, Any]) -> Card:
    """What the list says of a dataset."""
    pairs = [
        Pair(Words("所属部门", "Owner"), _same(entry["department"])),
        Pair(Words("记录数（约）", "Records, about"), _same(f"{entry['records']:,}")),
        Pair(Words("数据时间", "Not older than"), moment(entry["oldest_read_at"])),
        Pair(Words("按时更新（30天）", "In time (30 days)"), _kept(entry, 0)),
    ]
    return Card(entry["dataset"], _words(entry["title"]), _words(entry["sharing_title"]), pairs)


def head(entry: Mapping[str, Any]) -> list[Pair]:
    """What stands at the top of a dataset's page."""
    contacts = "；".join(f"{each['name']} {each['email']}" for each in entry["contacts"])
    pairs = [
        Pair(Words("名称（接口用）", "Name, as addresses have it"), _same(entry["dataset"])),
        Pair(Words("所属部门", "Owner"), _same(entry["department"])),
        Pair(Words("共享类型", "Sharing class"), _words(entry["sharing_title"])),
        Pair(Words("记录数（约）", "Records, about"), _same(f"{entry['records']:,}")),
        Pair(Words("主键", "Key"), _same(", ".join(entry["key"]))),
        Pair(Words("数据时间", "Not older than"), moment(entry["oldest_read_at"])),
    ]
    return [*pairs, Pair(Words("联系人", "Contact"), _same(contacts))] if contacts else pairs


def sources(entry: Mapping[str, Any]) -> list[SourceRow]:
    """When each source was last read, what it promises, and how that was kept."""
    return [
        SourceRow(
            source["connector"],
            [
                moment(source["read_at"]),
                span(source["freshness_seconds"]),
                *(_percent(kept["share"]) for kept in source["kept"]),
            ],
            late=source["late"],
        )
        for source in entry["freshness"]
    ]


def quality(entry: Mapping[str, Any]) -> list[Pair]:
    """What was wrong with what came."""
    found = entry["quality"]
    return [
        Pair(Words("读取（30天）", "Rows read, 30 days"), _same(f"{found['rows_read_30_days']:,}")),
        Pair(Words("其中退回", "Of these refused"), _percent(found["refusal_share"])),
        Pair(Words("待部门更正", "Open refusals"), _same(f"{found['open_refusals']:,}")),
        Pair(Words("来源处有误的记录", "Records wrong at their source"), _same(f"{found['stale_records']:,}")),
    ]


def rows(entry: Mapping[str, Any]) -> list[FieldRow]:
    """The fields."""
    return [
        FieldRow(
            name=field["name"],
            title=_words(field["title"]),
            kind=field["kind"],
            required=field["required"],
            personal=field["personal"],
            codes=", ".join(field["codes"]),
            code_list=field["code_list"],
            complete=_percent(field["completeness"]).zh,
        )
        for field in entry["fields"]
    ]


def moment(value: datetime | None) -> Words:
    """Beijing time, to the minute."""
    if value is None:
        return Words("尚未读取", "never read")
    return _same(value.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M"))


def span(seconds: int | None) -> Words:
    """A promise, in the largest unit that it is a whole number of."""
    if seconds is None:
        return Words("未承诺", "no promise")
    size, zh, en = next(unit for unit in _UNITS if seconds % unit[0] == 0)
    return Words(f"{seconds // size} {zh}", f"{seconds // size} {en}")


def _kept(entry: Mapping[str, Any], window: int) -> Words:
    """Of all sources together."""
    kept = [source["kept"][window] for source in entry["freshness"] if source["freshness_seconds"] and source["kept"]]
    whole = sum(each["batches"] for each in kept)
    return _percent(sum(each["in_time"] for each in kept) / whole if whole else None)


def _percent(share: float | None) -> Words:
    """Never rounded up to all, nor down to nothing."""
    if share is None:
        return _NOTHING
    if share in {0.0, 1.0}:
        return _same(f"{share:.0%}")
    return _same(f"{min(max(share * 100, 0.1), 99.9):.1f}%")


def _words(title: Mapping[str, str]) -> Words:
    return Words(title["zh"], title["en"])


def _same(text: str) -> Words:
    return Words(text, text)
