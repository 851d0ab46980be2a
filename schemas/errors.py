"""What can be wrong with a schema itself; what is wrong with a record is a :class:`schemas.validation.Violation`."""

from __future__ import annotations


class SchemaError(Exception):
    """A schema cannot be used: it is not JSON, not a JSON Schema, or asks for what the hub does not do."""


class UnknownSchema(SchemaError):  # noqa: N818  (named for what the caller meets)
    """No folder of the catalogue has this schema."""


class UnknownCodeList(SchemaError):  # noqa: N818
    """There is no code list of this name."""
