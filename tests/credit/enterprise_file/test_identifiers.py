"""Old identifiers lead to the code, and to every enterprise that records give them to."""

from __future__ import annotations

from registry.credit import identifiers
from tests.credit.enterprise_file.town import Town, enterprise, penalty, taxpayer, uscc


def test_every_kind_of_old_identifier_leads_to_the_code(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("tax_registration", {"1": taxpayer(1, taxpayer_number="330203000012345678")})
    town.follow()

    organisation = uscc(1)[8:17]
    assert identifiers.resolve(town.connection, "registration_number", "330203000000001") == [uscc(1)]
    assert identifiers.resolve(town.connection, "organisation_code", organisation) == [uscc(1)]
    hyphenated = f" {organisation[:8]}-{organisation[8]} "
    assert identifiers.resolve(town.connection, "organisation_code", hyphenated) == [uscc(1)]
    assert identifiers.resolve(town.connection, "taxpayer_number", "330203000012345678") == [uscc(1)]
    assert identifiers.resolve(town.connection, "entity_code", "row-1") == [uscc(1)]
    assert identifiers.resolve(town.connection, "registration_number", "330203000000009") == []
    assert identifiers.of_entity(town.connection, uscc(2)) == {
        "registration_number": ["330203000000002"],
        "organisation_code": [uscc(2)[8:17]],
        "entity_code": ["ROW2"],
    }


def test_a_number_that_records_give_to_two_enterprises_leads_to_both(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    town.say("administrative_penalty", {"p": penalty(2, registration_number="330203000000001")})
    town.follow()

    assert identifiers.resolve(town.connection, "registration_number", "330203000000001") == [uscc(1), uscc(2)]
    assert [
        found.dataset for found in identifiers.evidence(town.connection, "registration_number", "330203000000001")
    ] == [
        "legal_entity",
        "administrative_penalty",
    ]


def test_a_corrected_or_deleted_record_takes_its_identifiers_along(town: Town) -> None:
    town.say("legal_entity", {"1": enterprise(1)})
    town.say("administrative_penalty", {"p": penalty(1, registration_number="999999999999999")})
    town.follow()
    town.say("legal_entity", {"1": enterprise(1, registration_number="330203000000777")})
    town.end("administrative_penalty", "p")
    town.follow()

    assert identifiers.resolve(town.connection, "registration_number", "330203000000001") == []
    assert identifiers.resolve(town.connection, "registration_number", "999999999999999") == []
    assert identifiers.resolve(town.connection, "registration_number", "330203000000777") == [uscc(1)]
