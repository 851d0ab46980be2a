"""The shapes of answers about issued credit reports, for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from registry.api.models import Answer, Title

NUMBER = "7Q2M-4K9Z-P1XW-8TR5-B0HU"
_AT = "2026-11-23T05:36:52Z"
_EXAMPLE: dict[str, Any] = {
    "number": NUMBER,
    "genuine": True,
    "uscc": "91310000MA1FL00A0Q",
    "edition": "public",
    "title": {"zh": "公开版", "en": "Public edition"},
    "day": "2026-11-23",
    "issued_at": _AT,
    "as_of": _AT,
    "still_so": True,
    "check": {"digest": f"sha256:{'0f' * 32}", "records": 1},
    "links": {
        "check": f"https://hub.example.cn/api/v1/credit/reports/{NUMBER}",
        "page": f"https://hub.example.cn/reports/{NUMBER}",
    },
}


class RecordedCheck(Answer):
    """By which the report in hand is compared with the one that was issued."""

    digest: str = Field(description="`sha256:` and the digest of a line for each record, see docs/credit.md")
    records: int | None = Field(description="How many; null once something has changed")


class ReportOnRecord(Answer):
    """A report that was issued here."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    number: str
    genuine: Literal[True]
    uscc: str
    edition: Literal["public", "department", "bank"]
    title: Title
    day: date
    issued_at: datetime
    as_of: datetime
    still_so: bool = Field(description="Whether the same report made now would say the same; what changed is not said")
    check: RecordedCheck
    links: dict[str, str]
