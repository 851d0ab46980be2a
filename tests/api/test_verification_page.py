"""The verification page without a browser: headers, limits, assets, and a registry that does not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from registry.api.pages.refusing import FILE_BYTES
from registry.domain.licences.identifiers import Identifier
from tests.api.conftest import Api

UNKNOWN = "1.2.156.3005.2.11100000MB0143028R002.11330203000000019Y.00000000000000000000.001.A"


def outcome(text: str) -> str:
    found = re.search(r'data-outcome="([a-z_]*)"', text)
    assert found is not None
    return found[1]


def test_it_answers_without_the_registry_and_says_that_it_cannot_verify(start: Callable[..., Api]) -> None:
    api = start(database_url="postgresql://nobody@127.0.0.1:1/nothing")
    assert api.anyone.ask("/verify").status_code == 200
    for path in (f"/verify/{UNKNOWN}", "/verify/copies/some-copy"):
        answer = api.anyone.ask(path)
        assert (answer.status_code, outcome(answer.text)) == (503, "unavailable")
        assert "不说明证照的真假" in answer.text
    answer = api.session.post(f"{api.address}/verify", files={"file": ("a.json", b"{}")}, timeout=30)
    assert (answer.status_code, outcome(answer.text)) == (503, "unavailable")


def test_before_the_first_authority_is_entered_a_file_cannot_be_verified(api: Api) -> None:
    answer = api.session.post(f"{api.address}/verify", files={"file": ("a.json", b"{}")}, timeout=30)
    assert (answer.status_code, outcome(answer.text)) == (503, "unavailable")


def test_what_apps_add_to_the_address_does_no_harm(api: Api) -> None:
    for path in ("/verify", f"/verify/{UNKNOWN}"):
        answer = api.anyone.ask(f"{path}?from=singlemessage&scene=1")
        assert answer.headers["Content-Type"].startswith("text/html")


def test_what_it_loads_is_kept_for_ever_and_nothing_else_is_there(api: Api) -> None:
    page = api.anyone.ask("/verify").text
    names = set(re.findall(r"/verify/assets/([^\"]+)", page))
    assert {name.rpartition(".")[2] for name in names} == {"css", "js", "svg"}
    for name in names:
        answer = api.anyone.ask(f"/verify/assets/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("page.css", "..%2Frendering.py", "page.000000000000.css"):
        assert api.anyone.ask(f"/verify/assets/{name}").status_code == 404


def test_it_is_told_to_browsers_what_may_run_and_never_kept(api: Api) -> None:
    headers = api.anyone.ask(f"/verify/{UNKNOWN}").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "identifier", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "٣" * 50]
)
def test_what_is_typed_comes_back_as_text(api: Api, identifier: str) -> None:
    text = api.anyone.ask("/verify", identifier=identifier).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "49" not in re.sub(r"[0-9a-f]{12}", "", text.partition("<main")[2])
    assert outcome(text) == "malformed_identifier"


def test_a_body_without_a_length_that_never_ends_is_cut(api: Api) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1 << 20
            yield b"\0" * (1 << 20)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = api.session.post(f"{api.address}/verify", data=pieces(), headers=kind, timeout=60)
        assert (answer.status_code, outcome(answer.text)) == (413, "too_large")
    except OSError:
        assert sent < 200 << 20


@pytest.mark.parametrize("size", [FILE_BYTES + 1, FILE_BYTES + (1 << 20)])
def test_a_file_that_is_too_large_is_told_so(api: Api, size: int) -> None:
    answer = api.session.post(f"{api.address}/verify", files={"file": ("a.pdf", b"%PDF-" + b"\0" * size)}, timeout=60)
    assert (answer.status_code, outcome(answer.text)) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nnot a form", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"{}", "application/json"),
        (b"text=", "application/x-www-form-urlencoded"),
    ],
)
def test_a_form_that_is_none_brings_nothing(api: Api, body: bytes, kind: str) -> None:
    answer = api.session.post(f"{api.address}/verify", data=body, headers={"Content-Type": kind}, timeout=30)
    assert (answer.status_code, outcome(answer.text)) == (400, "nothing_given")


TRICKS = [
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/",
    "copies/../../api/v1/token",
    "assets/..%2fpage.css",
    "x%0d%0aSet-Cookie:%20a=b",
    "x%0aLocation:%20https:%2f%2fevil.example",
    "//evil.example/",
    "https:%2f%2fevil.example%2f1.2.156.3005.2",
    "1.2.156.3005.2.%00",
    "%ff%fe",
    "%ed%a0%80",
    "." * 1500,
    "1.2.156.3005.2." + "." * 1500,
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "%E2%80%AE1.2.156",
]


@pytest.mark.parametrize("base", ["/verify/", "/verify/copies/", "/verify/assets/", "/licences/"])
def test_no_address_leads_astray(api: Api, base: str) -> None:
    """Neither to a file, nor to another site, nor to a header of the caller's choice, nor to a failure."""
    for trick in TRICKS:
        answer = api.session.get(f"{api.address}{base}{trick}", timeout=30, allow_redirects=False)
        assert answer.status_code in {303, 400, 404, 405}, (base, trick)
        assert answer.headers.get("Location", "/").startswith("/"), trick
        assert not answer.headers.get("Location", "/").startswith("//"), trick
        assert "Set-Cookie" not in answer.headers, trick
        assert "root:x:0" not in answer.text
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert "<script>alert" not in answer.text, trick
            assert "\u202e" not in answer.text, trick
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_who_guesses_learns_no_more_of_one_identifier_than_of_another(api: Api) -> None:
    """Unknown ones answer alike, whoever their authority is."""
    found = set()
    for serial in ("8KD02JF7SLQ0A3M5T6ZX", "8KD02JF7SLQ0A3M5T6ZY", "00000000000000000001"):
        identifier = str(Identifier("11100000MB03271699022", "11330200002972223X", serial, 1))
        answer = api.anyone.ask(f"/verify/{identifier}")
        text = answer.text.replace(identifier, "").partition("<main")[2]
        found.add((answer.status_code, text))
    assert len(found) == 1
