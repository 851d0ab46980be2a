"""Repairs and objections over HTTP: who files, who decides, what follows for everyone who reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from registry.api.app import create_app
from registry.api.settings import ApiSettings, ApiSettingsError, from_environment
from tests import china
from tests.api.conftest import Api, Reader
from tests.credit.cases.town import disagreements
from tests.credit.enterprise_file.town import Town, body, enterprise, penalty, uscc

TODAY = china.today()  # terms and deadlines follow the real clock here
LONG_AGO = f"{TODAY - timedelta(days=200)}"
"""An ordinary penalty of this day can be repaired, and is still public."""
RECENT = f"{TODAY - timedelta(days=20)}"
SHA = "ab" * 32
RESIDENT_ID = "11010519491231002X"
PERFORMANCE = {"kind": "performance", "title": "缴款凭证", "sha256": SHA, "dated": f"{TODAY - timedelta(days=100)}"}
COMMITMENT = {"kind": "commitment", "title": "信用承诺书", "sha256": "cd" * 32}
PENALTY = "administrative_penalty"


@pytest.fixture
def town(registry_url: str) -> Iterator[Town]:
    made = Town(registry_url)
    made.say("legal_entity", {"1": enterprise(1), "2": enterprise(2)})
    fields = {"penalty_kinds": ["confiscation_of_income"], "decided_on": LONG_AGO}
    made.say(PENALTY, {"P1": penalty(1, **fields), "P2": penalty(2, **fields)})
    made.say("abnormal_operation", {"A1": body(1, listed_on=LONG_AGO, listed_reason="失联", listed_by="桥州市局")})
    yield made
    found = disagreements(made.connection)
    made.connection.close()
    assert found == []


@pytest.fixture
def window(api: Api) -> Reader:
    return api.client("credit:cases")


@pytest.fixture
def office(api: Api) -> Reader:
    return api.client("credit:decide:credit")


@pytest.fixture
def hub(api: Api) -> Reader:
    return api.client("operate")


def filing(kind: str = "objection", key: str = "P1", number: int = 1, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "kind": kind,
        "dataset": PENALTY,
        "key": key,
        "entity": uscc(number),
        "applicant": enterprise(number)["name"],
        "statement": "已履行义务，申请修复。" if kind == "repair" else "决定书所载金额有误。",
    }
    if kind == "repair":
        made["evidence"] = [PERFORMANCE, COMMITMENT]
    return made | members


def send(reader: Reader, path: str, content: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {reader.token}"}
    return reader.session.post(f"{reader.address}/api/v1/credit/cases{path}", json=content, headers=headers, timeout=60)


def filed(window: Reader, **members: Any) -> dict[str, Any]:
    answer = send(window, "", filing(**members))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def did(reader: Reader, case: dict[str, Any], action: str, **content: Any) -> dict[str, Any]:
    answer = send(reader, f"/{case['id']}/{action}", content or None)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Any) -> tuple[int, str, str]:
    problem = answer.json()
    assert problem["detail_zh"]
    assert problem["detail"]
    return answer.status_code, problem["type"].removeprefix("/problems/"), problem.get("reason", "")


@pytest.mark.usefixtures("town")
def test_a_granted_repair_lifts_measures_and_leaves_record_report_and_feed_at_once(
    api: Api, window: Reader, office: Reader, hub: Reader
) -> None:
    anyone, department = api.client("credit:public"), api.client("credit:department")
    follower = api.client("read:abnormal_operation")
    path = f"/enterprises/{uscc(1)}"
    before = anyone.get(f"{path}/credit")
    assert sorted(each["key"] for each in before["records"]) == ["A1", "P1"]
    assert department.get(f"{path}/measures", scene="lending")["applies"]
    assert len(anyone.get(f"{path}/report")["records"]) == 2
    end = follower.get("/changes")["next"]

    case = filed(window, kind="repair", dataset="abnormal_operation", key="A1")
    assert (case["state"], case["department"], case["due"]["step"]) == ("filed", "credit", "accept")
    case = did(hub, case, "accept")
    case = did(hub, case, "forward", reason="请核实")
    assert sorted(each["key"] for each in anyone.get(f"{path}/credit")["records"]) == ["A1", "P1"]
    case = did(office, case, "grant", reason="经核实已履行义务", by="信用科")

    assert (case["state"], case["due"], case["possible"]) == ("granted", None, [])
    assert [each["action"] for each in case["events"]] == ["file", "accept", "forward", "grant"]
    assert case["decided_by"].startswith("信用科 (client-")
    for reader in (anyone, department):
        assert [each["key"] for each in reader.get(f"{path}/credit")["records"]] == ["P1"]
        report = reader.get(f"{path}/report")
        assert ([each["key"] for each in report["records"]], report["check"]["records"]) == (["P1"], 1)
    assert department.get(f"{path}/measures")["applies"] == []
    assert department.get(f"{path}/measures")["lists"] == []
    (told,) = follower.get("/changes", after=end)["changes"]
    assert (told["operation"], told["key"], told["body"]) == ("marked", "A1", None)
    assert told["marks"]["repaired_at"]


@pytest.mark.usefixtures("town")
def test_an_objection_marks_the_record_for_every_reader_until_it_is_decided(
    api: Api, window: Reader, office: Reader
) -> None:
    anyone = api.client("credit:public")

    def marks() -> list[str]:
        records = anyone.get(f"/enterprises/{uscc(1)}/credit")["records"]
        (found,) = [each["marks"] for each in records if each["key"] == "P1"]
        return list(found)

    case = filed(window)
    assert marks() == ["disputed"]
    did(office, case, "accept")
    assert marks() == ["disputed"]
    assert did(office, case, "grant", remedy="correct")["remedy"] == "correct"
    assert marks() == []


@pytest.mark.usefixtures("town")
def test_the_same_request_is_one_case_and_a_step_sent_again_changes_nothing(window: Reader, office: Reader) -> None:
    first = send(window, "", filing())
    again = send(window, "", filing())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.headers["Location"] == f"/api/v1/credit/cases/{first.json()['id']}"
    case = first.json()
    assert window.get(f"/credit/cases/{case['id']}") == case
    accepted = did(office, case, "accept")
    assert did(office, case, "accept") == accepted
    refusing = did(office, case, "refuse", reason="维持原记录")
    assert did(office, case, "refuse", reason="维持原记录") == refusing
    assert refused(send(office, f"/{case['id']}/refuse", {"reason": "再次维持"})) == (
        409, "credit-refused", "case_closed",
    )  # fmt: skip
    assert send(window, "", filing(reference="2")).status_code == 201


@pytest.mark.usefixtures("town")
def test_everything_that_a_repair_lacks_is_said_at_once_with_stable_codes(town: Town, window: Reader) -> None:
    town.say(PENALTY, {"P3": penalty(1, penalty_kinds=["confiscation_of_income"], decided_on=RECENT)})

    answer = send(window, "", filing("repair", key="P3", evidence=[]))

    assert refused(answer) == (409, "credit-refused", "conditions_unmet")
    unmet = answer.json()["unmet"]
    assert [each["code"] for each in unmet] == [
        "minimum_term_not_reached",
        "duty_not_performed",
        "commitment_missing",
    ]
    assert all(each["zh"] and each["en"] for each in unmet)


@pytest.mark.usefixtures("town")
def test_a_case_that_is_none_of_the_callers_looks_like_one_that_is_not_there(api: Api, window: Reader) -> None:
    case = filed(window)
    number = case["id"]
    others = {
        "another window": api.client("credit:cases"),
        "another department": api.client("credit:decide:tax"),
        "both": api.client("credit:cases", "credit:decide:tax"),
    }

    for who, other in others.items():
        assert other.ask(f"/api/v1/credit/cases/{number}").status_code == 404, who
        assert other.get("/credit/cases", state="all")["cases"] == [], who
    for action, reader in (("withdraw", "another window"), ("accept", "another department")):
        assert refused(send(others[reader], f"/{number}/{action}")) == (404, "not-found", "")
    for action in ("decline", "extend", "refuse"):
        answer = send(others["another department"], f"/{number}/{action}", {"reason": "不属实"})
        assert refused(answer) == (404, "not-found", "")
    assert window.get(f"/credit/cases/{number}") == case


@pytest.mark.usefixtures("town")
def test_neither_the_window_nor_the_hub_decides(api: Api, window: Reader, hub: Reader, office: Reader) -> None:
    case = did(hub, filed(window), "accept")
    for reader in (window, hub):
        for action in ("grant", "refuse", "extend"):
            answer = send(reader, f"/{case['id']}/{action}", {"reason": "经核实"})
            assert refused(answer)[:2] == (403, "not-granted"), action
    for action, reader in (("forward", office), ("withdraw", office), ("forward", window), ("accept", window)):
        assert refused(send(reader, f"/{case['id']}/{action}"))[:2] == (403, "not-granted")
    both = api.client("operate", "credit:decide:tax")
    assert refused(send(both, f"/{case['id']}/grant", {"remedy": "correct"})) == (
        403, "not-granted", "not_for_this_role",
    )  # fmt: skip
    assert send(window, f"/{case['id']}/withdraw").json()["state"] == "withdrawn"


@pytest.mark.usefixtures("town")
def test_what_a_caller_may_do_next_is_said(window: Reader, hub: Reader, office: Reader) -> None:
    case = filed(window)
    possible = {
        name: [each["action"] for each in reader.get(f"/credit/cases/{case['id']}")["possible"]]
        for name, reader in (("window", window), ("hub", hub), ("office", office))
    }

    assert possible == {"window": ["withdraw"], "hub": ["accept", "decline"], "office": ["accept", "decline"]}


def test_lists_show_the_callers_own_in_pages_and_by_filters(town: Town, api: Api, window: Reader, hub: Reader) -> None:
    town.say(PENALTY, {f"P{number}": penalty(1, decided_on=LONG_AGO) for number in range(3, 8)})
    objections = [filed(window, key=f"P{number}") for number in range(3, 8)]
    repair = filed(window, kind="repair", key="P2", number=2)
    other = filed(api.client("credit:cases"), key="P1")
    withdrawn = did(window, objections[0], "withdraw")
    town.rows("UPDATE registry.credit_case SET due_on = %s WHERE id = %s RETURNING id", LONG_AGO, repair["id"])

    def numbers(reader: Reader, **filters: Any) -> list[int]:
        return [each["id"] for each in reader.pages("/credit/cases", "cases", limit=2, **filters)]

    still_open = [each["id"] for each in objections[1:]]
    assert numbers(window) == [*still_open, repair["id"]]
    assert numbers(hub) == [*still_open, repair["id"], other["id"]]
    assert numbers(hub, state="all") == [withdrawn["id"], *still_open, repair["id"], other["id"]]
    assert numbers(hub, state="closed") == numbers(hub, state="withdrawn") == [withdrawn["id"]]
    assert numbers(hub, kind="repair") == numbers(hub, enterprise=uscc(2)) == numbers(hub, overdue=True)
    assert numbers(hub, overdue=True) == [repair["id"]]
    assert numbers(hub, department="tax") == []
    assert numbers(api.client("credit:decide:credit"), department="credit") == numbers(hub)
    assert hub.get(f"/credit/cases/{repair['id']}")["due"]["overdue"]
    first = hub.get("/credit/cases", limit=2)["next"]
    assert hub.ask("/api/v1/credit/cases", after=first, state="all").json()["type"] == "/problems/invalid-cursor"
    wrong: list[dict[str, Any]] = [{"state": "lost"}, {"kind": "appeal"}, {"overdue": "perhaps"}, {"department": "\0"}]
    for filters in wrong:
        assert hub.ask("/api/v1/credit/cases", **filters).status_code == 400


@pytest.mark.usefixtures("town")
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"key": "P9"}, (409, "credit-refused", "record_unknown")),
        ({"dataset": "nothing"}, (409, "credit-refused", "dataset_unknown")),
        ({"entity": uscc(2)}, (409, "credit-refused", "not_the_subject")),
        ({"entity": "1"}, (400, "invalid-body", "")),
        ({"kind": "appeal"}, (400, "invalid-body", "")),
        ({"statement": " "}, (400, "invalid-body", "")),
        ({"statement": "a\0b"}, (400, "invalid-body", "")),
        ({"key": "a\0b"}, (400, "invalid-body", "")),
        ({"applicant": "\ud800"}, (400, "invalid-body", "")),
        ({"statement": "x" * 4001}, (400, "invalid-body", "")),
        ({"evidence": [COMMITMENT] * 51}, (400, "invalid-body", "")),
        ({"evidence": [COMMITMENT | {"sha256": SHA.upper()}]}, (400, "invalid-body", "")),
        ({"evidence": [COMMITMENT | {"kind": "photo"}]}, (400, "invalid-body", "")),
        ({"filed_by": "another"}, (400, "invalid-body", "")),
    ],
)
def test_a_request_that_cannot_be_filed_is_refused(
    window: Reader, members: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert refused(send(window, "", filing() | members)) == expected
    assert window.get("/credit/cases", state="all")["cases"] == []


@pytest.mark.usefixtures("town")
def test_what_is_not_said_why_or_comes_at_the_wrong_time_is_refused(window: Reader, office: Reader) -> None:
    case = filed(window)
    number = case["id"]
    assert refused(send(window, "", filing(reference="2")))[2] == "case_open"
    for action in ("decline", "extend", "refuse"):
        assert refused(send(office, f"/{number}/{action}"))[:2] == (400, "invalid-body")
        assert refused(send(office, f"/{number}/{action}", {"reason": " "}))[:2] == (400, "invalid-body")
    assert refused(send(office, f"/{number}/grant", {"remedy": "correct"})) == (
        409, "credit-refused", "not_in_this_state",
    )  # fmt: skip
    did(office, case, "accept")
    assert refused(send(office, f"/{number}/grant")) == (400, "invalid-body", "remedy_missing")
    assert refused(send(office, f"/{number}/grant", {"remedy": "forget"}))[:2] == (400, "invalid-body")
    assert refused(send(office, f"/{number}/extend", {"reason": "需核实"})) == (409, "credit-refused", "no_extension")
    for wrong in ("0", "-1", "abc", f"{1 << 63}"):
        assert office.ask(f"/api/v1/credit/cases/{wrong}").status_code == 400
    assert office.ask("/api/v1/credit/cases/99999").status_code == 404


@pytest.mark.usefixtures("town")
def test_identifiers_of_persons_in_what_was_written_are_shown_to_nobody(
    window: Reader, office: Reader, hub: Reader
) -> None:
    text = f"经办人{RESIDENT_ID}，电话13800138000"
    case = filed(window, statement=text, evidence=[COMMITMENT | {"title": text}])
    did(office, case, "decline", reason=text)

    for reader in (window, office, hub):
        answer = reader.ask(f"/api/v1/credit/cases/{case['id']}").text
        assert RESIDENT_ID not in answer
        assert "13800138000" not in answer
        assert "***" in answer


@pytest.mark.usefixtures("town")
def test_the_hubs_place_decides_by_which_rule_a_case_is_handled(start: Callable[..., Api]) -> None:
    api = start(credit_place="zhejiang")
    window, office = api.client("credit:cases"), api.client("credit:decide:credit")

    case = filed(window)

    assert (case["place"], case["rules"]) == ("zhejiang", "cases/zhejiang#objection")
    did(office, case, "accept")
    extended = did(office, case, "extend", reason="需向第三方核实")
    assert extended["extended_at"]
    assert "extend" not in [each["action"] for each in extended["possible"]]
    assert filed(window, kind="repair")["rules"] == "cases/national#repair"


def test_a_place_without_rules_stops_the_api_at_its_start(settings: ApiSettings) -> None:
    given = {"SHUQIAO_DATABASE_URL": settings.database_url, "SHUQIAO_TOKEN_KEY": f"{settings.token_key}"}
    assert from_environment(given).credit_place == "national"
    wrong = from_environment(given | {"SHUQIAO_CREDIT_PLACE": "zhejang"})

    with pytest.raises(ApiSettingsError, match=r"SHUQIAO_CREDIT_PLACE cannot be 'zhejang'.*zhejiang"):
        create_app(wrong)


def test_a_case_whose_rule_file_is_gone_waits_for_the_operator(town: Town, window: Reader, office: Reader) -> None:
    case = filed(window)
    town.rows("UPDATE registry.credit_case SET rules = 'cases/atlantis#objection' RETURNING id")

    answer = send(office, f"/{case['id']}/accept")

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert "SHUQIAO_CREDIT_RULES" in answer.json()["detail"]


@pytest.mark.usefixtures("town")
def test_answers_are_what_the_description_says(settings: ApiSettings, window: Reader, office: Reader) -> None:
    description = create_app(settings).openapi()

    def expect(path: str, method: str, answer: Any) -> None:
        responses = description["paths"][f"/api/v1/credit/cases{path}"][method]["responses"]
        ((_, content),) = responses[f"{answer.status_code}"]["content"].items()
        whole = {"components": description["components"], **content["schema"]}
        found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(answer.json())
        assert [error.message for error in found] == [], path

    answers = [send(window, "", filing()), send(window, "", filing())]
    case = answers[0].json()["id"]
    for answer in (*answers, send(window, "", {}), send(window, "", filing(reference="2"))):
        expect("", "post", answer)
    expect("", "get", window.ask("/api/v1/credit/cases"))
    expect("", "get", window.ask("/api/v1/credit/cases", nonsense="1"))
    expect("/{case}", "get", window.ask(f"/api/v1/credit/cases/{case}"))
    expect("/{case}/accept", "post", send(office, f"/{case}/accept", {"by": "信用科"}))
    expect("/{case}/refuse", "post", send(office, f"/{case}/refuse", {"reason": "维持原记录"}))
    for action in ("accept", "refuse", "extend", "grant", "decline"):
        answer = send(office, f"/{case}/{action}", {"reason": "再次"})
        assert answer.status_code == 409
        expect(f"/{{case}}/{action}", "post", answer)
    expect("/{case}/withdraw", "post", send(window, f"/{case}/withdraw"))
