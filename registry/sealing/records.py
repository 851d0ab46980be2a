"""Records with their personal values sealed, and opened again.

The body that is stored has masked values in their place, so whatever reads bodies shows no more than the mask. The
whole values lie sealed beside it, bound to dataset and key: in another record they do not open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from registry.sealing import key_file
from registry.sealing.ring import RECORD, ROW, Ring
from schemas.personal import PersonalFields, masked_whole, normalised

_CANONICAL = orjson.OPT_SORT_KEYS


class SealedRecord(NamedTuple):
    """A record as it is stored."""

    digest: str
    """Of the whole content, 32 hexadecimal digits; with personal values, keyed: of the body and then of these."""
    body: bytes
    """Canonical JSON, personal values masked."""
    personal: bytes | None
    """The personal values, sealed; None: it has none."""
    blind: list[str] | None
    """What it can be looked for by exactly; None: nothing."""


class RecordSealer:
    """Seals the records of one dataset, which is named by its number in the registry; made once for many."""

    def __init__(self, dataset: int, fields: PersonalFields, ring: Callable[[], Ring] = key_file.ring) -> None:
        """``ring`` is asked again for each lot of records, so that a rotation reaches a load of hours too."""
        self._dataset, self._fields, self._ring = dataset, fields, ring

    def apart(self, bodies: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Of whole records in JSON: what stays with masks, and the personal values; see :meth:`seal`."""
        records = [orjson.loads(body) for body in bodies]
        taken = [self._fields.taken(record) for record in records]
        shown = [self._fields.masked(record, each) for record, each in zip(records, taken, strict=True)]
        return [orjson.dumps(each, option=_CANONICAL) for each in shown], [
            orjson.dumps(each, option=_CANONICAL) if each else b"" for each in taken
        ]

    def seal(self, keys: Iterable[str], bodies: Iterable[bytes], personal: Iterable[bytes]) -> Iterator[SealedRecord]:
        """Records as they are stored: of each the key, its body with masks and the personal values (empty: none).

        Both are canonical JSON (:meth:`schemas.validation.Validator.encode_apart`).
        """
        fields, ring, place = self._fields, self._ring(), f"{self._dataset}\0"
        digest_of_content, sealing = ring.content_digest, ring.sealing(RECORD)
        for key, body, values in zip(keys, bodies, personal, strict=True):
            if not values:
                yield without_personal(body)
                continue
            yield SealedRecord(
                digest_of_content(body, values),
                body,
                sealing(values, (place + key).encode("utf-8", "surrogatepass")),
                self._sought(ring, orjson.loads(values)) if fields.indexed else None,
            )

    def _sought(self, ring: Ring, taken: Mapping[str, Any]) -> list[str] | None:
        return [blind(ring, name, taken[name]) for name in self._fields.indexed if name in taken] or None

    def seal_row(self, row_id: str, raw: Mapping[str, Any]) -> bytes:
        """A refused row as the department sent it."""
        return self._ring().seal(ROW, orjson.dumps(raw), context_of(self._dataset, row_id))


def plain_digest(body: bytes) -> str:
    """The digest (32 hexadecimal digits) of a record without personal values: of its canonical JSON."""
    return blake2b(body, digest_size=16).hexdigest()


def without_personal(body: bytes) -> SealedRecord:
    """A record as it is stored that has no personal values: as it is."""
    return SealedRecord(plain_digest(body), body, None, None)


def digest_of(body: Mapping[str, Any], personal: bytes | None, dataset: int, key: str) -> str:
    """The digest that a stored record must have. Raises PersonalKeysError."""
    shown = orjson.dumps(body, option=_CANONICAL)
    if personal is None:
        return plain_digest(shown)
    ring = key_file.ring()
    return ring.content_digest(shown, ring.open(bytes(personal), context_of(dataset, key)))


def opened(body: Mapping[str, Any], personal: bytes | None, dataset: int, key: str) -> dict[str, Any]:
    """A record's body with its personal values whole. Raises PersonalKeysError."""
    if personal is None:
        return dict(body)
    return {**body, **orjson.loads(key_file.ring().open(bytes(personal), context_of(dataset, key)))}


def opened_row(
    raw: Mapping[str, Any], personal: bytes | None, dataset: int, row_id: str, key: str | None
) -> dict[str, Any]:
    """A refused row as the department sent it. Raises PersonalKeysError.

    A row that was a good record, and was refused only when it was to be published, is sealed as the record it was.
    """
    if personal is None:
        return dict(raw)
    sealed = bytes(personal)
    if sealed[0] == RECORD:
        return opened(raw, sealed, dataset, key or "")
    found: dict[str, Any] = orjson.loads(key_file.ring().open(sealed, context_of(dataset, row_id)))
    return found


def masked_row(raw: Mapping[str, Any], public: Iterable[str]) -> dict[str, Any]:
    """A refused row, by its source columns or its record fields: values of all but the ``public`` ones masked."""
    shown = frozenset(public)
    return {name: value if name in shown else masked_whole(value) for name, value in raw.items()}


def resealed(ring: Ring, sealed: bytes, context: bytes) -> bytes:
    """The same values under the active key. Raises PersonalKeysError."""
    return ring.seal(sealed[0], ring.open(sealed, context), context)


def blind(ring: Ring, field: str, value: Any) -> str:
    """What a value of a field is looked for by, in every dataset alike."""
    return ring.blind(f"field {field}", normalised(value))


def blind_row_id(ring: Ring, row_id: str) -> str:
    """What stands for a row's identity that is itself a personal value."""
    return f"blind:{ring.blind('row', row_id)}"


def context_of(dataset: int, identity: str) -> bytes:
    """What is sealed of a record (by its key) or of a refused row (by its row id) is bound to."""
    return f"{dataset}\0{identity}".encode("utf-8", "surrogatepass")
