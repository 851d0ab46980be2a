"""The two embedded typefaces, and which characters they have.

PDF/A refuses a text whose characters no embedded font has, and a name may well have such a character (rare characters
of personal names, private use areas of old systems). It is then shown as 〓, the printers' mark for a missing sort, and
named by its code point at the foot: the credential attached has the true text.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import cache
from pathlib import Path
from typing import Final

import pylopdf_fonts_zh_cn
import typst

MISSING_SORT: Final = "〓"
_SEGMENTS_OF_ALL_PLANES: Final = 12


@cache
def typefaces() -> typst.Fonts:
    """Noto Serif SC and Noto Sans SC, read once; neither the system's fonts nor typst's own."""
    paths: list[Path] = [pylopdf_fonts_zh_cn.serif_path().parent]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)


def _character_map(font: bytes) -> frozenset[int]:
    """Code points of an OpenType font's ``cmap``, format 12 (Unicode, all planes)."""
    (tables,) = struct.unpack_from(">H", font, 4)
    offset = next(
        start
        for tag, _, start, _ in (struct.unpack_from(">4sIII", font, 12 + 16 * table) for table in range(tables))
        if tag == b"cmap"
    )
    (encodings,) = struct.unpack_from(">H", font, offset + 2)
    for encoding in range(encodings):
        (start,) = struct.unpack_from(">I", font, offset + 4 + 8 * encoding + 4)
        (kind,) = struct.unpack_from(">H", font, offset + start)
        if kind == _SEGMENTS_OF_ALL_PLANES:
            (groups,) = struct.unpack_from(">I", font, offset + start + 12)
            spans = struct.iter_unpack(">III", font[offset + start + 16 : offset + start + 16 + 12 * groups])
            return frozenset(point for first, last, _ in spans for point in range(first, last + 1))
    raise ValueError("the font has no character map of all Unicode planes")


@cache
def printable() -> frozenset[int]:
    """Code points that both typefaces can set."""
    maps = [
        _character_map(path.read_bytes())
        for path in (pylopdf_fonts_zh_cn.serif_path(), pylopdf_fonts_zh_cn.sans_path())
    ]
    return maps[0] & maps[1]


def settable(text: str) -> tuple[str, tuple[str, ...]]:
    """``text`` as it can be set, and the code points (``U+20BB7``) that became 〓.

    White space becomes one space. Characters without a shape of their own (controls, direction overrides, zero-width
    ones) are left out: they could make a name look like another.
    """
    missing: dict[str, None] = {}
    set_text: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if character.isspace():
            set_text.append(" ")
        elif unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn"} or 0xFE00 <= ord(character) <= 0xFE0F:  # noqa: PLR2004
            continue
        elif ord(character) in printable():
            set_text.append(character)
        else:
            missing[f"U+{ord(character):04X}"] = None
            set_text.append(MISSING_SORT)
    return " ".join("".join(set_text).split()), tuple(missing)
