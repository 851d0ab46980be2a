"""Licences as JSON: a summary for programs, versions with their events, annotated copies."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import orjson

from registry.domain.licences import content, metadata, states
from registry.domain.licences.licence import Content
from registry.domain.licences.loading import LicenceTypes
from registry.domain.licences.metadata import Described, Seal
from registry.domain.licences.types import LicenceType
from registry.licences.desk import CHINA
from registry.licences.storing import opened_content
from registry.storage.reads.pool import Row

PREFIX = "/api/v1/licences"
FormName = Literal["json", "vc", "jwt", "sd_jwt", "pdf", "metadata", "sm2"]
FORMS: Mapping[FormName, str] = {
    "json": "application/json",
    "vc": "application/vc",
    "jwt": "application/vc+jwt",
    "sd_jwt": "application/vc+sd-jwt",
    "pdf": "application/pdf",
    "metadata": "application/vnd.shuqiao.metadata+json",
    "sm2": "application/vnd.shuqiao.sm2-signature",
}
"""Every form of a licence by its short name, with its media type; the first is what no preference gets."""


def forms_of(kind: LicenceType) -> list[FormName]:
    """The forms that every licence of a type has: SD-JWT only where something of a natural person can be in it.

    The SM2 signature is not among them: only some issuers make one.
    """
    return [name for name in FORMS if name != "sm2" and (name != "sd_jwt" or kind.has_personal_items)]


def type_of_row(row: Row, types: LicenceTypes) -> LicenceType:
    """The version of the type that a licence was issued with."""
    return types.one(f"{row['type']}@{row['type_version']}")


def content_of(row: Row, types: LicenceTypes) -> Content:
    """What a licence says."""
    return content.from_json(
        type_of_row(row, types), opened_content(orjson.loads(row["content"]), row["personal"], row["id"])
    )


def metadata_of(row: Row, types: LicenceTypes) -> dict[str, Any]:
    """The elements of GB/T 36903 by their short names, as other systems exchange them."""
    seal = Seal(row["issuer_name"], row["issued_at"].astimezone(CHINA), f"{row['issuer_name']}电子证照专用章")
    return metadata.to_metadata(Described(row["identifier"], content_of(row, types)), seal)


def summary(row: Row, types: LicenceTypes, base: str) -> dict[str, Any]:
    """One licence: what it says, its state, what surrounds it, and where more is to be had."""
    said = content_of(row, types)
    kind = said.type
    return {
        "identifier": row["identifier"],
        "version": row["version"],
        "type": type_of(kind),
        "number": row["number"],
        "holders": [
            {"name": holder.name, "code": holder.code, "code_type": holder.code_type} for holder in said.holders
        ],
        "issuer": {key: row[column] for key, column in _ISSUER.items()},
        "issued_on": row["issued_on"],
        "valid_from": row["valid_from"],
        "valid_to": row["valid_to"],
        "items": items(kind, said.items),
        "state": state(row),
        "issued_at": row["issued_at"],
        "supersedes": row["supersedes"],
        "superseded_by": row["superseded_by"],
        "superseded_at": row["superseded_at"],
        "origin": _origin(row),
        "forms": forms_of(kind),
        "links": links(row["identifier"], base),
    } | _stale(row)


_ISSUER = {"code": "issuer_code", "name": "issuer_name", "name_en": "name_en", "did": "did"}


def type_of(kind: LicenceType) -> dict[str, Any]:
    """Which type of licence."""
    return {
        "name": kind.name,
        "version": kind.version,
        "code": kind.code,
        "title": {"zh": kind.title.zh, "en": kind.title.en},
        "trust_grade": kind.trust_grade,
    }


def items(kind: LicenceType, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The information items that have a value, with their names for people, in the order of the licence."""
    return [
        {
            "name": item.name,
            "title": {"zh": item.title.zh, "en": item.title.en},
            "value": values[item.name],
        }
        for item in kind.items
        if item.name in values
    ]


def state(row: Row) -> dict[str, Any]:
    """The state's code, its name in both languages, and since when."""
    zh, en = states.name(row["state"])
    return {
        "code": row["state"],
        "name": {"zh": zh, "en": en},
        "text": row["state_text"],
        "since": row["state_since"],
    }


def links(identifier: str, base: str) -> dict[str, str]:
    """Where the forms, the history, the copies and the page for people are."""
    own = f"{PREFIX}/{identifier}"
    return {
        "self": own,
        "history": f"{own}/history",
        "copies": f"{own}/copies",
        "verification": f"{base}/verify/{identifier}",
    }


def history(versions: Iterable[Row], events: Sequence[Row]) -> list[dict[str, Any]]:
    """Versions, the newest first, each with what was done to it."""
    by_licence = {key: list(group) for key, group in itertools.groupby(events, lambda row: row["licence_id"])}
    return [
        {
            "identifier": row["identifier"],
            "version": row["version"],
            "state": state(row),
            "issued_on": row["issued_on"],
            "valid_from": row["valid_from"],
            "valid_to": row["valid_to"],
            "issued_at": row["issued_at"],
            "superseded_at": row["superseded_at"],
            "record_version": row["record_version"],
            "batch": row["batch_id"],
            "events": [_event(event) for event in by_licence.get(row["id"], ())],
        }
        for row in versions
    ]


def copy(row: Row, base: str) -> dict[str, Any]:
    """An annotated copy: for whom, why, until when."""
    return {
        "id": row["id"],
        "licence": row["identifier"],
        "requested_by": row["requested_by"],
        "cause": row["cause"],
        "client": row["client_id"],
        "created_at": row["created_at"],
        "valid_until": row["valid_until"],
        "revoked_at": row["revoked_at"],
        "seal_revoked_at": row["seal_revoked_at"],
        "links": {"self": f"/api/v1/copies/{row['id']}", "verification": f"{base}/verify/copies/{row['id']}"},
    }


def etag(row: Row) -> str:
    """Changes with the state, with a successor, and with what is said about the source. Weak: data ages."""
    since = [row["stale_since"], row["refused_since"], row["superseded_at"]]
    marks = [str(int(at.timestamp() * 1_000_000)) if at else "" for at in since]
    return f'W/"{row["id"]}-{row["events"] or 0}-{"-".join(marks)}"'


def _event(row: Row) -> dict[str, Any]:
    operation = states.OPERATIONS[row["operation"]]
    return {
        "number": row["number"],
        "at": row["at"],
        "operation": {"code": row["operation"], "name": {"zh": operation.zh, "en": operation.en}},
        "from_state": row["from_state"],
        "to_state": row["to_state"],
        "text": row["text"],
        "actor": row["actor"],
        "record_version": row["record_version"],
    }


def _origin(row: Row) -> dict[str, Any] | None:
    if row["key"] is None:
        return None
    return {
        "dataset": row["dataset"],
        "schema_reference": row["schema"],
        "key": row["key"],
        "record_version": row["record_version"],
        "batch": row["batch_id"],
        "connector": row["connector"],
        "department": row["department"],
    }


def _stale(row: Row) -> dict[str, Any]:
    """Since when and why the licence lags behind its source: its record was refused, or makes no licence any more."""
    since = [at for at in (row["stale_since"], row["refused_since"]) if at is not None]
    if not since:
        return {}
    reasons: list[Any] = []
    if row["stale_reasons"] is not None:
        reasons += itertools.chain.from_iterable(orjson.loads(row["stale_reasons"]))
    if row["refused_reasons"] is not None:
        reasons += orjson.loads(row["refused_reasons"])
    return {"stale": {"since": min(since), "reasons": reasons}}
