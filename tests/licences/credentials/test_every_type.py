"""Whatever record becomes a licence, its credential fits the schema of its type and verifies."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from registry.credentials import build
from registry.credentials.verify import KeptLists
from registry.domain.licences.content import content_of
from registry.domain.licences.identifiers import Identifier
from registry.domain.licences.licence import Content, ContentRefused
from tests.licences.credentials.city import BASE, City, types
from tests.licences.domain.contents import RECORDS, valid_records

KINDS = [one.name for one in types().all]


def failed(city: City, content: Content) -> list[tuple[str, str]]:
    """What a verifier has against a licence with this content; its term aside."""
    identifier = str(Identifier(content.type.code, city.bureau.issuer.code, "8KD02JF7SLQ0A3M5T6ZX", 1))
    licence = city.licence(content=content, identifier=identifier, type=content.type.name)
    verdict = city.verify(city.sign(build.licence_credential(licence, base=BASE)), statuses=KeptLists({}))
    return [(check.name, check.en) for check in verdict.failed if check.name not in {"term", *build.PURPOSES}]


@pytest.mark.parametrize("kind", KINDS)
def test_the_licence_of_a_usual_record_verifies(city: City, kind: str) -> None:
    assert failed(city, content_of(types().latest(kind), RECORDS[kind])) == []


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_the_licence_of_any_right_record_verifies(city: City, kind: str, data: st.DataObject) -> None:
    licence_type = types().latest(kind)
    record = RECORDS[kind] | data.draw(valid_records(licence_type.schema))
    try:
        content = content_of(licence_type, record)
    except ContentRefused:
        assume(False)  # noqa: FBT003

    assert failed(city, content) == []
