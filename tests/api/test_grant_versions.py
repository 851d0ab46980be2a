"""A client goes on getting records in the version that its grant is pinned to, for a year after a later one came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from registry.api.app import create_app
from registry.api.clients import clients
from registry.intake.batches import DatasetEntry
from registry.intake.errors import IntakeError
from registry.storage.database import connect
from schemas.catalogue import default_catalogue
from schemas.down_mapping import steps
from schemas.errors import SchemaError
from tests import granting
from tests.api.conftest import Api, Reader
from tests.api.feeding import Feed, uscc

RECORDS = "/api/v1/datasets/outlet/records"


def outlets(url: str, version: int) -> Feed:
    entry = DatasetEntry(
        "outlet", f"outlet@{version}", "经营网点", "Outlets", "commerce", ("number",), "uscc", "conditional"
    )
    return Feed(url, "commerce.outlet", entry)


def granted(api: Api, version: int, **terms: Any) -> Reader:
    client = clients.add(api.settings.database_url, "bank", [])
    granting.grant(api.settings.database_url, client.id, "outlet", f"outlet@{version}", **terms)
    return api.signed_in(client)


def first(number: str = "1", **fields: Any) -> dict[str, Any]:
    return {"uscc": uscc(1), "number": number, "kind": "shop", "manager": "张建国", **fields}


def third(number: str = "1", **fields: Any) -> dict[str, Any]:
    return {"uscc": uscc(1), "number": number, "category": "A", "head": "李小明", "area": "east", **fields}


def test_a_compatible_version_is_shown_without_its_new_fields(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first()])
    reader = granted(api, 1)
    assert "Deprecation" not in reader.ask(RECORDS).headers

    outlets(registry_url, 2).publish([first(area="east")])
    old, new = reader.ask(RECORDS), granted(api, 2).ask(RECORDS)

    assert [found["body"] for found in old.json()["records"]] == [first(manager="张**")]
    assert [found["body"] for found in new.json()["records"]] == [first(manager="张**", area="east")]
    assert "Deprecation" not in new.headers
    since = datetime.fromtimestamp(int(old.headers["Deprecation"].removeprefix("@")), UTC)
    assert abs(datetime.now(UTC) - since) < timedelta(minutes=5)
    assert parsedate_to_datetime(old.headers["Sunset"]) - since <= timedelta(days=365)
    assert 'rel="deprecation"' in old.headers["Link"]
    for path in (f"{RECORDS}/1", f"{RECORDS}/1/history", f"/api/v1/entities/{uscc(1)}", "/api/v1/changes"):
        assert "area" not in reader.ask(path).text, path


def test_whoever_reads_an_old_version_is_told_at_every_address_until_when(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first()])
    reader = granted(api, 1)
    outlets(registry_url, 2).publish([first(area="east")])
    outlet = "/api/v1/datasets/outlet"
    signed_in = {"Authorization": f"Bearer {reader.token}"}
    looked_up = reader.session.post(
        f"{api.address}{RECORDS}/lookup", json={"keys": ["1"]}, headers=signed_in, timeout=30
    )
    export = reader.ask(f"{outlet}/exports", method="POST")
    made = f"{outlet}/exports/{export.json()['id']}"
    mark = reader.ask(f"{RECORDS}/1").headers["ETag"]
    answers = {
        "datasets/{dataset}/exports post": export,
        "datasets/{dataset}/exports": reader.ask(f"{outlet}/exports"),
        "datasets/{dataset}/exports/{export}": reader.ask(made),
        "datasets/{dataset}/exports/{export}/parts/{part}": reader.ask(f"{made}/parts/0"),
        "datasets/{dataset}/exports/{export}/sha256sums": reader.ask(f"{made}/sha256sums"),
        "datasets/{dataset}/counts": reader.ask(f"{outlet}/counts", by="kind"),
        "datasets/{dataset}/records": reader.ask(RECORDS),
        "datasets/{dataset}/records/lookup post": looked_up,
        "datasets/{dataset}/records/{key}": reader.ask(f"{RECORDS}/1"),
        "datasets/{dataset}/records/{key} again": reader.ask(f"{RECORDS}/1", headers={"If-None-Match": mark}),
        "datasets/{dataset}/records/{key}/history": reader.ask(f"{RECORDS}/1/history"),
        "entities/{entity}": reader.ask(f"/api/v1/entities/{uscc(1)}"),
        "changes": reader.ask("/api/v1/changes"),
    }

    statuses = {each: answer.status_code for each, answer in answers.items()}
    assert {each: status for each, status in statuses.items() if status not in {200, 201, 304}} == {}
    assert [each for each, answer in answers.items() if not {"Deprecation", "Sunset"} <= answer.headers.keys()] == []
    assert declared(api) == {each.split()[0] for each in answers}


def declared(api: Api) -> set[str]:
    """The addresses with records whose answers may say that a version is old, after ``/api/v1/``."""
    return {
        path.removeprefix("/api/v1/")
        for path, methods in create_app(api.settings).openapi()["paths"].items()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status < "300" and "Deprecation" in answer.get("headers", {}) and "/subscriptions" not in path
    }


def test_an_incompatible_version_is_shown_as_its_file_says(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first("1"), first("2", note="一")])
    by_kind = granted(api, 1, rows={"kind": ["shop"]}, fields=["kind", "manager"])
    outlets(registry_url, 3).publish([third("1"), third("2", category="B"), third("3", category="C")])

    shown = {found["key"]: found["body"] for found in granted(api, 1).get("/datasets/outlet/records")["records"]}
    rows = by_kind.get("/datasets/outlet/records")["records"]

    assert shown == {
        "1": first("1", manager="李**"),
        "2": first("2", kind="store", manager="李**"),
        "3": {"uscc": uscc(1), "number": "3", "manager": "李**"},
    }
    assert [found["body"] for found in rows] == [first("1", manager="李小明")]


def test_values_that_were_personal_in_an_older_version_are_masked_in_the_newer(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first()])
    outlets(registry_url, 3).publish([third()])

    versions = granted(api, 3).get("/datasets/outlet/records/1/history")["versions"]

    assert [found["body"].get("manager", found["body"].get("head")) for found in versions] == ["李**", "张**"]


def test_records_are_sought_by_fields_of_ones_own_version(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first()])
    reader = granted(api, 1)
    outlets(registry_url, 2).publish([first(area="east")])

    assert reader.ask(RECORDS, kind="shop").json()["records"]
    assert reader.ask(RECORDS, area="east").status_code == 400


def test_an_old_version_is_served_for_a_year(api: Api, registry_url: str) -> None:
    outlets(registry_url, 1).publish([first()])
    reader = granted(api, 1)
    outlets(registry_url, 2).publish([first(area="east")])

    def passed(days: int) -> None:
        with connect(registry_url) as connection:
            connection.execute(
                "UPDATE registry.dataset_schema SET since = clock_timestamp() - make_interval(days => %s)"
                " - CASE schema WHEN 'outlet@1' THEN interval '1 day' ELSE interval '0' END",
                (days,),
            )

    passed(364)
    assert reader.ask(RECORDS).status_code == 200
    passed(366)
    ended = reader.ask(RECORDS)
    assert (ended.status_code, ended.json()["type"]) == (410, "/problems/version-ended")
    assert ended.json()["current"] == "outlet@2"


def test_a_version_that_readers_of_the_old_one_could_not_be_shown_is_refused(
    registry_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    outlets(registry_url, 3).publish([third()])
    outlets(registry_url, 4).publish()  # nobody reads it
    outlets(registry_url, 3).publish([third("2")])
    client = clients.add(registry_url, "bank", [])
    grant = granting.grant(registry_url, client.id, "outlet", "outlet@3")

    with pytest.raises(IntakeError, match=r"4\.down\.json"):
        outlets(registry_url, 4).publish([replace_area(third())])
    granting.revoke(registry_url, grant.id)
    outlets(registry_url, 4).publish([replace_area(third())])


def replace_area(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "area"}


def test_a_step_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHUQIAO_SCHEMAS", str(granting.SCHEMAS))
    catalogue = default_catalogue()

    assert steps(catalogue, "outlet@2", "outlet@2") == ()
    assert steps(catalogue, "outlet@1", "outlet@2") == ()
    assert len(steps(catalogue, "outlet@3", "outlet@1")) == 2
    with pytest.raises(SchemaError, match=r"outlet@4 cannot take the place of outlet@3"):
        steps(replace(catalogue), "outlet@4", "outlet@1")
