"""A city with a hub, two authorities, a food licence and its status lists: real keys and certificates, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from registry.credentials import build, did, status_list, trust_list
from registry.credentials.data_integrity import add_proof
from registry.credentials.jcs import canonical
from registry.credentials.trust_list import TrustedIssuer, TrustedKey, TrustList
from registry.credentials.verify import FetchedList, KeptLists, Verdict, verify
from registry.domain.licences.identifiers import Identifier
from registry.domain.licences.licence import Content, Holder, Issuer, Licence, Origin, StatusEntry
from registry.domain.licences.loading import LicenceTypes, load_types
from registry.signing import certificates
from registry.signing.p256 import P256Signer, key_id, new_key

BASE = "http://127.0.0.1:8090"
NOW = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
SIGNED = NOW - timedelta(days=2)
GROUP = 7
INDEX = 94_567


@cache
def types() -> LicenceTypes:
    return load_types()


@dataclass
class Authority:
    """An issuing authority with its seal."""

    issuer: Issuer
    key: ec.EllipticCurvePrivateKey
    certificate: Any
    since: datetime

    @cached_property
    def signer(self) -> P256Signer:
        return P256Signer(self.key, f"{self.issuer.did}#{key_id(self.key.public_key())}", self.certificate)

    def trusted_key(self, **changes: Any) -> TrustedKey:
        key = TrustedKey(
            self.signer.verification_method,
            self.key.public_key(),
            self.certificate,
            self.since,
            self.certificate.not_valid_after_utc,
        )
        return replace(key, **changes)

    def trusted(self, **changes: Any) -> TrustedIssuer:
        said = self.issuer
        return TrustedIssuer(said.did, said.code, said.name, said.name_en, (self.trusted_key(**changes),))


class City:
    """Everything that a verifier meets."""

    def __init__(self) -> None:
        begin = SIGNED - timedelta(days=30)
        root_key = new_key()
        hub_did = did.did_web(BASE)
        certificate = certificates.make_root(certificates.Subject("宁波市数据局", hub_did), root_key, begin)
        self.root = certificates.Root(certificate, root_key)
        self.hub = self.authority("宁波市数据局", "Ningbo data bureau", None, begin)
        self.bureau = self.authority("宁波市市场监督管理局", "Ningbo market bureau", "113302000029672234", begin)
        self.other = self.authority("杭州市市场监督管理局", "Hangzhou market bureau", "11330100002489559A", begin)

    def authority(self, name: str, name_en: str, code: str | None, begin: datetime) -> Authority:
        own = did.did_web(BASE, code)
        key = new_key()
        subject = certificates.Subject(name, own, code)
        make = certificates.make_hub if code is None else certificates.make_seal
        certificate = make(subject, key.public_key(), self.root, begin)
        return Authority(Issuer(code or "", name, name_en, own), key, certificate, certificate.not_valid_before_utc)

    def trust_list(self, issuers: Iterable[TrustedIssuer] | None = None, **changes: Any) -> bytes:
        said: dict[str, Any] = {
            "base": BASE,
            "hub": self.hub.issuer.did,
            "root": self.root.certificate,
            "hub_certificate": self.hub.certificate,
            "signer": self.hub.signer,
            "issuers": [self.bureau.trusted(), self.other.trusted()] if issuers is None else list(issuers),
            "resources": build.published(types().all, BASE),
            "issued_at": SIGNED,
            "valid_until": NOW + timedelta(days=90),
        }
        return trust_list.make(**said | changes)

    def trust(self, issuers: Iterable[TrustedIssuer] | None = None) -> TrustList:
        return trust_list.load(self.trust_list(issuers), root=self.root.certificate, at=NOW)

    def licence(self, *, authority: Authority | None = None, **changes: Any) -> Licence:
        authority = authority or self.bureau
        kind = types().latest("food_business_licence")
        content = Content(
            type=kind,
            number="JY13302030010001",
            holders=(Holder("宁波海风餐饮有限公司", "91330203MA2AF0001X", "001"),),
            issuer_name=authority.issuer.name,
            issuer_code=authority.issuer.code,
            issued_on=date(2024, 3, 1),
            valid_from=date(2024, 3, 1),
            valid_to=date(2029, 2, 28),
            items={
                "legal_representative": "王某",
                "business_address": "宁波市海曙区中山路1号",
                "operation_kind": "catering",
                "items": ["热食类食品制售", "冷食类食品制售"],
            },
        )
        content = replace(content, **{name: changes.pop(name) for name in list(changes) if hasattr(content, name)})
        licence = Licence(
            id=1,
            identifier=str(Identifier(kind.code, authority.issuer.code, "8KD02JF7SLQ0A3M5T6ZX", 1)),
            version=1,
            type=kind.name,
            type_version=kind.version,
            issuer=authority.issuer,
            content=content,
            origin=Origin(
                "food_business_licence", "food_business_licence@1", "F000001", 3, 41, "market.food", "market"
            ),
            status=StatusEntry(GROUP, INDEX),
            state="01",
            state_text=None,
            supersedes=None,
            superseded_by=None,
        )
        return replace(licence, **changes)

    def unsigned(self, **changes: Any) -> dict[str, Any]:
        return build.licence_credential(self.licence(**changes), base=BASE)

    def sign(
        self, document: Mapping[str, Any], *, by: Authority | None = None, at: datetime = SIGNED
    ) -> dict[str, Any]:
        return add_proof(document, (by or self.bureau).signer, at)

    @cached_property
    def credential(self) -> dict[str, Any]:
        """The licence, signed. Not to be changed: copy it."""
        return self.sign(self.unsigned())

    def list_of(
        self,
        purpose: status_list.Purpose,
        value: int = 0,
        *,
        by: Authority | None = None,
        url: str | None = None,
        index: int = INDEX,
        at: datetime = SIGNED,
        until: datetime = NOW + timedelta(days=5),
    ) -> bytes:
        """A status list in which one position has this value."""
        size = status_list.SIZES[purpose]
        bits = status_list.empty(size=size)
        status_list.set_value(bits, index, size, value)
        owner = by or self.bureau
        address = url or build.status_url(BASE, GROUP, purpose)
        return status_list.credential(
            address, owner.issuer.did, purpose, bits, owner.signer, valid_from=at, valid_until=until
        )

    def lists(self, **values: int | bytes | None) -> KeptLists:
        """The lists as fetched an hour ago; ``revocation=1`` sets the licence's position, None leaves a list out."""
        kept = {}
        for purpose in build.PURPOSES:
            value = values.get(purpose, 0)
            if value is not None:
                body = value if isinstance(value, bytes) else self.list_of(purpose, value)
                kept[build.status_url(BASE, GROUP, purpose)] = FetchedList(body, NOW - timedelta(hours=1))
        return KeptLists(kept)

    @cached_property
    def usual_trust(self) -> TrustList:
        return self.trust()

    @cached_property
    def usual_lists(self) -> KeptLists:
        return self.lists()

    def verify(self, document: Mapping[str, Any] | bytes, **with_: Any) -> Verdict:
        said = document if isinstance(document, bytes) else canonical(document)
        trust = with_.pop("trust", None) or self.usual_trust
        statuses = with_.pop("statuses", None) or self.usual_lists
        return verify(said, trust, statuses, with_.pop("at", NOW), **with_)
