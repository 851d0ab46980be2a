"""Licences as commands show them: read through the API's own reads, personal values masked."""

from __future__ import annotations

from typing import Any

from registry.api.licences.representations import copy as copy_document
from registry.api.licences.representations import history, summary
from registry.domain.licences import metadata
from registry.domain.licences.loading import LicenceTypes, UnknownLicenceType
from registry.licences import reading
from registry.licences.storing import holder_codes
from registry.storage.database import connect
from registry.storage.reads import licences as reads
from registry.storage.reads.licences import Wanted
from schemas.masking import mask
from shuqiao import settings
from shuqiao.cli import output, registry
from shuqiao.cli.failures import unknown, usage
from shuqiao.licence_types import licence_types

_MOST_COPIES = 100
_ORGANISATION = "0"
_PERSONAL_ELEMENTS = ("CZZT", "CZZTDM")


def listed(
    kind: str | None,
    holder: str | None,
    number: str | None,
    state: str | None,
    *,
    superseded: bool,
    limit: int,
    unmasked: bool,
) -> list[dict[str, Any]]:
    """Summaries of licences. Raises Failure for a type that is not known."""
    types = licence_types()
    names = sorted({each.name for each in types.all})
    if kind is not None and kind not in names:
        raise usage(*unknown("证照类型", "licence type", kind, names, "shuqiao licence types"), place="--type")
    wanted = Wanted([kind] if kind else names, holder_codes(holder), None, number, state, current=not superseded)
    rows = registry.read(lambda pool: reads.page(pool, wanted, after=None, limit=limit))
    return [_summary(row, types, unmasked=unmasked) for row in rows]


def shown(identifier: str, *, unmasked: bool) -> dict[str, Any]:
    """A licence with its versions, events and copies. Raises Failure if there is none."""
    types = licence_types()
    return registry.read(lambda pool: _whole(pool, identifier, types, unmasked=unmasked))


def metadata_of(identifier: str, *, unmasked: bool) -> dict[str, Any]:
    """GB/T 36903 metadata. Raises LicenceUnknown."""
    from shuqiao.cli.licence_acts import explained  # noqa: PLC0415

    with explained(), connect(registry.url()) as connection:
        licence = reading.licence(connection, identifier, licence_types())
    found = metadata.to_metadata(licence)
    if unmasked:
        return found
    hidden = {item.short_name for item in licence.content.type.items if item.personal}
    if any(holder.is_natural_person for holder in licence.content.holders):
        hidden |= {*_PERSONAL_ELEMENTS, "CZZTXX"}
    return {name: mask(value) if name in hidden else value for name, value in found.items()}


def state_of(document: dict[str, Any]) -> str:
    """For a table."""
    if document["superseded_by"] is not None:
        return "已被取代 superseded"
    name = document["state"]["name"]
    return f"{document['state']['code']} {name['zh']} {name['en']}"


def show(found: dict[str, Any]) -> None:
    """For people."""
    output.pairs(
        f"{found['type']['title']['zh']} {found['type']['title']['en']}",
        {
            "证照标识 identifier": found["identifier"],
            "证照编号 number": found["number"],
            "持证主体 holder": "；".join(f"{each['name']} {each['code']}" for each in found["holders"]),
            "颁发机关 issuer": f"{found['issuer']['name']} {found['issuer']['code']}",
            "状态 state": state_of(found),
            "发证日期 issued on": found["issued_on"],
            "有效期 term": f"{found['valid_from']} – {found['valid_to'] or '长期 without end'}",
            **{f"{item['title']['zh']} {item['title']['en']}": item["value"] for item in found["items"]},
            "新版本 superseded by": found["superseded_by"],
            "核验地址 verification": found["links"]["verification"],
        },
    )
    output.table(
        "版本与操作 Versions and what was done",
        ["版本 version", "时间 at", "操作 operation", "状态 state", "经办 actor", "说明 text"],
        (
            (
                version["version"],
                event["at"],
                f"{event['operation']['name']['zh']} {event['operation']['name']['en']}",
                event["to_state"],
                event["actor"],
                event["text"],
            )
            for version in found["versions"]
            for event in version["events"]
        ),
    )
    if found["copies"]:
        output.table(
            "加注件 Annotated copies",
            ["编号 key", "用证单位 for", "用证事由 cause", "至 until", "撤销 revoked"],
            (
                (each["id"], each["requested_by"], each["cause"], each["valid_until"], each["revoked_at"])
                for each in found["copies"]
            ),
        )


def missing(identifier: str) -> Exception:
    """There is no licence of this identifier; what may be wrong with it."""
    from registry.domain.licences.identifiers import IdentifierMalformed, parse  # noqa: PLC0415

    try:
        warning = parse(identifier).warning
    except IdentifierMalformed as error:
        return usage(f"不是证照标识 no identifier of a licence: {error.zh} / {error.en}", place="IDENTIFIER")
    why = f"{warning[0]} / {warning[1]}" if warning else "shuqiao licence list"
    return usage(f"没有证照 there is no licence {identifier}", why, place="IDENTIFIER")


async def _whole(pool: Any, identifier: str, types: LicenceTypes, *, unmasked: bool) -> dict[str, Any]:
    row = await reads.one(pool, identifier)
    if row is None:
        raise missing(identifier)
    versions = await reads.versions(pool, row["id"])
    events = await reads.events(pool, [each["id"] for each in versions])
    copies = await reads.copies(pool, row["id"], None, limit=_MOST_COPIES)
    found = _summary(row, types, unmasked=unmasked)
    found["versions"] = history(versions, events)
    found["copies"] = [copy_document(each, _base()) for each in copies]
    return found


def _summary(row: Any, types: LicenceTypes, *, unmasked: bool) -> dict[str, Any]:
    found = summary(row, types, _base())
    if unmasked:
        return found
    for holder in found["holders"]:
        if not holder["code_type"].startswith(_ORGANISATION):
            holder |= {"name": mask(holder["name"]), "code": mask(holder["code"])}
    try:
        kind = types.one(f"{row['type']}@{row['type_version']}")
    except UnknownLicenceType:
        return found
    personal = {item.name for item in kind.items if item.personal}
    for item in found["items"]:
        if item["name"] in personal:
            item["value"] = mask(item["value"])
    return found


def _base() -> str:
    return settings.public_url(settings.read())
