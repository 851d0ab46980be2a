"""Whatever a grant says, however a client asks: what leaves is what a slow and simple model says, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.api.clients import clients
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, uscc

FIRMS = [
    enterprise(1, legal_representative="张建国"),
    enterprise(2, legal_representative="李小明", status="revoked", established_on="2021-03-04"),
    enterprise(3, status="deregistered"),
    enterprise(4, legal_representative="王五", established_on="2021-03-04"),
]
FIELDS = ["name", "status", "established_on", "legal_representative", "address"]
PERSONAL = {"legal_representative"}
PURPOSES = ["credit_lending", "supervision", "statistics"]

grants = st.fixed_dictionaries(
    {
        "fields": st.none() | st.lists(st.sampled_from(FIELDS), min_size=1, unique=True),
        "rows": st.dictionaries(
            st.sampled_from(["status"]),
            st.lists(st.sampled_from(["active", "revoked", "deregistered"]), min_size=1, unique=True),
        ),
        "purposes": st.lists(st.sampled_from(PURPOSES), unique=True, max_size=2),
        "case_number": st.booleans(),
    }
)
asked = st.fixed_dictionaries(
    {},
    optional={"Access-Purpose": st.sampled_from(PURPOSES), "Case-Number": st.just("L-1")},
)


def masked(text: str) -> str:
    return text[0] + "*" * (len(text) - 1)


def model(terms: dict[str, Any], headers: dict[str, str], *, over: bool) -> list[dict[str, Any]] | None:
    """What may leave, record by record; None: nothing, not even that there is nothing."""
    if over or (terms["purposes"] and headers.get("Access-Purpose") not in terms["purposes"]):
        return None
    if terms["case_number"] and "Case-Number" not in headers:
        return None
    found = []
    for firm in FIRMS:
        if any(firm.get(name) not in values for name, values in terms["rows"].items()):
            continue
        body = {}
        for name, value in firm.items():
            if terms["fields"] is None:
                body[name] = masked(value) if name in PERSONAL else value
            elif name in terms["fields"] or name == "uscc":
                body[name] = value
        found.append(body)
    return found


def answered(reader: Reader, headers: dict[str, str]) -> dict[str, list[dict[str, Any]] | None]:
    """What each way of asking gives; None: refused as not granted."""
    found: dict[str, list[dict[str, Any]] | None] = {}
    base = "/api/v1/datasets/legal_entity/records"
    page = reader.ask(base, headers=headers)
    found["list"] = None if page.status_code == 403 else [each["body"] for each in page.json()["records"]]
    feed = reader.ask("/api/v1/changes", headers=headers)
    found["feed"] = None if feed.status_code == 403 else [each["body"] for each in feed.json()["changes"]]
    ways: tuple[tuple[str, str, Callable[[Any], list[Any]]], ...] = (
        ("one", base + "/{}", lambda each: [each["record"]["body"]]),
        ("history", base + "/{}/history", lambda each: [version["body"] for version in each["versions"]]),
        ("entity", "/api/v1/entities/{}", lambda each: [each["datasets"][0]["records"][0]["body"]]),
    )
    for name, path, pick in ways:
        bodies: list[dict[str, Any]] | None = []
        for firm in FIRMS:
            answer = reader.ask(path.format(firm["uscc"]), headers=headers)
            if answer.status_code == 403:
                bodies = None
            elif answer.status_code == 200 and bodies is not None:
                bodies += pick(answer.json())
            else:
                assert answer.status_code in {403, 404}, answer.text
        found[name] = bodies
    return found


def test_nothing_leaves_but_what_the_grant_says(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish(FIRMS)
    client = clients.add(registry_url, "bank", [])
    granting.grant(registry_url, client.id, "legal_entity")
    reader = api.signed_in(client)  # its token outlives every change of the grant

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(terms=grants, headers=asked, over=st.sampled_from([False, False, False, True]))
    def holds(terms: dict[str, Any], headers: dict[str, str], *, over: bool) -> None:
        grant = granting.grant(registry_url, client.id, "legal_entity", **terms)
        if over:
            with connect(registry_url) as connection:
                connection.execute("SET session_replication_role = replica")  # its time is over
                connection.execute(
                    "UPDATE registry.access_grant SET valid_from = now() - interval '1 year', valid_until = now()"
                    " WHERE id = %s",
                    (grant.id,),
                )
        expected = model(terms, headers, over=over)

        for way, found in answered(reader, headers).items():
            assert found == expected, way

    holds()
    assert uscc(1) == FIRMS[0]["uscc"]
