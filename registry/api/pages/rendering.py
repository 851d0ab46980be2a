"""Templates become answers: escaped, with a policy that lets the browser run and load only what lies here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response

from registry.api.licences.published import entity_tag, is_known
from schemas.masking import printable

_FOLDER = Path(__file__).parent
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_KEPT = frozenset("\n\t\r\u3000\u200c\u200d")
_ZONE = ZoneInfo("Asia/Shanghai")
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Language": "zh-CN, en",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a page loads, under a name that changes with its content: browsers may keep it for ever."""

    name: str
    content: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every asset by the name in its address."""
    found = {}
    for path in sorted((_FOLDER / "assets").iterdir()):
        content = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
        found[name] = Asset(name, content, _KINDS[path.suffix])
    return found


def page(template: str, content: Mapping[str, Any], *, status: int = 200) -> Response:
    """A page. Its values are escaped; one that the template names and nobody gave is an error."""
    text = _environment().get_template(template).render(content)
    return Response(text, status, HEADERS, "text/html; charset=utf-8")


def kept(made: Response, if_none_match: str | None, *, max_age: int) -> Response:
    """A page that whoever has it need not load again: with its tag, or 304. ``max_age`` in seconds."""
    mark = entity_tag(bytes(made.body))
    made.headers["ETag"], made.headers["Cache-Control"] = mark, f"public, max-age={max_age}"
    if not is_known(mark, if_none_match):
        return made
    return Response(status_code=304, headers={"ETag": mark, "Cache-Control": made.headers["Cache-Control"]})


def asset(name: str) -> Response | None:
    """The answer with an asset; None if there is none of that name."""
    found = assets().get(name)
    if found is None:
        return None
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "same-origin"}
    return Response(found.content, 200, headers, found.media_type)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.filters["day"] = _day
    made.filters["moment"] = _moment
    made.globals["asset"] = _asset_name
    return made


@cache
def _asset_name(stem: str) -> str:
    wanted, _, suffix = stem.partition(".")
    return next(name for name in assets() if name.startswith(f"{wanted}.") and name.endswith(f".{suffix}"))


def _visible(value: Any) -> Any:
    """What stands in a document as it is, but for characters that cannot be seen: they would hide or turn others round.

    A name that a forger writes with U+202E reads backwards. Lines stay lines; the joiners (U+200C, U+200D) that some
    scripts are written with stay too.
    """
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(each if each in _KEPT or each.isprintable() else printable(each) for each in value)


def _day(value: date) -> str:
    return f"{value.year}年{value.month}月{value.day}日"


def _moment(value: datetime) -> str:
    """Beijing time, to the minute."""
    return value.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M")
