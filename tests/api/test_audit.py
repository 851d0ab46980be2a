"""The access log over HTTP: everything is logged before it is answered, and whoever asks can prove it."""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.routing import APIRoute

from registry.api.access import security
from registry.api.access_log import logged
from registry.api.access_log.logged import LOGGED_PUBLIC, UNLOGGED
from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.audit import archive, check, checkpoints, log, notes, reading
from registry.audit.notes import LogKey
from registry.audit.reading import Logged
from registry.domain.audit import merkle
from registry.licences import trust
from registry.licences.keys import KeyRing
from registry.storage.database import connect
from tests.api.conftest import Api, Reader
from tests.api.feeding import enterprise, enterprises, permit, permits, uscc
from tests.api.licensing import BASE, MASTER_KEY, Town
from tests.api.test_description import errors
from tests.audit.log import fill

DOCS = Path(__file__).parent.parent.parent / "docs" / "access-log.md"


def entries(url: str) -> list[Logged]:
    with connect(url) as connection:
        return reading.between(connection, 0, 1 << 20)


def last(url: str) -> Logged:
    return entries(url)[-1]


def receipt(headers: Any) -> tuple[int, bytes]:
    """Index and request digest of a receipt."""
    return in_receipt(headers["Shuqiao-Receipt"])


def in_receipt(text: str) -> tuple[int, bytes]:
    found = dict(part.strip().split("=", 1) for part in text.split(","))
    assert found["process"] == f'"{logged.PROCESS}"'
    return int(found["index"]), base64.b64decode(found["request"].strip(":"))


# -- what is logged ---------------------------------------------------------------------------------------------------


def test_every_route_is_logged_or_says_why_not(settings: ApiSettings) -> None:
    routes = [route for route in create_app(settings).routes if isinstance(route, APIRoute)]
    public = {route.path for route in routes if security.rule_of(route) is security.public}

    assert UNLOGGED.keys() | LOGGED_PUBLIC == public, "a route that anyone may ask needs a decision in logged.py"
    assert not UNLOGGED.keys() & {route.path for route in routes if security.rule_of(route) is not security.public}
    assert not UNLOGGED.keys() & LOGGED_PUBLIC


def test_the_documentation_names_what_is_not_logged() -> None:
    page = DOCS.read_text("utf-8")

    for path in UNLOGGED:
        assert f"`{path}`" in page, path


def test_a_read_is_on_record_with_who_what_and_why(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*")
    headers = {"Access-Purpose": "credit_lending", "Case-Number": "%E8%B4%B7-1", "X-Request-Id": "trace-1"}

    reader.ask(f"/api/v1/datasets/legal_entity/records/{uscc(1)}", headers=headers)

    assert reader.client
    entry = last(registry_url).entry
    assert (entry.action, entry.status) == ("GET /api/v1/datasets/{dataset}/records/{key}", 200)
    assert (entry.client, entry.dataset, entry.entity) == (reader.client.id, "legal_entity", uscc(1))
    assert (entry.purpose, entry.case_number, entry.trace_id) == ("credit_lending", "贷-1", "trace-1")


def test_an_answer_about_several_enterprises_names_them_all(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(number) for number in range(3)])
    reader = api.client("read:*")

    for path in ("/datasets/legal_entity/records", "/changes"):
        reader.get(path)
        entry = last(registry_url).entry
        assert entry.entity is None
        assert entry.entities == tuple(sorted(uscc(number) for number in range(3))), path


def test_what_is_said_of_an_enterprise_by_another_dataset_is_on_its_record(api: Api, registry_url: str) -> None:
    permits(registry_url).publish([permit(1, "A")])
    reader = api.client("read:*")

    reader.get(f"/entities/{uscc(1)}")
    assert last(registry_url).entry.entity == uscc(1)
    reader.ask("/api/v1/datasets/permit/records", entity=uscc(2))
    assert last(registry_url).entry.entity == uscc(2), "asked for, though nothing is there"


@pytest.mark.parametrize("headers", [{"Access-Purpose": "Not One"}, {"Case-Number": "%00"}, {"Case-Number": "x" * 300}])
def test_a_purpose_or_number_that_cannot_be_put_on_record_is_refused_and_nothing_read(
    api: Api, registry_url: str, headers: dict[str, str]
) -> None:
    reader = api.client("read:*")
    before = len(entries(registry_url))

    refused = reader.ask("/api/v1/datasets", headers=headers)

    assert refused.status_code == 400
    assert [(each["in"], each["pointer"]) for each in refused.json()["errors"]] == [
        ("header", f"#/{next(iter(headers))}")
    ]
    assert len(entries(registry_url)) == before


def test_a_code_of_a_person_does_not_come_into_the_log(api: Api, registry_url: str) -> None:
    reader = api.client("read:*")

    reader.ask("/api/v1/entities/110101199003070011", code_type="111")

    assert last(registry_url).entry.entity is None
    assert b"110101199003070011" not in last(registry_url).data


def test_refusals_of_a_known_client_are_logged_and_those_of_strangers_are_not(api: Api, registry_url: str) -> None:
    reader = api.client("read:permit")
    before = len(entries(registry_url))

    refused = reader.ask(f"/api/v1/datasets/legal_entity/records/{uscc(1)}")
    assert refused.status_code == 403
    assert last(registry_url).entry.status == 403
    assert "Shuqiao-Receipt" in refused.headers
    assert len(entries(registry_url)) == before + 1
    api.anyone.ask("/api/v1/datasets")
    api.anyone.ask("/api/v1/nothing")
    Reader(api.address, api.session, token="x.y.z").ask("/api/v1/datasets")
    assert len(entries(registry_url)) == before + 1


def test_tokens_are_on_record(api: Api, registry_url: str) -> None:
    client = api.client("read:*").client

    assert client
    assert (last(registry_url).entry.action, last(registry_url).entry.client) == ("POST /api/v1/token", client.id)
    before = len(entries(registry_url))
    assert api.token(auth=(client.id, "wrong")).status_code == 401
    assert len(entries(registry_url)) == before


def test_what_the_hub_says_of_itself_is_not_logged(api: Api, registry_url: str) -> None:
    for path in ("/healthz", "/readyz", "/problems", "/api/v1/openapi.json"):
        answer = api.anyone.ask(path)
        assert answer.status_code == 200
        assert "Shuqiao-Receipt" not in answer.headers
    assert entries(registry_url) == []


def test_a_receipt_says_what_was_asked_and_where_it_stands(api: Api, registry_url: str) -> None:
    reader = api.client("read:*")

    answer = reader.ask("/api/v1/datasets/legal_entity", after="%C3%A9 x")
    index, digest = receipt(answer.headers)

    assert answer.request.path_url.encode() in (asked := f"GET {answer.request.path_url}\n".encode())
    assert digest == sha256(asked).digest() == last(registry_url).entry.request_digest
    assert index == last(registry_url).index


def test_the_digest_is_of_the_body_too(api: Api) -> None:
    client = api.client("read:*").client
    assert client
    answer = api.token(auth=(client.id, client.secret))

    body = answer.request.body
    assert isinstance(body, str)
    assert receipt(answer.headers)[1] == sha256(b"POST /api/v1/token\n" + body.encode()).digest()


def test_a_request_that_made_the_hub_fail_is_on_record_and_says_where(
    api: Api, registry_url: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reader = api.client("read:*")

    async def fails() -> None:
        raise RuntimeError

    monkeypatch.setattr(api.server._state, "datasets", fails)
    answer = reader.ask("/api/v1/datasets")

    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert last(registry_url).entry.status == 500
    assert receipt(answer.headers) == (last(registry_url).index, last(registry_url).entry.request_digest)
    assert f"a request failed, trace id {answer.headers['X-Request-Id']}" in caplog.text


def test_many_at_once_each_have_an_entry_of_their_own_and_share_commits(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*")
    reader.get("/datasets")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: reader.ask(f"/api/v1/entities/{uscc(1)}"), range(200)))

    indexes = {receipt(answer.headers)[0] for answer in answers if answer.status_code == 200}
    assert len(indexes) == 200
    found = {row.index for row in entries(registry_url)}
    assert indexes < found
    with connect(registry_url) as connection:
        assert check.check(connection, []).findings == ()
        commits = connection.execute("SELECT count(DISTINCT xmin::text) FROM registry.access_log").fetchone()
    assert commits
    assert commits[0] < len(found)


# -- no entry, no answer ----------------------------------------------------------------------------------------------


def test_an_answer_that_cannot_be_logged_is_not_given(
    api: Api, registry_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    reader = api.client("read:*")
    with psycopg.connect(registry_url, autocommit=True) as connection, caplog.at_level(logging.CRITICAL):
        connection.execute("ALTER TABLE registry.access_log RENAME TO elsewhere")
        refused = reader.ask(f"/api/v1/entities/{uscc(1)}")
        connection.execute("ALTER TABLE registry.elsewhere RENAME TO access_log")

    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/not-logged")
    assert refused.headers["Retry-After"]
    assert "Shuqiao-Receipt" not in refused.headers
    assert uscc(1) not in refused.text.replace(refused.json()["instance"], "")
    assert reader.get(f"/entities/{uscc(1)}")["datasets"]


def test_an_answer_does_not_wait_for_ever_to_be_logged(
    start: Callable[..., Api], registry_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    api = start(access_log_seconds=0.3)
    reader = api.client("read:*")
    with psycopg.connect(registry_url) as connection, caplog.at_level(logging.CRITICAL):
        connection.execute("SELECT FROM registry.access_log_head FOR UPDATE")
        refused = reader.ask("/api/v1/datasets")
        connection.rollback()

    assert refused.json()["type"] == "/problems/not-logged"
    assert reader.ask("/api/v1/datasets").status_code == 200


def test_a_connection_that_was_cut_costs_no_answer(api: Api, registry_url: str) -> None:
    reader = api.client("read:*")
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'shuqiao-access-log'"
            " AND datname = current_database()"
        )

    assert reader.ask("/api/v1/datasets").status_code == 200


# -- proofs -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def signing(start: Callable[..., Api], registry_url: str) -> Api:
    """An API that can sign."""
    Town(registry_url)
    return start(master_key=MASTER_KEY, public_url=BASE)


def keys(reader: Reader) -> list[LogKey]:
    return [notes.key_from_text(line) for line in reader.ask("/api/v1/audit/keys").text.splitlines()]


def test_a_client_proves_that_its_read_stands_in_the_log(signing: Api) -> None:
    reader = signing.client("read:*")
    index, digest = receipt(reader.ask("/api/v1/datasets").headers)

    checkpoint = notes.opened(reader.ask("/api/v1/audit/checkpoint", covers=index).text, keys(reader))
    proof = reader.get("/audit/proof/inclusion", index=index, size=checkpoint.size)

    assert checkpoint.origin == "hub.example.cn/access-log"
    assert digest.hex() in proof["entry"]
    leaf = merkle.leaf_hash(proof["entry"].encode())
    path = [base64.b64decode(each) for each in proof["path"]]
    assert merkle.includes(leaf, index, checkpoint.size, path, checkpoint.root)


def test_a_client_proves_that_each_stretch_of_a_stream_stands_in_the_log(signing: Api, registry_url: str) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(1)])
    reader = signing.client("read:*")
    answer = reader.changes()
    with answer:
        told = (json.loads(line) for line in answer.iter_lines(chunk_size=None) if line)
        stretches: list[tuple[int, bytes]] = []
        for number in (2, 3, 4):
            line = next(line for line in told if "receipt" in line)
            assert line["next"]
            stretches.append(in_receipt(line["receipt"]))
            feed.publish([enterprise(number)])
    assert stretches[0] == receipt(answer.headers)
    assert {digest for _, digest in stretches} == {sha256(b"GET /api/v1/changes\n").digest()}

    newest = max(index for index, _ in stretches)
    checkpoint = notes.opened(reader.ask("/api/v1/audit/checkpoint", covers=newest).text, keys(reader))
    told_of = []
    for index, digest in stretches:
        proof = reader.get("/audit/proof/inclusion", index=index, size=checkpoint.size)
        path = [base64.b64decode(each) for each in proof["path"]]
        leaf = merkle.leaf_hash(proof["entry"].encode())
        assert merkle.includes(leaf, index, checkpoint.size, path, checkpoint.root)
        entry = json.loads(proof["entry"])
        assert entry["request_digest"] == digest.hex()
        told_of.append(entry["entity"])
    assert told_of == [uscc(1), uscc(2), uscc(3)]


def test_anyone_with_two_checkpoints_proves_that_nothing_between_was_altered(signing: Api) -> None:
    reader = signing.client("read:*")
    known = keys(reader)
    first = notes.opened(reader.ask("/api/v1/audit/checkpoint", covers=0).text, known)
    for _ in range(20):
        reader.get("/datasets")
    assert signing.server._state.settings.database_url
    later = _signed(signing, known)

    proof = reader.get("/audit/proof/consistency", old=first.size, new=later.size)

    path = [base64.b64decode(each) for each in proof["path"]]
    assert later.size > first.size
    assert merkle.consistent(first.size, first.root, later.size, later.root, path)


def test_an_entry_is_shown_to_who_made_the_request_and_to_operators_only(signing: Api) -> None:
    reader, other, operator = signing.client("read:*"), signing.client("read:*"), signing.client("operate")
    index, _ = receipt(reader.ask("/api/v1/datasets").headers)

    assert reader.get("/audit/proof/inclusion", index=index)["entry"]
    assert operator.get("/audit/proof/inclusion", index=index)["entry"]
    assert other.get("/audit/proof/inclusion", index=index)["entry"] is None


def test_the_log_is_signed_now_and_then(start: Callable[..., Api], registry_url: str) -> None:
    Town(registry_url)
    api = start(master_key=MASTER_KEY, public_url=BASE, checkpoint_seconds=0.02)
    reader = api.client("read:*")
    for _ in range(1000):
        with connect(registry_url) as connection:
            row = connection.execute("SELECT max(size) FROM registry.access_log_checkpoint").fetchone()
        if row and row[0]:
            break
        reader.get("/datasets")

    assert row
    assert row[0] > 0


def test_without_a_key_nothing_is_signed_and_everything_else_goes_on(api: Api) -> None:
    reader = api.client("read:*")

    refused = reader.ask("/api/v1/audit/checkpoint")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/signing-unavailable")
    assert reader.get("/audit/proof/inclusion", index=0)["path"]


def test_a_log_that_was_altered_is_signed_no_more(signing: Api, registry_url: str) -> None:
    reader = signing.client("read:*")
    reader.ask("/api/v1/audit/checkpoint", covers=0)
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE registry.access_log SET leaf_hash = sha256('x') WHERE index = 0")

    refused = reader.ask("/api/v1/audit/checkpoint", covers=10)
    deadline = time.monotonic() + 30
    while refused.status_code == 200 and time.monotonic() < deadline:
        refused = reader.ask("/api/v1/audit/checkpoint", covers=10)
    assert refused.status_code == 503
    assert "contradicts" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/proof/inclusion", {"index": 1000}, 404),
        ("/proof/inclusion", {"index": 0, "size": 1000}, 404),
        ("/proof/inclusion", {"index": -1}, 400),
        ("/proof/consistency", {"old": 2, "new": 1}, 404),
        ("/proof/consistency", {"old": 1000}, 404),
        ("/checkpoint", {"covers": "x"}, 400),
        ("/entries", {"after": "x"}, 400),
    ],
)
def test_what_the_log_does_not_have_is_a_problem(api: Api, path: str, parameters: dict[str, Any], status: int) -> None:
    reader = api.client("operate")

    assert reader.ask(f"/api/v1/audit{path}", **parameters).status_code == status


# -- who read my data -------------------------------------------------------------------------------------------------


def test_operators_see_who_read_an_enterprise(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)])
    reader, operator = api.client("read:*"), api.client("operate")
    reader.get(f"/entities/{uscc(1)}")
    reader.get(f"/entities/{uscc(2)}")
    reader.get("/datasets/legal_entity/records")

    found = operator.pages("/audit/entries", "entries", entity=uscc(1), limit=1)

    assert reader.client
    read = [each for each in found if each["client"] == reader.client.id]
    assert [each["action"].rpartition("/")[2] for each in read] == ["records", "{entity}"]
    assert operator.get("/audit/entries", entity=uscc(1), client="client-nobody")["entries"] == []
    assert len(operator.get("/audit/entries", client=reader.client.id)["entries"]) == 4
    assert reader.ask("/api/v1/audit/entries").status_code == 403


def test_a_window_tells_an_enterprise_who_was_given_its_data(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1), enterprise(2)])
    reader, window = api.client("read:*"), api.client("credit:consent")
    headers = {"Access-Purpose": "credit_lending", "Case-Number": "L-1"}
    reader.ask(f"/api/v1/entities/{uscc(1)}", headers=headers)
    reader.ask(f"/api/v1/entities/{uscc(2)}")
    refused = api.client("licence:*").ask(f"/api/v1/entities/{uscc(1)}")
    assert refused.status_code == 403
    with connect(registry_url) as connection:
        staff = replace(last(registry_url).entry, client="terminal:li@hub", entity=uscc(1), status=202)
        log.append(connection, [staff])
    path = f"/api/v1/audit/accesses/{uscc(1)}"

    answer = window.ask(path, headers={"Case-Number": "2026-7"})

    assert answer.status_code == 200, answer.text
    assert reader.client
    found = answer.json()["accesses"]
    assert [(each["client"], each["name"], each["purpose"]) for each in found] == [
        ("terminal", None, None),
        (reader.client.id, "test", "credit_lending"),
    ]
    assert "L-1" not in answer.text
    assert (last(registry_url).entry.case_number, last(registry_url).entry.entity) == ("2026-7", uscc(1))
    assert window.ask(path).status_code == 400, "on whose request?"
    assert reader.ask(path, headers={"Case-Number": "2026-7"}).status_code == 403


def test_an_archived_entry_is_proven_and_said_to_be_archived(signing: Api, registry_url: str, tmp_path: Path) -> None:
    reader, operator = signing.client("read:*"), signing.client("operate")
    index, _ = receipt(reader.ask("/api/v1/datasets").headers)
    with connect(registry_url) as connection:
        fill(connection, 300)
        known = keys(reader)
        _signed(signing, known)
        fill(connection, 600)
        later = datetime.now(UTC) + timedelta(days=1)
        made = archive.write(connection, tmp_path, known, before=later, now=later)
    assert made

    proof = reader.get("/audit/proof/inclusion", index=index)

    assert (proof["entry"], proof["archive"]) == (None, made.file)
    (row,) = (row for row in archive.rows(tmp_path / made.file) if row.index == index)
    path = [base64.b64decode(each) for each in proof["path"]]
    root = base64.b64decode(proof["root"])
    assert merkle.includes(merkle.leaf_hash(row.data), index, proof["size"], path, root)
    assert operator.get("/audit/entries", limit=1)["archived"] == made.until


def test_answers_are_what_the_description_says(signing: Api, settings: ApiSettings) -> None:
    description = create_app(settings).openapi()
    operator = signing.client("operate", "read:*")
    for path, parameters in (
        ("/entries", {}),
        ("/proof/inclusion", {"index": 0}),
        ("/proof/consistency", {"old": 1}),
    ):
        schema = description["paths"][f"/api/v1/audit{path}"]["get"]["responses"]["200"]["content"]["application/json"]
        assert errors(description, schema["schema"], operator.get(f"/audit{path}", **parameters)) == []


def _signed(api: Api, known: list[LogKey]) -> Any:
    """A checkpoint that an operator has made on the database, as ``shuqiao audit checkpoint`` does."""
    with connect(api.settings.database_url) as connection:
        assert len(trust.hub_keys(connection)) == 1
        ring = KeyRing.load(connection, MASTER_KEY)
        return notes.opened(checkpoints.make(connection, ring.hub, datetime.now(UTC)).note, known)
