"""Keys that sign tokens take each other's place while processes serve; an issuer elsewhere can be trusted too."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from registry.api.clients import clients
from registry.api.clients.credentials import Method
from registry.api.clients.options import AccessOptions, ExternalIssuer
from registry.api.tokens import token_keys
from registry.api.tokens.external_issuer import ExternalTokens
from registry.api.tokens.token_keys import TokenKeyError, TokenKeys, load
from registry.api.tokens.tokens import AUDIENCE, TokenRefused, Tokens
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
HUB = "https://hub.example.gov.cn"


def key_ids(api: Api) -> list[str]:
    keys = api.anyone.ask("/.well-known/jwks.json").json()["keys"]
    return [key["kid"] for key in keys]


def key_id(token: str) -> str:
    found: str = jwt.get_unverified_header(token)["kid"]
    return found


def test_a_rotated_key_is_noticed_without_restart_and_the_old_tokens_stay_good(start: Callable[..., Api]) -> None:
    first, second = start(), start()
    reader = first.client("operate")
    assert reader.client is not None
    path = first.settings.token_key
    (old,) = load(path)

    *_, new = token_keys.rotate(path, now=datetime.now(UTC))

    deadline = time.monotonic() + 10
    while key_id(fresh := first.signed_in(reader.client).token or "") != new.key_id:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # the other process may not have looked at the file yet: a key that it does not know makes it look
    assert Reader(second.address, second.session, None, fresh).ask("/api/v1/batches").status_code == 200
    assert reader.ask("/api/v1/batches").status_code == 200
    assert Reader(second.address, second.session, None, reader.token).ask("/api/v1/batches").status_code == 200
    assert {old.key_id, new.key_id} <= set(key_ids(first)) & set(key_ids(second))
    assert b"PRIVATE" in path.read_bytes()
    assert path.read_bytes().count(b"PRIVATE KEY-----") == 2  # the new one's begin and end; the old is a public key now


def test_a_key_that_is_dropped_takes_its_tokens_with_it(start: Callable[..., Api]) -> None:
    api = start()
    reader = api.client("operate")
    assert reader.ask("/api/v1/batches").status_code == 200
    path = api.settings.token_key
    (old,) = load(path)
    token_keys.rotate(path, now=datetime.now(UTC))

    token_keys.drop(path, old.key_id, now=datetime.now(UTC))

    deadline = time.monotonic() + 10
    while reader.ask("/api/v1/batches").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert old.key_id not in key_ids(api)


def test_a_key_ahead_of_its_time_is_published_and_signs_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    (old,) = load(path)
    keys = token_keys.rotate(path, now=NOW, ahead=HOUR, kept=2 * HOUR)
    new = keys[-1]

    assert [key.key_id for key in load(path)] == [old.key_id, new.key_id]
    assert token_keys.signing(load(path), NOW).key_id == old.key_id
    assert token_keys.signing(load(path), NOW + HOUR).key_id == new.key_id
    kept = load(path)[0]
    assert kept.verifies(NOW + 3 * HOUR - timedelta(seconds=1))
    assert not kept.verifies(NOW + 3 * HOUR)
    assert [key.key_id for key in token_keys.rotate(path, now=NOW + 4 * HOUR)][:-1] == [new.key_id]


def test_the_only_key_that_signs_is_not_dropped(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    (only,) = load(path)
    with pytest.raises(TokenKeyError, match="first: shuqiao keys tokens rotate"):
        token_keys.drop(path, only.key_id, now=NOW)
    with pytest.raises(TokenKeyError, match="no token key"):
        token_keys.drop(path, "another", now=NOW)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_breaks_under_a_running_process_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "key.pem"
    keys = TokenKeys(path, check_seconds=0)
    tokens = Tokens(keys, 900, HUB)
    before = keys.current()
    content = path.read_bytes()
    for broken in (b"no key", content.replace(b"PRIVATE", b"PUBLIC"), b"signs-from: never\n" + content):
        path.write_bytes(broken)
        assert keys.current() is before
        assert "the token keys stay as they were" in caplog.text
        caplog.clear()
        assert tokens.verify(tokens.issue("client", ["operate"])).client_id == "client"
    path.unlink()
    assert keys.current() is before


def test_only_an_access_token_of_this_hub_is_one(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    tokens = Tokens(TokenKeys(path), 900, HUB)
    (key,) = load(path)
    claims = {
        "iss": HUB, "aud": AUDIENCE, "sub": "client", "client_id": "client", "iat": int(time.time()),
        "exp": int(time.time()) + 60, "scope": "operate",
    }  # fmt: skip
    headers = {"typ": "at+jwt", "kid": key.key_id}
    assert key.private is not None

    def made(headers: dict[str, Any] = headers, **changes: Any) -> str:
        return jwt.encode(claims | changes, key.private, "ES256", headers)  # type: ignore[arg-type]

    assert tokens.verify(made()).scopes == frozenset({"operate"})
    for wrong in (
        made(iss="https://another.example.gov.cn"),
        made(aud="another"),
        made({"kid": key.key_id}),
        made({"typ": "JWT", "kid": key.key_id}),
        made({"typ": ["at+jwt"], "kid": key.key_id}),
        made({"typ": {}, "kid": key.key_id}),
        made({"typ": "at+jwt"}),
        made({"typ": "at+jwt", "kid": "another"}),
        made(cnf={"jkt": "x"}),
        made(cnf="x"),
        made(exp=int(time.time())),
        made(nbf=int(time.time()) + 60),
        jwt.encode(claims, "", "none", headers),
    ):
        with pytest.raises(TokenRefused):
            tokens.verify(wrong)


@pytest.mark.parametrize(
    "private",
    [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
    ids=["P-384", "RSA"],
)
def test_a_key_of_another_kind_signs_no_tokens(tmp_path: Path, private: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)

    with pytest.raises(TokenKeyError, match="expected EC P-256"):
        load(path)


# -- an issuer elsewhere -----------------------------------------------------------------------------------------------


@dataclass
class Issuer:
    """An OpenID Connect provider: discovery and keys over HTTP, and tokens."""

    address: str = ""
    keys: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = field(default_factory=dict)
    issuer: str | None = None
    """What discovery says; its address where nothing is said."""
    answers: bool = True
    asked: list[str] = field(default_factory=list)

    def document(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.issuer or self.address, "jwks_uri": f"{self.address}/keys"}
        return {"keys": [*(self.jwk(kid) for kid in self.keys), {"kty": "oct", "kid": "odd", "k": "c2VjcmV0"}]}

    def jwk(self, kid: str) -> dict[str, Any]:
        public = self.keys[kid].public_key()
        if isinstance(public, rsa.RSAPublicKey):
            return {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig"}
        return {**ECAlgorithm.to_jwk(public, as_dict=True), "kid": kid, "use": "sig"}

    def token(self, kid: str = "k1", algorithm: str = "ES256", **changes: Any) -> str:
        claims = {"iss": self.address, "aud": "hub", "azp": "loan-desk", "exp": int(time.time()) + 60} | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.keys[kid], algorithm, {"kid": kid})


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer(keys={"k1": ec.generate_private_key(ec.SECP256R1())})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if not issuer.answers:
                self.send_error(503)
                return
            content = json.dumps(issuer.document(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


def trusting(start: Callable[..., Api], issuer: Issuer) -> Api:
    api = start(access=AccessOptions(external_issuer=ExternalIssuer(issuer.address, "hub", "azp")))
    state = api.server._state
    assert state.external_tokens is not None
    trusted = ExternalIssuer(issuer.address, "hub", "azp")
    state.external_tokens = ExternalTokens(trusted, fresh_seconds=0.3, pause_seconds=0)
    return api


def bearing(api: Api, token: str) -> Reader:
    return Reader(api.address, api.session, None, token)


def test_a_trusted_issuer_says_who_asks_and_the_hub_what_may_be_read(
    start: Callable[..., Api], registry_url: str, issuer: Issuer
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    permits(registry_url).publish([permit(1, "A")])
    client = granting.enter(registry_url, "bank", ["read:permit"], methods=[Method.EXTERNAL], external_name="loan-desk")
    api = trusting(start, issuer)
    reader = bearing(api, issuer.token(scope="operate read:legal_entity"))

    assert reader.ask("/api/v1/datasets/permit/records").status_code == 200
    assert reader.ask("/api/v1/datasets/legal_entity/records").status_code == 403
    assert reader.ask("/api/v1/batches").status_code == 403
    clients.revoke(registry_url, client.id)
    assert reader.ask("/api/v1/datasets/permit/records").status_code == 401


def test_a_token_of_the_issuer_that_is_not_right_in_everything_is_refused(
    start: Callable[..., Api], registry_url: str, issuer: Issuer
) -> None:
    clients.add(registry_url, "bank", ["operate"], methods=[Method.EXTERNAL], external_name="loan-desk")
    # known to the issuer, but not by a client that comes from there
    other = clients.add(registry_url, "other", ["operate"])
    api = trusting(start, issuer)
    issuer.keys["foreign"] = ec.generate_private_key(ec.SECP256R1())
    foreign = issuer.token("foreign")
    del issuer.keys["foreign"]
    issuer.keys["rsa"] = rsa.generate_private_key(65537, 2048)
    assert bearing(api, issuer.token()).ask("/api/v1/batches").status_code == 200
    assert bearing(api, issuer.token("rsa", "RS256")).ask("/api/v1/batches").status_code == 200

    wrong = {
        "another audience": issuer.token(aud="another"),
        "no audience": issuer.token(aud=None),
        "expired": issuer.token(exp=int(time.time()) - 60),
        "without an end": issuer.token(exp=None),
        "a client that is not entered": issuer.token(azp="nobody"),
        "a client's id here": issuer.token(azp=other.id),
        "no client": issuer.token(azp=None),
        "a client that is no text": issuer.token(azp=["loan-desk"]),
        "another key": foreign,
        "another issuer": issuer.token(iss="http://127.0.0.1:1"),
        "bound to what is not here": issuer.token(cnf={"x5t#S256": "x"}),
        "another algorithm of the key": issuer.token("rsa", "PS256"),
        "unsigned": jwt.encode({"iss": issuer.address, "aud": "hub", "azp": "loan-desk"}, "", "none"),
    }
    for why, token in wrong.items():
        answer = bearing(api, token).ask("/api/v1/batches")
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated"), why
    own = api.client("operate")
    assert own.ask("/api/v1/batches").status_code == 200


def test_the_issuers_keys_rotate_and_an_issuer_that_is_silent_harms_nobody_at_once(
    start: Callable[..., Api], registry_url: str, issuer: Issuer
) -> None:
    clients.add(registry_url, "bank", ["operate"], methods=[Method.EXTERNAL], external_name="loan-desk")
    api = trusting(start, issuer)
    old = issuer.token()
    assert bearing(api, old).ask("/api/v1/batches").status_code == 200

    issuer.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    assert bearing(api, issuer.token("k2")).ask("/api/v1/batches").status_code == 200
    issuer.answers = False
    issuer.asked.clear()
    deadline = time.monotonic() + 10
    while not issuer.asked:  # its keys are looked for again, in vain
        assert bearing(api, old).ask("/api/v1/batches").status_code == 200
        assert time.monotonic() < deadline
    assert bearing(api, issuer.token("k2")).ask("/api/v1/batches").status_code == 200
    issuer.answers = True
    del issuer.keys["k1"]
    deadline = time.monotonic() + 10
    while bearing(api, old).ask("/api/v1/batches").status_code == 200:
        assert time.monotonic() < deadline


def test_without_the_issuers_keys_the_hub_says_that_it_is_not_the_callers_fault(
    start: Callable[..., Api], registry_url: str, issuer: Issuer
) -> None:
    clients.add(registry_url, "bank", ["operate"], methods=[Method.EXTERNAL], external_name="loan-desk")
    api = trusting(start, issuer)
    token = issuer.token()
    issuer.answers = False
    answer = bearing(api, token).ask("/api/v1/batches")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/issuer-unavailable")
    assert answer.headers["Retry-After"] == "10"

    issuer.answers, issuer.issuer = True, "https://another.example.gov.cn"
    assert bearing(api, token).ask("/api/v1/batches").status_code == 503
    issuer.issuer = None
    assert bearing(api, token).ask("/api/v1/batches").status_code == 200
