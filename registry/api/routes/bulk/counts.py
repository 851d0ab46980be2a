"""Counts of a granted dataset's records by some of its fields, which tell of nobody in particular."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from registry.api.access.security import Granted, GrantedDataset
from registry.api.bulk import models
from registry.api.bulk.forms import kind_of
from registry.api.problems import INVALID_PARAMETER, TOO_LONG, Problem, parameter_error
from registry.api.representations import answer, now, sources
from registry.api.state import ApiState, state_of
from registry.domain.bulk.counts import Group, merged, noise, shown
from registry.storage.reads import counts
from schemas.formats import CODE_LIST_FORMATS

router = APIRouter(prefix="/datasets/{dataset}/counts", tags=["bulk"])

MOST_FIELDS = 2
MOST_GROUPS = 5000
_CHINA = timezone(timedelta(hours=8))
_SETTLED = timedelta(hours=1)
"""So long after midnight, what was being published at midnight has been."""
_REMEMBERED = 256


@router.get("", response_model=models.Counts)
async def counted(
    request: Request,
    found: GrantedDataset,
    by: Annotated[
        str,
        Query(
            max_length=200,
            description="One field, or two with a comma: `division,status` 分组字段",
            examples=["status"],
        ),
    ],
) -> Response:
    """How many records have which values; small groups are hidden, every number has noise. 分组统计."""
    app = state_of(request)
    fields = _fields(app, found, by)
    at = now()
    as_of = settled_midnight(at)
    groups = await _groups(app, found, fields, as_of)
    smallest = app.settings.smallest_group
    added = noise(await counts.secret(app.pool), found.dataset.name)
    everything = merged(groups)
    content = {
        "dataset": found.dataset.name,
        "as_of": as_of,
        "sources": sources(found.dataset, at),
        "by": fields,
        "total": max(smallest, everything.count + added(everything)) if everything.count >= smallest else None,
        "groups": [
            {"values": group.values, "count": max(smallest, group.count + added(group))}
            for group in shown(groups, smallest)
        ],
        "smallest_group": smallest,
        "noise": "two-sided geometric, epsilon 0.5",
    }
    return answer(content)


def settled_midnight(at: datetime) -> datetime:
    """The last midnight of China Standard Time that is an hour ago: one picture a day, the same for everybody."""
    day = (at - _SETTLED).astimezone(_CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.astimezone(UTC)


def countable(field: Mapping[str, Any]) -> bool:
    """Whether a field's values come from a closed list."""
    parts = [field, *field.get("allOf", ())]
    closed = any("enum" in part or part.get("format") in CODE_LIST_FORMATS for part in parts)
    return kind_of(field) == "boolean" or (closed and kind_of(field) != "json")


def _fields(app: ApiState, found: Granted, by: str) -> list[str]:
    """The fields that a request names. Raises Problem."""
    view = found.view(app)
    personal = {pointer.split("/")[1] for pointer in app.catalogue.personal_fields(found.grant.schema)}
    properties = app.catalogue.schema(found.grant.schema).get("properties", {})
    allowed = [
        name for name, field in properties.items() if view.shows(name) and name not in personal and countable(field)
    ]
    named = by.split(",")
    if len(named) > MOST_FIELDS or len(set(named)) < len(named) or set(named) - set(allowed):
        names = ", ".join(allowed) or "none 无"
        zh = f"应为一个字段，或以逗号分隔的两个不同字段；可用：{names}。"
        en = f"Expected one field, or two different ones with a comma between; there are: {names}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("by", zh, en)])
    return sorted(named)


async def _groups(app: ApiState, found: Granted, fields: Sequence[str], as_of: datetime) -> Sequence[Group]:
    """Every group. Raises Problem (too long) if there are more than can be told."""
    rows = found.grant.rows
    query = (found.dataset.id, tuple(fields), as_of, tuple((name, tuple(sorted(rows[name]))) for name in sorted(rows)))
    remembered = app.counted
    if query in remembered:
        return remembered[query]
    async with app.bulk.passed():
        groups = await counts.grouped(app.pool, found.dataset.id, fields, rows=rows, as_of=as_of, most=MOST_GROUPS + 1)
    if len(groups) > MOST_GROUPS:
        zh, en = f"分组超过 {MOST_GROUPS} 个，请减少字段。", f"More than {MOST_GROUPS} groups; name one field less."
        raise Problem(TOO_LONG, zh, en)
    remembered[query] = groups
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)
    return groups
