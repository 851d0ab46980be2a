"""Every route there is x everyone who may not: no good token, the wrong scope, another method."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from registry.api.access import security
from registry.api.clients import clients
from registry.api.routes.licences.sharing_service import FOUND, NO_SUCH_TYPE, NOT_PROVEN, NOTHING
from registry.api.tokens.token_keys import TokenKeys, load
from registry.api.tokens.tokens import AUDIENCE, Tokens
from tests.api import licensing
from tests.security.asking import Answered, Asked
from tests.security.city import DATASET, PURPOSE, City, method, names
from tests.security.table import IN_BODY, NOBODYS, OPEN, OPENED_BY, OWNED, PUBLIC, SCOPES, body_for


def protected(city: City) -> list[APIRoute]:
    return [route for route in city.routes() if security.rule_of(route) not in (*OPEN, *IN_BODY)]


def declared(city: City, route: APIRoute, answer: Answered) -> bool:
    """Whether the description has this problem among the route's answers."""
    described = city.asker.app.openapi()["paths"].get(route.path_format, {}).get(method(route).lower(), {})
    found = described.get("responses", {}).get(str(answer.status), {})
    kinds = {
        example["value"]["type"]
        for content in found.get("content", {}).values()
        for example in content.get("examples", {}).values()
    }
    return f"/problems/{answer.problem}" in kinds


def test_every_rule_is_in_the_table_and_every_public_address_has_its_reason(city: City) -> None:
    there = {security.rule_of(route) for route in city.routes()}

    assert there <= {*OPENED_BY, *IN_BODY, *OPEN}, "a route names a rule that tests/security/table.py does not have"
    assert set(security.RULES) == {*OPENED_BY, *IN_BODY, *OPEN}
    assert {route.path for route in city.routes(*OPEN)} == set(PUBLIC), "see PUBLIC in tests/security/table.py"


def test_whose_each_thing_is_that_an_address_names_is_in_the_table(city: City) -> None:
    assert unsaid(protected(city)) == set(), "say in tests/security/table.py whose it is"
    assert names(protected(city)) <= set(city.objects), "tests/security/city.py has none of it"


def unsaid(routes: list[APIRoute]) -> set[str]:
    """What addresses name and the table says nothing of."""
    return names(routes) - set(OWNED) - set(NOBODYS)


def test_a_new_route_without_its_row_in_the_table_fails() -> None:
    async def new_rule() -> None:
        """Nobody has said whom it lets in."""

    router = APIRouter()

    @router.get("/api/v1/novelties/{novelty}", dependencies=[Depends(security.known_client)])  # noqa: FAST003
    @router.get("/api/v1/others", dependencies=[Depends(new_rule)])
    async def novelty() -> None:
        """A route that somebody adds."""

    added = [route for route in router.routes if isinstance(route, APIRoute)]

    assert unsaid(added) == {"novelty"}
    assert {route.path for route in added if security.rule_of(route) not in OPENED_BY} == {"/api/v1/others"}
    open_too = APIRoute("/api/v1/open", novelty, dependencies=[Depends(security.public)])
    assert security.rule_of(open_too) in OPEN
    assert open_too.path not in PUBLIC


def wrong_tokens(city: City, folder: Path) -> dict[str, dict[str, str]]:
    """Headers of everyone whose token is none, by what is wrong with it."""
    token = city.enter(*SCOPES, "read:*")
    good = city.client(token)
    revoked = city.enter(*SCOPES)
    clients.revoke(city.url, city.client(revoked).id)
    keys, issuer = TokenKeys(city.settings.token_key), city.settings.base
    (key,) = load(city.settings.token_key)
    public = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    other = ec.generate_private_key(ec.SECP256R1())
    claims = {
        "iss": issuer, "aud": AUDIENCE, "sub": good.id, "client_id": good.id, "iat": int(time.time()),
        "exp": int(time.time()) + 600, "scope": " ".join(SCOPES),
    }  # fmt: skip
    headers = {"typ": "at+jwt", "kid": key.key_id}
    assert key.private is not None
    body, _, signature = token.rpartition(".")
    bearers = {
        "malformed": "garbage",
        "malformed in three parts": "a.b.c",
        "expired": Tokens(keys, -1, issuer).issue(good.id, SCOPES),
        "of another audience": jwt.encode({**claims, "aud": "another"}, key.private, "ES256", headers),
        "of another issuer": jwt.encode({**claims, "iss": "https://another.example"}, key.private, "ES256", headers),
        "of another key": Tokens(TokenKeys(folder / "another.pem"), 900, issuer).issue(good.id, SCOPES),
        "of another key under our id": jwt.encode(claims, other, "ES256", headers),
        "with another signature": f"{body}.{signature[:-8]}{'A' * 8}",
        "with another content": f"{body[:-2]}AA.{signature}",
        "unsigned": jwt.encode(claims, "", "none", headers),
        "signed with the public key as secret": jwt.encode(claims, base64.b64encode(public).decode(), "HS256", headers),
        "no access token": jwt.encode(claims, key.private, "ES256", {"typ": "JWT", "kid": key.key_id}),
        "bound to a certificate": city.state.tokens.issue(good.id, SCOPES, bound_to="x" * 43),
        "of a revoked client": revoked,
        "of nobody": Tokens(keys, 900, issuer).issue("client-nobody", SCOPES),
    }
    return {why: {"authorization": f"Bearer {bearer}"} for why, bearer in bearers.items()} | {
        "none": {},
        "empty": {"authorization": "Bearer "},
        "of another scheme": {"authorization": f"Basic {token}"},
    }


def test_every_route_refuses_who_has_no_good_token(city: City, tmp_path: Path) -> None:
    wrong = wrong_tokens(city, tmp_path)
    routes = protected(city)
    table = [
        (route, Asked(method(route), city.address(route), headers=headers, what=why))
        for route in routes
        for why, headers in wrong.items()
    ]

    for (route, asked), answer in zip(table, city.asker.all(asked for _, asked in table), strict=True):
        where = (asked.method, route.path, asked.what, answer.content[:300])
        assert (answer.status, answer.problem) == (401, "unauthenticated"), where
        assert answer.headers["www-authenticate"].startswith("Bearer"), where
        assert declared(city, route, answer), where


def in_body(city: City, route: APIRoute, client_id: str, token: str) -> Answered:
    """A request whose token is a member of its body, for a licence that there is."""
    data = {
        "useCause": "贷款审核", "certIdentifier": city.objects["identifier"], "holderCode": licensing.uscc(1),
        "holderTypeCode": "001", "certTypeCode": licensing.FOOD.code,
    }  # fmt: skip
    body = {"accessId": client_id, "accessToken": token, "data": data}
    answer = city.ask(method(route), city.address(route), body=body)
    assert answer.status == 200, (route.path, answer.content[:300])
    return answer


def said_id(token: str) -> str:
    """The client that a token says it was given to, whether or not that is so."""
    try:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])
    except jwt.DecodeError:
        return "client-nobody"


def test_a_token_in_the_body_is_looked_at_just_the_same(city: City, tmp_path: Path) -> None:
    good, scopeless = city.enter("licence:*"), city.enter()
    wrong = {
        why: headers.get("authorization", "").removeprefix("Bearer ").strip()
        for why, headers in wrong_tokens(city, tmp_path).items()
        if not headers.get("authorization", "").startswith("Basic")  # there is no scheme in a body
    }
    routes = city.routes(*IN_BODY)

    assert routes
    for route in routes:
        shown = in_body(city, route, city.client(good).id, good).document
        assert (shown["head"]["status"], bool(shown["data"])) == (FOUND, True), (route.path, shown)
        for why, token in wrong.items():
            refused = in_body(city, route, said_id(token), token).document
            assert (refused["head"]["status"], refused["data"]) == (NOT_PROVEN, None), (route.path, why, refused)
        of_another = in_body(city, route, city.client(scopeless).id, good).document
        assert (of_another["head"]["status"], of_another["data"]) == (NOT_PROVEN, None), route.path
        unscoped = in_body(city, route, city.client(scopeless).id, scopeless).document
        assert unscoped["head"]["status"] in {NOTHING, NO_SUCH_TYPE}, route.path
        assert unscoped["data"] is None


def test_every_route_asks_for_its_scope(city: City) -> None:
    tokens = {scope: city.enter(scope) for scope in SCOPES}
    tokens["nothing"] = city.enter()
    table = [
        (route, scope, Asked(method(route), city.address(route), token, PURPOSE))
        for route in protected(city)
        if OPENED_BY[security.rule_of(route)] is not None
        for scope, token in tokens.items()
        if scope not in (OPENED_BY[security.rule_of(route)] or ())
    ]

    for (route, scope, asked), answer in zip(table, city.asker.all(each[2] for each in table), strict=True):
        where = (asked.method, route.path, scope, answer.content[:300])
        assert (answer.status, answer.problem) == (403, "not-granted"), where
        assert declared(city, route, answer), where


def test_each_scope_opens_what_the_table_says(city: City) -> None:
    """Else a table that says too little would look right."""
    tokens = {scope: city.enter(scope) for scope in SCOPES}
    for route in protected(city):
        for scope in OPENED_BY[security.rule_of(route)] or ():
            if method(route) == "GET":
                answer = city.ask("GET", city.address(route), tokens[scope], headers=PURPOSE)
                assert answer.problem != "not-granted", (route.path, scope, answer.content[:300])
                assert answer.status < 500, (route.path, scope, answer.content[:300])


def test_a_token_that_names_less_than_its_client_has_opens_less(city: City) -> None:
    client = city.client(city.enter(*SCOPES, legal_entity={}))
    token = city.token(client.id)
    for route in protected(city):
        if OPENED_BY[security.rule_of(route)] is not None:
            answer = city.ask(method(route), city.address(route), token, headers=PURPOSE)
            assert (answer.status, answer.problem) == (403, "not-granted"), (route.path, answer.content[:300])


def test_every_address_refuses_other_methods(city: City) -> None:
    token = city.enter(*SCOPES, legal_entity={})
    known = city.objects | dict.fromkeys(names(city.routes()) - set(city.objects), "1")
    for each_route in city.routes():
        address = re.sub(r"\{(\w+)\}", lambda found: known[found[1]], each_route.path)
        here = [route for route in city.routes() if route.path_regex.fullmatch(address)]
        methods = {method for route in here for method in route.methods or ()}
        for each in {"POST", "PUT", "DELETE", "PATCH", "GET", "TRACE", "PROPFIND"} - methods:
            answer = city.ask(each, address, token)
            assert (answer.status, answer.problem) == (405, "method-not-allowed"), (each, address, answer.content[:200])
            assert set(answer.headers["allow"].split(", ")) == methods
    answer = city.ask("POST", f"/api/v1/datasets/{DATASET}", token, headers={"X-HTTP-Method-Override": "GET"})
    assert answer.status == 405


def disguises(address: str) -> Iterator[str]:
    """The same address written otherwise, in hope of a way around the rule."""
    head, _, last = address.rpartition("/")
    up = f"{head}/x/..%2f{last}"
    yield from (
        f"/{address}", f"{head}//{last}", f"{address}/", f"{address}//", f"{head}/./{last}", f"{head}/x/../{last}",
        f"{head}/%2e/{last}", f"{head}/x/%2e%2e/{last}", f"{head}/x/..;/{last}", f"{head}/..;/{last}", up,
        f"{head}%2F{last}", f"{head}%2f{last}", f"{head}%5C{last}", f"{head}\\{last}", f"{address};x=1", f"{address};",
        f"{address}%00", f"{address}%20", f"{address}%0a", f"{address}.json", f"{address}%23", f"{address}%3f",
        address.upper(), address.replace("/api/", "/API/"), address.replace("/api/v1", "/api/v1/."),
        address.replace("/api/v1", "/healthz/../api/v1"), address.replace("/api/v1", "/api/v01"), f"http://hub{address}",
        f"/healthz%2f..{address}", f"{head}/{last}/../{last}", f"/.{address}", address.replace("/", "/%2e/", 1),
    )  # fmt: skip


@pytest.mark.parametrize("who", ["anyone", "a client without rights"])
def test_no_way_of_writing_an_address_leads_past_its_rule(city: City, who: str) -> None:
    token = None if who == "anyone" else city.enter()
    table = [
        Asked(method(route), target, token, body=body_for(route.path) if method(route) == "POST" else None)
        for route in protected(city)
        if OPENED_BY[security.rule_of(route)] is not None or token is None
        for target in disguises(city.address(route))
    ]

    for asked, answer in zip(table, city.asker.all(table), strict=True):
        assert answer.status in {400, 401, 403, 404, 405}, (asked.method, asked.target, answer.status, answer.content)
        assert answer.problem or asked.method == "GET", (asked.method, asked.target, answer.content)


def test_headers_that_name_another_address_change_nothing(city: City) -> None:
    token = city.enter()
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path", "X-Forwarded-Prefix"):
        answer = city.ask("GET", "/api/v1/batches", token, headers={name: "/healthz"})
        assert answer.status == 403
        assert city.ask("GET", "/healthz", token, headers={name: "/api/v1/batches"}).document == {"status": "alive"}


def test_a_way_into_the_database_is_text_like_any_other(city: City) -> None:
    token = city.enter(*SCOPES, legal_entity={})
    sly = ["' OR 1=1 --", "1; DROP TABLE registry.client", "\\x00", "%", "_", "../../etc/passwd", "${7*7}", "{{7*7}}"]
    table = [
        Asked(method(route), city.address(route, **{name: quote(text, safe="")}), token, PURPOSE)
        for route in protected(city)
        for name in re.findall(r"\{(\w+)\}", route.path)
        for text in sly
        if method(route) == "GET"
    ]
    for asked, answer in zip(table, city.asker.all(table), strict=True):
        assert answer.status in {200, 400, 403, 404, 409, 410}, (asked.target, answer.status, answer.content[:300])
