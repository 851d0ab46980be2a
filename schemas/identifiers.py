"""Identifiers of entities, persons and licences, and their check characters.

Every ``is_...`` function takes anything and answers without raising: they stand in the hot path as JSON Schema formats.
"""

from __future__ import annotations

from datetime import date
from typing import Any

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Digits and capital letters without I, O, S, V, Z (GB 32100-2015)."""
USCC_LENGTH = 18

HOLDER_CODE_TYPES = {
    "001": ("统一社会信用代码", "Unified social credit code"),
    "099": ("其他法人或其他组织有效证件代码", "Other code of a legal person or organisation"),
    "111": ("公民身份号码", "Resident identity number"),
    "114": ("军官证号码", "Military officer's card"),
    "115": ("警官证号码", "Police officer's card"),
    "118": ("士兵证号码", "Soldier's card"),
    "119": ("武警士兵证号码", "Armed police soldier's card"),
    "120": ("军队文职干部证号码", "Civilian cadre's card of the army"),
    "122": ("武警文职干部证号码", "Civilian cadre's card of the armed police"),
    "411": ("外交护照号码", "Diplomatic passport"),
    "412": ("公务护照号码", "Service passport"),
    "413": ("公务普通护照号码", "Passport for public affairs"),
    "414": ("普通护照号码", "Ordinary passport"),
    "511": ("台湾居民来往大陆通行证号码", "Travel permit of residents of Taiwan"),
    "516": ("港澳居民来往内地通行证号码", "Travel permit of residents of Hong Kong and Macao"),
    "999": ("其他自然人有效证件代码", "Other document of a natural person"),
}
"""Kinds of holder codes, GB/T 36903 annex A: code -> (Chinese, English)."""

_USCC_VALUES = {character: value for value, character in enumerate(USCC_ALPHABET)}


def _pair_sums(last_weight: int) -> dict[str, int]:
    """What two neighbouring characters add to the USCC's sum, before the weight of their place."""
    return {
        first + second: (value + last_weight * other) % 31
        for first, value in _USCC_VALUES.items()
        for second, other in _USCC_VALUES.items()
    }


# The weights are powers of 3, so each pair weighs 9 times the pair before it, and one table serves every place; the
# last pair is the 17th character (weight 3**16 = 28) and the check character (weight 1).
_PAIRS = _pair_sums(3)
_LAST_PAIR = {
    first + second: (28 * value + other) % 31
    for first, value in _USCC_VALUES.items()
    for second, other in _USCC_VALUES.items()
}


def is_uscc(text: Any) -> bool:
    """Whether this is a unified social credit code with the right check character; letters may stand in any place."""
    try:
        return (
            len(text) == USCC_LENGTH
            and (
                _PAIRS[text[0:2]]
                + 9 * _PAIRS[text[2:4]]
                + 19 * _PAIRS[text[4:6]]
                + 16 * _PAIRS[text[6:8]]
                + 20 * _PAIRS[text[8:10]]
                + 25 * _PAIRS[text[10:12]]
                + 8 * _PAIRS[text[12:14]]
                + 10 * _PAIRS[text[14:16]]
                + _LAST_PAIR[text[16:18]]
            )
            % 31
            == 0
        )
    except (KeyError, TypeError):
        return False


def uscc_check_character(first17: str) -> str:
    """The 18th character of a unified social credit code, from the 17 before it."""
    if len(first17) != USCC_LENGTH - 1 or any(character not in _USCC_VALUES for character in first17):
        raise ValueError(f"expected 17 characters of {USCC_ALPHABET}, got {len(first17)} characters")
    total = sum(_USCC_VALUES[character] * pow(3, place, 31) for place, character in enumerate(first17))
    return USCC_ALPHABET[-total % 31]


_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_BASE36 = {character: value for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def organisation_code_check_character(first8: str) -> str:
    """The ninth character of an organisation code (GB 11714), from the eight before it."""
    if len(first8) != len(_ORGANISATION_WEIGHTS) or any(character not in _BASE36 for character in first8):
        raise ValueError(f"expected 8 characters of 0-9A-Z, got {len(first8)} characters")
    total = sum(weight * _BASE36[character] for weight, character in zip(_ORGANISATION_WEIGHTS, first8, strict=True))
    return "0123456789X0"[11 - total % 11]


def is_organisation_code(text: Any) -> bool:
    """Whether this is an organisation code with the right check character, written with its hyphen or without."""
    if not isinstance(text, str):
        return False
    body, check = (text[:8], text[9:]) if text[8:9] == "-" else (text[:8], text[8:])
    return (
        len(body) == len(_ORGANISATION_WEIGHTS)
        and all(character in _BASE36 for character in body)
        and check == organisation_code_check_character(body)
    )


_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_resident_id(text: Any) -> bool:
    """Whether this is an 18-character resident identity number: real birth date, right check character (GB 11643)."""
    if not isinstance(text, str) or len(text) != len(_RESIDENT_WEIGHTS) + 1:
        return False
    body = text[:-1]
    if not (body.isascii() and body.isdigit()):
        return False
    try:
        date(int(body[6:10]), int(body[10:12]), int(body[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_RESIDENT_WEIGHTS, body, strict=True))
    return text[-1] == "10X98765432"[total % 11]


LICENCE_ROOT = "1.2.156.3005.2"
"""The object identifier that every e-licence identifier starts with (GB/T 36904)."""
_LICENCE_PARTS = 5
_TYPE_CODE_LENGTH, _ISSUER_LENGTHS, _SERIAL_LENGTH, _VERSION_LENGTH = 21, (6, 18), 64, 3


def licence_check_character(body: str) -> str:
    """ISO/IEC 7064 MOD 37,36 over type code, issuer code, serial and version, without root and dots."""
    state = 36
    for character in body:
        state = (state + _BASE36[character]) % 36 or 36
        state = state * 2 % 37
    return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(37 - state) % 36]


def is_licence_identifier(text: Any) -> bool:
    """Whether this is an e-licence identifier of GB/T 36904 with the right check character.

    The issuer is a unified social credit code; six digits of a division stand there in some living identifiers.
    """
    if not isinstance(text, str) or not text.startswith(LICENCE_ROOT + "."):
        return False
    parts = text[len(LICENCE_ROOT) + 1 :].split(".")
    if len(parts) != _LICENCE_PARTS:
        return False
    kind, issuer, serial, version, check = parts
    body = kind + issuer + serial + version
    return (
        len(kind) == _TYPE_CODE_LENGTH
        and len(issuer) in _ISSUER_LENGTHS
        and 1 <= len(serial) <= _SERIAL_LENGTH
        and len(version) == _VERSION_LENGTH
        and version.isascii()
        and version.isdigit()
        and all(character in _BASE36 for character in body)
        and check == licence_check_character(body)
    )
