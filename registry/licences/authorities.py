"""Which registered authority a record means: by its code, or by one of its names; and whether it can sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import psycopg

from registry.domain.licences.licence import Content, ContentRefusal, ContentRefused, Issuer
from registry.domain.licences.types import LicenceType
from registry.licences import issuers

UNKNOWN_ISSUER = "issuer_unknown"
NO_KEY = "issuer_without_key"
NOT_ENTITLED = "issuer_not_entitled"


@dataclass(frozen=True, slots=True)
class Authorities:
    """Every authority that has been entered, as one moment knows them."""

    by_code: Mapping[str, Issuer]
    by_name: Mapping[str, Issuer]
    """By name and by every alias, folded."""
    signing: frozenset[str]
    """Codes of those that have an active key."""
    digest: str
    """Other authorities, names, aliases or authorities without key have another digest."""

    def of(self, licence_type: LicenceType, content: Content) -> Issuer:
        """The authority that a content names; its code, where there is one, decides.

        Raises ContentRefused, with what to do, for one that is not entered or cannot sign.
        """
        if content.issuer_code:
            issuer = self.by_code.get(content.issuer_code)
        else:
            issuer = self.by_name.get(content.issuer_name) or self.by_name.get(issuers.folded(content.issuer_name))
        if issuer is None:
            raise ContentRefused([_unknown(licence_type, content)])
        if licence_type.issuer.only and issuer.code not in licence_type.issuer.only:
            raise ContentRefused([_not_entitled(licence_type, issuer)])
        self.expect_key(issuer.code)
        return issuer

    def expect_key(self, code: str) -> None:
        """Raises ContentRefused for an authority that cannot sign: nothing can be published in its name."""
        if code not in self.signing:
            raise ContentRefused([_without_key(code)])


def load(connection: psycopg.Connection) -> Authorities:
    """The authorities as they are entered now."""
    entries = issuers.all_issuers(connection)
    by_code = {each.issuer.code: each.issuer for each in entries}
    by_name = {name: each.issuer for each in entries for name in each.aliases}
    by_name |= {each.issuer.name: each.issuer for each in entries}
    by_name |= {issuers.folded(name): issuer for name, issuer in by_name.items() if issuers.folded(name) not in by_name}
    signing = connection.execute(
        "SELECT issuer_code FROM registry.signing_key WHERE purpose = 'seal' AND state = 'active' ORDER BY 1"
    ).fetchall()
    digest = sha256(repr([(each.issuer, sorted(each.aliases)) for each in entries] + signing).encode())
    return Authorities(by_code, by_name, frozenset(code for (code,) in signing), digest.hexdigest())


def _unknown(licence_type: LicenceType, content: Content) -> ContentRefusal:
    named = content.issuer_name + (f"（{content.issuer_code}）" if content.issuer_code else "")
    return ContentRefusal(
        UNKNOWN_ISSUER,
        (content.issuer_code and licence_type.issuer.code) or licence_type.issuer.name,
        f"颁发机构“{named}”未在本平台登记：请用 shuqiao issuers add 登记，此后自动签发",
        f"the issuing authority “{named}” is not entered at this hub: enter it with `shuqiao issuers add`,"
        " and the licence is issued",
    )


def _not_entitled(licence_type: LicenceType, issuer: Issuer) -> ContentRefusal:
    return ContentRefusal(
        NOT_ENTITLED,
        licence_type.issuer.code or licence_type.issuer.name,
        f"颁发机构“{issuer.name}”（{issuer.code}）无权颁发{licence_type.title.zh}：类型文件的 issuer.only 未列出",
        f"the authority {issuer.name_en} ({issuer.code}) may not issue this type: issuer.only of its file has it not",
    )


def _without_key(code: str) -> ContentRefusal:
    return ContentRefusal(
        NO_KEY,
        "",
        f"颁发机构 {code} 没有在用的签章密钥：请用 shuqiao keys rotate {code} 生成",
        f"the authority {code} has no active seal key: make one with `shuqiao keys rotate {code}`",
    )
