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
from schemas.masking import mask
from schemas.personal import PersonalFields, masked_whole, normalised

_CANONICAL = orjson.OPT_SORT_KEYS


class SealedRecord(NamedTuple):
    """A record as it is stored."""

    digest: str
    """Of the whole content, 32 hexadecimal digits; with personal values in it, keyed."""
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
        self._plain = frozenset(name for name, _ in fields.names if name.isascii() and name.isidentifier())

    def seal(
        self, keys: Iterable[str], bodies: Iterable[bytes], records: Iterable[Mapping[str, Any]] | None = None
    ) -> Iterator[SealedRecord]:
        """Records as they are stored; ``bodies`` are their canonical JSON, ``records`` the same, if at hand."""
        fields, ring, taken_of, dumps = self._fields, self._ring(), self._fields.taken, orjson.dumps
        place, digest_of_content, sealing = f"{self._dataset}\0", ring.content_digest, ring.sealing(RECORD)
        bodies = list(bodies)
        for key, body, record in zip(keys, bodies, records or map(orjson.loads, bodies), strict=True):
            taken = taken_of(record)
            if not taken:
                yield SealedRecord(plain_digest(body), body, None, None)
                continue
            yield SealedRecord(
                digest_of_content(body),
                self._masked_text(body, taken) or dumps(fields.masked(record, taken), option=_CANONICAL),
                sealing(dumps(taken, option=_CANONICAL), (place + key).encode("utf-8", "surrogatepass")),
                [blind(ring, name, taken[name]) for name in fields.indexed if name in taken] or None,
            )

    def _masked_text(self, body: bytes, taken: Mapping[str, Any]) -> bytes | None:
        """The body with masks in place of texts, made without writing all of it anew; None where it is not so simple.

        Quotes within a text are escaped, so a name in quotes with a colon behind it can only be a field; that it is
        the field meant is certain if it stands there once.
        """
        shown = body
        for name, value in taken.items():
            if type(value) is not str or not value or name not in self._plain:
                return None
            before = b'"%b":' % name.encode()
            old = before + orjson.dumps(value)
            if body.count(old) != 1:
                return None
            shown = shown.replace(old, before + orjson.dumps(mask(value)))
        return shown

    def seal_row(self, row_id: str, raw: Mapping[str, Any]) -> bytes:
        """A refused row as the department sent it."""
        return self._ring().seal(ROW, orjson.dumps(raw), context_of(self._dataset, row_id))


def plain_digest(body: bytes) -> str:
    """The digest (32 hexadecimal digits) of a record without personal values: of its canonical JSON."""
    return blake2b(body, digest_size=16).hexdigest()


def digest_of(body: Mapping[str, Any], personal: bytes | None, dataset: int, key: str) -> str:
    """The digest that a stored record must have. Raises PersonalKeysError."""
    whole = orjson.dumps(opened(body, personal, dataset, key), option=_CANONICAL)
    return plain_digest(whole) if personal is None else key_file.ring().content_digest(whole)


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
