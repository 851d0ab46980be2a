"""How far long work has come, on stderr: a moving line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

EVERY = 5.0
"""Seconds between two plain lines."""


class Say(Protocol):
    """Takes what is being done now."""

    def __call__(self, text: str) -> None:
        """Tell it."""


@contextmanager
def telling(first: str) -> Iterator[Say]:
    """Tell what is being done until the work ends."""
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415
        from rich.markup import escape  # noqa: PLC0415

        with Console(stderr=True).status(escape(first)) as status:
            yield lambda text: status.update(escape(text))
    else:
        sys.stderr.write(f"{first}\n")
        yield _Plain()


class _Plain:
    """Now and then a line; whoever reads a log wants no thousand of them."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self._told_at >= EVERY:
            self._told_at = time.monotonic()
            sys.stderr.write(f"{text}\n")
