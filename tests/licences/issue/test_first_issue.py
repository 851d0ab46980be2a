"""Records that reach the registry become licences."""

from __future__ import annotations

from registry.credentials.data_integrity import check_proof
from registry.domain.licences.identifiers import parse
from tests.licences.issue.town import BUREAU_CODE, Town, food


def test_a_valid_record_becomes_a_signed_licence(town: Town) -> None:
    town.feed(food(1))
    report = town.follow()
    assert (report.total.issued, report.total.refused, report.caught_up) == (1, 0, True)
    licence = town.current(1)
    parsed = parse(licence["identifier"])
    assert parsed.check_is_right
    assert (parsed.identifier.issuer_code, parsed.identifier.version) == (BUREAU_CODE, 1)
    assert (licence["state"], town.events(licence["id"])) == ("01", [("01", None, "01")])
    credential = town.credential(licence["id"])
    assert credential["id"].endswith(licence["identifier"])
    check_proof(credential, town.keys.signer(BUREAU_CODE).private_key.public_key())
    assert town.says(licence["id"]) == {"revocation": 0, "suspension": 0, "message": 0}


def test_following_again_does_nothing(town: Town) -> None:
    town.feed(food(1), food(2))
    town.follow()
    before = town.rows("SELECT id, identifier FROM registry.licence ORDER BY id")
    for _ in range(3):
        assert town.follow().total.issued == 0
    assert town.rows("SELECT id, identifier FROM registry.licence ORDER BY id") == before
