"""Answers in fewer bytes, where that pays and tells nothing."""

from __future__ import annotations

import gzip
from typing import Any

import pyarrow as pa
import pytest

from registry.api.compression import chosen
from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises, uscc

PAGE = "/api/v1/datasets/legal_entity/records"


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=0.8, zstd;q=0.5", "gzip"),
        ("zstd;q=0", None),
        ("GZIP;Q=1.0", "gzip"),
        ("gzip;q=x", None),
        ("br, *", None),
    ],
)
def test_the_coding_is_what_the_client_likes_best(accepted: str, expected: str | None) -> None:
    assert chosen(accepted.encode()) == expected


def raw(api: Api, token: str | None, path: str, accepted: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": accepted}
    answer = api.session.get(api.address + path, headers=headers, stream=True, timeout=30)
    answer.raw.decode_content = False
    return answer, answer.raw.read()


def test_pages_are_compressed_and_single_records_and_tokens_are_not(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(n) for n in range(50)])
    reader = api.client("read:legal_entity")
    plain, whole = raw(api, reader.token, PAGE, "identity")
    assert "Content-Encoding" not in plain.headers
    gzipped, small = raw(api, reader.token, PAGE, "gzip")
    zstandard, smaller = raw(api, reader.token, PAGE, "gzip, zstd")

    assert gzipped.headers["Content-Encoding"] == "gzip"
    assert zstandard.headers["Content-Encoding"] == "zstd"
    for answer, body in ((gzipped, small), (zstandard, smaller)):
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(body) < len(whole) / 4
        assert answer.headers["Shuqiao-Receipt"]
    unpacked = gzip.decompress(small)
    assert unpacked.partition(b'"records"')[2] == whole.partition(b'"records"')[2]
    unpacked = pa.CompressedInputStream(pa.BufferReader(smaller), "zstd").read()
    assert unpacked.partition(b'"records"')[2] == whole.partition(b'"records"')[2]

    one, _ = raw(api, reader.token, f"{PAGE}/{uscc(1)}", "gzip, zstd")
    assert "Content-Encoding" not in one.headers
    form = {"grant_type": "client_credentials"}
    assert reader.client is not None
    headers = {"Accept-Encoding": "gzip, zstd"}
    auth = (reader.client.id, reader.client.secret)
    token = api.session.post(f"{api.address}/api/v1/token", data=form, auth=auth, headers=headers, timeout=30)
    assert token.status_code == 200
    assert "Content-Encoding" not in token.headers
