"""DIDs, their documents, and keys as texts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import did
from registry.credentials.did import KeyRefused, PublishedKey, from_multikey, multikey
from registry.credentials.moments import moment_of, text_of
from registry.credentials.multibase import base58, from_base58
from tests.licences.credentials.city import NOW, City


@pytest.mark.parametrize(
    ("base", "code", "expected"),
    [
        ("https://hub.example.cn", None, "did:web:hub.example.cn"),
        ("http://127.0.0.1:8090", None, "did:web:127.0.0.1%3A8090"),
        ("https://hub.example.cn", "113302000029672234", "did:web:hub.example.cn:issuers:113302000029672234"),
        ("https://example.cn/hub/v1", "330200", "did:web:example.cn:hub:v1:issuers:330200"),
    ],
)
def test_an_issuers_name_follows_from_the_hubs_address(base: str, code: str | None, expected: str) -> None:
    assert did.did_web(base, code) == expected


def test_a_did_document_lets_every_key_assert_that_was_not_revoked(city: City) -> None:
    name = city.bureau.issuer.did
    keys = [
        PublishedKey(f"{name}#1", city.bureau.key.public_key(), expires=NOW),
        PublishedKey(f"{name}#2", city.other.key.public_key(), revoked=NOW - timedelta(days=1)),
    ]

    document = did.document(name, keys)

    assert document["assertionMethod"] == [f"{name}#1"]
    first, second = document["verificationMethod"]
    assert first == {
        "id": f"{name}#1",
        "type": "Multikey",
        "controller": name,
        "publicKeyMultibase": multikey(city.bureau.key.public_key()),
        "expires": "2026-11-20T04:00:00Z",
    }
    assert second["revoked"] == "2026-11-19T04:00:00Z"


@pytest.mark.parametrize(("curve", "start"), [(ec.SECP256R1(), "zDn"), (ec.SECP384R1(), "z82")])
def test_a_key_is_read_back_from_its_text(curve: ec.EllipticCurve, start: str) -> None:
    key = ec.generate_private_key(curve).public_key()

    assert multikey(key).startswith(start)
    assert from_multikey(multikey(key)) == key


def test_a_key_on_a_curve_that_is_not_used_here_has_no_text() -> None:
    with pytest.raises(KeyRefused, match="secp256k1"):
        multikey(ec.generate_private_key(ec.SECP256K1()).public_key())


RIGHT = from_base58("DnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP")
WRONG = {
    "empty": "",
    "without prefix": base58(RIGHT),
    "of another multibase": "u" + base58(RIGHT),
    "Ed25519": "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
    "a private key": "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN",
    "one byte less": "z" + base58(RIGHT[:-1]),
    "one byte more": "z" + base58(RIGHT + b"\0"),
    "not on the curve": "z" + base58(b"\x80\x24\x02" + bytes(31) + b"\x07"),
    "uncompressed": "z" + base58(b"\x80\x24\x04" + RIGHT[3:]),
    "a foreign character": "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKV0",
    "endless": "z" + "2" * 100_000,
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyRefused):
        from_multikey(text)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_base58_is_read_as_it_was_written(data: bytes) -> None:
    assert from_base58(base58(data)) == data


def test_base58_of_known_values() -> None:
    """From the draft that defines the alphabet (draft-msporny-base58)."""
    assert base58(b"Hello World!") == "2NEpo7TZRRrLZSi2U"
    assert base58(b"\0\0\x28\x7f\xb4\xcd") == "11233QC4"
    assert from_base58("USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z") == (
        b"The quick brown fox jumps over the lazy dog."
    )


@settings(deadline=None)
@given(st.datetimes(timezones=st.sampled_from([NOW.tzinfo])))
def test_a_moment_is_read_as_it_was_written_to_the_second(moment: object) -> None:
    assert moment_of(text_of(moment)) == moment.replace(microsecond=0)  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-20", "2026-11-20T04:00:00", "2026-11-20 04:00:00Z", "20261120T040000Z", "2026-13-01T00:00:00Z",
     "2026-11-20T25:00:00Z", "2026-11-20T04:00:00+99:00", "２026-11-20T04:00:00Z", "2026-11-20T04:00:00z", "now"],
)  # fmt: skip
def test_what_is_no_moment_with_a_zone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moment_of(text)
