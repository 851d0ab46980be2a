"""One registry with something of every kind in it, and the application over it: who asks, and what belongs to whom."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from registry.api.access import security
from registry.api.app import create_app
from registry.api.clients.clients import NewClient
from registry.api.settings import ApiSettings
from registry.api.state import ApiState
from registry.domain.delivery.addresses import AddressRules
from registry.domain.licences import identifiers
from tests import china, granting
from tests.api import licensing
from tests.credit.enterprise_file.town import Town, enterprise, penalty, uscc
from tests.security.asking import Answered, Asked, Asker

TODAY = china.today()  # what may be shown follows the real clock
LONG_AGO = f"{TODAY - timedelta(days=200)}"
PURPOSE = {"Access-Purpose": "credit_lending", "Case-Number": "L-2026-000123"}
DATASET = "legal_entity"
HIDDEN = {"key": "2", "entity": uscc(2)}
"""A record outside the rows that are granted, where only active enterprises are, or only those of one division."""
ABSENT = {"key": "9", "entity": uscc(9)}
"""One that is not there."""


@dataclass
class City:
    """The application, who asks it, and what belongs to whom."""

    url: str
    asker: Asker
    settings: ApiSettings
    objects: dict[str, str] = field(default_factory=dict)
    """By the name that addresses have for it: something that is there and belongs to somebody."""
    owners: dict[str, str] = field(default_factory=dict)
    """By the same names: the tokens of those to whom they belong."""
    people: dict[str, tuple[NewClient, str]] = field(default_factory=dict)

    @property
    def state(self) -> ApiState:
        found: ApiState = self.asker.app.state.api
        return found

    def enter(self, *scopes: str, **grants: Mapping[str, Any]) -> str:
        """The token of a new client with these scopes, and a grant of each dataset that is named."""
        client = granting.enter(self.url, "somebody", scopes)
        for dataset, terms in grants.items():
            granting.grant(self.url, client.id, dataset, **terms)
        token = self.token(client.id, *scopes, *(f"read:{dataset}" for dataset in grants))
        self.people[token] = (client, token)
        return token

    def token(self, client_id: str, *scopes: str) -> str:
        return self.state.tokens.issue(client_id, scopes)

    def client(self, token: str) -> NewClient:
        return self.people[token][0]

    def ask(self, method: str, target: str, token: str | None = None, **more: Any) -> Answered:
        return self.asker.ask(Asked(method, target, token, **more))

    def ask_pair(self, route: APIRoute, token: str, name: str, other: str, body: Any) -> tuple[Answered, Answered]:
        """The same asked of what is there and of another."""
        sent = {"headers": PURPOSE, "body": None if method(route) == "GET" else body}
        first, second = (
            self.ask(method(route), address, token, **sent)
            for address in (self.address(route), self.address(route, **{name: other}))
        )
        return first, second

    def made(self, target: str, token: str, body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What somebody has made, which must have worked."""
        answer = self.ask("POST", f"/api/v1{target}", token, body=body, headers=headers or {})
        assert answer.status in {200, 201}, (target, answer.content)
        found: dict[str, Any] = answer.document
        return found

    def routes(self, *rules: Any) -> list[APIRoute]:
        """Those of some rules; without rules all."""
        found = [route for route in self.asker.app.routes if isinstance(route, APIRoute)]
        return [route for route in found if not rules or security.rule_of(route) in rules]

    def address(self, route: APIRoute, **instead: str) -> str:
        """Of what is there, or of what is named instead."""
        return re.sub(r"\{(\w+)\}", lambda found: (instead | self._known(instead))[found[1]], route.path)

    def _known(self, instead: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in self.objects.items() if name not in instead}


def build(url: str, folder: Path) -> Iterator[City]:
    """Publish, start, and let everybody make something of their own."""
    town = Town(url)
    town.say(DATASET, {"1": enterprise(1), "2": enterprise(2, status="revoked", division="330206")})
    fields = {"penalty_kinds": ["confiscation_of_income"], "decided_on": LONG_AGO}
    town.say("administrative_penalty", {"P1": penalty(1, **fields)})
    licences = licensing.Town(url)
    licences.publish(licensing.food(1))
    settings = ApiSettings(
        database_url=url,
        token_key=folder / "token_key.pem",
        port=0,
        public_url=licensing.BASE,
        master_key=licensing.MASTER_KEY,
        client_check_seconds=0,
        catalogue_seconds=0,
        smallest_group=1,
        receivers=AddressRules(),
    )
    asker = Asker(create_app(settings))
    city = City(url, asker, settings)
    try:
        _seed(city, licences)
        yield city
    finally:
        asker.close()
        town.connection.close()


def _seed(city: City, licences: licensing.Town) -> None:
    reader = city.enter(legal_entity={})
    bank, window = city.enter("credit:bank"), city.enter("credit:consent")
    now = datetime.now(UTC)
    consent = {
        "subject": uscc(1),
        "grantee": city.client(bank).id,
        "purpose": "credit_lending",
        "items": ["registration"],
        "valid_from": (now - timedelta(hours=1)).isoformat(),
        "valid_until": (now + timedelta(days=90)).isoformat(),
        "evidence_digest": hashlib.sha256(b"evidence").hexdigest(),
    }
    case = {
        "kind": "objection",
        "dataset": "administrative_penalty",
        "key": "P1",
        "entity": uscc(1),
        "applicant": enterprise(1)["name"],
        "statement": "决定书所载金额有误。",
    }
    asked = {
        "dataset": "administrative_penalty",
        "purposes": ["credit_lending"],
        "legal_basis": "国办发〔2021〕52号",
        "statement": "授信审批",
    }
    identifier = licences.identifiers(1)[-1]
    licensee = city.enter("licence:*")
    copy = {"requested_by": "市城市商业银行", "cause": "贷款审核", "valid_until": (now + timedelta(days=3)).isoformat()}
    granted = city.ask("GET", "/api/v1/grants", reader).document
    subscription = {"dataset": DATASET, "url": "https://bank.example.com/events"}
    cases = city.enter("credit:cases")
    city.owners |= {
        "export": reader,
        "subscription": reader,
        "asked": reader,
        "grant": reader,
        "consent": bank,
        "case": cases,
        "copy": licensee,
        "identifier": licensee,
    }
    city.objects |= {
        "dataset": DATASET,
        "key": "1",
        "entity": uscc(1),
        "enterprise": uscc(1),
        "identifier": identifier,
        "export": str(city.made(f"/datasets/{DATASET}/exports", reader, {})["id"]),
        "part": "0",
        "subscription": str(city.made("/subscriptions", reader, subscription)["id"]),
        "consent": str(city.made("/credit/consents", window, consent)["id"]),
        "case": str(city.made("/credit/cases", cases, case)["id"]),
        "asked": str(city.made("/grants/requests", reader, asked)["id"]),
        "copy": str(city.made(f"/licences/{identifier}/copies", licensee, copy)["id"]),
        "grant": str(granted["grants"][0]["id"]),
        "batch": "1",
        "refusal": "1",
        "match": "1",
        "table": "penalties",
    }


def absent(city: City) -> dict[str, str]:
    """Of each kind one that nobody has."""
    known = identifiers.parse(city.objects["identifier"]).identifier
    return {
        "key": ABSENT["key"],
        "identifier": str(replace(known, serial="99999")),
        **{name: _other(city.objects[name]) for name in ("export", "subscription", "consent", "copy")},
        **dict.fromkeys(("case", "asked", "grant", "batch", "refusal", "match"), "987654"),
    }


def _other(text: str) -> str:
    """Of the same shape."""
    if text.isdecimal():
        return "987654"
    return re.sub(r"[0-9a-f](?=[0-9a-f]{3})", lambda found: "b" if found[0] == "a" else "a", text)


def method(route: APIRoute) -> str:
    assert route.methods is not None
    (only,) = set(route.methods) - {"HEAD"}
    return only


def without(answer: Answered, *texts: str) -> tuple[int, Any]:
    """An answer without what belongs to one request, and without these texts."""
    document = dict(answer.document or {})
    for name in ("trace_id", "instance"):
        document.pop(name, None)
    shown = repr(sorted(document.items()))
    for text in texts:
        shown = shown.replace(text, "…")
    return answer.status, shown


def names(routes: Iterable[APIRoute]) -> set[str]:
    return {name for route in routes for name in re.findall(r"\{(\w+)\}", route.path)}
