"""Whether a record is as its schema says, and if not, every reason.

:meth:`Validator.is_valid` is the hot path. Patterns run in an engine whose time is linear in the text, whatever the
pattern; a schema with a pattern that this engine cannot take is refused when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from schemas.catalogue import Catalogue, default_catalogue, escape
from schemas.errors import SchemaError
from schemas.explanation import Violation, explain
from schemas.formats import formats
from schemas.personal import PersonalFields
from schemas.writable import PASS_NOTHING, TOO_DEEP, find_flaws, looks_suspicious, without

__all__ = ["Validator", "Violation", "validator"]

_PATTERN_MEMORY = 10 * 1024 * 1024
_CANONICAL = PASS_NOTHING | orjson.OPT_SORT_KEYS
_ROOT = ""


class Validator:
    """One schema, compiled."""

    def __init__(self, schema: Mapping[str, Any], name: str = "schema") -> None:
        self.name = name
        self.schema = dict(schema)
        self._engine = _compile(self.schema, name)

    def is_valid(self, record: Any) -> bool:
        """Whether the record keeps every rule of its schema and can be written as JSON. Never raises."""
        try:
            return not (_may_have_flaws(record) and find_flaws(record)) and self._engine.is_valid(record)
        except (ValueError, TypeError, RecursionError):
            return False

    def encode(self, record: Any) -> bytes | None:
        """The record as canonical JSON (keys in order, no spaces, UTF-8) if it is valid, else None. Never raises.

        One serialisation serves the check for what no document can hold and the text to be stored and hashed.
        """
        try:
            text = orjson.dumps(record, None, _CANONICAL)
            if looks_suspicious(text) and find_flaws(record):
                return None
            return text if self._engine.is_valid(record) else None
        except (ValueError, TypeError, RecursionError):
            return None

    def encode_apart(self, record: Mapping[str, Any], fields: PersonalFields) -> tuple[bytes, bytes] | None:
        """As :meth:`encode`, but masked, and beside it the personal values that are masked in it; empty: none.

        Both are canonical JSON; together they say what the record says. Never raises.
        """
        try:
            taken = fields.taken(record)
            shown = orjson.dumps(fields.masked(record, taken) if taken else record, None, _CANONICAL)
            personal = orjson.dumps(taken, None, _CANONICAL) if taken else b""
            if (looks_suspicious(shown) or looks_suspicious(personal)) and find_flaws(record):
                return None
            return (shown, personal) if self._engine.is_valid(record) else None
        except (ValueError, TypeError, RecursionError):
            return None

    def violations(self, record: Any) -> list[Violation]:
        """Everything that is wrong with the record, in the order of its pointers. Empty exactly if it is valid."""
        if self.is_valid(record):
            return []
        flaws = find_flaws(record) if _may_have_flaws(record) else []
        found = {flaw.violation(self.schema) for flaw in flaws}
        spoilt = {flaw.pointer for flaw in flaws}
        if _ROOT not in spoilt and all(flaw.rule != TOO_DEEP for flaw in flaws):
            found.update(
                explain(self.schema, record, pointer, keyword, error)
                for pointer, keyword, error in self._errors(without(record, spoilt) if spoilt else record)
                if pointer not in spoilt
            )
        return sorted(found, key=lambda violation: (violation.pointer, violation.rule))

    def rules_broken(self, record: Any) -> set[tuple[str, str]]:
        """(JSON Pointer, keyword) of each violation, for comparison with another engine."""
        return {(pointer, keyword) for pointer, keyword, _ in self._errors(record)}

    def _errors(self, record: Any) -> Iterator[tuple[str, str, jsonschema_rs.ValidationError]]:
        for error in self._engine.iter_errors(record):
            place = "".join(f"/{escape(str(part))}" for part in error.instance_path)
            keyword = _keyword(error)
            for pointer in _fields(error, place):
                yield pointer, keyword, error


def _may_have_flaws(record: Any) -> bool:
    try:
        return looks_suspicious(orjson.dumps(record, None, PASS_NOTHING))
    except (ValueError, TypeError, RecursionError):
        return True


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.FalseSchema):
        return "false"
    return str(next(part for part in reversed(error.schema_path) if isinstance(part, str)))


def _fields(error: jsonschema_rs.ValidationError, place: str) -> list[str]:
    """The fields meant: a missing or unknown field is named itself, not the object it should be in."""
    kinds = jsonschema_rs.ValidationErrorKind
    match error.kind:
        case kinds.Required(property=name):
            return [f"{place}/{escape(name)}"]
        case kinds.AdditionalProperties(unexpected=names):
            return [f"{place}/{escape(name)}" for name in names]
        case _:
            return [place]


def validator(reference: str, catalogue: Catalogue | None = None) -> Validator:
    """The validator of a schema, compiled once per process."""
    return _validator(catalogue or default_catalogue(), reference)


@lru_cache(maxsize=1024)
def _validator(catalogue: Catalogue, reference: str) -> Validator:
    return Validator(catalogue.schema(reference), reference)


def _compile(schema: dict[str, Any], name: str) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            formats=formats(),
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_MEMORY),
            offline=True,
        )
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise SchemaError(f"{name}: {_complaint(error)}") from error


def _complaint(error: Exception) -> str:
    if not isinstance(error, jsonschema_rs.ValidationError):
        return str(error)
    place = "".join(f"/{escape(str(part))}" for part in error.instance_path)
    if place.endswith("/pattern") or "/patternProperties" in place:
        return (
            f"{place}: {error.message}: expected a pattern that can be matched in linear time "
            "(no look-around, no back-references, of bounded size)"
        )
    return f"{place}: {error.message}" if place else error.message
