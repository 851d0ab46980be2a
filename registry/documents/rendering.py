"""A licence as PDF/A-3b: set by typst from a template, without network, the same bytes for the same input.

Texts reach the template as JSON and are set as plain strings: nothing in them is read as markup. The signed credential
is attached as ``credential.json`` (relationship: data): the document carries its own proof besides its signature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import typst

from registry.documents import fonts, qr, seal
from registry.documents.page import Copy, Entry, Page, chinese_date, english_date, minute_in_china

PACKAGES: Final = Path(__file__).parent / "typst_packages"
_ONE_AT_A_TIME: Final = Lock()
"""A compiler holds its inputs: two threads must not use it at once."""
_FETCHED: Final = re.compile(r"@preview/")


class RenderingFailed(ValueError):  # noqa: N818
    """A template cannot be used; the message says which, and what typst says of it."""


@lru_cache(maxsize=64)
def _compiler(template: Path) -> typst.Compiler:
    """One per template: it keeps what it has parsed. It sees the template's folder and our package, nothing else."""
    if _FETCHED.search(template.read_text(encoding="utf-8")):
        raise RenderingFailed(
            f"{template}: packages of the typst registry (@preview/...) would be fetched at render time"
        )
    return typst.Compiler(
        str(template),
        root=str(template.parent),
        font_paths=fonts.typefaces(),
        ignore_system_fonts=True,
        package_path=str(PACKAGES),
        package_cache_path=str(PACKAGES),
    )


@dataclass(slots=True)
class Setter:
    """Makes texts settable and remembers which characters could not be."""

    missing: dict[str, None] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """The text as the typefaces can set it."""
        settable, missing = fonts.settable(text)
        self.missing.update(dict.fromkeys(missing))
        return settable

    def entry(self, entry: Entry) -> dict[str, str]:
        """A labelled text, every part of it settable."""
        return {
            "name": entry.name,
            "zh": self.text(entry.zh),
            "en": self.text(entry.en),
            "value": self.text(entry.value),
        }


def _inputs(page: Page, verification_address: str, copy: Copy | None) -> dict[str, Any]:
    setter = Setter()
    return {
        "title": {"zh": setter.text(page.title_zh), "en": setter.text(page.title_en)},
        "identifier": setter.text(page.identifier),
        "number": setter.entry(page.number),
        "entries": [setter.entry(entry) for entry in page.entries],
        "issuer": {"zh": setter.text(page.issuer_zh), "en": setter.text(page.issuer_en)},
        "issued_on": {"zh": chinese_date(page.issued_on), "en": english_date(page.issued_on)},
        "copy": None
        if copy is None
        else {
            "purpose": setter.text(copy.cause),
            "requester": setter.text(copy.requested_by),
            "valid_until": minute_in_china(copy.usable_until),
        },
        "verification_address": setter.text(verification_address),
        "seal": seal.draw(setter.text(page.issuer_zh)),
        "qr": qr.draw(verification_address),
        "unprintable": list(setter.missing),
    }


def render(
    page: Page,
    *,
    template: Path,
    credential: bytes,
    verification_address: str,
    at: datetime,
    copy: Copy | None = None,
) -> bytes:
    """The document of ``page``, not yet signed.

    ``credential`` is the signed credential's bytes, attached as they are; ``at`` (with a time zone) is the document's
    time of creation. Raises :class:`RenderingFailed` if the template has a fault.
    """
    inputs = {
        "page": json.dumps(_inputs(page, verification_address, copy), ensure_ascii=False),
        "credential": credential.decode("utf-8"),
    }
    return typeset(template, inputs, at)


def typeset(template: Path, inputs: Mapping[str, str], at: datetime) -> bytes:
    """PDF/A-3b of a template with its inputs, created ``at`` (with a time zone). Raises :class:`RenderingFailed`."""
    try:
        with _ONE_AT_A_TIME:
            document = _compiler(template).compile(
                format="pdf", sys_inputs=dict(inputs), pdf_standards=["a-3b"], timestamp=int(at.timestamp())
            )
    except RuntimeError as error:
        raise RenderingFailed(f"{template}: {error}") from error
    if not isinstance(document, bytes):
        raise RenderingFailed(f"{template}: typst made no PDF")
    return document
