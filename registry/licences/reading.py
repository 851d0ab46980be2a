"""A licence as the domain knows it, read from the registry."""

from __future__ import annotations

import psycopg

from registry.domain.licences import content as contents
from registry.domain.licences.licence import Issuer, Licence, Origin, StatusEntry
from registry.domain.licences.loading import LicenceTypes
from registry.licences.errors import LicenceUnknown
from registry.licences.storing import opened_content

_LICENCE = """
SELECT l.id, l.identifier, l.version, l.type, l.type_version, l.content, l.state, l.state_text, l.status_group_id,
    l.status_index, p.identifier, n.identifier, i.code, i.name, i.name_en, i.did,
    d.name, b.schema, l.key, l.record_version, l.batch_id, c.name, c.department, l.personal
FROM registry.licence l JOIN registry.issuer i ON i.code = l.issuer_code
LEFT JOIN registry.licence p ON p.id = l.supersedes
LEFT JOIN registry.licence n ON n.id = l.superseded_by
LEFT JOIN registry.dataset d ON d.id = l.dataset_id
LEFT JOIN registry.batch b ON b.id = l.batch_id
LEFT JOIN registry.connector c ON c.id = b.connector_id
WHERE l.identifier = %s
"""


def licence(connection: psycopg.Connection, identifier: str, types: LicenceTypes) -> Licence:
    """The licence of an identifier, superseded or not. Raises LicenceUnknown."""
    row = connection.execute(_LICENCE, (identifier,)).fetchone()
    if row is None:
        raise LicenceUnknown(identifier)
    content = contents.from_json(types.one(f"{row[3]}@{row[4]}"), opened_content(row[5], row[23], row[0]))
    return Licence(
        id=row[0],
        identifier=row[1],
        version=row[2],
        type=row[3],
        type_version=row[4],
        issuer=Issuer(*row[12:16]),
        content=content,
        origin=Origin(*row[16:23]) if row[17] is not None else None,
        status=StatusEntry(row[8], row[9]),
        state=row[6],
        state_text=row[7],
        supersedes=row[10],
        superseded_by=row[11],
    )
