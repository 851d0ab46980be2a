"""What a verifier answers to genuine licences, in whatever state they are."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.credentials import build, status_list
from registry.credentials.jcs import canonical
from registry.credentials.moments import CHINA
from registry.credentials.verify import FetchedList, Form, KeptLists, Outcome, StatusSource, Verdict
from registry.domain.licences import states
from tests.licences.credentials.city import BASE, GROUP, NOW, SIGNED, City, types


def reasons(verdict: Verdict) -> dict[str, str]:
    """The checks that did not pass, and why."""
    return {check.name: check.code for check in verdict.failed}


def test_a_licence_as_it_was_signed_is_valid(city: City) -> None:
    verdict = city.verify(city.credential)

    assert verdict.outcome is Outcome.VALID
    assert verdict.form is Form.CREDENTIAL
    assert all(check.passed for check in verdict.checks), verdict.checks
    assert verdict.issuer_name == "宁波市市场监督管理局"
    assert verdict.number == "JY13302030010001"
    assert verdict.holder_name == "宁波海风餐饮有限公司"
    assert verdict.signed_at == SIGNED
    assert verdict.status_age == timedelta(hours=1)
    assert verdict.trust_age == NOW - SIGNED


def test_an_answer_names_every_check_in_both_languages(city: City) -> None:
    said = city.verify(city.credential).as_dict()

    asked = [check["name"] for check in said["checks"]]
    assert asked == [
        "document", "context", "type", "id", "issuer", "texts", "subject", "members", "proof", "signed_at", "key",
        "seal", "signature", "dates", "resources", "schema", "identifier", "status_entries", "term", "revocation",
        "suspension", "message",
    ]  # fmt: skip
    assert all(check["zh"] and check["en"] for check in said["checks"])
    assert orjson.loads(orjson.dumps(said)) == said


@pytest.mark.parametrize("indent", [None, 2])
def test_order_and_spacing_of_the_members_do_not_matter(city: City, indent: int | None) -> None:
    backwards = dict(reversed(city.credential.items()))

    written = orjson.dumps(backwards, option=orjson.OPT_INDENT_2 if indent else 0)

    assert city.verify(written).is_valid


@pytest.mark.parametrize("kind", [one.name for one in types().all])
def test_every_licence_type_has_a_schema_that_verifiers_can_use(kind: str) -> None:
    published = build.published(types().all, BASE)
    schema = orjson.loads(published[build.schema_url(BASE, types().latest(kind))])

    assert schema["$id"] == build.schema_url(BASE, types().latest(kind))
    assert schema["properties"]["credentialSubject"]["additionalProperties"] is False


STATES: dict[str, tuple[dict[str, int], Outcome, dict[str, str]]] = {
    "suspended": (
        {"suspension": 1, "message": states.message_value(states.SUSPENDED)},
        Outcome.SUSPENDED,
        {"suspension": "suspended", "message": "suspended"},
    ),
    "withdrawn": (
        {"revocation": 1, "message": states.message_value(states.WITHDRAWN)},
        Outcome.WITHDRAWN,
        {"revocation": "revoked", "message": "withdrawn"},
    ),
    "cancelled": (
        {"revocation": 1, "message": states.message_value(states.CANCELLED)},
        Outcome.CANCELLED,
        {"revocation": "revoked", "message": "cancelled"},
    ),
    "revoked": (
        {"revocation": 1, "message": states.message_value(states.REVOKED)},
        Outcome.REVOKED,
        {"revocation": "revoked", "message": "revoked"},
    ),
    "expired by decision": (
        {"revocation": 1, "message": states.message_value(states.EXPIRED)},
        Outcome.EXPIRED,
        {"revocation": "revoked", "message": "expired"},
    ),
    "moved out": (
        {"suspension": 1, "message": states.message_value(states.MOVED_OUT)},
        Outcome.MOVED_OUT,
        {"suspension": "suspended", "message": "moved_out"},
    ),
    "in a special state": (
        {"suspension": 1, "message": states.message_value(states.OTHER)},
        Outcome.OTHER,
        {"suspension": "suspended", "message": "other"},
    ),
    "superseded": (
        {"revocation": 1, "message": states.message_value(states.SUPERSEDED)},
        Outcome.SUPERSEDED,
        {"revocation": "revoked", "message": "superseded"},
    ),
    "revoked, the message not yet": ({"revocation": 1}, Outcome.REVOKED, {"revocation": "revoked"}),
    "suspended, the message not yet": ({"suspension": 1}, Outcome.SUSPENDED, {"suspension": "suspended"}),
    "revoked, though the message says suspended": (
        {"revocation": 1, "message": 1},
        Outcome.REVOKED,
        {"revocation": "revoked", "message": "suspended"},
    ),
    "in a state of the future": ({"message": 15}, Outcome.OTHER, {"message": "state_unknown"}),
}


@pytest.mark.parametrize(("bits", "outcome", "why"), STATES.values(), ids=STATES)
def test_a_licence_is_in_the_state_that_its_lists_say(
    city: City, bits: dict[str, int], outcome: Outcome, why: dict[str, str]
) -> None:
    verdict = city.verify(city.credential, statuses=city.lists(**bits))

    assert verdict.outcome is outcome
    assert reasons(verdict) == why
    assert verdict.is_genuine


def test_another_position_of_the_list_says_nothing_of_this_licence(city: City) -> None:
    for index in (94_566, 94_568, 0, status_list.MIN_ENTRIES - 1):
        beside = {purpose: city.list_of(purpose, 1, index=index) for purpose in build.PURPOSES}

        assert city.verify(city.credential, statuses=city.lists(**beside)).is_valid


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (datetime(2024, 2, 29, 23, 59, 59, tzinfo=CHINA), Outcome.NOT_YET_VALID),
        (datetime(2029, 3, 1, 0, 0, 0, tzinfo=CHINA), Outcome.EXPIRED),
    ],
)
def test_a_licence_holds_from_its_first_day_in_china_to_its_last(city: City, at: datetime, outcome: Outcome) -> None:
    # The lists and the seal are of another time here; what matters is the term.
    verdict = city.verify(city.credential, at=at) if outcome is Outcome.EXPIRED else _early(city)

    assert verdict.outcome is outcome
    assert {"term": outcome.value}.items() <= reasons(verdict).items()


def _early(city: City) -> Verdict:
    tomorrow = NOW.astimezone(CHINA).date() + timedelta(days=1)
    return city.verify(city.sign(city.unsigned(valid_from=tomorrow)))


@pytest.mark.parametrize(("seconds", "outcome"), [(0, Outcome.VALID), (1, Outcome.EXPIRED)])
def test_the_last_second_of_the_last_day_still_counts(city: City, seconds: int, outcome: Outcome) -> None:
    last = NOW.astimezone(CHINA).date()
    signed = city.sign(city.unsigned(valid_to=last))
    end = datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=CHINA)

    assert city.verify(signed, at=end + timedelta(seconds=seconds)).outcome is outcome


def test_a_licence_without_end_does_not_expire(city: City) -> None:
    signed = city.sign(city.unsigned(valid_to=None))

    verdict = city.verify(signed)

    assert verdict.is_valid
    assert verdict.valid_until is None


@pytest.mark.parametrize("missing", build.PURPOSES)
def test_without_one_of_its_lists_a_licence_has_an_unknown_status(city: City, missing: status_list.Purpose) -> None:
    verdict = city.verify(city.credential, statuses=city.lists(**{missing: None}))

    assert verdict.outcome is Outcome.STATUS_UNKNOWN
    assert reasons(verdict) == {missing: "list_unavailable"}


def test_a_revoked_licence_is_revoked_though_another_list_is_missing(city: City) -> None:
    verdict = city.verify(city.credential, statuses=city.lists(revocation=1, suspension=None, message=None))

    assert verdict.outcome is Outcome.REVOKED


def test_a_list_is_looked_at_anew_when_it_has_changed(city: City) -> None:
    trust = city.trust()

    before = city.verify(city.credential, trust=trust, statuses=city.lists())
    after = city.verify(city.credential, trust=trust, statuses=city.lists(revocation=1))

    assert (before.outcome, after.outcome) == (Outcome.VALID, Outcome.REVOKED)


def test_who_knows_of_a_newer_version_says_so(city: City) -> None:
    newest = str(city.credential["credentialSubject"]["identifier"]).replace(".001.", ".002.")

    verdict = city.verify(city.credential, latest=lambda _: newest)

    assert verdict.outcome is Outcome.SUPERSEDED
    assert verdict.superseded_by == newest
    assert reasons(verdict) == {"latest": "superseded"}


def test_the_newest_version_is_said_to_be_the_newest(city: City) -> None:
    identifier = city.credential["credentialSubject"]["identifier"]

    for newest in (None, identifier):
        verdict = city.verify(city.credential, latest=lambda _, newest=newest: newest)

        assert verdict.is_valid
        assert verdict.checks[-1].name == "latest"


def test_the_age_of_the_status_is_that_of_the_oldest_list(city: City) -> None:
    lists = dict(city.lists().lists)
    address = build.status_url(BASE, GROUP, "suspension")
    lists[address] = FetchedList(lists[address].body, NOW - timedelta(hours=30))

    assert city.verify(city.credential, statuses=KeptLists(lists)).status_age == timedelta(hours=30)


def test_what_a_message_means_is_said_in_words(city: City) -> None:
    verdict = city.verify(city.credential, statuses=city.lists(message=1))

    assert [(check.zh, check.en) for check in verdict.failed] == [("状态：暂扣", "state: Suspended")]


class Counting:
    """A source that keeps count."""

    def __init__(self, source: StatusSource) -> None:
        self.source, self.asked = source, list[str]()

    def status_list(self, url: str) -> FetchedList | None:
        self.asked.append(url)
        return self.source.status_list(url)


def test_no_list_is_asked_for_on_behalf_of_what_is_not_genuine(city: City) -> None:
    """Else whoever forges a licence makes the verifier call addresses of their choice."""
    source = Counting(city.lists())
    forged = {**city.credential, "name": "别的"}

    assert city.verify(forged, statuses=source).outcome is Outcome.NOT_GENUINE
    assert source.asked == []


def test_an_annotated_copy_ends_with_its_use(city: City) -> None:
    copy = copy_of(city, until=NOW + timedelta(days=3))

    now, later = city.verify(copy), city.verify(copy, at=NOW + timedelta(days=4))

    assert now.is_valid
    assert now.identifier == city.credential["credentialSubject"]["identifier"]
    assert later.outcome is Outcome.EXPIRED


def test_an_annotated_copy_never_outlives_its_licence(city: City) -> None:
    copy = copy_of(city, until=datetime(2035, 1, 1, tzinfo=CHINA))

    assert datetime.fromisoformat(copy["validUntil"]) == datetime(2029, 2, 28, 23, 59, 59, tzinfo=CHINA)
    assert city.verify(copy).is_valid


def test_an_annotated_copy_says_who_asked_and_why_and_of_what_it_is_a_copy(city: City) -> None:
    copy = copy_of(city, until=NOW + timedelta(days=3))

    (terms,) = copy["termsOfUse"]
    assert (terms["requestedBy"], terms["cause"]) == ("宁波银行", "开户审核")
    assert copy["credentialSubject"]["copyOf"] == city.credential["id"]
    assert copy["relatedResource"][-1]["digestSRI"] == build.digest_sri(canonical(city.credential))


def copy_of(city: City, *, until: datetime) -> dict[str, Any]:
    unsigned = build.copy_credential(
        city.credential,
        canonical(city.credential),
        base=BASE,
        copy_id="aGVsbG8",
        status=city.licence().status,
        requested_by="宁波银行",
        cause="开户审核",
        created=SIGNED,
        until=until,
    )
    return city.sign(unsigned)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("member", ["validFrom", "validUntil"])
def test_the_first_and_last_moments_that_there_are_have_an_answer(city: City, member: str, moment: str) -> None:
    unsigned = {name: value for name, value in city.unsigned().items() if name not in {"validFrom", "validUntil"}}

    verdict = city.verify(city.sign({**unsigned, member: moment}))

    assert moment in str(verdict.as_dict())


TEXTS: list[tuple[Any, bool]] = [
    ({"@value": "食品经营许可证", "@language": "zh-Hans-CN"}, True),
    ([{"@value": "证", "@language": "zh"}, {"@value": "licence", "@language": "en", "@direction": "ltr"}], True),
    ({"@value": "licence", "@language": "English!"}, False),
    ({"@value": "licence", "@language": 5}, False),
    ({"@value": "licence", "@direction": "up"}, False),
    ({"@value": "licence", "@direction": []}, False),
    ({"@value": 1}, False),
    ({"@language": "en"}, False),
    ({"@value": "licence", "@type": "x"}, False),
    ([1], False),
]


@pytest.mark.parametrize(("name", "right"), TEXTS, ids=str)
def test_a_name_is_a_text_or_texts_with_their_language(city: City, name: Any, *, right: bool) -> None:
    verdict = city.verify(city.sign({**city.unsigned(), "name": name}))

    assert verdict.is_valid is right
    assert right or reasons(verdict) == {"texts": "text_malformed"}


def test_a_credential_of_another_kind_is_verified_by_the_data_model_alone(city: City) -> None:
    unsigned = {
        "@context": [build.CONTEXT, "https://www.w3.org/ns/credentials/examples/v2"],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "issuer": city.bureau.issuer.did,
        "credentialSubject": [{"id": "did:example:abcdefgh"}, {"alumniOf": "大学"}],
    }

    verdict = city.verify(city.sign(unsigned))

    assert verdict.is_valid
    assert {check.name for check in verdict.checks if check.passed is None} == {"schema", "revocation"}


@settings(deadline=None)
@given(
    first=st.dates(date(1980, 1, 1), date(2026, 11, 20)),
    last=st.none() | st.dates(date(2026, 11, 21), date(9999, 12, 31)),
    holder=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    items=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5),
)
def test_whatever_a_licence_says_it_verifies_as_signed(
    city: City, first: date, last: date | None, holder: str, items: list[str]
) -> None:
    licence = city.licence(valid_from=first, valid_to=last, items={"items": items, "address": holder})
    signed = city.sign(build.licence_credential(licence, base=BASE))

    verdict = city.verify(signed)

    assert verdict.is_valid, verdict.failed
