"""Clients prove who they are: by secrets that overlap, by what they sign, by certificates; each in its own ways."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import orjson
import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from registry.api.access.allowance import WINDOW_SECONDS
from registry.api.clients import attempts, clients, credentials, public_keys
from registry.api.clients.assertions import LEEWAY_SECONDS, LONGEST_SECONDS, TYPE
from registry.api.clients.clients import ClientError, NewClient
from registry.api.clients.credentials import CredentialError, Given, Method
from registry.api.clients.options import AccessOptions, OptionError, Tls, from_environment
from registry.api.settings import ApiSettings
from registry.api.tokens.external_issuer import FRESH_SECONDS, KEPT_SECONDS, PAUSE_SECONDS, TIMEOUT_SECONDS
from registry.storage.database import connect
from tests.api.conftest import Api, Reader, serving

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
HUB = "https://hub.example.gov.cn"
KEYS: dict[str, PrivateKey] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "PS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def public(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signer(url: str, key: PrivateKey, *scopes: str) -> NewClient:
    """A client that signs assertions."""
    given = Given(keys=(public(key),))
    return clients.add(url, "bank", scopes or ["operate"], methods=[Method.KEY], given=given)


def assertion(client_id: str, key: PrivateKey, algorithm: str = "ES256", **changes: Any) -> str:
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": HUB,
        "exp": int(time.time()) + 60,
        "jti": uuid.uuid4().hex,
    } | changes
    headers = claims.pop("headers", None)
    return jwt.encode({name: each for name, each in claims.items() if each is not None}, key, algorithm, headers)


def by_assertion(api: Api, text: str, **form: Any) -> requests.Response:
    return api.token(client_assertion_type=form.pop("type", TYPE), client_assertion=text, **form)


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_an_old_secret_lives_beside_the_new_one_until_its_time_is_over(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    secret, ends = credentials.rotate_secret(registry_url, client.id, timedelta(hours=1))

    assert ends is not None
    assert secret != client.secret
    for each in (client.secret, secret, client.secret):
        assert api.token(auth=(client.id, each)).status_code == 200
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.client_credential SET ends_at = now() WHERE ends_at IS NOT NULL")
    assert api.token(auth=(client.id, client.secret)).status_code == 401
    assert api.token(auth=(client.id, secret)).status_code == 200


def test_of_three_secrets_the_oldest_ends_at_once(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    second, _ = credentials.rotate_secret(registry_url, client.id)
    third, _ = credentials.rotate_secret(registry_url, client.id)

    answers = [api.token(auth=(client.id, each)).status_code for each in (client.secret, second, third)]

    assert answers == [401, 200, 200]
    assert [each.ends_at is None for each in credentials.of_client(registry_url, client.id)] == [False, False, True]


def test_a_secret_replaced_at_once_is_worth_nothing_also_where_it_was_used_before(api: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    assert api.token(auth=(client.id, client.secret)).status_code == 200

    secret, _ = credentials.rotate_secret(registry_url, client.id, timedelta(0))

    assert api.token(auth=(client.id, client.secret)).status_code == 401
    assert api.token(auth=(client.id, secret)).status_code == 200


def test_neither_the_database_nor_a_list_shows_a_secret(registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    secret, _ = credentials.rotate_secret(registry_url, client.id)

    with connect(registry_url) as connection:
        rows = connection.execute("SELECT c::text FROM registry.client_credential c").fetchall()
        rows += connection.execute("SELECT c::text FROM registry.client c").fetchall()
    shown = f"{rows}{credentials.of_client(registry_url, client.id)}{clients.one(registry_url, client.id)}"
    assert client.secret not in shown
    assert secret not in shown


# -- assertions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub(start: Callable[..., Api]) -> Api:
    return start(public_url=HUB)


def test_a_client_signs_who_it_is_with_each_kind_of_key(hub: Api, registry_url: str) -> None:
    for algorithm, key in KEYS.items():
        client = signer(registry_url, key)
        for audience in (HUB, f"{HUB}/api/v1/token", [HUB, "another"]):
            answer = by_assertion(hub, assertion(client.id, key, algorithm, aud=audience))

            assert answer.status_code == 200, (algorithm, audience, answer.text)
            reader = Reader(hub.address, hub.session, client, answer.json()["access_token"])
            assert reader.ask("/api/v1/batches").status_code == 200


OTHER = ec.generate_private_key(ec.SECP256R1())
KEY = KEYS["ES256"]
WRONG: dict[str, Callable[[str], str]] = {
    "another key": lambda who: assertion(who, OTHER),
    "another issuer": lambda who: assertion(who, KEY, iss="client-other"),
    "another subject": lambda who: assertion(who, KEY, sub="client-other"),
    "another audience": lambda who: assertion(who, KEY, aud="https://another.example.gov.cn"),
    "no audience": lambda who: assertion(who, KEY, aud=None),
    "expired": lambda who: assertion(who, KEY, exp=int(time.time()) - 60),
    "good for an hour": lambda who: assertion(who, KEY, exp=int(time.time()) + 3600),
    "without an end": lambda who: assertion(who, KEY, exp=None),
    "without an id": lambda who: assertion(who, KEY, jti=None),
    "with an empty id": lambda who: assertion(who, KEY, jti=""),
    "with a long id": lambda who: assertion(who, KEY, jti="x" * 201),
    "of tomorrow": lambda who: assertion(who, KEY, nbf=int(time.time()) + 86400),
    "unsigned": lambda who: jwt.encode({"iss": who, "sub": who, "aud": HUB}, "", algorithm="none"),
    "signed with the public key as secret": lambda who: jwt.encode(
        {"iss": who, "sub": who, "aud": HUB, "jti": "1", "exp": int(time.time()) + 60},
        base64.b64encode(public(KEY)).decode(),
        algorithm="HS256",
    ),
    "another key's id": lambda who: assertion(who, KEY, headers={"kid": "nobody's"}),
    "no JWT": lambda who: f"{who}.x.y",
    "of a subject that is no text": lambda who: assertion(who, KEY, sub=None),
    "of a subject that cannot be written": lambda who: assertion(who, KEY, sub="\ud800", iss="\ud800"),
}


def test_an_assertion_that_is_not_right_in_everything_proves_nothing(hub: Api, registry_url: str) -> None:
    for why, make in WRONG.items():
        answer = by_assertion(hub, make(signer(registry_url, KEY).id))

        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), why


def test_an_assertion_is_taken_once_whichever_process_it_comes_to(start: Callable[..., Api], registry_url: str) -> None:
    first, second = start(public_url=HUB), start(public_url=HUB)
    client = signer(registry_url, KEY)
    once = assertion(client.id, KEY)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda api: by_assertion(api, once).status_code, [first, second] * 4))

    assert answers.count(200) == 1
    assert set(answers) <= {200, 401, 429}


def test_used_assertions_are_forgotten_when_their_time_is_over(hub: Api, registry_url: str) -> None:
    client = signer(registry_url, KEY)
    assert by_assertion(hub, assertion(client.id, KEY)).status_code == 200
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.client_assertion SET ends_at = now() - interval '1 second'")
    assert by_assertion(hub, assertion(client.id, KEY)).status_code == 200

    with connect(registry_url) as connection:
        assert connection.execute("SELECT count(*) FROM registry.client_assertion").fetchone() == (1,)


def test_two_keys_overlap_and_one_that_ended_proves_nothing(hub: Api, registry_url: str) -> None:
    client = signer(registry_url, KEY)
    credentials.add(registry_url, client.id, Given(keys=(public(OTHER),)))
    assert [by_assertion(hub, assertion(client.id, key)).status_code for key in (KEY, OTHER)] == [200, 200]

    credentials.end(registry_url, client.id, credentials.of_client(registry_url, client.id)[0].number)

    assert [by_assertion(hub, assertion(client.id, key)).status_code for key in (KEY, OTHER)] == [401, 200]


def test_a_key_set_is_taken_over_with_its_ids(hub: Api, registry_url: str) -> None:
    jwks = [{**public_keys.read(public(key))[0], "kid": kid} for kid, key in (("k1", KEY), ("k2", OTHER))]
    given = Given(keys=(orjson.dumps({"keys": jwks}),))
    client = clients.add(registry_url, "bank", ["operate"], methods=[Method.KEY], given=given)

    assert by_assertion(hub, assertion(client.id, OTHER, headers={"kid": "k2"})).status_code == 200
    assert by_assertion(hub, assertion(client.id, OTHER, headers={"kid": "k1"})).status_code == 401
    shown = [each.shown for each in credentials.of_client(registry_url, client.id)]
    assert shown == ["ES256 k1", "ES256 k2"]


NO_KEYS: list[tuple[bytes, str]] = [
    (KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "private key"),
    (jwt.algorithms.ECAlgorithm.to_jwk(KEY).encode(), "private or symmetric"),  # type: ignore[arg-type]
    (public(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505
    (public(ec.generate_private_key(ec.SECP384R1())), "expected EC P-256"),
    (b'{"kty": "oct", "k": "c2VjcmV0"}', "private or symmetric"),
    (b'{"keys": []}', "no JWK"),
    (b"hello", "neither PEM nor JSON"),
    (b"-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n", "cannot be read"),
]


def test_what_is_no_public_key_of_a_kind_that_is_taken_is_not_entered(registry_url: str) -> None:
    for content, said in NO_KEYS:
        with pytest.raises(ClientError, match=said):
            clients.add(registry_url, "bank", ["operate"], methods=[Method.KEY], given=Given(keys=(content,)))

    assert clients.all_clients(registry_url) == []


# -- certificates ------------------------------------------------------------------------------------------------------

BEHIND_PROXY = AccessOptions(trusted_proxies=(ip_network("127.0.0.1"),), certificate_header="Client-Cert")


def certificate(authority: trustme.CA, name: str) -> tuple[bytes, bytes]:
    """A client's certificate and its key, PEM."""
    made = authority.issue_cert(f"{name}@bank.example", common_name=name)
    return made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def rfc9440(pem: bytes) -> dict[str, str]:
    return {"Client-Cert": f":{base64.b64encode(der(pem)).decode()}:"}


def nginx(pem: bytes) -> dict[str, str]:
    return {"Client-Cert": quote(pem.decode())}


def ask_for_token(api: Api, client_id: str, headers: dict[str, str]) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id}
    return api.session.post(f"{api.address}/api/v1/token", data=form, headers=headers, timeout=30)


@pytest.mark.parametrize("passed_on", [rfc9440, nginx], ids=["RFC 9440", "nginx"])
def test_a_token_got_with_a_certificate_is_worth_nothing_without_it(
    start: Callable[..., Api], registry_url: str, passed_on: Callable[[bytes], dict[str, str]]
) -> None:
    api = start(access=BEHIND_PROXY)
    authority = trustme.CA()
    (own, _), (another, _) = certificate(authority, "loan desk"), certificate(authority, "window")
    given = Given(certificates=(own,))
    client = clients.add(registry_url, "bank", ["operate"], methods=[Method.CERTIFICATE], given=given)

    refused = [ask_for_token(api, client.id, passed_on(another)), ask_for_token(api, client.id, {})]
    answer = ask_for_token(api, client.id, passed_on(own))

    assert [each.status_code for each in refused] == [401, 401]
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    assert set(jwt.decode(token, options={"verify_signature": False})["cnf"]) == {"x5t#S256"}
    reader = Reader(api.address, api.session, client, token)
    assert reader.ask("/api/v1/batches", headers=passed_on(own)).status_code == 200
    for wrong in (passed_on(another), {}, {"Client-Cert": "x"}, {"Client-Cert": ":x:"}):
        answer = reader.ask("/api/v1/batches", headers=wrong)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


def test_a_header_from_anyone_but_the_proxy_is_no_certificate(start: Callable[..., Api], registry_url: str) -> None:
    own, _ = certificate(trustme.CA(), "loan desk")
    given = Given(certificates=(own,))
    client = clients.add(registry_url, "bank", ["operate"], methods=[Method.CERTIFICATE], given=given)
    elsewhere = AccessOptions(trusted_proxies=(ip_network("10.0.0.0/8"),), certificate_header="Client-Cert")

    for access in (elsewhere, AccessOptions(), AccessOptions(trusted_proxies=BEHIND_PROXY.trusted_proxies)):
        assert ask_for_token(start(access=access), client.id, rfc9440(own)).status_code == 401


def issued(
    authority: trustme.CA,
    name: str,
    *,
    days: tuple[int, int] = (-1, 30),
    use: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    """A certificate with this subject, PEM; ``days``: from when until when, from today."""
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(name))
        .issuer_name(issuer.subject)
        .public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("desk.bank.example")]), critical=False)
    )
    if use is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return made.sign(signer, SHA256()).public_bytes(Encoding.PEM)


def test_a_subject_counts_under_the_hubs_authorities_only(
    start: Callable[..., Api], registry_url: str, tmp_path: Path
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    access = AccessOptions(BEHIND_PROXY.trusted_proxies, "Client-Cert", client_authorities=tmp_path / "ca.pem")
    api = start(access=access)
    subject = "CN=loan desk,O=City Bank"
    given = Given(subjects=(subject,))
    client = clients.add(registry_url, "bank", ["operate"], methods=[Method.PKI], given=given)

    for right in (issued(authority, subject), issued(authority, subject), issued(authority, subject, use=None)):
        assert ask_for_token(api, client.id, rfc9440(right)).status_code == 200
    for why, wrong in {
        "another authority": issued(stranger, subject),
        "another subject": issued(authority, "CN=window,O=City Bank"),
        "the same names in another order": issued(authority, "O=City Bank,CN=loan desk"),
        "for servers": issued(authority, subject, use=ExtendedKeyUsageOID.SERVER_AUTH),
        "ended": issued(authority, subject, days=(-30, -1)),
        "not yet begun": issued(authority, subject, days=(1, 30)),
    }.items():
        assert ask_for_token(api, client.id, rfc9440(wrong)).status_code in {401, 429}, why


def test_without_a_proxy_the_connection_itself_shows_the_certificate(
    settings: ApiSettings, registry_url: str, tmp_path: Path
) -> None:
    from dataclasses import replace  # noqa: PLC0415

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server = authority.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    server.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    for name in ("own", "another"):
        pem, key = certificate(authority, name)
        (tmp_path / f"{name}.pem").write_bytes(pem)
        (tmp_path / f"{name}.key").write_bytes(key)
    given = Given(certificates=((tmp_path / "own.pem").read_bytes(),))
    client = clients.add(registry_url, "bank", ["operate"], methods=[Method.CERTIFICATE], given=given)
    tls = Tls(tmp_path / "server.pem", tmp_path / "server.key")
    options = AccessOptions(tls=tls, client_authorities=tmp_path / "ca.pem")

    with serving(replace(settings, access=options)) as running, requests.Session() as session:
        session.trust_env = False
        session.verify = str(tmp_path / "ca.pem")
        address = f"https://127.0.0.1:{running.bound_port}"
        form = {"grant_type": "client_credentials", "client_id": client.id}
        shown = {name: (str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.key")) for name in ("own", "another")}

        def token(cert: tuple[str, str] | None) -> requests.Response:
            return session.post(f"{address}/api/v1/token", data=form, cert=cert, timeout=30)

        assert [token(shown["another"]).status_code, token(None).status_code] == [401, 401]
        bearer = {"Authorization": f"Bearer {token(shown['own']).json()['access_token']}"}
        answers = [
            session.get(f"{address}/api/v1/batches", headers=bearer, cert=cert, timeout=30).status_code
            for cert in (shown["own"], shown["another"], None)
        ]

    assert answers == [200, 401, 401]


# -- only in its own ways ----------------------------------------------------------------------------------------------


def test_a_client_is_known_by_its_own_ways_only(hub: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    credentials.add(registry_url, client.id, Given(keys=(public(KEY),)))
    assert by_assertion(hub, assertion(client.id, KEY)).status_code == 401

    credentials.restrict(registry_url, client.id, [Method.KEY])

    assert by_assertion(hub, assertion(client.id, KEY)).status_code == 200
    assert hub.token(auth=(client.id, client.secret)).status_code == 401


def test_a_request_that_proves_itself_in_two_ways_is_refused(hub: Api, registry_url: str) -> None:
    client = clients.add(registry_url, "bank", ["operate"])
    auth = (client.id, client.secret)

    answers = [
        hub.token(auth=auth, client_secret=client.secret),
        hub.token(auth=auth, client_assertion="x"),
        hub.token(client_id=client.id, client_secret=client.secret, client_assertion_type=TYPE),
    ]

    assert [(each.status_code, each.json()["error"]) for each in answers] == [(400, "invalid_request")] * 3
    assert hub.token(auth=auth, client_id=client.id).status_code == 200
    assert hub.token(auth=auth, client_id="client-other").status_code == 401


UNPROVABLE: list[tuple[dict[str, Any], str]] = [
    ({"methods": []}, "needs a way"),
    ({"methods": [Method.KEY]}, "--key"),
    ({"methods": [Method.PKI]}, "--subject"),
    ({"methods": [Method.CERTIFICATE]}, "--certificate"),
    ({"methods": [Method.EXTERNAL]}, "--external"),
    ({"external_name": "x"}, "may not prove who it is by external"),
    ({"given": Given(keys=(public(KEY),))}, "may not prove who it is by private_key_jwt"),
    ({"methods": [Method.PKI], "given": Given(subjects=("desk",))}, "distinguished name"),
    ({"methods": [Method.CERTIFICATE], "given": Given(certificates=(b"x",))}, "no certificate"),
]


def test_a_client_that_could_not_prove_who_it_is_is_not_entered(registry_url: str) -> None:
    for more, said in UNPROVABLE:
        with pytest.raises(ClientError, match=said):
            clients.add(registry_url, "bank", ["operate"], **more)

    assert clients.all_clients(registry_url) == []


def test_no_client_has_more_than_ten_keys_at_once(registry_url: str) -> None:
    client = signer(registry_url, KEY)
    for _ in range(9):
        credentials.add(registry_url, client.id, Given(keys=(public(ec.generate_private_key(ec.SECP256R1())),)))

    with pytest.raises(CredentialError, match="10 credentials"):
        credentials.add(registry_url, client.id, Given(keys=(public(OTHER),)))
    credentials.end(registry_url, client.id, credentials.of_client(registry_url, client.id)[0].number)
    assert len(credentials.add(registry_url, client.id, Given(keys=(public(OTHER),)))) == 11


def test_the_pages_example_gets_a_token(hub: Api, registry_url: str, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "clients.md").read_text("utf-8")
    code = page.split("<!-- file: signed_token.py -->\n```python\n")[1].split("```")[0]
    example: dict[str, Any] = {}
    exec(compile(code, "signed_token.py", "exec"), example)  # noqa: S102  (the page's own words)
    key = tmp_path / "desk.key"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    client = signer(registry_url, KEY)

    token = example["token"](hub.address, client.id, key)

    assert Reader(hub.address, hub.session, client, token).ask("/api/v1/batches").status_code == 200


def test_the_page_says_the_limits_that_there_are() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "clients.md").read_text("utf-8")
    limits = page.split("## Limits")[1]

    for pace in (attempts.WRONG_BY_CLIENT, attempts.WRONG_BY_ADDRESS, attempts.TOKENS):
        assert f"| {pace.at_once} | {pace.seconds} s |" in limits
    assert f"1/{AccessOptions().requests_per_second} s" in limits
    assert f"q={AccessOptions().requests_per_second * WINDOW_SECONDS};w={WINDOW_SECONDS}" in limits
    assert credentials.MOST == 10
    assert (LONGEST_SECONDS, LEEWAY_SECONDS) == (300, 30)
    assert (FRESH_SECONDS, PAUSE_SECONDS, KEPT_SECONDS, TIMEOUT_SECONDS) == (300, 10, 3600, 5)


def test_the_metadata_say_what_is_so(start: Callable[..., Api], tmp_path: Path) -> None:
    plain = start(public_url=HUB).anyone.ask("/.well-known/oauth-authorization-server").json()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    access = AccessOptions(BEHIND_PROXY.trusted_proxies, "Client-Cert", client_authorities=tmp_path / "ca.pem")
    certified = start(public_url=HUB, access=access).anyone.ask("/.well-known/oauth-authorization-server").json()

    assert plain["issuer"] == HUB
    assert plain["token_endpoint"] == f"{HUB}/api/v1/token"
    assert plain["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic", "client_secret_post", "private_key_jwt",
    ]  # fmt: skip
    assert not plain["tls_client_certificate_bound_access_tokens"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(certified["token_endpoint_auth_methods_supported"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SHUQIAO_TRUSTED_PROXIES": "10.0.0.1/8"}, "SHUQIAO_TRUSTED_PROXIES"),
        ({"SHUQIAO_CLIENT_CERTIFICATE_HEADER": "Client Cert"}, "a header's name"),
        ({"SHUQIAO_CLIENT_CA": "/nowhere"}, "no file"),
        ({"SHUQIAO_CLIENT_CA": __file__}, "no certificate in PEM"),
        ({"SHUQIAO_TLS_KEY": "/nowhere"}, "go together"),
        ({"SHUQIAO_TRUSTED_ISSUER": "http://issuer.example"}, "https address"),
        ({"SHUQIAO_TRUSTED_ISSUER": "https://issuer.example"}, "SHUQIAO_TRUSTED_AUDIENCE is not set"),
        ({"SHUQIAO_CLIENT_REQUESTS_PER_SECOND": "0"}, "at least 1"),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_named(given: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        from_environment(given)


def test_settings_are_read_from_the_environment() -> None:
    given = {
        "SHUQIAO_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1",
        "SHUQIAO_CLIENT_CERTIFICATE_HEADER": "Client-Cert",
        "SHUQIAO_TRUSTED_ISSUER": "https://issuer.example/realm",
        "SHUQIAO_TRUSTED_AUDIENCE": "hub",
        "SHUQIAO_TRUSTED_CLIENT_CLAIM": "azp",
        "SHUQIAO_CLIENT_REQUESTS_PER_SECOND": "50",
    }
    found = from_environment(given)

    assert found.sees_certificates
    assert [str(each) for each in found.trusted_proxies] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert found.external_issuer is not None
    assert found.external_issuer.client_claim == "azp"
    assert found.requests_per_second == 50
    assert from_environment({}) == AccessOptions()
