"""A licence's other forms: made when first asked for, kept as signed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from registry.credentials import jose
from registry.documents.reading import attached_credential, check_signature
from registry.licences import forms, issuers, reading
from registry.licences.errors import FormNotOffered, LicenceUnknown
from registry.licences.forms import Form
from registry.licences.keys import KeyNotActive
from registry.signing import sm2
from registry.storage.database import connect
from tests.licences.issue.town import BASE, BUREAU, BUREAU_CODE, MASTER_KEY, NOW, TYPES, Town, food


@pytest.fixture
def issued(town: Town) -> Town:
    """With one licence."""
    town.feed(food(1))
    town.follow()
    return town


def made(town: Town, form: Form) -> bytes:
    return forms.form(
        town.connection, town.current(1)["id"], form, town.ring, TYPES, base=BASE, now=town.now
    )  # fmt: skip


def test_the_credential_itself_is_given_as_signed(issued: Town) -> None:
    assert orjson.loads(made(issued, "vc")) == issued.credential(issued.current(1)["id"])


def test_a_token_says_what_the_credential_says(issued: Town) -> None:
    token = jose.read(made(issued, "jwt"))
    jose.check(token, issued.ring.signer(BUREAU_CODE).private_key.public_key(), types=[jose.VC])
    said = issued.credential(issued.current(1)["id"])
    del said["proof"]
    assert orjson.loads(token.payload) == said


def test_an_sd_jwt_of_a_natural_persons_licence_keeps_their_name_apart(town: Town) -> None:
    town.feed(food(1, uscc=None, holder_code="110101199003070272", holder_code_type="111", holder_name="某经营者"))
    town.follow()
    token, *disclosures = made(town, "sd_jwt").decode().split("~")
    assert "某经营者" not in jose.read(token.encode()).payload.decode()
    assert len(disclosures) >= 2


def test_the_document_for_people_carries_the_credential_and_the_seal(issued: Town) -> None:
    document = made(issued, "pdf")
    assert attached_credential(document) == made(issued, "vc")
    signature = check_signature(document, issued.ring.root_certificate, issued.now)
    assert signature.ok, signature


def test_a_second_signature_is_made_only_where_the_authority_has_an_sm2_key(issued: Town) -> None:
    with pytest.raises(FormNotOffered, match="SM2"):
        made(issued, "sm2")
    issuers.enter(issued.connection, BUREAU_CODE, BUREAU, "Bureau", base=BASE, master_key=MASTER_KEY, now=NOW, sm2=True)
    ((public,),) = issued.rows("SELECT public_key FROM registry.signing_key WHERE purpose = 'sm2'")
    assert sm2.verifies(made(issued, "sm2"), made(issued, "vc"), public)


@pytest.mark.parametrize("form", ["jwt", "pdf"])
def test_two_who_ask_at_once_get_the_same_bytes(issued: Town, form: Form) -> None:
    ring, number, together = issued.ring, issued.current(1)["id"], threading.Barrier(3)

    def ask(_: int) -> bytes:
        with connect(issued.url) as connection:
            together.wait()
            return forms.form(connection, number, form, ring, TYPES, base=BASE, now=NOW)

    with ThreadPoolExecutor(3) as pool:
        answers = set(pool.map(ask, range(3)))
    assert len(answers) == 1
    assert answers == {made(issued, form)}


def test_nothing_is_kept_that_a_key_signed_which_was_rotated_meanwhile(issued: Town) -> None:
    ring = issued.ring
    issued.new_key(BUREAU_CODE)
    with pytest.raises(KeyNotActive):
        forms.form(issued.connection, issued.current(1)["id"], "jwt", ring, TYPES, base=BASE, now=NOW)
    assert issued.rows("SELECT form FROM registry.licence_form") == [("vc",)]
    assert jose.read(made(issued, "jwt")).key_id.endswith(issued.ring.signer(BUREAU_CODE).key_id)


def test_a_licence_that_is_not_there_has_no_form(issued: Town) -> None:
    with pytest.raises(LicenceUnknown):
        forms.form(issued.connection, 0, "jwt", issued.ring, TYPES, base=BASE, now=NOW)


def test_a_licence_is_read_as_the_domain_knows_it(issued: Town) -> None:
    row = issued.current(1)
    licence = reading.licence(issued.connection, row["identifier"], TYPES)
    assert (licence.id, licence.content.number, licence.issuer.code) == (row["id"], "JY13302030000001", BUREAU_CODE)
    assert licence.origin is not None
    assert (licence.origin.key, licence.origin.connector) == ("F000001", "market.food")
    with pytest.raises(LicenceUnknown):
        reading.licence(issued.connection, "1.2.3", TYPES)
