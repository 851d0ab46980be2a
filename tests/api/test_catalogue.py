"""The catalogue: what anyone may know of the datasets, for programs; and that it holds no record."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, RDF

from registry.api.catalogue import dcat
from schemas.catalogue import references
from schemas.changes import changes
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises, permit, permits
from tests.api.test_description import described, errors
from tests.registry.feeding import Feeder, Row

VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")


@pytest.fixture
def filled(start: Callable[..., Api], registry_url: str) -> Api:
    api = start(quality_seconds=0)
    feed = enterprises(registry_url)
    feed.publish([enterprise(number, legal_representative="张三") for number in range(1, 31)], refused=[enterprise(40)])
    feed.publish([enterprise(number) for number in range(1, 16)], refused=[enterprise(20)])
    permits(registry_url).publish([permit(1, "A")])
    return api


def get(api: Api, path: str) -> dict[str, Any]:
    answer = api.anyone.ask(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def from_json_ld(text: str) -> Graph:
    with warnings.catch_warnings():  # rdflib's own parser uses what rdflib deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        return Graph().parse(data=text, format="json-ld")


def test_anyone_sees_every_dataset_whose_it_is_and_how_to_apply(filled: Api) -> None:
    found = get(filled, "/api/v1/catalogue")

    assert errors(described(filled.settings), {"$ref": "#/components/schemas/Catalogue"}, found) == []
    entry, other = found["datasets"]
    assert (entry["dataset"], other["dataset"]) == ("legal_entity", "permit")
    assert (entry["department"], entry["records"]) == ("market-supervision", 30)
    assert (entry["sharing"], other["sharing_title"]["zh"]) == ("conditional", "无条件共享")
    assert entry["how_to_apply"]["page"].endswith("/docs/grants")
    assert entry["contacts"] == [{"name": "Office", "email": "office@example.gov.cn"}]


def test_what_was_promised_is_held_against_what_came(filled: Api, registry_url: str) -> None:
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("UPDATE registry.batch SET started_at = now() - interval '9 hours' WHERE id = 1")
        connection.execute("UPDATE registry.batch SET ended_at = now() - interval '9 hours' WHERE id = 1")
    enterprises(registry_url).publish([enterprise(50)])

    (source,) = get(filled, "/api/v1/catalogue/legal_entity")["freshness"]

    assert source["freshness_seconds"] == 7200
    assert source["kept"][0] == {"days": 30, "batches": 2, "in_time": 1, "share": 0.5}
    assert [each["days"] for each in source["kept"]] == [30, 90]
    things = Feeder(registry_url)
    things.feed([Row({"id": "1"})])
    things.feed([Row({"id": "2"})])
    (unpromised,) = get(filled, "/api/v1/catalogue/thing")["freshness"]
    assert unpromised["freshness_seconds"] is None
    assert unpromised["kept"][0] == {"days": 30, "batches": 0, "in_time": 0, "share": None}


def test_quality_is_counted_from_refusals_and_a_sample(filled: Api) -> None:
    found = get(filled, "/api/v1/catalogue/legal_entity")

    quality = found["quality"]
    assert (quality["rows_read_30_days"], quality["rows_refused_30_days"]) == (47, 2)
    assert quality["refusal_share"] == round(2 / 47, 4)
    assert (quality["open_refusals"], quality["stale_records"]) == (2, 1)
    complete = {field["name"]: field["completeness"] for field in found["fields"]}
    assert (complete["name"], complete["legal_representative"], complete["address"]) == (1.0, 0.5, 0.0)


def test_a_dataset_is_there_before_it_is_counted(api: Api, registry_url: str) -> None:
    assert get(api, "/api/v1/catalogue")["datasets"] == []
    enterprises(registry_url).publish([enterprise(1)])
    assert get(api, "/api/v1/catalogue/legal_entity")["quality"]["rows_read_30_days"] == 0


def test_of_a_few_records_nothing_is_said(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(number, address="桥州市") for number in range(19)])

    found = get(api, "/api/v1/catalogue/legal_entity")

    assert {field["completeness"] for field in found["fields"]} == {None}


def test_fields_have_titles_codes_and_marks(filled: Api) -> None:
    found = get(filled, "/api/v1/catalogue/legal_entity")

    assert errors(described(filled.settings), {"$ref": "#/components/schemas/CatalogueDataset"}, found) == []
    fields = {field["name"]: field for field in found["fields"]}
    assert fields["uscc"]["title"] == {"zh": "统一社会信用代码", "en": "Unified social credit code"}
    assert (fields["uscc"]["required"], fields["legal_representative"]["personal"]) == (True, True)
    assert "active" in fields["status"]["codes"]
    listed = get(filled, "/schemas/code-lists/" + fields["division"]["code_list"].rpartition("/")[2])
    assert {"code", "zh", "en", "parent", "valid_from", "valid_to"} == set(listed["codes"][0])
    assert found["versions"][0]["schema_reference"] == "legal_entity@1"


def test_nothing_of_any_record_is_in_it(filled: Api) -> None:
    for path in (
        "/api/v1/catalogue", "/api/v1/catalogue/legal_entity", "/catalogue.jsonld", "/catalogue.ttl",
    ):  # fmt: skip
        text = filled.anyone.ask(path).text
        assert "张三" not in text
        assert enterprise(1)["uscc"] not in text
        assert enterprise(1)["name"] not in text


def test_the_schema_of_every_dataset_is_served_and_complete_in_itself(api: Api) -> None:
    for reference in references():
        name, _, major = reference.partition("@")
        found = get(api, f"/schemas/datasets/{name}/{major}.json")
        Draft202012Validator.check_schema(found)
        assert found["$id"].endswith(f"/schemas/datasets/{name}/{major}.json")
        assert "'$ref'" not in str(found)


PUBLISHED = (
    "/api/v1/catalogue", "/api/v1/catalogue/legal_entity", "/catalogue.jsonld", "/catalogue.ttl",
    "/schemas/datasets/legal_entity/1.json", "/schemas/code-lists/currencies.json",
)  # fmt: skip
MISSING = (
    "/api/v1/catalogue/nothing", "/schemas/datasets/nothing/1.json", "/schemas/datasets/legal_entity/99.json",
    "/schemas/code-lists/nothing.json",
    "/schemas/code-lists/..%2Fcurrencies.json",
)  # fmt: skip


def test_who_has_it_is_told_so_and_what_is_not_there_is_404(filled: Api) -> None:
    for path in PUBLISHED:
        first = filled.anyone.ask(path)
        again = filled.anyone.ask(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b""), path
        assert again.headers["ETag"].removeprefix("W/") == first.headers["ETag"].removeprefix("W/")
        assert first.headers["Cache-Control"].startswith("public, max-age=")
    for path in MISSING:
        answer = filled.anyone.ask(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found"), path


def test_both_forms_of_dcat_say_the_same_and_what_dcat_ap_demands(filled: Api) -> None:
    json_ld = from_json_ld(filled.anyone.ask("/catalogue.jsonld").text)
    turtle = Graph().parse(data=filled.anyone.ask("/catalogue.ttl").text, format="turtle")

    assert isomorphic(json_ld, turtle)
    (catalogue,) = turtle.subjects(RDF.type, DCAT.Catalog)
    for demanded in (DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.dataset):
        assert turtle.value(catalogue, demanded) or list(turtle.objects(catalogue, demanded)), demanded
    datasets = list(turtle.objects(catalogue, DCAT.dataset))
    assert len(datasets) == 2
    for dataset in datasets:
        assert (dataset, RDF.type, DCAT.Dataset) in turtle
        languages = {title.language for title in turtle.objects(dataset, DCTERMS.title) if isinstance(title, Literal)}
        assert languages == {"zh", "en"}
        assert turtle.value(dataset, DCTERMS.description) is not None
        assert str(turtle.value(dataset, DCTERMS.accessRights)).startswith("http://publications.europa.eu/")
        for distribution in turtle.objects(dataset, DCAT.distribution):
            assert isinstance(turtle.value(distribution, DCAT.accessURL), URIRef)
            service = turtle.value(distribution, DCAT.accessService)
            assert isinstance(turtle.value(service, DCAT.endpointURL), URIRef)
        contact = turtle.value(dataset, DCAT.contactPoint)
        assert str(turtle.value(contact, VCARD.hasEmail)) == "mailto:office@example.gov.cn"
    for subject in turtle.subjects(unique=True):
        assert turtle.value(subject, RDF.type) is not None, subject


def test_titles_of_any_characters_survive_in_both_forms() -> None:
    said = '引号"反斜杠\\换行\n制表\t\x01 <a> é 𠮷'
    nodes: list[dcat.Node] = [
        ("https://hub.example.cn/x y<>", "dcat:Dataset", [("dct:title", dcat.Literal(said, "zh"))])
    ]

    turtle = Graph().parse(data=dcat.as_turtle(nodes).decode(), format="turtle")
    assert [str(value) for value in turtle.objects(predicate=DCTERMS.title)] == [said]
    json_ld = from_json_ld(dcat.as_json_ld(nodes).decode())
    assert [str(value) for value in json_ld.objects(predicate=DCTERMS.title)] == [said]


def test_times_are_times() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC) - timedelta(days=1)
    graph = Graph().parse(data=dcat.as_turtle(dcat.graph([], "https://hub.example.cn", moment)).decode())

    (issued,) = graph.objects(predicate=DCTERMS.issued)
    assert isinstance(issued, Literal)
    assert issued.toPython() == moment


def test_a_new_version_says_what_changed() -> None:
    old = {"type": "object", "additionalProperties": False, "properties": {
        "a": {"type": "string", "title": "甲", "x-title-en": "A"},
        "b": {"type": "string", "enum": ["1"], "title": "乙", "x-title-en": "B"},
        "c": {"type": "string", "title": "丙"}}}  # fmt: skip
    new = {"type": "object", "additionalProperties": False, "properties": {
        "a": {"type": "string", "title": "甲甲", "x-title-en": "A"},
        "b": {"type": "string", "enum": ["1", "2"], "title": "乙", "x-title-en": "B"},
        "d": {"type": "string", "title": "丁", "x-title-en": "D"}}}  # fmt: skip

    found = {change.pointer: (change.breaking, change.en) for change in changes(old, new)}

    assert found["/c"][0] is True
    assert found["/d"] == (False, "a new field: D")
    assert found["/b"] == (False, "new values: 2")
    assert found["/a"][0] is False
    assert changes(old, old) == []
