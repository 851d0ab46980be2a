"""The text by which a record is known within its dataset, and a row within its source. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SEPARATOR = "|"


def key_text(values: Iterable[Any]) -> str:
    """One text for the values of a key: the value itself, or several joined by ``|`` (a ``|`` or ``~`` within: ``~``).

    Different values never give the same text: the separator within a value is escaped.
    """
    texts = [value if isinstance(value, str) else str(value) for value in values]
    if len(texts) == 1:
        return texts[0]
    return SEPARATOR.join(text.replace("~", "~~").replace(SEPARATOR, "~|") for text in texts)
