"""Keys are replaced with overlap and revoked for a reason; what they signed is counted."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import psycopg
import pytest

from registry.licences import key_check, keys
from registry.licences.keys import (
    Affected,
    KeyNotActive,
    KeyRing,
    KeyUnknown,
    NoActiveKey,
    Reason,
    RevocationRefused,
)
from registry.signing import p256
from registry.signing.certificates import CertificateRefused, check_chain
from registry.signing.master_key import MasterKey, MasterKeyWrong
from tests.licences.keys.conftest import BASE, HEALTH, MARKET, MASTER_KEY, NOW, Hall

LATER = NOW + timedelta(days=100)


def rotate(
    hall: Hall, code: str = MARKET.code, *, now: datetime = LATER, replacing: str | None = None
) -> keys.Rotation:
    return keys.rotate(hall.connection, code, master_key=MASTER_KEY, now=now, replacing=replacing)


def revoke(hall: Hall, key_id: str, reason: Reason, now: datetime = LATER) -> keys.Revocation:
    return keys.revoke(hall.connection, key_id, reason, master_key=MASTER_KEY, now=now)


def ring(hall: Hall) -> KeyRing:
    return KeyRing.load(hall.connection, MASTER_KEY)


def test_a_rotated_key_signs_no_more_and_its_certificate_still_holds(hall: Hall) -> None:
    before = ring(hall).signer(MARKET.code)
    done = rotate(hall)
    after = ring(hall).signer(MARKET.code)
    assert (done.old, done.new.id) == (before.key_id, after.key_id)
    assert before.key_id != after.key_id
    old = keys.one_key(hall.connection, before.key_id)
    assert (old.state, old.retired_at) == ("retired", LATER)
    assert old.certificate is not None
    check_chain(old.certificate, ring(hall).root_certificate, LATER)
    assert [key.state for key in keys.all_keys(hall.connection, HEALTH.code)] == ["active"]


def test_the_hubs_key_is_rotated_under_the_same_did(hall: Hall) -> None:
    before = ring(hall).hub
    rotate(hall, "hub")
    after = ring(hall)
    assert after.hub.key_id != before.key_id
    assert after.hub.verification_method.partition("#")[0] == before.verification_method.partition("#")[0]
    check_chain(after.hub_chain[0], after.root_certificate, LATER)


def test_an_sm2_key_is_rotated_beside_the_seal(hall: Hall) -> None:
    hall.enter(MARKET, sm2=True)
    before = ring(hall)
    keys.rotate(hall.connection, MARKET.code, master_key=MASTER_KEY, now=LATER, sm2=True)
    old, new = before.sm2(MARKET.code), ring(hall).sm2(MARKET.code)
    assert old is not None
    assert new is not None
    assert old.key_id != new.key_id
    assert ring(hall).signer(MARKET.code).key_id == before.signer(MARKET.code).key_id


def test_only_the_key_that_was_meant_is_replaced(hall: Hall) -> None:
    meant = ring(hall).signer(MARKET.code).key_id
    rotate(hall, replacing=meant)
    now_active = ring(hall).signer(MARKET.code).key_id
    with pytest.raises(KeyNotActive, match=now_active):
        rotate(hall, replacing=meant)
    assert ring(hall).signer(MARKET.code).key_id == now_active


def test_nobody_rotates_for_an_authority_that_is_not_there(hall: Hall) -> None:
    with pytest.raises(NoActiveKey):
        rotate(hall, "330203")


@pytest.mark.parametrize("reason", [Reason.KEY_COMPROMISE, Reason.SUPERSEDED])
def test_a_revoked_key_has_a_successor_at_once(hall: Hall, reason: Reason) -> None:
    key_id = ring(hall).signer(MARKET.code).key_id
    done = revoke(hall, key_id, reason)
    assert done.key.state == "revoked"
    assert done.key.revocation_reason == reason
    assert done.key.revoked_at is not None
    assert timedelta() <= done.key.revoked_at - LATER < timedelta(seconds=5)
    assert done.successor == ring(hall).signer(MARKET.code).key_id != key_id
    assert done.must_be_reissued is (reason is Reason.KEY_COMPROMISE)


def test_an_authority_that_has_ceased_signs_no_more_until_it_is_given_a_key(hall: Hall) -> None:
    done = revoke(hall, ring(hall).signer(MARKET.code).key_id, Reason.CESSATION)
    assert done.successor is None
    with pytest.raises(NoActiveKey, match=MARKET.code):
        ring(hall).signer(MARKET.code)
    hall.enter(MARKET)
    with pytest.raises(NoActiveKey):
        ring(hall).signer(MARKET.code)
    assert rotate(hall).old is None
    assert ring(hall).signer(MARKET.code).sign(b"x")


def test_a_retired_key_is_revoked_and_the_active_one_stays(hall: Hall) -> None:
    done = rotate(hall)
    assert done.old is not None
    assert revoke(hall, done.old, Reason.KEY_COMPROMISE).successor == done.new.id
    assert len(keys.all_keys(hall.connection, MARKET.code)) == 2


def test_revoking_again_changes_nothing_and_a_compromise_may_be_learnt_later(hall: Hall) -> None:
    key_id = ring(hall).signer(MARKET.code).key_id
    first = revoke(hall, key_id, Reason.SUPERSEDED)
    assert revoke(hall, key_id, Reason.SUPERSEDED, LATER + timedelta(days=1)) == first
    worse = revoke(hall, key_id, Reason.KEY_COMPROMISE, LATER + timedelta(days=2))
    assert worse.key.revocation_reason == Reason.KEY_COMPROMISE
    assert worse.key.revoked_at == first.key.revoked_at
    with pytest.raises(RevocationRefused, match="revoked already, for key_compromise"):
        revoke(hall, key_id, Reason.SUPERSEDED)
    assert len(keys.all_keys(hall.connection, MARKET.code)) == 2


def test_the_hub_may_be_given_another_key_but_not_cease(hall: Hall) -> None:
    hub = ring(hall).hub.key_id
    with pytest.raises(RevocationRefused, match="trust list"):
        revoke(hall, hub, Reason.CESSATION)
    assert revoke(hall, hub, Reason.KEY_COMPROMISE).successor == ring(hall).hub.key_id


def test_a_root_and_an_unknown_key_are_not_revoked(hall: Hall) -> None:
    root = next(key for key in keys.all_keys(hall.connection, "hub") if key.purpose == "root")
    with pytest.raises(RevocationRefused, match="replace-root"):
        revoke(hall, root.id, Reason.KEY_COMPROMISE)
    with pytest.raises(KeyUnknown):
        revoke(hall, "nobody's", Reason.SUPERSEDED)


def test_a_new_root_revokes_everything_and_everybody_has_a_key_under_it(hall: Hall) -> None:
    hall.enter(MARKET, sm2=True)
    retired = rotate(hall).old
    before = ring(hall)
    gone = keys.replace_root(hall.connection, master_key=MASTER_KEY, now=LATER)
    assert {key.revocation_reason for key in gone} == {"key_compromise"}
    assert len(gone) == 6
    assert retired in {key.id for key in gone}
    after = ring(hall)
    assert after.root_certificate != before.root_certificate
    for code in (MARKET.code, HEALTH.code):
        seal, root = after.chain(code)
        check_chain(seal, root, LATER)
        with pytest.raises(CertificateRefused, match="not issued under this root"):
            check_chain(before.chain(code)[0], root, LATER)
        assert after.signer(code).verification_method.startswith(f"did:web:hub.example.gov.cn:issuers:{code}#")
    assert after.hub.verification_method.startswith("did:web:hub.example.gov.cn#")
    assert after.sm2(MARKET.code) is not None
    assert key_check.problems(hall.connection, MASTER_KEY, base=BASE, now=LATER) == []


def test_a_new_root_needs_the_master_key_and_something_to_replace(hall: Hall) -> None:
    with pytest.raises(MasterKeyWrong):
        keys.replace_root(hall.connection, master_key=MasterKey(bytes(32)), now=LATER)
    assert [state for *_, state in hall.made()] == ["active"] * 4
    hall.connection.execute("DELETE FROM registry.signing_key")
    with pytest.raises(NoActiveKey):
        keys.replace_root(hall.connection, master_key=MASTER_KEY, now=LATER)


def test_what_a_key_signed_is_counted_as_far_as_it_is_in_use(hall: Hall) -> None:
    key_id = ring(hall).signer(MARKET.code).key_id
    _sign_something(hall.connection, key_id)
    assert revoke(hall, key_id, Reason.KEY_COMPROMISE).affected == Affected(
        licences=1, forms=2, status_lists=1, copies=1, credentials=1
    )


def _sign_something(connection: psycopg.Connection, key_id: str) -> None:
    """Two versions of a licence of which one is superseded, three copies of which one is in use, one list."""
    values = {"key": key_id, "code": MARKET.code, "now": LATER, "later": LATER + timedelta(days=1),
              "ago": LATER - timedelta(days=1)}  # fmt: skip
    for statement in (
        "INSERT INTO registry.client (id, name, scopes) VALUES ('client-1', 'bank', '{}')",
        "INSERT INTO registry.status_group (issuer_code, size, index_order) VALUES (%(code)s, 131072, '')",
        """INSERT INTO registry.status_list
               (group_id, purpose, status_size, bits, document, key_id, signed_at, valid_until)
           SELECT id, 'revocation', 1, '', '', %(key)s, %(now)s, %(later)s FROM registry.status_group""",
        """INSERT INTO registry.licence
               (identifier, serial, version, type, type_version, issuer_code, number, holder_code, holder_code_type,
               holder_name, issued_on, valid_from, content, content_hash, state, state_since,
               status_group_id, status_index, issued_at, key_id)
           SELECT 'L' || n, 'S', n, 't', 1, %(code)s, 'N', 'H', '001', 'h', '2026-01-01', '2026-01-01', '{}',
               gen_random_uuid(), '01', %(now)s, g.id, n, %(now)s, %(key)s
           FROM registry.status_group g, generate_series(1, 2) n""",
        """UPDATE registry.licence SET superseded_by = (SELECT id FROM registry.licence WHERE version = 2),
               superseded_at = %(now)s WHERE version = 1""",
        """INSERT INTO registry.licence_form (licence_id, form, body, key_id)
           SELECT id, form, '', %(key)s FROM registry.licence, (VALUES ('vc'), ('jwt')) f (form)""",
        """INSERT INTO registry.licence_copy (id, licence_id, client_id, requested_by, cause, created_at, valid_until,
               revoked_at, status_group_id, status_index, credential, pdf, key_id)
           SELECT 'C' || n, max(l.id), 'client-1', 'bank', 'loan', %(ago)s,
               CASE n WHEN 1 THEN %(ago)s ELSE %(later)s END, CASE n WHEN 2 THEN %(ago)s::timestamptz END,
               max(l.status_group_id), 10 + n, '', '', %(key)s
           FROM registry.licence l, generate_series(1, 3) n GROUP BY n""",
        """INSERT INTO registry.issued_credential (id, client_id, issuer_code, request_digest, status_group_id,
               status_index, body, key_id)
           SELECT 'I', 'client-1', %(code)s, '', id, 20, '', %(key)s FROM registry.status_group""",
    ):
        connection.execute(statement.encode(), values)


def test_keys_near_their_end_are_named_months_ahead_the_next_one_first(hall: Hall) -> None:
    end = NOW + timedelta(days=3 * 365)
    assert keys.expiring(hall.connection, now=end - timedelta(days=181)) == []
    rotate(hall, HEALTH.code, now=NOW - timedelta(days=20))
    near = keys.expiring(hall.connection, now=end - timedelta(days=179))
    assert [(each.key.issuer_code, each.days_left) for each in near] == [(HEALTH.code, 159), (MARKET.code, 179)]
    past = keys.expiring(hall.connection, timedelta(), now=end + timedelta(days=2))
    assert [each.days_left for each in past] == [-22, -2]


def test_a_seal_made_near_the_end_of_the_root_ends_with_it(hall: Hall) -> None:
    at = NOW + timedelta(days=365 * 18)
    assert rotate(hall, now=at).new.not_after == ring(hall).root_certificate.not_valid_after_utc
    assert "root" in {each.key.purpose for each in keys.expiring(hall.connection, timedelta(days=800), now=at)}


def test_a_new_master_key_seals_everything_once(hall: Hall) -> None:
    hall.enter(MARKET, sm2=True)
    rotate(hall)
    signature = ring(hall).signer(MARKET.code).sign(b"x")
    new = MasterKey(bytes(32))
    assert keys.reseal(hall.connection, MASTER_KEY, new) == 6
    assert keys.reseal(hall.connection, MASTER_KEY, new) == 0
    assert KeyRing.load(hall.connection, new).signer(MARKET.code).sign(b"x") == signature
    assert KeyRing.load(hall.connection, new).sm2(MARKET.code)
    assert key_check.problems(hall.connection, new, base=BASE, now=NOW) == []
    with pytest.raises(MasterKeyWrong):
        ring(hall)


def test_a_wrong_old_master_key_reseals_nothing(hall: Hall) -> None:
    with pytest.raises(MasterKeyWrong):
        keys.reseal(hall.connection, MasterKey(bytes(32)), MasterKey(bytes(range(32))))
    assert ring(hall).signer(MARKET.code).sign(b"x")


def test_private_keys_are_sealed_in_the_database_and_bound_to_their_place(hall: Hall) -> None:
    """Exchanged for another authority's, a sealed key does not open."""
    private = p256.private_bytes(ring(hall).signer(MARKET.code).private_key)
    rows = hall.connection.execute("SELECT sealed_private_key FROM registry.signing_key").fetchall()
    assert len(rows) == 4
    assert not any(private[20:60] in row[0] for row in rows)
    hall.connection.execute(
        "UPDATE registry.signing_key SET sealed_private_key = (SELECT sealed_private_key FROM registry.signing_key"
        " WHERE issuer_code = %s) WHERE issuer_code = %s",
        (HEALTH.code, MARKET.code),
    )
    with pytest.raises(MasterKeyWrong):
        ring(hall).signer(MARKET.code)
    (problem,) = key_check.problems(hall.connection, MASTER_KEY, base=BASE, now=NOW)
    assert (problem.code, problem.key) == ("damaged", keys.all_keys(hall.connection, MARKET.code)[0].id)


def test_nothing_secret_is_shown_or_logged(hall: Hall, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    found = ring(hall)
    signer = found.signer(MARKET.code)
    done = rotate(hall)
    secret = p256.private_bytes(signer.private_key)
    number = signer.private_key.private_numbers().private_value
    for shown in (repr(found), repr(done), repr(keys.all_keys(hall.connection)), caplog.text):
        assert not any(form in shown for form in (secret.hex(), str(number), f"{number:x}", repr(secret)[2:-1]))
        assert "sealed_private_key" not in shown


OF_ANOTHER = """
UPDATE registry.signing_key SET {column} = (SELECT {column} FROM registry.signing_key WHERE issuer_code = '{other}')
WHERE issuer_code = '{code}'
"""
CHECKS = {
    "a certificate of another authority": (
        OF_ANOTHER.format(column="certificate", code=MARKET.code, other=HEALTH.code),
        "certificate",
    ),
    "a public key of another authority": (
        OF_ANOTHER.format(column="public_key", code=MARKET.code, other=HEALTH.code),
        "damaged",
    ),
    "a seal that was taken away": (
        f"UPDATE registry.signing_key SET state = 'retired' WHERE issuer_code = '{MARKET.code}'",
        "no_seal",
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_names_what_is_wrong(hall: Hall, name: str) -> None:
    statement, code = CHECKS[name]
    hall.connection.execute(statement.encode())
    found = key_check.problems(hall.connection, MASTER_KEY, base=BASE, now=NOW)
    assert [problem.code for problem in found] == [code]


def test_a_check_names_another_address_master_key_and_ends(hall: Hall) -> None:
    def codes(master_key: MasterKey = MASTER_KEY, base: str = BASE, now: datetime = NOW) -> list[str]:
        return [each.code for each in key_check.problems(hall.connection, master_key, base=base, now=now)]

    assert codes() == []
    assert codes(base="https://new.example.gov.cn") == ["address"]
    assert codes(MasterKey(bytes(32))) == ["sealed_otherwise"]
    assert codes(now=NOW + timedelta(days=1000)) == ["expires", "expires"]
    assert codes(now=NOW + timedelta(days=1100)) == ["expired", "expired"]
    revoke(hall, ring(hall).signer(MARKET.code).key_id, Reason.CESSATION)
    assert codes() == []


def test_a_check_of_an_empty_registry_says_so(empty: Hall) -> None:
    (problem,) = key_check.problems(empty.connection, MASTER_KEY, base=BASE, now=NOW)
    assert problem.code == "no_keys"
