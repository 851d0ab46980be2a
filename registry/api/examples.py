"""Examples of requests and answers for the description; tests send each of them to an API and look at what comes.

Values that the hub draws by lot (numbers of cases, identifiers of licences...) are examples too: tests put those of
their own registry in their places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

USCC = "91310000MA1FL00A0Q"
LICENCE = "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0"
CONSENT = "6c1d2b3a-4958-4f0c-8f6f-7bb7443f9a0e"
COPY = "pklbUUyF9ww3kxrNv9KC0Q"
EXPORT = "1r9mZk0JQ1yDqk1h4bYt2w"
ISSUER = "11310000000000000X"
CREDENTIAL = "https://hub.example.cn/api-credentials/0d5f6a1c"
BATCH, REFUSAL, MATCH, CASE, GROUP, GRANT, GRANT_REQUEST = 1001, 1002, 1003, 1004, 1005, 1006, 1007
"""Numbers that no registry of a test has, so that they can be told apart in texts."""

PARAMETERS: Mapping[tuple[str, str], object] = {
    ("path", "dataset"): "legal_entity",
    ("path", "entity"): USCC,
    ("path", "enterprise"): USCC,
    ("path", "subscription"): "sub_0a1b2c3d4e5f60718293a4b5",
    ("path", "batch"): BATCH,
    ("path", "refusal"): REFUSAL,
    ("path", "copy"): COPY,
    ("path", "case"): CASE,
    ("path", "consent"): CONSENT,
    ("path", "match"): MATCH,
    ("path", "export"): EXPORT,
    ("path", "part"): 0,
    ("path", "table"): "penalties",
    ("path", "version"): 1,
    ("path", "group"): GROUP,
    ("path", "purpose"): "revocation",
    ("path", "grant"): GRANT,
    ("path", "asked"): GRANT_REQUEST,
    ("path", "name"): "busy",
    ("query", "index"): 0,
    ("query", "size"): 2,
    ("query", "old"): 1,
    ("query", "new"): 2,
}
"""By place and name, where the route itself gives none."""
_REASON: Mapping[str, Any] = {"by": "信用科"}
_VERIFIED = {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential"]}
_SHARED: Mapping[str, Any] = {
    "accessId": "client-0123456789abcdef",
    "accessToken": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
}
_BY_IDENTIFIER = {**_SHARED, "data": {"useCause": "贷款审核", "certIdentifier": LICENCE}}
_BY_HOLDER = {
    **_SHARED,
    "data": {
        "useCause": "贷款审核",
        "holderCode": USCC,
        "holderTypeCode": "001",
        "certTypeCode": "11100000000013338W009",
    },
}
BODIES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    (r"/exports$", {"format": "ndjson"}),
    (r"/credit/cases/\{case\}/(accept|forward|grant|withdraw)$", _REASON),
    (r"^/credentials/verify$", {"verifiableCredential": _VERIFIED, "options": {}}),
    (
        r"^/presentations/verify$",
        {
            "verifiablePresentation": {**_VERIFIED, "type": ["VerifiablePresentation"]},
            "options": {"challenge": "c-1", "domain": "bank.example.cn"},
        },
    ),
    (
        r"^/credentials/issue$",
        {
            "credential": {
                **_VERIFIED,
                "credentialSubject": {"id": "urn:uuid:8d9ec9a4-7e6a-4a8f-9d4f-0a53b1a9d3a0"},
            },
            "options": {},
        },
    ),
    (
        r"^/credentials/status$",
        {
            "credentialId": CREDENTIAL,
            "credentialStatus": [{"type": "BitstringStatusListEntry", "statusPurpose": "revocation", "status": "1"}],
        },
    ),
    (r"/elssp/v1/GetCertificate\w+ByCertificateID$", _BY_IDENTIFIER),
    (r"/elssp/v1/GetCertificate\w+ByHolder$", _BY_HOLDER),
)
"""Of requests, by address, where neither the route nor its model gives one."""
_BODIES = tuple((re.compile(pattern), value) for pattern, value in BODIES)


def add(description: dict[str, Any]) -> None:
    """Give every required parameter, every JSON body and every JSON answer an example, where it has none."""
    schemas = description["components"]["schemas"]
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                _add_to_parameter(parameter)
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                if media_type == "application/json" and not _has_example(content):
                    _add_to_body(content, path, schemas)
            for content in _json_answers(operation):
                if not _has_example(content):
                    _add_first(content, content["schema"], schemas)


def _add_to_parameter(parameter: dict[str, Any]) -> None:
    found = PARAMETERS.get((parameter["in"], parameter["name"]))
    if found is not None and not _has_example(parameter) and not parameter["schema"].get("examples"):
        parameter["example"] = found
    elif (listed := parameter["schema"].get("examples")) and not _has_example(parameter):
        parameter["example"] = listed[0]


def _add_to_body(content: dict[str, Any], path: str, schemas: Mapping[str, Any]) -> None:
    _add_first(content, content["schema"], schemas)
    if "example" not in content:
        given = next((value for pattern, value in _BODIES if pattern.search(path)), None)
        if given is not None:
            content["example"] = given


def _add_first(content: dict[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    """The first example of the schema that the content refers to, may refer to, or is a list of."""
    if schema.get("type") == "array":
        inner: dict[str, Any] = {}
        _add_first(inner, schema["items"], schemas)
        if inner:
            content["example"] = [inner["example"]]
        return
    named = next((each for each in schema.get("anyOf", ()) if "$ref" in each), schema)
    found = schemas.get(str(named.get("$ref", "")).rpartition("/")[2], schema)
    if listed := found.get("examples"):
        content["example"] = listed[0]


def _json_answers(operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for status, answer in operation["responses"].items():
        if status.startswith("2") and "application/json" in answer.get("content", {}):
            yield answer["content"]["application/json"]


def _has_example(holder: Mapping[str, Any]) -> bool:
    return "example" in holder or bool(holder.get("examples"))
