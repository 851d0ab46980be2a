"""Credentials and status lists before the W3C stack of Digital Bazaar: ours are accepted, tampered ones are not."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest

from registry.credentials import status_list
from tests.crosscheck.conftest import Issued

Document = dict[str, Any]


def test_the_credential_is_accepted(issued: Issued) -> None:
    assert issued.ask({"tool": "vc", "credential": issued.credential}) == [{"accepted": True}]


def test_a_presentation_of_it_is_accepted_for_its_challenge_only(issued: Issued) -> None:
    presentation = issued.presentation(challenge="c-1", domain="bank.example")
    sent = {"tool": "presentation", "presentation": presentation, "domain": "bank.example"}
    right, wrong = issued.ask({**sent, "challenge": "c-1"}, {**sent, "challenge": "c-2"})
    assert right == {"accepted": True}
    assert not wrong["accepted"]
    assert "challenge" in wrong["why"]


def changed(document: Document, *path: Any, to: Any) -> Document:
    """A copy in which one member is another."""
    made = copy.deepcopy(document)
    place: Any = made
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return made


def without(document: Document, *path: Any) -> Document:
    made = copy.deepcopy(document)
    place: Any = made
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return made


TAMPERED: dict[str, Callable[[Issued], Document]] = {
    "another holder": lambda it: changed(it.credential, "credentialSubject", "holder", 0, "holderName", to="别的公司"),
    "another number": lambda it: changed(it.credential, "credentialSubject", "number", to="JY13302030009999"),
    "a longer term": lambda it: changed(it.credential, "validUntil", to="2099-12-31T23:59:59+08:00"),
    "another identifier": lambda it: changed(it.credential, "credentialSubject", "identifier", to="1.2.156.3005.2.x"),
    "another position in the status list": lambda it: changed(
        it.credential, "credentialStatus", 0, "statusListIndex", to="7"
    ),
    "no status": lambda it: without(it.credential, "credentialStatus"),
    "no evidence": lambda it: without(it.credential, "evidence"),
    "one more claim": lambda it: changed(it.credential, "credentialSubject", "remark", to="特别授权"),
    "the proof of another licence": lambda it: changed(it.credential, "proof", to=it.other_credential["proof"]),
    "a proof made later": lambda it: changed(it.credential, "proof", "created", to="2026-11-21T00:00:00Z"),
    "a proof for authentication": lambda it: changed(it.credential, "proof", "proofPurpose", to="authentication"),
    "another key's name": lambda it: changed(
        it.credential, "proof", "verificationMethod", to=it.other_credential["proof"]["verificationMethod"]
    ),
    "no proof": lambda it: without(it.credential, "proof"),
    "another suite": lambda it: changed(it.credential, "proof", "cryptosuite", to="ecdsa-rdfc-2019"),
    "a proof cut short": lambda it: changed(
        it.credential, "proof", "proofValue", to=it.credential["proof"]["proofValue"][:-3]
    ),
    "one other character of the proof": lambda it: changed(
        it.credential, "proof", "proofValue", to=_one_other(it.credential["proof"]["proofValue"])
    ),
}


def _one_other(text: str) -> str:
    return text[:20] + ("2" if text[20] != "2" else "3") + text[21:]


def test_each_tampered_credential_is_refused(issued: Issued) -> None:
    verdicts = issued.ask(*({"tool": "vc", "credential": make(issued)} for make in TAMPERED.values()))
    accepted = [name for name, verdict in zip(TAMPERED, verdicts, strict=True) if verdict["accepted"]]
    assert accepted == []


def test_the_status_lists_are_accepted_and_say_what_the_registry_says(issued: Issued) -> None:
    verdicts = issued.ask(
        {"tool": "status", "credential": issued.credential},
        {"tool": "status", "credential": issued.suspended},
        {"tool": "status", "credential": issued.revoked},
        *({"tool": "vc", "credential": each} for each in issued.status_lists.values()),
    )
    assert verdicts[:3] == [
        {"accepted": True, "set": {"revocation": False, "suspension": False}},
        {"accepted": True, "set": {"revocation": False, "suspension": True}},
        {"accepted": True, "set": {"revocation": True, "suspension": False}},
    ]
    assert len(issued.status_lists) >= 3
    assert verdicts[3:] == [{"accepted": True}] * len(issued.status_lists)


def test_the_message_list_has_four_bits_for_each_state(issued: Issued) -> None:
    for credential, expected in ((issued.credential, 0), (issued.suspended, 1), (issued.revoked, 6)):
        entry = next(each for each in credential["credentialStatus"] if each["statusPurpose"] == "message")
        first = int(entry["statusListIndex"]) * entry["statusSize"]
        bits = list(range(first, first + entry["statusSize"]))
        encoded = issued.status_lists[entry["statusListCredential"]]["credentialSubject"]["encodedList"]
        (found,) = issued.ask({"tool": "bits", "encodedList": encoded, "positions": bits})
        assert sum(1 << (bits[-1] - bit) for bit in found["set"]) == expected
        assert found["length"] >= status_list.MIN_ENTRIES * entry["statusSize"]


@pytest.mark.parametrize("tampering", ["bits", "swapped", "purpose"])
def test_a_tampered_status_list_is_refused(issued: Issued, tampering: str) -> None:
    entry = issued.suspended["credentialStatus"][1]
    assert entry["statusPurpose"] == "suspension"
    address = entry["statusListCredential"]
    lists = copy.deepcopy(issued.status_lists)
    if tampering == "bits":
        lists[address]["credentialSubject"]["encodedList"] = status_list.encode(status_list.empty())
    elif tampering == "swapped":
        lists[address] = lists[address.replace("suspension", "revocation")]
    else:
        lists[address]["credentialSubject"]["statusPurpose"] = "refresh"
    (verdict,) = issued.ask({"tool": "status", "credential": issued.suspended}, lists=lists)
    assert not verdict["accepted"]


def test_lists_are_read_the_same_in_both_directions(issued: Issued) -> None:
    positions = sorted(random.Random(7).sample(range(status_list.MIN_ENTRIES), 500))
    bits = status_list.empty()
    for position in positions:
        status_list.set_value(bits, position, 1, 1)
    theirs, ours = issued.ask(
        {"tool": "encode", "length": status_list.MIN_ENTRIES, "positions": positions},
        {"tool": "bits", "encodedList": status_list.encode(bits), "positions": list(range(status_list.MIN_ENTRIES))},
    )
    assert status_list.decode(theirs["encodedList"]) == bits
    assert ours["set"] == positions
