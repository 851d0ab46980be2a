"""Pages of other sites may have documents verified, and read signed public ones; nothing else."""

from __future__ import annotations

import pytest
import requests

from tests.api.conftest import Api

ELSEWHERE = {"Origin": "https://bank.example"}
VERIFY = ["/credentials/verify", "/presentations/verify"]
OTHERS = [
    ("POST", "/credentials/issue"),
    ("POST", "/credentials/status"),
    ("POST", "/api/v1/token"),
    ("GET", "/api/v1/datasets"),
    ("GET", "/api/v1/licences"),
    ("POST", "/api/v1/licences/x/copies"),
    ("POST", "/elssp/v1/GetCertificateDataByHolder"),
    ("GET", "/verify"),
    ("POST", "/verify"),
    ("GET", "/healthz"),
    ("GET", "/nowhere"),
    ("POST", "/credentials/verify/"),
    ("POST", "/credentials/verify%2f"),
    ("POST", "//credentials/verify"),
]


def send(api: Api, method: str, path: str, **request: object) -> requests.Response:
    answer = api.session.request(method, api.address + path, timeout=30, **request)  # type: ignore[arg-type]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return answer


def asking(method: str = "POST", headers: str = "content-type") -> dict[str, str]:
    return ELSEWHERE | {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}


@pytest.mark.parametrize("path", VERIFY)
def test_a_page_elsewhere_may_have_something_verified(api: Api, path: str) -> None:
    asked = send(api, "OPTIONS", path, headers=asking())

    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert "content-type" in asked.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" not in asked.headers["Access-Control-Allow-Headers"].lower()
    assert asked.content == b""

    answer = send(api, "POST", path, headers=ELSEWHERE, json={path.split("/")[1][:-1]: {}})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", VERIFY)
def test_a_page_elsewhere_can_read_why_it_was_refused(api: Api, path: str) -> None:
    for body, media_type, status in (
        (b"{", "application/json", 400),
        (b"x", "text/plain", 415),
        (b"x" * (3 << 20), "application/json", 413),
    ):
        answer = send(api, "POST", path, headers=ELSEWHERE | {"Content-Type": media_type}, data=body)

        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert send(api, "GET", path, headers=ELSEWHERE).status_code == 405


def test_no_other_answer_can_be_read_elsewhere(api: Api) -> None:
    for method, path in OTHERS:
        for answer in (
            send(api, method, path, headers=ELSEWHERE),
            send(api, "OPTIONS", path, headers=asking(method, "authorization")),
        ):
            permissions = [name for name in answer.headers if name.lower().startswith("access-control-")]
            assert permissions == [], (method, path)
        assert answer.status_code >= 400, path


def test_what_only_asks_for_the_options_gets_no_permission(api: Api) -> None:
    """Without the words of a browser that asks for a page it is a method like any other."""
    answer = send(api, "OPTIONS", VERIFY[0])

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
