"""Today, as the product counts days."""

from __future__ import annotations

from datetime import date, datetime

from registry.domain.credit.marks import CHINA


def today() -> date:
    """The day it is in China, where the machine's own zone may have another."""
    return datetime.now(CHINA).date()
