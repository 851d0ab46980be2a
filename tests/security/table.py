"""Who may do what: the rules and what opens them, and whose each thing is that an address can name.

Routes are not listed here: they come from the application. A route that names a rule, or an identifier, that is not in
these tables fails the tests, and so does a public address that is not among these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.api.access import security

SCOPES = (
    "operate", "licence:*", "issue:330203", "credit:public", "credit:department", "credit:bank", "credit:consent",
    "credit:exchange", "credit:cases", "credit:decide:credit", "grants:decide:market-supervision",
)  # fmt: skip
"""One of each kind that a client may have; records of datasets are granted."""
OPENED_BY: Mapping[Any, frozenset[str] | None] = {
    security.known_client: None,
    security.reader: frozenset(),
    security.dataset_reader: frozenset(),
    security.licence_reader: frozenset({"licence:*"}),
    security.issuing_client: frozenset({"issue:330203"}),
    security.credit_reader: frozenset({"credit:public", "credit:department", "credit:bank"}),
    security.credit_office: frozenset({"credit:department"}),
    security.credit_bank: frozenset({"credit:bank"}),
    security.consent_window: frozenset({"credit:consent", "operate"}),
    security.consent_party: frozenset({"credit:consent", "credit:bank", "operate"}),
    security.credit_platform: frozenset({"credit:exchange"}),
    security.case_window: frozenset({"credit:cases"}),
    security.case_decider: frozenset({"credit:decide:credit"}),
    security.case_office: frozenset({"credit:decide:credit", "operate"}),
    security.case_party: frozenset({"credit:cases", "credit:decide:credit", "operate"}),
    security.grant_decider: frozenset({"grants:decide:market-supervision", "operate"}),
    security.operator: frozenset({"operate"}),
}
"""The scopes that open a rule by themselves. None: any client; an empty set: grants only."""
IN_BODY = (security.sharing_client,)
"""Rules of routes whose token is a member of the body."""
OPEN = (security.public,)

OWNED: Mapping[str, tuple[str, ...]] = {
    "export": (),
    "subscription": (),
    "consent": ("credit:bank",),
    "case": ("credit:cases", "credit:decide:tax"),
    "asked": ("grants:decide:tax",),
    "grant": ("grants:decide:tax",),
    "copy": ("licence:*",),
    "identifier": ("licence:food_business_licence_of_nobody",),
}
"""What belongs to somebody: for another client, with these scopes and the same grants, it looks like what is not."""
NOBODYS: Mapping[str, str] = {
    "dataset": "granted by name: whether there is one is public, in the catalogue",
    "part": "of an export, which belongs to somebody",
    "key": "granted with its dataset, by rows: see test_grants.py",
    "entity": "codes of enterprises are public",
    "enterprise": "codes of enterprises are public; what is known of one is by scope or consent",
    "table": "of the description",
    "batch": "the hub's: operators see every one",
    "refusal": "the hub's: operators see every one",
    "match": "the hub's: operators see every one",
}
"""What an address may name without its belonging to one client, and why."""
BODIES: Mapping[str, Any] = {
    "/subscriptions/{subscription}/replay": {"after": None},
    "/licences/{identifier}/copies": {
        "requested_by": "somebody", "cause": "something", "valid_until": "2099-01-01T00:00:00Z",
    },
    "/credit/cases/{case}/grant": {"reason": "理由", "remedy": "correct"},
    "/credit/cases/{case}/": {"reason": "理由"},
    "/grants/requests/{asked}/": {"reason": "理由"},
    "/grants/{grant}/revoke": {"reason": "理由"},
    "/credit/consents/{consent}/revoke": {"reason": "理由"},
}  # fmt: skip
"""Bodies that are good enough for an owner, by a part of the address."""
PUBLIC = {
    "/api/v1/token": "who has no token asks for one",
    "/api/v1/openapi.json": "the hub's own description",
    "/api/v1/catalogue": "the catalogue of datasets",
    "/api/v1/catalogue/{dataset}": "the catalogue of datasets",
    "/catalogue": "the catalogue of datasets",
    "/catalogue/{dataset}": "the catalogue of datasets",
    "/catalogue.jsonld": "the catalogue of datasets",
    "/catalogue.ttl": "the catalogue of datasets",
    "/schemas/datasets/{dataset}/{version}.json": "the catalogue of datasets",
    "/schemas/code-lists/{name}.json": "the catalogue of datasets",
    "/docs": "the hub's own description",
    "/docs/{page}": "the hub's own description",
    "/healthz": "the process lives",
    "/readyz": "it can serve",
    "/problems": "the hub's own description",
    "/problems/{name}": "the hub's own description",
    "/api/v1/credit/reports/{number}": "anyone may check a report that is shown to them",
    "/reports": "anyone may check a report that is shown to them",
    "/reports/{number}": "anyone may check a report that is shown to them",
    "/credit": "credit records that the law makes public",
    "/credit/{enterprise}": "credit records that the law makes public",
    "/credit/{enterprise}/report.pdf": "credit records that the law makes public",
    "/.well-known/did.json": "trust",
    "/.well-known/jwks.json": "trust",
    "/.well-known/oauth-authorization-server": "trust",
    "/contexts/licence/v1.json": "trust",
    "/issuers/{code}/did.json": "trust",
    "/root.pem": "trust",
    "/schemas/licences/{type}/{version}.json": "trust",
    "/status/{group}/{purpose}": "trust",
    "/trust-list.json": "trust",
    "/credentials/verify": "anyone may verify a licence that is shown to them",
    "/presentations/verify": "anyone may verify a licence that is shown to them",
    "/licences/{identifier}": "anyone may verify a licence that is shown to them",
    "/verify": "anyone may verify a licence that is shown to them",
    "/verify/assets/{name}": "anyone may verify a licence that is shown to them",
    "/verify/copies/{copy}": "anyone may verify a licence that is shown to them",
    "/verify/{identifier}": "anyone may verify a licence that is shown to them",
}
"""Every address that anyone may ask, and why."""


def body_for(path: str) -> Any:
    """A body for a route that takes one."""
    return next((body for part, body in BODIES.items() if part in path), {})
