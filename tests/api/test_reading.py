"""What is read is what was published: pages, times, history, marks of staleness."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.conftest import Api
from tests.api.feeding import REASON, enterprise, enterprises, permit, permits, uscc


def test_pages_hold_every_record_once(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(number) for number in range(257)])
    reader = api.client("read:legal_entity")

    found = reader.pages("/datasets/legal_entity/records", "records", limit=10)

    assert [record["key"] for record in found] == sorted(uscc(number) for number in range(257))
    assert found[0]["body"] == enterprise(0)


def test_pages_of_one_moment_fit_together_while_records_change(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(number) for number in range(40)])
    moment = datetime.now(UTC).isoformat()
    reader = api.client("read:legal_entity")
    first = reader.get("/datasets/legal_entity/records", limit=10, as_of=moment)

    feed.publish(
        [enterprise(number, status="revoked") for number in range(0, 40, 2)] + [enterprise(99)],
        deleted=[enterprise(39), enterprise(1)],
    )
    rest = reader.pages("/datasets/legal_entity/records", "records", limit=10, as_of=moment, after=first["next"])
    again = reader.pages("/datasets/legal_entity/records", "records", limit=7, as_of=moment)

    assert [record["body"] for record in first["records"] + rest] == [enterprise(number) for number in range(40)]
    assert [record["body"] for record in again] == [enterprise(number) for number in range(40)]


def test_filters_by_fields_and_entity(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish(
        [
            enterprise(1, division="310101"),
            enterprise(2, status="revoked"),
            enterprise(3, status="revoked", division="310101"),
        ]
    )
    reader = api.client("read:legal_entity")

    def keys(**filters: str) -> list[str]:
        return [record["key"] for record in reader.get("/datasets/legal_entity/records", **filters)["records"]]

    assert keys(status="revoked") == [uscc(2), uscc(3)]
    assert keys(status="revoked", division="310101") == [uscc(3)]
    assert keys(entity=uscc(1)) == [uscc(1)]
    assert keys(uscc=uscc(2)) == [uscc(2)]
    assert keys(name="没有") == []


@pytest.mark.parametrize(
    ("filters", "kind", "said"),
    [
        ({"colour": "red"}, "unknown-parameter", "status"),
        ({"status": "sleeping"}, "invalid-parameter", "active"),
        ({"division": "999999"}, "invalid-parameter", "division"),
        ({"registered_capital": "1"}, "unknown-parameter", "status"),
        ({"limit": "1001"}, "invalid-parameter", "1000"),
        ({"limit": "0"}, "invalid-parameter", "1"),
        ({"as_of": "2026-01-01T00:00:00"}, "invalid-parameter", "offset"),
        ({"as_of": "9999-01-01T00:00:00Z"}, "invalid-parameter", "passed"),
        ({"as_of": "yesterday"}, "invalid-parameter", "datetime"),
        ({"after": "AAAA"}, "invalid-cursor", "cursor"),
        ({"limit": ["1", "2"]}, "invalid-parameter", "once"),
        ({"name": "a\0b"}, "invalid-request", "NUL"),
    ],
    ids=str,
)
def test_parameters_that_cannot_be_meant_are_named(
    api: Api, registry_url: str, filters: dict[str, Any], kind: str, said: str
) -> None:
    enterprises(registry_url).publish([enterprise(1)])

    answer = api.client("read:legal_entity").ask("/api/v1/datasets/legal_entity/records", **filters)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (400, f"/problems/{kind}")
    assert said in answer.text
    assert problem["fault"] == "caller"
    if kind.endswith("parameter"):
        assert problem["errors"][0]["pointer"] == f"#/{next(iter(filters))}"
        assert problem["errors"][0]["in"] == "query"


def test_a_cursor_of_another_query_is_refused(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(number) for number in range(3)])
    reader = api.client("read:legal_entity")
    after = reader.get("/datasets/legal_entity/records", limit=1)["next"]

    answer = reader.ask("/api/v1/datasets/legal_entity/records", after=after, status="active")

    assert answer.json()["type"] == "/problems/invalid-cursor"


def test_a_record_as_it_was(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    before = datetime.now(UTC)
    feed.publish([enterprise(1)])
    then = datetime.now(UTC)
    feed.publish([enterprise(1, status="revoked")])
    later = datetime.now(UTC)
    feed.publish(deleted=[enterprise(1)])
    reader = api.client("read:legal_entity")
    path = f"/datasets/legal_entity/records/{uscc(1)}"

    assert reader.ask(f"/api/v1{path}", as_of=before.isoformat()).status_code == 404
    assert reader.get(path, as_of=then.isoformat())["record"]["body"]["status"] == "active"
    assert reader.get(path, as_of=later.isoformat())["record"]["body"]["status"] == "revoked"
    assert reader.ask(f"/api/v1{path}").json()["type"] == "/problems/not-found"


def test_the_history_has_every_version_newest_first(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    for number in range(5):
        feed.publish([enterprise(1, name=f"名称{number}")])
    reader = api.client("read:legal_entity")
    path = f"/datasets/legal_entity/records/{uscc(1)}/history"

    versions = reader.pages(path, "versions", limit=2)

    assert [version["body"]["name"] for version in versions] == [f"名称{number}" for number in (4, 3, 2, 1, 0)]
    assert [version["valid_to"] for version in versions] == [
        None,
        *(version["valid_from"] for version in versions[:-1]),
    ]
    feed.publish(deleted=[enterprise(1)])
    assert reader.get(path)["versions"][0]["valid_to"] is not None
    assert reader.ask(f"/api/v1/datasets/legal_entity/records/{uscc(9)}/history").status_code == 404


def test_an_unchanged_record_is_not_sent_again(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    reader = api.client("read:legal_entity")
    path = f"/api/v1/datasets/legal_entity/records/{uscc(1)}"
    first = reader.ask(path)
    mark = first.headers["ETag"]

    again = reader.ask(path, headers={"If-None-Match": f'"other", {mark}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", mark)
    assert again.headers["Shuqiao-Read-At"] == first.headers["Shuqiao-Read-At"]

    feed.publish(refused=[enterprise(1)])
    stale = reader.ask(path, headers={"If-None-Match": mark})
    assert (stale.status_code, "stale" in stale.json()["record"]) == (200, True)

    feed.publish([enterprise(1, status="revoked")])
    assert reader.ask(path, headers={"If-None-Match": stale.headers["ETag"]}).status_code == 200


def test_every_read_of_a_record_that_turned_bad_says_so(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1), enterprise(2)])
    good = datetime.now(UTC).isoformat()
    feed.publish(refused=[enterprise(1, established_on="2026-02-30")])
    reader = api.client("read:legal_entity")
    path = f"/datasets/legal_entity/records/{uscc(1)}"

    one = reader.get(path)["record"]
    listed = reader.get("/datasets/legal_entity/records")["records"]
    entity = reader.get(f"/entities/{uscc(1)}")["datasets"][0]["records"][0]
    newest = reader.get(f"{path}/history")["versions"][0]
    change = reader.get("/changes")["changes"][0]

    assert one["body"] == enterprise(1)
    assert one["stale"]["reasons"] == [REASON]
    assert one["stale"]["since"] > one["valid_from"]
    assert [record.get("stale") for record in listed] == [one["stale"], None]
    assert entity["stale"] == newest["stale"] == change["stale"] == one["stale"]
    assert "stale" not in reader.get(path, as_of=good)["record"]

    feed.publish([enterprise(1, established_on="2020-02-03")])
    assert "stale" not in reader.get(path)["record"]


def test_every_answer_says_how_old_the_data_is(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*")

    for path in (
        "/datasets/legal_entity/records",
        f"/datasets/legal_entity/records/{uscc(1)}",
        f"/datasets/legal_entity/records/{uscc(1)}/history",
    ):
        answer = reader.get(path)
        source = answer["sources"][0]
        assert source["connector"] == "market-supervision.enterprise"
        assert datetime.fromisoformat(source["read_at"]) < datetime.fromisoformat(answer["as_of"])
        assert 0 <= source["age_seconds"] < 60
        assert (source["freshness_seconds"], source["late"]) == (7200, False)
    assert reader.get(f"/entities/{uscc(1)}")["datasets"][0]["sources"][0]["read_at"]
    assert reader.get("/changes")["sources"]["legal_entity"][0]["read_at"]


def test_an_entity_is_what_all_granted_datasets_know(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)])
    permits(registry_url).publish([permit(1, "沪[2020]1/2号"), permit(1, "B"), permit(2, "C")])

    everything = api.client("read:*").get(f"/entities/{uscc(1)}")
    granted = api.client("read:permit").get(f"/entities/{uscc(1)}")

    assert [found["dataset"] for found in everything["datasets"]] == ["legal_entity", "permit"]
    assert [record["key"] for record in everything["datasets"][1]["records"]] == ["B", "沪[2020]1/2号"]
    assert [found["dataset"] for found in granted["datasets"]] == ["permit"]


def test_an_entity_with_very_many_records_says_where_to_read_on(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, f"{number:04}") for number in range(205)])
    reader = api.client("read:permit")

    found = reader.get(f"/entities/{uscc(1)}")["datasets"][0]

    assert len(found["records"]) == 200
    rest = reader.ask(found["more"]).json()
    assert len(rest["records"]) == 100


def test_an_entity_code_with_a_wrong_check_character_is_the_callers_fault(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:*")
    wrong = uscc(1)[:-1] + ("0" if uscc(1)[-1] != "0" else "1")

    answer = reader.ask(f"/api/v1/entities/{wrong}")
    problem = answer.json()

    assert (answer.status_code, problem["type"]) == (400, "/problems/invalid-entity-code")
    assert problem["errors"][0]["pointer"] == "#/entity"
    assert reader.ask(f"/api/v1/entities/{uscc(7)}").status_code == 404
    assert reader.ask(f"/api/v1/entities/{wrong}", code_type="099").status_code == 404
    assert reader.ask(f"/api/v1/entities/{wrong}", code_type="098").json()["type"] == "/problems/invalid-parameter"


@pytest.mark.parametrize(
    "document", ["沪[2020]1/2号", "a/history", "100%2F", "../x", "a b?c#d", "a|b", "。", "history"]
)
def test_keys_of_any_characters_are_found(api: Api, registry_url: str, document: str) -> None:
    permits(registry_url).publish([permit(1, document), permit(2, "a")])
    reader = api.client("read:permit")
    path = f"/datasets/permit/records/{quote(document, safe='')}"

    assert reader.get(path)["record"]["key"] == document
    assert [version["key"] for version in reader.get(f"{path}/history")["versions"]] == [document]


def test_the_catalogue_shows_what_is_granted(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)], refused=[enterprise(3)])
    permits(registry_url).publish([permit(1, "A")])

    def names(*scopes: str) -> list[str]:
        return [found["dataset"] for found in api.client(*scopes).get("/datasets")["datasets"]]

    assert names("read:*") == names("operate") == ["legal_entity", "permit"]
    assert names("read:permit") == ["permit"]
    shown = api.client("read:legal_entity").get("/datasets/legal_entity")
    assert shown["records"] == 2
    assert shown["open_refusals"] == {"market-supervision.enterprise": 1}
    assert shown["json_schema"]["properties"]["uscc"]["title"] == "统一社会信用代码"
    assert (shown["title"], shown["department"], shown["sharing"]) == (
        {"zh": "市场主体", "en": "Legal entities"},
        "market-supervision",
        "conditional",
    )


def test_operators_see_batches_and_the_quarantine(api: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    first = feed.publish([enterprise(1)], refused=[enterprise(2), enterprise(3)])
    second = feed.publish([enterprise(2)])
    permits(registry_url).publish(refused=[permit(4, "D")])
    operator = api.client("operate")

    assert [batch["id"] for batch in operator.pages("/batches", "batches", limit=1)][1:] == [
        second.batch_id,
        first.batch_id,
    ]
    assert len(operator.get("/batches", connector=feed.connector, state="published")["batches"]) == 2
    detail = operator.get(f"/batches/{first.batch_id}")
    assert (detail["pulled"], detail["new"], detail["refused"], len(detail["parts"])) == (3, 1, 2, 1)
    assert operator.ask("/api/v1/batches/999999").status_code == 404

    tickets = operator.pages("/quarantine", "refusals", limit=1)
    assert [ticket["key"] for ticket in tickets] == ["D", uscc(3)]
    assert [t["key"] for t in operator.get("/quarantine", department="market-supervision")["refusals"]] == [uscc(3)]
    assert [t["key"] for t in operator.get("/quarantine", connector="licensing.permit")["refusals"]] == ["D"]
    closed = operator.get("/quarantine", state="closed")["refusals"]
    assert [(t["key"], t["closed_because"]) for t in closed] == [(uscc(2), "corrected")]
    assert len(operator.get("/quarantine", state="all")["refusals"]) == 3
    assert "raw" not in tickets[0]
    assert operator.get(f"/quarantine/{tickets[1]['id']}")["raw"] == enterprise(3)
    assert operator.ask("/api/v1/quarantine/999999").status_code == 404
