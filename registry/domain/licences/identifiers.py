"""Identifiers of licences 证照标识 (GB/T 36904): type code, issuer code, serial, version and a check character.

``1.2.156.3005.2.<type>.<issuer>.<serial>.<version>.<check>``. What this hub issues always has the right check
character; identifiers from elsewhere do not always (generators of wrong ones are at work in the field), so reading one
tells whether its check character is right and leaves it to the caller what to do.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from schemas.identifiers import LICENCE_ROOT, licence_check_character

SERIAL_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SERIAL_LENGTH = 20
"""Of the serials made here: 103 random bits, so that no identifier can be guessed from another."""
HIGHEST_VERSION = 999

_TYPE_LENGTH, _DIVISION_LENGTH, _USCC_LENGTH, _LONGEST_SERIAL, _VERSION_LENGTH = 21, 6, 18, 64, 3
_PARTS = 5
_SHOWN = 40


class IdentifierMalformed(ValueError):  # noqa: N818  (named for what the caller meets)
    """A text is no identifier of a licence: ``part`` says where, ``zh`` and ``en`` what."""

    def __init__(self, part: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.part, self.zh, self.en = part, zh, en


@dataclass(frozen=True, slots=True)
class Identifier:
    """One version of one licence. Its parts are checked: raises IdentifierMalformed."""

    type_code: str
    """证照类型代码: 21 characters."""
    issuer_code: str
    """颁发机构代码: a unified social credit code, or six digits of a division."""
    serial: str
    """流水号: the issuer's own, 1 to 64 digits and capital letters."""
    version: int
    """版本号: 1 to 999."""

    def __post_init__(self) -> None:
        _check_text("type_code", "证照类型代码", "type code", self.type_code, (_TYPE_LENGTH, _TYPE_LENGTH))
        length = _DIVISION_LENGTH if len(self.issuer_code) == _DIVISION_LENGTH else _USCC_LENGTH
        _check_text("issuer_code", "颁发机构代码", "issuer code", self.issuer_code, (length, length))
        _check_text("serial", "流水号", "serial", self.serial, (1, _LONGEST_SERIAL))
        if not 1 <= self.version <= HIGHEST_VERSION:
            raise IdentifierMalformed(
                "version",
                f"版本号：收到 {self.version}，应为 001 至 {HIGHEST_VERSION}",
                f"version: got {self.version}, expected 001 to {HIGHEST_VERSION}",
            )

    def __str__(self) -> str:
        version = f"{self.version:03}"
        check = licence_check_character(self.type_code + self.issuer_code + self.serial + version)
        return f"{LICENCE_ROOT}.{self.type_code}.{self.issuer_code}.{self.serial}.{version}.{check}"

    @property
    def check_character(self) -> str:
        """校验位: ISO/IEC 7064 MOD 37,36 over the four parts, without root and dots."""
        return str(self)[-1]

    def next_version(self) -> Identifier:
        """The identifier of the licence's next version. Raises IdentifierMalformed after version 999."""
        return replace(self, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Parsed:
    """An identifier as it was read."""

    identifier: Identifier
    check_character: str
    """As written."""

    @property
    def check_is_right(self) -> bool:
        """Whether the check character is the one that the other characters ask for."""
        return self.check_character == self.identifier.check_character

    @property
    def warning(self) -> tuple[str, str] | None:
        """What to tell, in Chinese and English, of a wrong check character; None if it is right."""
        if self.check_is_right:
            return None
        right = self.identifier.check_character
        return (
            f"证照标识的校验位为 {self.check_character}，按 GB/T 36904 应为 {right}；请向颁发机构核实",
            (
                f"the identifier's check character is {self.check_character}, by GB/T 36904 it is {right}; "
                "ask the issuing authority"
            ),
        )


def parse(text: str) -> Parsed:
    """Read an identifier, this hub's or another's. Raises IdentifierMalformed; a wrong check character is no error."""
    if not text.startswith(LICENCE_ROOT + "."):
        shown = _shown(text)
        raise IdentifierMalformed(
            "root",
            f"根标识：收到 {shown}，应以 {LICENCE_ROOT}. 开头",
            f"root: got {shown}, expected a text that begins with {LICENCE_ROOT}.",
        )
    parts = text[len(LICENCE_ROOT) + 1 :].split(".")
    if len(parts) != _PARTS:
        raise IdentifierMalformed(
            "parts",
            f"根标识之后：收到 {len(parts)} 段，应为5段（类型、机构、流水号、版本号、校验位）",
            f"after the root: got {len(parts)} parts, expected 5 (type, issuer, serial, version, check character)",
        )
    kind, issuer, serial, version, check = parts
    if len(version) != _VERSION_LENGTH or not (version.isascii() and version.isdigit()):
        raise IdentifierMalformed(
            "version",
            f"版本号：收到 {_shown(version)}，应为3位数字",
            f"version: got {_shown(version)}, expected three digits",
        )
    _check_text("check_character", "校验位", "check character", check, (1, 1))
    return Parsed(Identifier(kind, issuer, serial, int(version)), check)


def new_serial() -> str:
    """A random serial. Not enumerable on purpose: who knows one licence cannot ask for its neighbours."""
    number = secrets.randbelow(len(SERIAL_ALPHABET) ** SERIAL_LENGTH)
    characters = []
    for _ in range(SERIAL_LENGTH):
        number, place = divmod(number, len(SERIAL_ALPHABET))
        characters.append(SERIAL_ALPHABET[place])
    return "".join(characters)


def _check_text(part: str, zh: str, en: str, text: str, lengths: tuple[int, int]) -> None:
    shortest, longest = lengths
    if shortest <= len(text) <= longest and text.isascii() and text.isalnum() and text.upper() == text:
        return
    many_zh = f"{longest}" if shortest == longest else f"{shortest} 至 {longest} "
    many_en = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    raise IdentifierMalformed(
        part,
        f"{zh}：收到 {_shown(text)}（{len(text)} 位），应为 {many_zh}位数字或大写字母",
        f"{en}: got {_shown(text)} ({len(text)} characters), expected {many_en} digits or capital letters",
    )


def _shown(text: object) -> str:
    shown = ascii(text)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
