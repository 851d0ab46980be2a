"""Exports: one moment whatever is published meanwhile, resumed without doubling, as far as the grant goes."""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry.api.bulk import forms
from registry.api.routes.bulk import exports
from registry.intake import upkeep
from registry.storage.database import connect
from tests import granting
from tests.api.conftest import Api
from tests.api.feeding import Feed, enterprise, enterprises, permit, permits, uscc
from tests.bulk.conftest import begun, fetch, lines, post

PATH = "/api/v1/datasets/legal_entity/exports"


@pytest.fixture
def feed(registry_url: str) -> Feed:
    found = enterprises(registry_url)
    found.publish([enterprise(n) for n in range(25)])
    return found


def content(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["key"]: (each["version"], each["body"]) for each in records}


def test_an_export_is_the_records_of_its_moment_whatever_is_published_while_it_is_fetched(api: Api, feed: Feed) -> None:
    """Changes, deletions, deletions of what was changed before, new records, records that come back."""
    reader = api.client("read:legal_entity")
    feed.publish([enterprise(n, name=f"改名{n}") for n in range(0, 25, 3)])
    drawn = random.Random(7)
    before = content(reader.pages("/datasets/legal_entity/records", "records"))
    export = begun(reader, part_records=4)

    def publish() -> None:
        some = [enterprise(drawn.randrange(40), name=f"{drawn.random()}") for _ in range(6)]
        gone = [enterprise(n) for n in drawn.sample(range(40), 5) if uscc(n) not in {each["uscc"] for each in some}]
        feed.publish(list({each["uscc"]: each for each in some}.values()), deleted=gone)

    fetched = fetch(reader, export, publish)
    found = lines(fetched.parts)

    assert [each["key"] for each in found] == sorted(before)
    assert content(found) == before
    assert len(fetched.parts) == 7
    assert content(reader.pages("/datasets/legal_entity/records", "records")) != before
    again = fetch(reader, export)  # a day's time to fetch it, and always the same
    assert again.parts == fetched.parts
    assert lines(fetch(reader, begun(reader)).parts) != found


def test_a_part_whose_download_broke_is_fetched_again_and_nothing_is_doubled(api: Api, feed: Feed) -> None:
    reader = api.client("read:legal_entity")
    export = begun(reader, part_records=10)
    href = f"{PATH}/{export['id']}"
    first = reader.ask(f"{href}/parts/0")
    feed.publish([enterprise(0, name="后来")], deleted=[enterprise(1)])
    assert reader.ask(f"{href}/parts/2").json()["type"] == "/problems/not-found"  # parts follow each other
    assert reader.ask(f"{href}/parts/0").content == first.content
    middle = reader.ask(f"{href}/parts/1")
    half_way = reader.get(f"/datasets/legal_entity/exports/{export['id']}")
    assert (half_way["complete"], half_way["sha256"], half_way["records"]) == (False, None, 20)
    last = reader.ask(half_way["next"])
    assert "next" not in last.links
    assert reader.ask(f"{href}/parts/3").status_code == 404

    whole = first.content + middle.content + last.content
    assert [each["key"] for each in lines([whole])] == sorted(uscc(n) for n in range(25))
    done = reader.get(f"/datasets/legal_entity/exports/{export['id']}")
    assert (done["complete"], done["records"], done["bytes"], done["next"]) == (True, 25, len(whole), None)
    sums = reader.ask(f"{href}/sha256sums").text
    assert done["sha256"] == hashlib.sha256(sums.encode()).hexdigest()
    for part, line, noted in zip((first, middle, last), sums.splitlines(), done["parts"], strict=True):
        digest = hashlib.sha256(part.content).hexdigest()
        assert line == f"{digest}  part-{noted['number']:05d}.ndjson"
        assert digest == noted["sha256"] == part.headers["Shuqiao-Part-SHA256"]


def test_every_part_and_the_digests_say_the_exports_moment_and_how_old_the_data_is(api: Api, feed: Feed) -> None:
    reader = api.client("read:legal_entity")
    export = begun(reader, part_records=20)
    ((read_at,),) = ([source["read_at"]] for source in export["sources"])
    feed.publish([enterprise(0, name="后来")])  # read again since, and the moment stays
    later = reader.get(f"/datasets/legal_entity/exports/{export['id']}")["sources"][0]["read_at"]

    for path in ("parts/0", "parts/1", "sha256sums"):
        said = reader.ask(f"{PATH}/{export['id']}/{path}").headers
        assert datetime.fromisoformat(said["Shuqiao-As-Of"]) == datetime.fromisoformat(export["as_of"])
        assert datetime.fromisoformat(said["Shuqiao-Read-At"]) == datetime.fromisoformat(later)
    assert later > read_at


def test_the_feed_goes_on_where_the_export_ends(api: Api, feed: Feed) -> None:
    """The standard way to begin: take an export, then follow the changes from its cursor."""
    reader = api.client("read:legal_entity")
    export = begun(reader, part_records=7)
    feed.publish([enterprise(1, name="甲"), enterprise(30)], deleted=[enterprise(2)])
    copy = content(lines(fetch(reader, export, lambda: feed.publish([enterprise(3, name="乙")])).parts))
    page = reader.get("/changes", after=export["changes"], limit=1000)
    for change in page["changes"]:
        copy.pop(change["key"], None)
        if change["body"] is not None:
            copy[change["key"]] = (change["version"], change["body"])
    assert copy == content(reader.pages("/datasets/legal_entity/records", "records"))
    assert len(page["changes"]) < 25  # not from the beginning


def test_an_export_taken_while_a_publisher_has_not_committed_lacks_what_it_brings_and_the_feed_has_it(
    api: Api, feed: Feed, registry_url: str
) -> None:
    reader = api.client("read:legal_entity", "read:permit")
    other = permits(registry_url)
    other.publish([permit(1, "A")])
    with connect(registry_url) as slow, slow.transaction():
        slow.execute("SELECT pg_current_xact_id()")  # an old transaction holds the feed back, not the export
        feed.publish([enterprise(26)])
        export = begun(reader)
        assert uscc(26) in content(lines(fetch(reader, export).parts))
    feed.publish([enterprise(27)])
    keys = [each["key"] for each in reader.get("/changes", after=export["changes"], limit=1000)["changes"]]
    assert keys.count(uscc(26)) == 1  # once more, which does no harm
    assert uscc(27) in keys


def test_csv_opens_in_a_spreadsheet_and_runs_nothing(api: Api, registry_url: str) -> None:
    evil = ['=HYPERLINK("http://x")', "+1", "-1", "@a", "'quoted", "，“”\n换行", "＝1+1", 'ordinary, "quoted"']
    enterprises(registry_url).publish([enterprise(n, name=text) for n, text in enumerate(evil)])
    reader = api.client("read:legal_entity")
    parts = fetch(reader, begun(reader, format="csv", byte_order_mark=True, part_records=3)).parts

    assert parts[0].startswith(b"\xef\xbb\xbf_key,")
    assert not any(part.startswith((b"\xef", b"_key")) for part in parts[1:])
    rows = list(csv.DictReader(io.StringIO(b"".join(parts).decode("utf-8-sig"), newline="")))
    assert [row["name"].removeprefix("'") for row in rows] == evil
    for row in rows:
        assert not row["name"].startswith(("=", "+", "-", "@", "＝"))
        assert row["_entity"] == row["uscc"]
        assert row["_valid_from"].endswith("Z")
        assert row["legal_representative"] == ""


def test_parquet_parts_are_one_table(api: Api, feed: Feed) -> None:
    feed.publish([enterprise(n, registered_capital={"amount": 12.5, "currency": "CNY"}) for n in (3, 4)])
    reader = api.client("read:legal_entity")
    export = begun(reader, format="parquet", part_records=10)
    tables = [pq.read_table(io.BytesIO(part)) for part in fetch(reader, export).parts]

    whole = pa.concat_tables(tables)  # fails if their columns differed
    assert whole.column("_key").to_pylist() == sorted(uscc(n) for n in range(25))
    assert str(whole.schema.field("_valid_from").type) == "timestamp[us, tz=UTC]"
    assert orjson.loads(whole.column("registered_capital").drop_null()[0].as_py())["amount"] == 12.5


def test_only_granted_fields_and_rows_leave(api: Api, feed: Feed, registry_url: str) -> None:
    feed.publish([enterprise(n, status="revoked", legal_representative="张三") for n in range(5)])
    client = granting.enter(registry_url, "a bank", [])
    granting.grant(registry_url, client.id, "legal_entity", fields=["name", "status"], rows={"status": ["revoked"]})
    reader = api.signed_in(client)
    found = lines(fetch(reader, begun(reader, part_records=2)).parts)

    assert [each["key"] for each in found] == sorted(uscc(n) for n in range(5))
    assert all(set(each["body"]) == {"uscc", "name", "status"} for each in found)
    header = fetch(reader, begun(reader, format="csv")).parts[0].splitlines()[0].decode()
    assert header == ",".join([*forms.META, "uscc", "name", "status"])


def test_personal_values_are_masked_in_every_form(api: Api, feed: Feed) -> None:
    feed.publish([enterprise(1, legal_representative="欧阳测试")])
    reader = api.client("read:legal_entity")
    for form in ("ndjson", "csv", "parquet"):
        parts = fetch(reader, begun(reader, format=form)).parts
        seen = str(pq.read_table(io.BytesIO(parts[0])).to_pylist()) if form == "parquet" else parts[0].decode()
        assert "欧阳测试" not in seen
        assert "欧阳" in seen or "*" in seen


def test_every_part_is_on_record_with_whom_it_is_about(api: Api, feed: Feed, registry_url: str) -> None:
    del feed
    reader = api.client("read:legal_entity")
    for form in ("ndjson", "csv", "parquet"):
        fetch(reader, begun(reader, format=form, part_records=20))
    with connect(registry_url) as connection:
        entries = connection.execute(
            "SELECT entities, dataset FROM registry.access_log WHERE action LIKE 'GET %/parts/{part}' ORDER BY index"
        ).fetchall()
    assert [len(entities) for entities, _ in entries] == [20, 5] * 3
    assert {dataset for _, dataset in entries} == {"legal_entity"}
    assert {code for entities, _ in entries for code in entities} == {uscc(n) for n in range(25)}


def test_whose_grant_ended_changed_or_never_was_gets_no_part(
    api: Api, feed: Feed, registry_url: str, start: Callable[..., Api]
) -> None:
    del feed, start
    reader = api.client("read:legal_entity")
    export = begun(reader, part_records=10)
    href = f"{PATH}/{export['id']}/parts/0"
    other = api.client("read:legal_entity")
    assert other.ask(href).status_code == 404  # another client's looks like none
    assert api.client("read:permit").ask(href).status_code == 403
    assert reader.ask(href).status_code == 200
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.export SET terms = sha256('other')")
    assert reader.ask(href).json()["type"] == "/problems/export-ended"
    with connect(registry_url) as connection:
        connection.execute("UPDATE registry.export SET as_of = as_of - interval '2 d', expires_at = now()")
    over = reader.ask(href)
    assert (over.status_code, over.json()["type"]) == (410, "/problems/export-ended")
    assert reader.get("/datasets/legal_entity/exports")["exports"] == []


def test_exports_are_bounded(api: Api, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    del feed
    reader = api.client("read:legal_entity")
    monkeypatch.setattr(exports, "MOST_EXPORTS", 2)
    begun(reader)
    begun(reader)
    third = post(reader, "/datasets/legal_entity/exports", {})
    assert (third.status_code, third.json()["type"]) == (429, "/problems/too-many-exports")
    assert len(reader.get("/datasets/legal_entity/exports")["exports"]) == 2
    for wrong in ({"part_records": 5001}, {"part_records": 0}, {"format": "xlsx"}, {"as_of": "2026-01-01"}):
        assert post(reader, "/datasets/legal_entity/exports", wrong).json()["type"] == "/problems/invalid-body"


def test_an_export_begun_twice_under_one_name_is_one(api: Api, feed: Feed) -> None:
    del feed
    reader = api.client("read:legal_entity")
    answers = [
        post(reader, "/datasets/legal_entity/exports", {}, **{"Idempotency-Key": "monthly-2026-11"}) for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert len(reader.get("/datasets/legal_entity/exports")["exports"]) == 1


def test_an_empty_dataset_is_one_empty_part(api: Api, feed: Feed) -> None:
    feed.publish(deleted=[enterprise(n) for n in range(25)])
    reader = api.client("read:legal_entity")
    fetched = fetch(reader, begun(reader))
    assert (fetched.parts, fetched.records) == ([b""], 0)


def test_nightly_upkeep_forgets_exports_that_ended_long_ago_and_names_of_yesterday(
    api: Api, feed: Feed, registry_url: str
) -> None:
    del feed
    reader = api.client("read:legal_entity")
    answer = post(reader, "/datasets/legal_entity/exports", {}, **{"Idempotency-Key": "k"})
    fetch(reader, answer.json())
    kept = begun(reader)
    with connect(registry_url) as connection:
        upkeep.tidy(connection)
        assert connection.execute("SELECT count(*) FROM registry.export_part").fetchone() == (1,)
        connection.execute(
            "UPDATE registry.export SET as_of = as_of - interval '32 d', expires_at = expires_at - interval '32 d'"
            " WHERE id <> %s",
            (kept["id"],),
        )
        connection.execute("UPDATE registry.idempotency_key SET claimed_at = claimed_at - interval '25 h'")
        upkeep.tidy(connection)
        for table, left in (("export", 1), ("export_part", 0), ("idempotency_key", 0)):
            found = connection.execute(f"SELECT count(*) FROM registry.{table}".encode()).fetchone()
            assert found == (left,), table
