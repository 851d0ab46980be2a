"""The red round seal of an issuing authority, drawn as SVG.

The form that Chinese authorities' seals have: 42 mm across, a ring, a five-pointed star in the middle, the authority's
name on an arc over it. The drawing is for people; what proves anything is the signature made with the seal certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, radians, sin
from typing import Final
from xml.sax.saxutils import escape

SEAL_MILLIMETRES: Final = 42
_SIZE: Final = 420
_CENTRE: Final = _SIZE / 2
_RED: Final = "#d8141c"
_RING: Final = 12
_STAR_RADIUS: Final = 68
_WIDEST_STEP: Final = 22.0
"""Degrees between two characters of a short name."""
_WIDEST_ARC: Final = 264.0
"""Degrees that a long name may take; the gap below stays open."""


@dataclass(frozen=True, slots=True)
class _Arc:
    """How a name of some length is laid on the arc, so that neighbours never touch."""

    step: float
    height: float
    narrowing: float
    radius: float


def _arc(count: int) -> _Arc:
    step = min(_WIDEST_STEP, _WIDEST_ARC / max(count - 1, 1))
    height = 56.0 if count <= 14 else 50.0 if count <= 22 else 40.0 if count <= 34 else 30.0  # noqa: PLR2004
    radius = _CENTRE - _RING - 10 - height
    room = radians(step) * (radius + height * 0.25)
    return _Arc(step, height, min(0.85, room / height), radius)


def _star() -> str:
    def corner(number: int) -> str:
        radius = _STAR_RADIUS if number % 2 == 0 else _STAR_RADIUS * sin(pi / 10) / sin(7 * pi / 10)
        angle = pi / 5 * number
        return f"{_CENTRE + radius * sin(angle):.2f},{_CENTRE - radius * cos(angle):.2f}"

    return f'<polygon points="{" ".join(corner(number) for number in range(10))}" fill="{_RED}"/>'


def _text(character: str, height: float) -> str:
    return (
        f'<text font-family="Noto Serif SC" font-size="{height:g}" text-anchor="middle" fill="{_RED}"'
        f' stroke="{_RED}" stroke-width="1.6">{escape(character)}</text>'
    )


def _name(name: str) -> str:
    arc = _arc(len(name))
    first = -arc.step * (len(name) - 1) / 2
    return "".join(
        f'<g transform="rotate({first + arc.step * place:.3f} {_CENTRE:g} {_CENTRE:g})'
        f' translate({_CENTRE:g} {_CENTRE - arc.radius:.2f}) scale({arc.narrowing:.3f} 1)">'
        f"{_text(character, arc.height)}</g>"
        for place, character in enumerate(name)
    )


@lru_cache(maxsize=512)
def draw(authority: str) -> str:
    """The seal of ``authority`` as SVG, 42 mm across. Names of up to some 60 characters stay legible."""
    ring = (
        f'<circle cx="{_CENTRE:g}" cy="{_CENTRE:g}" r="{_CENTRE - _RING / 2 - 1:g}" fill="none"'
        f' stroke="{_RED}" stroke-width="{_RING}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{SEAL_MILLIMETRES}mm" height="{SEAL_MILLIMETRES}mm"'
        f' viewBox="0 0 {_SIZE} {_SIZE}"><g opacity="0.88">{ring}{_star()}{_name(authority)}</g></svg>'
    )
