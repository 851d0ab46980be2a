"""Authorities are entered once, each with one code, a key and a seal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.licences import issuers, keys
from registry.licences.issuers import IssuerError, Wanted
from registry.licences.keys import KeyRing, NoActiveKey
from registry.signing.certificates import check_chain, did_of
from registry.signing.master_key import MasterKey, MasterKeyWrong
from tests.licences.keys.conftest import BASE, HEALTH, MARKET, MASTER_KEY, NOW, Hall

LATER = NOW + timedelta(days=30)


def test_the_first_authority_brings_the_hubs_own_keys(empty: Hall) -> None:
    (issuer,) = empty.enter(MARKET)
    assert issuer.did == f"did:web:hub.example.gov.cn:issuers:{MARKET.code}"
    assert sorted(empty.made()) == [
        ("hub", None, "active"),
        ("root", None, "active"),
        ("seal", MARKET.code, "active"),
    ]
    ring = KeyRing.load(empty.connection, MASTER_KEY)
    seal, root = ring.chain(MARKET.code)
    check_chain(seal, root, NOW)
    check_chain(ring.hub_chain[0], root, NOW)
    assert did_of(seal) == issuer.did
    assert did_of(ring.hub_chain[0]) == "did:web:hub.example.gov.cn"
    signer = ring.signer(MARKET.code)
    assert signer.verification_method == f"{issuer.did}#{signer.key_id}"
    assert signer.certificate == seal
    assert signer.private_key.public_key() == seal.public_key()


def test_entering_again_changes_nothing(hall: Hall) -> None:
    before = hall.made(), issuers.all_issuers(hall.connection)
    hall.enter(HEALTH, MARKET, now=LATER)
    assert (hall.made(), issuers.all_issuers(hall.connection)) == before


def test_a_new_name_gives_a_new_seal_and_keeps_the_old_name_as_an_alias(hall: Hall) -> None:
    renamed = replace(MARKET, name="桥州市市场监管局", aliases=())
    (issuer,) = hall.enter(renamed, now=LATER)
    seal, _ = KeyRing.load(hall.connection, MASTER_KEY).chain(MARKET.code)
    assert "桥州市市场监管局" in seal.subject.rfc4514_string()
    assert [key.state for key in keys.all_keys(hall.connection, MARKET.code)] == ["retired", "active"]
    for name in ("桥州市市场监管局", "桥州市市场监督管理局", "市监局"):
        assert issuers.find(hall.connection, name=name) == issuer


def test_an_address_that_changed_does_not_change_the_did_of_who_is_entered(hall: Hall) -> None:
    issuers.enter(hall.connection, MARKET.code, MARKET.name, MARKET.name_en, base="https://new.example.gov.cn",
                  master_key=MASTER_KEY, now=LATER)  # fmt: skip
    assert issuers.find(hall.connection, code=MARKET.code) == hall.enter(MARKET)[0]


@pytest.mark.parametrize("name", [MARKET.name, "市监局", "市 监局"])
def test_a_name_belongs_to_one_code(hall: Hall, name: str) -> None:
    with pytest.raises(IssuerError, match=MARKET.code):
        hall.enter(Wanted("330203", name, "another"))
    with pytest.raises(IssuerError, match=MARKET.code):
        hall.enter(Wanted("330203", "新局", "another", (name,)))
    assert len(issuers.all_issuers(hall.connection)) == 2


def test_of_several_all_are_entered_or_none(empty: Hall) -> None:
    with pytest.raises(IssuerError):
        empty.enter(MARKET, HEALTH, replace(HEALTH, code="330203"))
    assert issuers.all_issuers(empty.connection) == ()
    assert empty.made() == []


@pytest.mark.parametrize("code", ["", "33020", "3302033", "11330200QE27RUC577", "３３０２０３", "33020a"])
def test_a_wrong_code_is_refused(empty: Hall, code: str) -> None:
    with pytest.raises(IssuerError, match="is no code of an authority"):
        empty.enter(replace(MARKET, code=code))


def test_six_digits_of_a_division_are_a_code(empty: Hall) -> None:
    assert empty.enter(Wanted("330203", "海曙区行政审批局", "Haishu Approval Bureau"))[0].code == "330203"


@pytest.mark.parametrize(
    ("name", "code", "found"),
    [
        (MARKET.name, None, MARKET.code),
        ("市监局", None, MARKET.code),
        ("桥州市 市场监督管理局", None, MARKET.code),
        (None, HEALTH.code, HEALTH.code),
        ("别的名称", HEALTH.code, HEALTH.code),
        (MARKET.name, "11330200QJKU3BB17K", None),
        ("桥州市公安局", None, None),
        (None, None, None),
    ],
)
def test_records_find_their_authority(hall: Hall, name: str | None, code: str | None, found: str | None) -> None:
    issuer = issuers.find(hall.connection, name=name, code=code)
    assert (issuer.code if issuer else None) == found


def test_brackets_of_either_width_are_the_same_name(empty: Hall) -> None:
    (issuer,) = empty.enter(Wanted("330203", "海曙区（保税区）审批局", "x"))
    assert issuers.find(empty.connection, name="海曙区(保税区)审批局") == issuer


def test_another_master_key_enters_nobody_and_loads_nothing(hall: Hall) -> None:
    other = MasterKey(bytes(32))
    with pytest.raises(MasterKeyWrong, match=MASTER_KEY.id):
        issuers.enter(hall.connection, "330203", "x", "x", base=BASE, master_key=other, now=NOW)
    with pytest.raises(MasterKeyWrong, match=MASTER_KEY.id):
        KeyRing.load(hall.connection, other)
    assert len(issuers.all_issuers(hall.connection)) == 2


def test_an_empty_registry_says_how_to_begin(empty: Hall) -> None:
    ring = KeyRing.load(empty.connection, MASTER_KEY)
    for ask in (lambda: ring.hub, lambda: ring.root_certificate, lambda: ring.signer(MARKET.code)):
        with pytest.raises(NoActiveKey, match="shuqiao issuers"):
            ask()


def test_sm2_keys_are_made_only_when_asked_for(hall: Hall) -> None:
    assert KeyRing.load(hall.connection, MASTER_KEY).sm2(MARKET.code) is None
    hall.enter(MARKET, sm2=True)
    hall.enter(MARKET, sm2=True)
    ring = KeyRing.load(hall.connection, MASTER_KEY)
    signer = ring.sm2(MARKET.code)
    assert signer is not None
    assert signer.verification_method == f"did:web:hub.example.gov.cn:issuers:{MARKET.code}#{signer.key_id}"
    assert ring.sm2(HEALTH.code) is None
    assert [key.purpose for key in keys.all_keys(hall.connection, MARKET.code)] == ["seal", "sm2"]


FILE = """\
issuers:
  - code: 11330200QE27RUC576
    name: {zh: 桥州市市场监督管理局, en: Qiaozhou Administration for Market Regulation}
    aliases: [市监局]
  - code: 330203
    name: {zh: 海曙区行政审批局, en: Haishu Approval Bureau}
"""


def load(hall: Hall, path: Path) -> tuple[str, ...]:
    found = issuers.load_file(hall.connection, path, base=BASE, master_key=MASTER_KEY, now=NOW)
    return tuple(issuer.code for issuer in found)


def test_a_file_of_authorities_is_entered(empty: Hall, tmp_path: Path) -> None:
    path = tmp_path / "issuers.yaml"
    path.write_text(FILE, "utf-8")
    assert load(empty, path) == load(empty, path) == ("11330200QE27RUC576", "330203")
    assert issuers.find(empty.connection, name="市监局") is not None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("issuers:", "authorities:", "line 1: authorities unknown key"),
        ("330203", "330203\n    seal: round", "line 6: issuers.1.seal unknown key"),
        (", en: Haishu Approval Bureau", "", "issuers.1.name.en is missing"),
        ("[市监局]", "市监局", "line 4: issuers.0.aliases got"),
        ("海曙区行政审批局", "5", "expected a text"),
        ("330203", "33020", "'33020' 不是有效的机构代码"),
        ("code: 330203", "code: 330203\n    code: 330205", "issuers.1.code stands twice"),
        (FILE, "issuers: []", "expected a list of authorities"),
        (FILE, "issuers: [", "no valid YAML"),
        (FILE, "", "the file got nothing"),
        ("海曙区行政审批局", "市监局", "is already a name of 11330200QE27RUC576"),
    ],
)
def test_a_wrong_file_is_refused_whole_and_the_place_named(
    empty: Hall, tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "issuers.yaml"
    path.write_text(FILE.replace(old, new), "utf-8")
    with pytest.raises(IssuerError) as caught:
        load(empty, path)
    assert says in str(caught.value)
    assert all(line.startswith(f"{path}: ") for line in str(caught.value).splitlines())
    assert empty.made() == []


def test_a_file_that_is_not_there_is_named(empty: Hall, tmp_path: Path) -> None:
    with pytest.raises(IssuerError, match="cannot be read"):
        load(empty, tmp_path / "none.yaml")
    (tmp_path / "gbk.yaml").write_bytes(FILE.encode("gbk"))
    with pytest.raises(IssuerError, match="not in UTF-8"):
        load(empty, tmp_path / "gbk.yaml")
