"""Every member of what is issued has a meaning to readers of JSON-LD: nothing is dropped, in safe mode."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson

from registry.credentials import build, trust_list
from registry.domain.licences.content import content_of
from registry.domain.licences.identifiers import Identifier
from registry.licences import copies
from registry.licences import trust as trusts
from tests.crosscheck import node
from tests.crosscheck.conftest import NOW, Issued, need
from tests.licences.credentials.city import City, types
from tests.licences.domain.contents import RECORDS
from tests.licences.issue.town import BASE, TYPES

Document = dict[str, Any]


def of_every_type(city: City) -> Iterator[tuple[str, Document]]:
    """A signed licence of each type that is shipped."""
    for kind in types().newest:
        content = content_of(kind, RECORDS[kind.name])
        identifier = str(Identifier(kind.code, city.bureau.issuer.code, "8KD02JF7SLQ0A3M5T6ZX", 1))
        licence = city.licence(content=content, identifier=identifier, type=kind.name)
        yield kind.name, city.sign(build.licence_credential(licence, base=BASE))


def iris(value: Any) -> Iterator[str]:
    """Names of members as expanded; what the context declares to be plain JSON has none within."""
    if isinstance(value, dict) and value.get("@type") == "@json":
        return
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from iris(member)
    elif isinstance(value, list):
        for member in value:
            yield from iris(member)


def test_a_licence_of_every_type_expands_in_safe_mode() -> None:
    need(node.missing())
    city = City()
    published = {address: orjson.loads(body) for address, body in build.published(TYPES.all, BASE).items()}
    documents = dict(of_every_type(city))

    verdicts = node.ask([{"tool": "jsonld", "document": each} for each in documents.values()], documents=published)

    refused = {kind: said for kind, said in zip(documents, verdicts, strict=True) if not said["accepted"]}
    assert refused == {}
    for said in verdicts:
        assert said["statements"] > 40
        relative = [iri for iri in iris(said["expanded"]) if not iri.startswith("@") and ":" not in iri]
        assert relative == []


def test_whatever_else_is_issued_expands_in_safe_mode(issued: Issued) -> None:
    town = issued.town
    town.client("bank")
    copy = copies.make(
        town.connection, town.current(1)["identifier"], "bank", "某银行", "开户", NOW + timedelta(days=30),
        keys=town.ring, types=TYPES, base=BASE, now=NOW,
    )  # fmt: skip
    trust = trusts.trust_list_document(
        town.connection, town.ring, base=BASE, resources=build.published(TYPES.all, BASE), now=NOW
    )
    documents = [
        *(issued.of(number) for number in (1, 2, 3, 4)),
        orjson.loads(copy.credential),
        *issued.status_lists.values(),
        issued.presentation(challenge="c", domain="d"),
        orjson.loads(trust),
    ]

    verdicts = issued.ask(*({"tool": "jsonld", "document": each} for each in documents))

    refused = [(each["type"], said) for each, said in zip(documents, verdicts, strict=True) if not said["accepted"]]
    assert refused == []


def test_a_member_that_no_context_defines_is_found(issued: Issued) -> None:
    """Safe mode does what it is asked for here."""
    odd = {**issued.credential, "nobodyDefinedThis": 1}
    inside = {**issued.credential, "credentialSubject": {**issued.credential["credentialSubject"], "norThis": 1}}

    verdicts = issued.ask(*({"tool": "jsonld", "document": each} for each in (odd, inside)))

    assert [said["accepted"] for said in verdicts] == [False, False]
    assert trust_list.context_url(BASE) in issued.credential["@context"]
