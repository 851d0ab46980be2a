"""Codes of the demo city with right check characters: USCC, organisation code, registration number, food licence."""

from __future__ import annotations

from operator import mul

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

_USCC_VALUE = {character: value for value, character in enumerate(USCC_ALPHABET)}
_BASE_36 = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_BODIES = len(USCC_ALPHABET) ** 7
_STRIDE = 10_368_889_991  # prime, and not 31: numbers that follow each other get codes that do not


def uscc_check_character(first_17: str) -> str:
    """The 18th character of a unified social credit code (GB 32100-2015)."""
    total = sum(map(mul, map(_USCC_VALUE.__getitem__, first_17), USCC_WEIGHTS))
    return USCC_ALPHABET[-total % 31]


def organisation_check_character(first_8: str) -> str:
    """The 9th character of an organisation code (GB 11714)."""
    total = sum(map(mul, map(_BASE_36.__getitem__, first_8), ORGANISATION_WEIGHTS))
    return "0123456789X0"[11 - total % 11]


def uscc(authority: str, division: str, body: int) -> str:
    """The unified social credit code of the ``body``-th organisation.

    Different below 31**7; ``authority`` is the two characters of registering authority and kind, such as ``91``.
    """
    rest, characters = (body * _STRIDE) % _BODIES, "Q"
    for _ in range(7):
        rest, value = divmod(rest, 31)
        characters += USCC_ALPHABET[value]
    first_17 = authority + division + characters + organisation_check_character(characters)
    return first_17 + uscc_check_character(first_17)


def wrong_uscc(code: str) -> str:
    """The same code with another, wrong check character."""
    return code[:17] + USCC_ALPHABET[(_USCC_VALUE[code[17]] + 7) % 31]


def digits_check_character(digits: str) -> str:
    """ISO 7064 MOD 11,10: the last digit of registration numbers and food licences."""
    rest = 10
    for digit in digits:
        rest = ((rest + int(digit)) % 10 or 10) * 2 % 11
    return str((11 - rest) % 10)


def registration_number(division: str, number: int) -> str:
    """A 15-digit registration number of the kind used before 2015."""
    first_14 = f"{division}{number % 10**8:08d}"
    return first_14 + digits_check_character(first_14)


def food_licence_number(business: int, division: str, number: int) -> str:
    """``JY`` + kind of business (1 sale, 2 catering, 3 canteen) + division + serial number + check digit."""
    digits = f"{business}{division}{number % 10**6:06d}"
    return f"JY{digits}{digits_check_character(digits)}"
