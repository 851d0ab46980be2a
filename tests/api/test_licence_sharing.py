"""The sharing service of GB/T 36906: four operations, the codes 0, 10-13, 21-23, and the use kept on record."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Api, Reader
from tests.api.licensing import FOOD, Office, food, licence_number, open_office, uscc
from tests.api.test_description import described, errors

DATA_BY_ID, DATA_BY_HOLDER = "GetCertificateDataByCertificateID", "GetCertificateDataByHolder"
FILE_BY_ID, FILE_BY_HOLDER = "GetCertificateFileByCertificateID", "GetCertificateFileByHolder"
OPERATIONS = (DATA_BY_ID, DATA_BY_HOLDER, FILE_BY_ID, FILE_BY_HOLDER)


@pytest.fixture
def office(start: Callable[..., Api], registry_url: str) -> Office:
    office = open_office(start, registry_url)
    office.town.publish(food(1))
    return office


def holder(number: int, **more: Any) -> dict[str, Any]:
    return {"holderCode": uscc(number), "holderTypeCode": "001", "certTypeCode": FOOD.code, **more}


def call(office: Office, operation: str, reader: Reader, data: Any = None, **request: Any) -> dict[str, Any]:
    if isinstance(data, dict):
        data = {"useCause": "贷款审核", **data}
    assert reader.client is not None
    body = {"accessId": reader.client.id, "accessToken": reader.token, "data": data} | request
    answer = office.post(f"/elssp/v1/{operation}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == {"head", "data"}
    assert found["head"]["message"]
    assert ("Shuqiao-Read-At" in answer.headers) == (found["head"]["status"] in {0, 21, 22, 23})
    assert ("Shuqiao-As-Of" in answer.headers) >= ("Shuqiao-Read-At" in answer.headers)
    return found


def code(office: Office, operation: str, reader: Reader, data: Any = None, **request: Any) -> int:
    found = call(office, operation, reader, data, **request)
    assert (found["data"] is not None) == (found["head"]["status"] == 0), found
    return int(found["head"]["status"])


def test_data_and_file_by_identifier_and_by_holder(office: Office) -> None:
    reader, identifier = office.reader(), office.identifier(1)

    by_id = call(office, DATA_BY_ID, reader, {"certIdentifier": identifier})
    by_holder = call(office, DATA_BY_HOLDER, reader, holder(1))
    file_by_id = call(office, FILE_BY_ID, reader, {"certIdentifier": identifier})
    file_by_holder = call(office, FILE_BY_HOLDER, reader, holder(1, certNo=licence_number(1), fileType="pdf"))

    assert {answer["head"]["status"] for answer in (by_id, by_holder, file_by_id, file_by_holder)} == {0}
    assert by_id["head"]["message"] == "成功"
    assert (by_id["data"]["ZZBS"], by_id["data"]["ZZBH"]) == (identifier, licence_number(1))
    assert by_holder["data"] == [by_id["data"]]
    assert file_by_id["data"] == file_by_holder["data"]
    assert base64.b64decode(file_by_id["data"]["fileData"]).startswith(b"%PDF-")


def test_a_holder_with_several_licences_must_say_which_file(office: Office) -> None:
    office.town.publish(food(2, uscc=uscc(1)))
    reader = office.reader()

    assert len(call(office, DATA_BY_HOLDER, reader, holder(1))["data"]) == 2
    assert code(office, FILE_BY_HOLDER, reader, holder(1)) == 12
    assert code(office, FILE_BY_HOLDER, reader, holder(1, certNo=licence_number(2))) == 0


def test_10_where_nothing_matches_or_nothing_is_granted(office: Office) -> None:
    reader, stranger = office.reader(), office.reader("licence:business_licence")
    identifier = office.identifier(1)

    assert code(office, DATA_BY_HOLDER, reader, holder(9)) == 10
    assert code(office, DATA_BY_HOLDER, reader, holder(1, certNo="X")) == 10
    assert code(office, DATA_BY_HOLDER, reader, holder(1, holderTypeCode="111")) == 10
    assert code(office, DATA_BY_ID, reader, {"certIdentifier": "1.2.3"}) == 10
    assert code(office, DATA_BY_ID, reader, {"certIdentifier": identifier[:-1] + "?"}) == 10
    assert code(office, FILE_BY_ID, reader, {"certIdentifier": identifier, "fileType": "ofd"}) == 10
    assert code(office, DATA_BY_ID, stranger, {"certIdentifier": identifier}) == 10


def test_11_where_nobody_is_proven(office: Office) -> None:
    reader, other = office.reader(), office.reader()
    assert other.client is not None
    for operation in OPERATIONS:
        for request in (
            {"accessToken": "garbage"},
            {"accessToken": None},
            {"accessId": None},
            {"accessId": other.client.id},
            {"accessId": 7, "accessToken": 7},
        ):
            assert code(office, operation, reader, holder(1), **request) == 11, (operation, request)


def test_12_where_something_is_missing(office: Office) -> None:
    reader = office.reader()
    nothing: list[Any] = [None, "", " ", 7, [], "a\0b"]
    for name in ("holderCode", "holderTypeCode", "certTypeCode", "useCause"):
        for value in nothing:
            asked = holder(1, **{name: value})
            assert code(office, DATA_BY_HOLDER, reader, asked) == 12, (name, value)
            assert name in call(office, FILE_BY_HOLDER, reader, asked)["head"]["message"], (name, value)


def test_12_where_the_body_is_none(office: Office) -> None:
    reader = office.reader()
    nothing: list[Any] = [None, [], "text"]
    for data in nothing:
        assert code(office, DATA_BY_ID, reader, data) == 12
    assert code(office, DATA_BY_ID, reader, {"certIdentifier": office.identifier(1), "useCause": "因" * 201}) == 12
    answer = office.post(f"/elssp/v1/{DATA_BY_ID}", data=b"no json")
    assert answer.json()["head"]["status"] == 12


def test_13_where_the_type_is_unknown_or_not_granted(office: Office) -> None:
    reader, stranger = office.reader(), office.reader("licence:business_licence")

    assert code(office, DATA_BY_HOLDER, reader, holder(1, certTypeCode="1" * 21)) == 13
    assert code(office, DATA_BY_HOLDER, stranger, holder(1)) == 13


@pytest.mark.parametrize(
    ("status", "expected"), [("02", 23), ("03", 21), ("04", 21), ("05", 22), ("06", 21), ("07", 21)]
)
def test_21_to_23_where_a_licence_does_not_hold(office: Office, status: str, expected: int) -> None:
    office.town.publish(food(1, status=status))
    reader, identifier = office.reader(), office.identifier(1)

    assert code(office, DATA_BY_ID, reader, {"certIdentifier": identifier}) == expected
    assert code(office, FILE_BY_HOLDER, reader, holder(1)) == expected


def test_21_for_a_version_that_another_has_superseded(office: Office) -> None:
    office.town.publish(food(1, holder_name="宁波新名食品有限公司"))
    first, second = office.town.identifiers(1)
    reader = office.reader()

    found = call(office, DATA_BY_ID, reader, {"certIdentifier": first})

    assert found["head"]["status"] == 21
    assert second in found["head"]["message"]
    assert [one["ZZBS"] for one in call(office, DATA_BY_HOLDER, reader, holder(1))["data"]] == [second]


def test_who_asked_and_to_what_end_is_kept(office: Office) -> None:
    reader, identifier = office.reader(), office.identifier(1)
    assert reader.client is not None
    call(office, DATA_BY_ID, reader, {"certIdentifier": identifier, "useCause": "贷款审核"})
    call(office, DATA_BY_HOLDER, reader, holder(9, useCause="招标"))
    call(office, DATA_BY_HOLDER, reader, holder(9), accessToken="garbage")

    kept = office.town.rows(
        "SELECT client_id, operation, licence_id, reply, cause FROM registry.licence_use ORDER BY id"
    )

    assert kept == [
        (reader.client.id, DATA_BY_ID, 1, 0, "贷款审核"),
        (reader.client.id, DATA_BY_HOLDER, None, 10, "招标"),
    ]


def test_answers_are_what_the_description_says(office: Office) -> None:
    description, reader = described(office.api.settings), office.reader()
    for operation, data in (
        (DATA_BY_ID, {"certIdentifier": office.identifier(1)}),
        (DATA_BY_HOLDER, holder(1)),
        (FILE_BY_ID, {"certIdentifier": office.identifier(1)}),
        (FILE_BY_HOLDER, holder(9)),
    ):
        responses = description["paths"][f"/elssp/v1/{operation}"]["post"]["responses"]
        schema = responses["200"]["content"]["application/json"]["schema"]
        assert errors(description, schema, call(office, operation, reader, data)) == []
