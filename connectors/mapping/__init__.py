"""From a source's rows to records: renaming, code lists, dates, amounts, spelling; pure, and a bad value is named."""

from connectors.mapping.records import BoundMapping, Mapping, compile_mapping
from connectors.mapping.refusal import Problem

__all__ = ["BoundMapping", "Mapping", "Problem", "compile_mapping"]
