"""Issuing authorities 证照颁发机构: who has a seal at this hub, and under which names records speak of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from registry.credentials.did import did_web
from registry.domain.licences.licence import Issuer
from registry.licences import key_rows
from registry.licences.key_rows import HUB_NAME, ROOT_NAME
from registry.signing.certificates import Subject
from registry.signing.master_key import MasterKey
from schemas.documents import DocumentError, Key, read_document
from schemas.identifiers import is_uscc
from schemas.structure import faults

_DIVISION = 6  # digits
_TEXT = {"type": "string", "pattern": r"\S", "x-expected": "a text; one of digits in quotes"}
_FILE = {
    "type": "object",
    "required": ["issuers"],
    "additionalProperties": False,
    "properties": {
        "issuers": {
            "type": "array",
            "minItems": 1,
            "x-expected": "a list of authorities",
            "items": {
                "type": "object",
                "required": ["code", "name"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": ["string", "integer"], "x-expected": "a code"},
                    "name": {
                        "type": "object",
                        "required": ["zh", "en"],
                        "additionalProperties": False,
                        "properties": {"zh": _TEXT, "en": _TEXT},
                    },
                    "aliases": {"type": "array", "items": _TEXT, "x-expected": "a list of names"},
                },
            },
        }
    },
}
"""A file of authorities, as JSON Schema."""


class IssuerError(Exception):
    """An authority cannot be entered as asked; the text says why in both languages."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An authority with all that the registry knows of it."""

    issuer: Issuer
    aliases: tuple[str, ...]
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """An authority as a file or an operator names it."""

    code: str
    name: str
    name_en: str
    aliases: tuple[str, ...] = ()


def enter(
    connection: psycopg.Connection,
    code: str,
    name: str,
    name_en: str,
    aliases: Sequence[str] = (),
    *,
    base: str,
    master_key: MasterKey,
    now: datetime,
    sm2: bool = False,
) -> Issuer:
    """Enter an authority, or what is new about it; with its key and seal, and the hub's own where there are none.

    Doing it again changes nothing. Another name for the same code gives it a seal with that name, and keeps the former
    one as an alias; its DID stays what it was. With ``sm2`` it gets an SM2 key too. Raises IssuerError, MasterKeyWrong.
    """
    return enter_all(
        connection,
        [Wanted(code, name, name_en, tuple(aliases))],
        base=base,
        master_key=master_key,
        now=now,
        sm2=sm2,
    )[0]


def enter_all(
    connection: psycopg.Connection,
    wanted: Sequence[Wanted],
    *,
    base: str,
    master_key: MasterKey,
    now: datetime,
    sm2: bool = False,
) -> tuple[Issuer, ...]:
    """Enter authorities, all of them or none; see :func:`enter`."""
    if problems := [problem for each in wanted for problem in _problems(each)]:
        raise IssuerError("\n".join(problems))
    with connection.transaction():
        key_rows.lock(connection)
        _ensure_hub(connection, base, master_key, now)
        return tuple(_enter(connection, _tidy(each), base, master_key, now, sm2=sm2) for each in wanted)


def all_issuers(connection: psycopg.Connection) -> tuple[Entry, ...]:
    """Every authority, by code."""
    rows = connection.execute(
        "SELECT code, name, name_en, did, aliases, registered_at FROM registry.issuer ORDER BY code"
    )
    return tuple(
        Entry(Issuer(code, name, name_en, did), tuple(aliases), registered_at)
        for code, name, name_en, did, aliases, registered_at in rows
    )


def find(connection: psycopg.Connection, *, name: str | None = None, code: str | None = None) -> Issuer | None:
    """The authority of a code; without one, of a name or alias, whichever the width of its brackets."""
    for entry in all_issuers(connection):
        names = {folded(each) for each in (entry.issuer.name, *entry.aliases)}
        if entry.issuer.code == code or (code is None and name is not None and folded(name) in names):
            return entry.issuer
    return None


def folded(name: str) -> str:
    """A name as it is compared: the width of brackets and spaces do not tell authorities apart."""
    return "".join(unicodedata.normalize("NFKC", name).split())


def load_file(
    connection: psycopg.Connection, path: Path, *, base: str, master_key: MasterKey, now: datetime, sm2: bool = False
) -> tuple[Issuer, ...]:
    """Enter every authority of a YAML file. Raises IssuerError that names the file and every problem in it."""
    try:
        return enter_all(connection, read_file(path), base=base, master_key=master_key, now=now, sm2=sm2)
    except IssuerError as error:
        raise IssuerError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def read_file(path: Path) -> list[Wanted]:
    """What a file of authorities says: a list ``issuers`` of ``code``, ``name: {zh, en}``, ``aliases``.

    Raises IssuerError that names every problem and its line.
    """
    try:
        document = read_document(path.read_text("utf-8"))
    except OSError as error:
        raise IssuerError(f"文件无法读取 the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise IssuerError("文件不是 UTF-8 编码 the file is not in UTF-8") from None
    except DocumentError as error:
        raise IssuerError(f"第 {error.line} 行 line {error.line}: {error}") from None
    problems = [(document.line(key), f"{_place(key)} {wrong}") for key, wrong in faults(document.data, _FILE)]
    problems += [(line, f"{_place(key)} stands twice") for key, line, _ in document.duplicates]
    if problems:
        raise IssuerError("\n".join(f"第 {line} 行 line {line}: {text}" for line, text in sorted(problems)))
    return [
        Wanted(str(each["code"]), each["name"]["zh"], each["name"]["en"], tuple(each.get("aliases", ())))
        for each in document.data["issuers"]
    ]


def _place(key: Key) -> str:
    return ".".join(map(str, key)) or "the file"


def _problems(wanted: Wanted) -> list[str]:
    problems = []
    code = wanted.code.strip()
    if not is_uscc(code) and not (len(code) == _DIVISION and code.isascii() and code.isdigit()):
        problems.append(
            f"{code!r} 不是有效的机构代码：应为 18 位统一社会信用代码（校验位正确）或 6 位行政区划代码 is no code of "
            "an authority: expected a unified social credit code with the right check character, or a division's six "
            "digits"
        )
    if not all(text.strip() for text in (wanted.name, wanted.name_en, *wanted.aliases)):
        problems.append(f"{code}: 中英文名称与别名不得为空 names in both languages and aliases must not be empty")
    return problems


def _tidy(wanted: Wanted) -> Wanted:
    name = wanted.name.strip()
    aliases = {alias.strip() for alias in wanted.aliases} - {name}
    return Wanted(wanted.code.strip(), name, wanted.name_en.strip(), tuple(sorted(aliases)))


def _ensure_hub(connection: psycopg.Connection, base: str, master_key: MasterKey, now: datetime) -> None:
    did = did_web(base, None)
    root = key_rows.active(connection, "root", None)
    if root is None:
        key_rows.make_root(connection, Subject(ROOT_NAME, did), master_key, now)
    else:
        root.unseal(master_key)  # the master key is the right one, also where no new key is made below
    if key_rows.active(connection, "hub", None) is None:
        key_rows.make_leaf(connection, "hub", Subject(HUB_NAME, did), master_key, now)


def _enter(
    connection: psycopg.Connection, wanted: Wanted, base: str, master_key: MasterKey, now: datetime, *, sm2: bool
) -> Issuer:
    _check_names(connection, wanted)
    before = next((entry for entry in all_issuers(connection) if entry.issuer.code == wanted.code), None)
    if before is None:
        issuer = Issuer(wanted.code, wanted.name, wanted.name_en, did_web(base, wanted.code))
        connection.execute(
            "INSERT INTO registry.issuer (code, name, name_en, aliases, did, registered_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (issuer.code, issuer.name, issuer.name_en, list(wanted.aliases), issuer.did, now),
        )
        key_rows.make_leaf(connection, "seal", Subject(issuer.name, issuer.did, issuer.code), master_key, now)
    else:
        issuer = _refresh(connection, before, wanted, master_key, now)
    if sm2 and key_rows.active(connection, "sm2", issuer.code) is None:
        key_rows.make_sm2(connection, issuer.code, master_key, now)
    return issuer


def _refresh(
    connection: psycopg.Connection, before: Entry, wanted: Wanted, master_key: MasterKey, now: datetime
) -> Issuer:
    issuer = Issuer(wanted.code, wanted.name, wanted.name_en, before.issuer.did)
    aliases = sorted({*before.aliases, *wanted.aliases, before.issuer.name} - {issuer.name})
    if issuer != before.issuer or aliases != sorted(before.aliases):
        connection.execute(
            "UPDATE registry.issuer SET name = %s, name_en = %s, aliases = %s WHERE code = %s",
            (issuer.name, issuer.name_en, aliases, issuer.code),
        )
    if issuer.name != before.issuer.name and key_rows.active(connection, "seal", issuer.code) is not None:
        key_rows.retire(connection, "seal", issuer.code, now)
        key_rows.make_leaf(connection, "seal", Subject(issuer.name, issuer.did, issuer.code), master_key, now)
    return issuer


def _check_names(connection: psycopg.Connection, wanted: Wanted) -> None:
    for name in (wanted.name, *wanted.aliases):
        other = find(connection, name=name)
        if other is not None and other.code != wanted.code:
            raise IssuerError(
                f"{name} 已登记为 {other.code} 的名称，一个机构只能有一个代码 is already a name of {other.code}: an "
                "authority has one code"
            )
