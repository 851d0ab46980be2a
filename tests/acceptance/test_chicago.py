"""Real records of three offices, through three kinds of source, into one registry: every row accounted for."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.manifest import Manifest, load
from registry.api.settings import ApiSettings
from registry.domain.batches import BatchReport, Counts, State
from registry.storage.database import connect
from shuqiao import ingest
from shuqiao.stack.postgres import EmbeddedPostgres
from tests import granting
from tests.acceptance.conftest import fill_food_regulator, sanitation_office
from tests.api.conftest import Reader, serving

HERE = Path(__file__).parent
CONNECTORS = ("licences", "inspections", "complaints")


@dataclass(frozen=True)
class City:
    """The registry after the first run of every connector."""

    url: str
    manifests: dict[str, Manifest]
    reports: dict[str, BatchReport]

    def query(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute(text.encode(), values).fetchall()


@pytest.fixture(scope="module")
def city(data: Path, postgres: EmbeddedPostgres, registry_template: str) -> Iterator[City]:
    with ExitStack() as stack:
        with connect(postgres.conninfo()) as connection:
            for name, template in (("chicago", registry_template), ("chicago_food", "template1")):
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        fill_food_regulator(postgres.conninfo("chicago_food"), data / "chicago_food_inspections.csv")
        office = stack.enter_context(sanitation_office(data / "chicago_sanitation_complaints.csv"))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("SHUQIAO_SCHEMAS", str(HERE / "schemas"))
        patch.setenv("AIRFLOW_CONN_CHICAGO_LICENSING", json.dumps({"conn_type": "file", "extra": {"path": str(data)}}))
        patch.setenv("AIRFLOW_CONN_CHICAGO_FOOD", postgres.url("chicago_food", "postgres"))
        patch.setenv("AIRFLOW_CONN_CHICAGO_SANITATION", office)
        url = postgres.conninfo("chicago")
        manifests = {name: load(HERE / "manifests" / f"{name}.yaml") for name in CONNECTORS}
        reports = {name: ingest.run(url, manifest) for name, manifest in manifests.items()}
        yield City(url, manifests, reports)
        with connect(postgres.conninfo()) as connection:
            for name in ("chicago", "chicago_food"):
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_every_row_read_is_published_or_refused(city: City) -> None:
    assert {name: (report.state, report.counts) for name, report in city.reports.items()} == {
        "licences": (State.PUBLISHED, Counts(pulled=14_745, accepted=14_735, refused=10, new=14_735)),
        "inspections": (State.PUBLISHED, Counts(pulled=21_126, accepted=21_097, refused=29, new=21_097)),
        "complaints": (State.PUBLISHED, Counts(pulled=2_135, accepted=2_117, refused=18, new=2_117)),
    }
    assert all(report.counts.accounted for report in city.reports.values())


def test_each_refusal_says_why_in_both_languages(city: City) -> None:
    rows = city.query(
        "SELECT c.name, f.reasons FROM registry.refusal f JOIN registry.connector c ON c.id = f.connector_id"
    )
    why = Counter((name, reason["rule"], reason["pointer"]) for name, reasons in rows for reason in reasons)

    assert all(reason["zh"] and reason["en"] for _, reasons in rows for reason in reasons)
    assert all(reasons for _, reasons in rows)
    assert dict(why) == {
        ("chicago-licensing.business-licence", "required", "/postal_code"): 8,
        ("chicago-licensing.business-licence", "maximum", "/police_district"): 2,  # 81, where the city has 1 to 31
        ("chicago-food.inspection", "required", "/facility_type"): 23,
        ("chicago-food.inspection", "required", "/postal_code"): 6,
        ("chicago-sanitation.complaint", "key.contradiction", ""): 16,
        ("chicago-sanitation.complaint", "required", "/postal_code"): 2,
    }


def test_the_registry_holds_what_the_files_say(city: City, data: Path) -> None:
    """Not only as many: field by field, for fields that no mapping changes."""
    with (data / "chicago_business_licences.csv").open(newline="", encoding="utf-8") as lines:
        expected = {
            row["ID"]: (row["LICENSE_NUMBER"], row["ACCOUNT_NUMBER"], row["LICENSE_TERM_START_DATE"])
            for row in csv.DictReader(lines)
            if row["ZIP_CODE"] and row["POLICE_DISTRICT"] != "81"
        }
    rows = city.query(
        "SELECT r.key, entity, body->>'account_number', body->>'valid_from' FROM registry.record r"
        " JOIN registry.dataset d ON d.id = r.dataset_id WHERE d.name = 'chicago_business_licence'"
    )
    assert {key: (entity, account, start) for key, entity, account, start in rows} == expected


def test_complaints_told_twice_with_different_ends_are_refused_together(city: City, data: Path) -> None:
    with (data / "chicago_sanitation_complaints.csv").open(newline="", encoding="utf-8") as lines:
        told = defaultdict(list)
        for row in csv.DictReader(lines):
            told[row["Service_Request_Number"]].append(row)
    twice = {number for number, rows in told.items() if len(rows) > 1}

    refused = city.query("SELECT key FROM registry.refusal WHERE reasons->0->>'rule' = 'key.contradiction'")

    assert len(twice) == 8
    assert Counter(number for (number,) in refused) == dict.fromkeys(twice, 2)
    assert city.query("SELECT count(*) FROM registry.record WHERE key = ANY(%s)", list(twice)) == [(0,)]


def test_licences_and_inspections_of_one_holder_are_read_together(city: City, tmp_path: Path) -> None:
    """Over HTTP, as a downstream system reads them; the holder is known by a licence number (099), not by a USCC."""
    settings = ApiSettings(database_url=city.url, token_key=tmp_path / "key.pem", port=0)
    client = granting.enter(city.url, "window", ["read:chicago_business_licence", "read:chicago_food_inspection"])
    with serving(settings) as server, requests.Session() as session:
        session.trust_env = False
        address = f"http://127.0.0.1:{server.bound_port}"
        token = session.post(
            f"{address}/api/v1/token",
            data={"grant_type": "client_credentials"},
            auth=(client.id, client.secret),
            timeout=30,
        ).json()["access_token"]
        reader = Reader(address, session, client, token)
        found = reader.get("/entities/25081", code_type="099")
        refused = reader.ask("/api/v1/entities/25081")

    known = {each["dataset"]: [record["body"] for record in each["records"]] for each in found["datasets"]}
    assert set(known) == {"chicago_business_licence", "chicago_food_inspection"}
    assert {body["holder_code"] for bodies in known.values() for body in bodies} == {"25081"}
    assert len(known["chicago_business_licence"]) == 3
    assert known["chicago_food_inspection"]
    assert refused.status_code in {400, 422}  # 25081 is no USCC; whoever means another kind of code must say so


def test_all_holders_with_both_are_known_by_one_code(city: City) -> None:
    both = city.query(
        """
        SELECT count(*) FROM (
            SELECT entity FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id
            WHERE d.name IN ('chicago_business_licence', 'chicago_food_inspection')
            GROUP BY entity HAVING count(DISTINCT d.id) = 2) holders
        """
    )
    assert both == [(9_561,)]


def test_a_second_run_changes_nothing(city: City) -> None:
    before = city.query("SELECT dataset_id, key, version, xmin::text FROM registry.record ORDER BY 1, 2")
    changes = city.query("SELECT count(*) FROM registry.change")
    for full in (False, True):
        for name in CONNECTORS:
            first = city.reports[name].counts
            counts = ingest.run(city.url, city.manifests[name], full=full).counts
            assert (counts.new, counts.changed, counts.deleted) == (0, 0, 0), name
            if full or name != "licences":  # a file is read once; it is not opened again until it changes
                assert (counts.pulled, counts.unchanged, counts.refused) == (first.pulled, first.new, first.refused), (
                    name
                )
            else:
                assert counts.pulled == 0

    assert city.query("SELECT dataset_id, key, version, xmin::text FROM registry.record ORDER BY 1, 2") == before
    assert city.query("SELECT count(*) FROM registry.change") == changes
    assert city.query("SELECT count(*), count(closed_at), min(times_seen) FROM registry.refusal") == [(57, 0, 2)]
