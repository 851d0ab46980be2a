"""Numbers of issued credit reports: nobody guesses one, and a slip in copying one is noticed.

A number is nineteen random characters (95 bits) and a check character, ISO/IEC 7064 MOD 37,36, in five groups of four:
``7Q2M-4K9Z-P1XW-8TR5-B0HU``. The random ones are Crockford's: no I, L, O or U, so that none is taken for another.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from stdnum.iso7064 import mod_37_36

CHARACTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH: Final = 20
_GROUP: Final = 4
_READ_AS: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})


class ReportNumberMalformed(ValueError):  # noqa: N818
    """A text is no number of a report."""


class ReportNumberMistyped(ValueError):  # noqa: N818
    """A number's check character does not fit the others: at least one is wrong."""


def new() -> str:
    """A number that nobody has, as it is printed."""
    body = "".join(secrets.choice(CHARACTERS) for _ in range(LENGTH - 1))
    return _printed(body + str(mod_37_36.calc_check_digit(body)))


def parse(text: str) -> str:
    """The number in what a person typed, as it is printed: case, width, spaces and dashes do not matter.

    Raises ReportNumberMalformed, ReportNumberMistyped.
    """
    plain = "".join(each for each in unicodedata.normalize("NFKC", text).upper() if each.isalnum())
    if len(plain) != LENGTH or not plain.isascii():
        raise ReportNumberMalformed(f"expected {LENGTH} letters and digits, got {len(plain)}")
    # The check character may be any letter; only the others are read as what they were mistaken for.
    body, check = plain[:-1].translate(_READ_AS), plain[-1]
    if not set(body) <= set(CHARACTERS) or mod_37_36.calc_check_digit(body) != check:
        raise ReportNumberMistyped("the check character does not fit")
    return _printed(body + check)


def _printed(plain: str) -> str:
    return "-".join(plain[start : start + _GROUP] for start in range(0, LENGTH, _GROUP))
