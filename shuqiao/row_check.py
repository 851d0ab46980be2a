"""From rows to records: mapping, validation and identity, batch of rows by batch of rows. No row is lost on the way.

Each row becomes a record to stage, a deletion, or a refusal with every reason: something that the registry can store,
whatever the source delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import compress, islice
from typing import Any

import orjson

from connectors.errors import SourceColumnsChanged
from connectors.manifest import Manifest
from connectors.mapping import BoundMapping, compile_mapping
from connectors.source import Rows
from registry.domain.credit.readers import without_identifiers
from registry.domain.keys import key_text
from registry.intake.staging import Refusal
from registry.sealing.records import blind_row_id
from registry.sealing.ring import Ring
from schemas import catalogue
from schemas.personal import of_schema
from schemas.validation import Validator, validator
from shuqiao.personal_columns import columns_of

IDENTITY_TEXT = 500
"""Characters that a record's key, a row's identity and an entity's code may have: they stand in indexes."""
RAW_TEXT = 2000
"""So many characters of a refused row's value are kept for its department."""


@dataclass(slots=True)
class Checked:
    """What became of some rows: records and refusals, side by side with their places in the part."""

    ordinals: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    row_ids: list[str] = field(default_factory=list)
    entities: list[str | None] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    personal: list[bytes] = field(default_factory=list)
    """Of each record what is masked in its body; empty: nothing."""
    deletes: list[tuple[int, str | None, str]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def valid(self) -> tuple[list[int], list[str], list[str], list[str | None], list[bytes], list[bytes]]:
        """The columns of the valid records, as staging takes them."""
        return self.ordinals, self.keys, self.row_ids, self.entities, self.bodies, self.personal


class RowCheck:
    """Turns one manifest's rows into records and refusals; compiled once per run, applied per batch of rows."""

    def __init__(self, manifest: Manifest, ring: Ring | None = None) -> None:
        """Compile the mapping and the schema. Raises ManifestError or SchemaError.

        With a ``ring`` what is checked is ready to be stored: a row's identity that is a personal value is blinded, and
        so is the digest of a row that has none.
        """
        self._manifest, self._ring = manifest, ring
        self._columns = columns_of(manifest)
        self._blinded = ring if not self._columns.personal.isdisjoint(manifest.source.row_id) else None
        self._mapping = compile_mapping(manifest)
        self._validator: Validator = validator(manifest.schema)
        self._personal = of_schema(manifest.schema)
        self._entity_field = catalogue.entity_field(manifest.schema)
        self._bound: tuple[tuple[str, ...], BoundMapping, tuple[int, ...]] | None = None
        self._next = 0

    def check(self, rows: Rows) -> Checked:
        """The records of these rows, and why the others are none. Raises SourceColumnsChanged."""
        first = self._next
        self._next += len(rows.rows) + len(rows.refused)
        checked = Checked()
        for offset, row in enumerate(rows.refused, start=len(rows.rows)):
            reason = {"pointer": "", "rule": row.rule, "zh": row.zh, "en": row.en}
            raw = _raw(row.raw)
            checked.refusals.append(Refusal(first + offset, self._by_content(raw), None, row.place, raw, [reason]))
        if not rows.rows:
            return checked
        bound, id_places = self._bind(rows.columns)
        records, problems = bound.apply(rows.rows)
        row_ids = _row_ids(rows.rows, id_places)
        if self._blinded is not None:
            row_ids = [row_id and blind_row_id(self._blinded, row_id) for row_id in row_ids]
        encode, fields = self._validator.encode_apart, self._personal
        encoded = [None if record is None else encode(record, fields) for record in records]
        deleted = self._deleted(bound, rows, row_ids, first, checked)
        good = [
            index
            for index, found in enumerate(encoded)
            if found is not None and row_ids[index] and not (deleted and deleted[index])
        ]
        chosen = [record for index in good if (record := records[index]) is not None]
        keys, entities = self._keys(chosen), self._entities(chosen)
        if max(map(len, keys), default=0) > IDENTITY_TEXT or max(map(_length, entities), default=0) > IDENTITY_TEXT:
            fits = [len(key) <= IDENTITY_TEXT >= _length(entity) for key, entity in zip(keys, entities, strict=True)]
            good, keys = list(compress(good, fits)), list(compress(keys, fits))
            entities = list(compress(entities, fits))
        checked.ordinals = [first + index for index in good]
        checked.keys = keys
        checked.row_ids = [row_ids[index] for index in good]
        checked.entities = entities
        whole = [found for index in good if (found := encoded[index]) is not None]
        checked.bodies, checked.personal = [body for body, _ in whole], [personal for _, personal in whole]
        if len(good) + len(checked.deletes) < len(records):
            fine = set(good)
            checked.refusals += [
                self._refusal(rows, index, first, row_ids[index], record, problems.get(index, ()))
                for index, record in enumerate(records)
                if index not in fine and not (deleted and deleted[index])
            ]
        return checked

    def _keys(self, records: Sequence[Any]) -> list[str]:
        names = self._manifest.key
        if len(names) == 1:
            values = [record[names[0]] for record in records]
            return [value if type(value) is str else str(value) for value in values]
        return [key_text(record[name] for name in names) for record in records]

    def _entities(self, records: Sequence[Any]) -> list[str | None]:
        name = self._entity_field
        return [record.get(name) for record in records] if name else [None] * len(records)

    def _deleted(
        self, bound: BoundMapping, rows: Rows, row_ids: Sequence[str], first: int, checked: Checked
    ) -> list[bool] | None:
        """Which rows say that their record is gone; they are entered in ``checked``. None: no row does."""
        deleted = bound.deletions(rows.rows)
        if deleted is None or not any(deleted):
            return None
        places = [index for index, flag in enumerate(deleted) if flag]
        keyed, _ = bound.keys([rows.rows[index] for index in places])
        for index, record in zip(places, keyed, strict=True):
            row_id = row_ids[index] or self._by_content(_raw(dict(zip(rows.columns, rows.rows[index], strict=False))))
            checked.deletes.append((first + index, _key_or_none(record, self._manifest.key), row_id))
        return deleted

    def _bind(self, columns: tuple[str, ...]) -> tuple[BoundMapping, tuple[int, ...]]:
        if self._bound is None or self._bound[0] != columns:
            bound = self._mapping.bind(columns)
            missing = [name for name in self._manifest.source.row_id if name not in columns]
            if missing:
                raise SourceColumnsChanged(self._manifest.connector, missing, list(columns))
            places = tuple(columns.index(name) for name in self._manifest.source.row_id)
            self._bound = (columns, bound, places)
        return self._bound[1], self._bound[2]

    def _refusal(
        self,
        rows: Rows,
        index: int,
        first: int,
        row_id: str,
        record: dict[str, Any] | None,
        problems: Sequence[Any],
    ) -> Refusal:
        raw = _raw(dict(zip(rows.columns, rows.rows[index], strict=False)))
        found = problems if record is None else self._validator.violations(record)
        reasons = [
            {
                "pointer": item.pointer,
                "rule": item.rule,
                # what stands in a field that is not personal may be a person's number all the same
                "zh": without_identifiers(item.zh),
                "en": without_identifiers(item.en),
            }
            for item in found
        ]
        if not row_id:
            names = "、".join(self._manifest.source.row_id)
            reasons.append(
                {
                    "pointer": "",
                    "rule": "row.identity",
                    "zh": f"缺少行标识列 {names} 的值",
                    "en": f"no value in the column(s) that identify the row: {', '.join(self._manifest.source.row_id)}",
                }
            )
        key = None if record is None else _key_or_none(record, self._manifest.key)
        if not reasons:
            reasons.append(
                {
                    "pointer": f"/{self._manifest.key[0]}",
                    "rule": "key.length",
                    "zh": f"主键或主体代码超过 {IDENTITY_TEXT} 个字符",
                    "en": f"the key or the entity's code has more than {IDENTITY_TEXT} characters",
                }
            )
        return Refusal(
            first + index, row_id or self._by_content(raw), key, rows.place(index), raw, reasons, self._public(raw)
        )

    def _by_content(self, raw: Mapping[str, Any]) -> str:
        """What tells a row without identity from others; nobody who sees it finds out by trying what the row says."""
        digest = _digest(raw)
        return digest if self._ring is None else blind_row_id(self._ring, digest)

    def _public(self, raw: Mapping[str, Any]) -> list[str]:
        """The columns of a row that may be kept as they are: nothing personal is mapped from them, nor in them."""
        return [
            name
            for name in self._columns.public(raw)
            if not isinstance(raw[name], str) or without_identifiers(raw[name]) == raw[name]
        ]


def _row_ids(rows: Sequence[Sequence[Any]], places: tuple[int, ...]) -> list[str]:
    """What identifies each row at the source, as one text; empty where it has nothing of the kind."""
    if len(places) == 1:
        place = places[0]
        values = [row[place] for row in rows]
        texts = [value if type(value) is str else "" if value is None else str(value) for value in values]
    else:
        parts = [["" if row[place] is None else row[place] for place in places] for row in rows]
        texts = [key_text(values) if any(value != "" for value in values) else "" for values in parts]
    return texts if _storable("".join(texts)) and max(map(len, texts)) <= IDENTITY_TEXT else [*map(_row_id, texts)]


def _row_id(text: str) -> str:
    """A row's identity as the database can hold and index it: a digest stands for what it cannot."""
    return (
        text if len(text) <= IDENTITY_TEXT and _storable(text) else _digest(text.encode("utf-8", "surrogatepass").hex())
    )


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _length(text: str | None) -> int:
    return len(text) if text else 0


def _key_or_none(record: Mapping[str, Any] | None, key: Sequence[str]) -> str | None:
    if record is None or any(name not in record for name in key):
        return None
    text = key_text(record[name] for name in key)
    return text if len(text) <= IDENTITY_TEXT and _storable(text) else None


def _raw(row: Mapping[str, Any]) -> dict[str, Any]:
    """A refused row as JSON can hold it and a person can read it: texts shortened, what is no text spelled out."""
    return {str(name): _raw_value(value) for name, value in islice(row.items(), 200)}


def _raw_value(value: Any) -> Any:
    if type(value) is str and len(value) <= RAW_TEXT and value.isascii() and "\0" not in value:
        return value
    if value is None or (isinstance(value, bool | int) and abs(int(value)) < 1 << 53):
        return value
    text = value if isinstance(value, str) else repr(value) if isinstance(value, bytes | float) else str(value)
    text = text[:RAW_TEXT] + "…" if len(text) > RAW_TEXT else text
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _digest(row: Any) -> str:
    """A row that has no identity of its own is known by its content."""
    text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=str)
    return f"digest:{sha256(text).hexdigest()[:32]}"
