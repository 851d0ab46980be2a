from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from registry.credentials import build, data_integrity
from registry.credentials.jcs import canonical
from registry.documents import document
from registry.domain.licences.licence import Content, Holder, Issuer, Licence, Origin, StatusEntry
from registry.domain.licences.loading import LicenceTypes, load_types
from registry.signing import certificates, p256

AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
BASE = "https://licences.example.gov.cn"
AUTHORITY = "桥州市海曙区市场监督管理局"
AUTHORITY_EN = "Market Supervision Administration of Haishu District, Qiaozhou"
HOLDER = "桥州市海曙区示例餐饮管理有限公司"
SCOPE = (
    "餐饮服务；食品经营（依法须经批准的项目，经相关部门批准后方可开展经营活动，具体经营项目以审批结果为准）。"
    "一般项目：技术服务、技术开发、技术咨询、技术交流、技术转让、技术推广；信息系统集成服务。"
)
ADDRESS = "浙江省桥州市海曙区中山东路100号1幢201室"
ITEMS: Mapping[str, Mapping[str, Any]] = {
    "business_licence": {
        "entity_type": "enterprise",
        "legal_representative": "张小明",
        "registered_capital": {"amount": "6209", "unit": "万元", "currency": "CNY"},
        "established_on": "2012-05-06",
        "address": ADDRESS,
        "business_scope": SCOPE,
    },
    "food_business_licence": {
        "legal_representative": "张小明",
        "address": ADDRESS,
        "business_address": ADDRESS,
        "operation_kind": "catering",
        "items": ["预包装食品销售（含冷藏冷冻食品）", "热食类食品制售", "冷食类食品制售"],
    },
    "construction_qualification": {
        "qualification": "建筑工程施工总承包二级；市政公用工程施工总承包三级；钢结构工程专业承包二级",
        "legal_representative": "张小明",
    },
    "animal_clinic_licence": {
        "activities": "动物疾病预防、诊断、治疗和绝育手术（含颅腔、胸腔和腹腔手术）",
        "legal_representative": "张小明",
    },
    "administrative_permit": {
        "licence_name": "道路运输经营许可证",
        "decision_title": "准予行政许可决定书",
        "decision_number": "桥许〔2026〕0000012号",
        "licence_category": "ordinary",
        "content": "道路普通货物运输",
        "legal_representative": "张小明",
    },
}
NUMBERS = {
    "business_licence": "91330200144053689K",
    "food_business_licence": "JY23302030012345",
    "construction_qualification": "D233020300",
    "animal_clinic_licence": "桥动诊证第0012号",
    "administrative_permit": "桥许〔2026〕0000012号",
}


@dataclass(frozen=True)
class Authority:
    """An issuing authority's key under a root of its own."""

    root: certificates.Root
    signer: p256.P256Signer


def authority(name: str = AUTHORITY, made: datetime = AT, root: certificates.Root | None = None) -> Authority:
    if root is None:
        root_key = p256.new_key()
        subject = certificates.Subject("桥州市数据共享枢纽", "did:web:licences.example.gov.cn")
        root = certificates.Root(certificates.make_root(subject, root_key, made), root_key)
    key, did = p256.new_key(), "did:web:licences.example.gov.cn:issuers:11330203002938475M"
    seal = certificates.make_seal(certificates.Subject(name, did, "11330203002938475M"), key.public_key(), root, made)
    return Authority(root, p256.P256Signer(key, f"{did}#{p256.key_id(key.public_key())}", seal))


@cache
def types() -> LicenceTypes:
    return load_types()


def licence(
    name: str,
    *,
    holder: str = HOLDER,
    issuer: str = AUTHORITY,
    items: Mapping[str, Any] | None = None,
    valid_to: date | None = None,
    number: str | None = None,
    holders: tuple[Holder, ...] = (),
) -> Licence:
    licence_type = types().latest(name)
    content = Content(
        type=licence_type,
        number=number or NUMBERS[name],
        holders=holders or (Holder(holder, "91330200144053689K", "001"),),
        issuer_name=issuer,
        issuer_code="11330203002938475M",
        issued_on=date(2026, 11, 5),
        valid_from=date(2026, 11, 5),
        valid_to=valid_to,
        items={**ITEMS[name], **(items or {})},
    )
    identifier = f"1.2.156.3005.2.{licence_type.code}.11330203002938475M.7Q2M4K9ZP1XW8TR5B0LC.001.K"
    return Licence(
        id=1,
        identifier=identifier,
        version=1,
        type=name,
        type_version=licence_type.version,
        issuer=Issuer(
            "11330203002938475M", issuer, AUTHORITY_EN, "did:web:licences.example.gov.cn:issuers:11330203002938475M"
        ),
        content=content,
        origin=Origin(licence_type.dataset, licence_type.schema, "key", 1, 7, "licensing.test", "测试部门"),
        status=StatusEntry(3, 77_123),
        state="01",
        state_text=None,
        supersedes=None,
        superseded_by=None,
    )


def credential_of(one: Licence, signer: p256.P256Signer) -> bytes:
    return canonical(data_integrity.add_proof(build.licence_credential(one, base=BASE), signer, AT))


def copy_of(one: Licence, signer: p256.P256Signer, *, requested_by: str, cause: str) -> bytes:
    signed = data_integrity.add_proof(build.licence_credential(one, base=BASE), signer, AT)
    copy = build.copy_credential(
        signed,
        canonical(signed),
        base=BASE,
        copy_id="4b1f",
        status=replace(one.status, index=9),
        requested_by=requested_by,
        cause=cause,
        created=AT,
        until=AT.replace(month=12, day=31),
    )
    return canonical(data_integrity.add_proof(copy, signer, AT))


def document_of(one: Licence, by: Authority, credential: bytes | None = None, at: datetime = AT) -> bytes:
    return document.make(
        credential or credential_of(one, by.signer),
        one.content.type,
        key=by.signer,
        chain=[by.root.certificate],
        verification_address=f"{BASE}/verify/{one.identifier}",
        issuer_en=one.issuer.name_en,
        at=at,
    )


@pytest.fixture(scope="session")
def by() -> Authority:
    return authority()


@pytest.fixture(scope="session")
def plain(by: Authority) -> bytes:
    """A signed food business licence."""
    return document_of(licence("food_business_licence"), by)


Poppler = Callable[..., str]


@pytest.fixture
def poppler(tmp_path: Path) -> Poppler:
    """Runs one of poppler's programs on a document; the answer is what it prints. ``root``: the only one to trust."""

    def run(
        program: str, pdf: bytes, *arguments: str, root: certificates.Root | None = None, into: Path | None = None
    ) -> str:
        needed(program, "poppler-utils")
        file = tmp_path / "document.pdf"
        file.write_bytes(pdf)
        if root is not None:
            arguments = (*arguments, "-nssdir", str(_certificate_database(tmp_path, root)))
        if program == "pdftotext":  # in the order of the document: columns are not mixed
            arguments, into = ("-raw", *arguments), Path("-")
        ending = () if into is None else (str(into),)
        done = subprocess.run([program, *arguments, str(file), *ending], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return run


def needed(program: str, package: str) -> None:
    if shutil.which(program) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed (Debian package {package})")
        pytest.skip(f"{program} is not installed (Debian package {package})")


def _certificate_database(folder: Path, root: certificates.Root) -> Path:
    needed("certutil", "libnss3-tools")
    database, pem = folder / "nss", folder / "root.pem"
    if not database.exists():
        database.mkdir()
        pem.write_bytes(root.certificate.public_bytes(Encoding.PEM))
        subprocess.run(["certutil", "-N", "-d", str(database), "--empty-password"], check=True)
        add = ["certutil", "-A", "-d", str(database), "-n", "root", "-t", "CT,C,C", "-i", str(pem)]
        subprocess.run(add, check=True)
    return database
