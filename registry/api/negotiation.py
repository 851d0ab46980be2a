"""Which form of a thing a caller would have: the header Accept (RFC 9110, 12.5.1), or none that there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from registry.api.problems import NOT_ACCEPTABLE, Problem


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """The media type that is liked best among those offered (the first of equals); None: none is acceptable.

    The most specific range that fits a type says how much it is liked; no header likes everything.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best, liked = None, 0.0
    for media_type in offered:
        fitting = [found for found in ranges if _fits(found[0], media_type)]
        quality = max(fitting, key=lambda found: _specificity(found[0]))[1] if fitting else 0.0
        if quality > liked:
            best, liked = media_type, quality
    return best


def not_acceptable(there: Iterable[str]) -> Problem:
    """What ends a request for a form that there is not, with those that there are."""
    names = list(there)
    listed = ", ".join(names)
    return Problem(NOT_ACCEPTABLE, f"可用的形式：{listed}。", f"There are {listed}.", members={"forms": names})


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            quality = _quality(value.strip())
    return name, quality


def _quality(text: str) -> float:
    whole, _, decimals = text.partition(".")
    if whole not in {"0", "1"} or (decimals and not (decimals.isascii() and decimals.isdecimal())):
        return 0.0
    return min(1.0, float(text))


def _fits(wanted: str, media_type: str) -> bool:
    return wanted in {media_type, "*/*"} or wanted == f"{media_type.partition('/')[0]}/*"


def _specificity(wanted: str) -> int:
    return 0 if wanted == "*/*" else 1 if wanted.endswith("/*") else 2
