"""The reference engine: `jsonschema`, slow and widely reviewed, set to mean what the fast engine means.

Used where speed does not matter: to check schemas, and to hold the fast engine to the same verdict in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.protocols import Validator

from schemas.formats import formats


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ``jsonschema.SchemaError`` unless this is a JSON Schema of 2020-12."""
    jsonschema.Draft202012Validator.check_schema(schema)


def reference_validator(schema: Mapping[str, Any]) -> Validator:
    """The reference engine for a resolved schema, with the hub's formats."""
    checker = jsonschema.FormatChecker(formats=())
    for name, function in formats().items():
        checker.checks(name)(_for_text(function))
    found: Validator = _Engine(schema, format_checker=checker)
    return found


def _for_text(function: Any) -> Any:
    return lambda value: not isinstance(value, str) or function(value)


def _pattern(_: Validator, pattern: str, instance: Any, __: Mapping[str, Any]) -> Iterator[jsonschema.ValidationError]:
    """As ECMA-262 has it: ``$`` is the very end, not "before a last newline" as in Python."""
    if isinstance(instance, str) and not re.search(_ecma(pattern), instance, re.ASCII):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _ecma(pattern: str) -> str:
    return re.sub(r"(?<!\\)((?:\\\\)*)\$", r"\1\\Z", pattern)


_Engine = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"pattern": _pattern}
)
