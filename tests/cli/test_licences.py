"""Licences from a terminal: verified with and without a network, looked at, exported, copied, corrected."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from typer.testing import CliRunner

from registry.api.clients import clients
from registry.api.settings import ApiSettings
from shuqiao.cli import application
from shuqiao.stack.postgres import free_port
from tests.api.conftest import serving
from tests.cli.conftest import Answer
from tests.licences.issue.town import MASTER_KEY, Town, food

PERSON = "欧阳明月"
VALID, SUSPENDED, OF_A_PERSON = 1, 2, 3


@dataclass
class Office:
    """A hub with licences, its API while it runs, and a terminal beside it."""

    town: Town
    folder: Path
    environ: dict[str, str]
    api: ExitStack

    def shuqiao(self, *words: str, stdin: bytes | None = None, **environ: str) -> Answer:
        given = {**self.environ, "COLUMNS": None, **environ}
        result = CliRunner().invoke(application(), ["licence", *words], env=given, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def json(self, *words: str, code: int = 0) -> Any:
        answer = self.shuqiao(*words, "--json")
        assert answer.code == code, answer.err + answer.out
        return answer.document

    def identifier(self, number: int) -> str:
        return str(self.town.current(number)["identifier"])

    def file(self, number: int, form: str = "vc") -> str:
        path = self.folder / f"{number}.{form}"
        answer = self.shuqiao("export", self.identifier(number), "--form", form, "-o", str(path))
        assert answer.code == 0, answer.err
        return str(path)

    def close_api(self) -> None:
        """From now on there is no network."""
        self.api.close()


@pytest.fixture
def office(registry_url: str, tmp_path: Path) -> Iterator[Office]:
    now = datetime.now(UTC)
    town = Town(registry_url, now=now, base=f"http://127.0.0.1:{free_port()}")
    town.enter()
    town.feed(
        food(VALID, valid_to="2099-12-31"),
        food(SUSPENDED, valid_to="2099-12-31"),
        food(OF_A_PERSON, valid_to="2099-12-31", uscc=None, holder_code="11010519491231002X",
             holder_code_type="111", holder_name=PERSON),
    )  # fmt: skip
    town.follow()
    town.feed(food(SUSPENDED, valid_to="2099-12-31", status="02"))
    town.follow()
    environ = {
        "SHUQIAO_DATABASE_URL": registry_url,
        "SHUQIAO_PUBLIC_URL": town.base,
        "SHUQIAO_MASTER_KEY": base64.b64encode(b"m" * 32).decode(),
        "SHUQIAO_RUN_DIR": str(tmp_path / "run"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HTTP_PROXY": "http://127.0.0.1:1",  # nothing is there: this machine is asked without it
    }
    settings = ApiSettings(
        database_url=registry_url, token_key=tmp_path / "key.pem", port=urlsplit(town.base).port or 0,
        public_url=town.base, master_key=MASTER_KEY,
    )  # fmt: skip
    with ExitStack() as api:
        api.enter_context(serving(settings))
        yield Office(town, tmp_path, environ, api)
    town.connection.close()


@pytest.mark.parametrize("form", ["vc", "jwt", "sd-jwt", "pdf"])
def test_a_valid_licence_in_any_form_ends_with_0(office: Office, form: str) -> None:
    found = office.json("verify", office.file(VALID, form))
    assert (found["outcome"], found["identifier"]) == ("valid", office.identifier(VALID))
    assert found["checks"]
    assert all(check["passed"] is not False for check in found["checks"])
    assert found["statusAge"] < 60


def test_what_it_says_is_told_in_both_languages_with_every_check(office: Office) -> None:
    answer = office.shuqiao("verify", office.file(VALID))
    assert answer.code == 0
    assert "真实有效 Genuine and valid" in answer.out
    assert "签名有效" in answer.out
    assert "宁波第1食品有限公司" in answer.out
    assert "SHA-256" in answer.err  # the root was not given: its fingerprint is to be compared


def test_a_suspended_licence_ends_with_10_and_a_tampered_one_with_11(office: Office) -> None:
    assert office.json("verify", office.file(SUSPENDED), code=10)["outcome"] == "suspended"
    document = json.loads(Path(office.file(VALID)).read_bytes())
    document["credentialSubject"]["number"] = "JY13302030009999"
    tampered = office.folder / "tampered.json"
    tampered.write_text(json.dumps(document))
    found = office.json("verify", str(tampered), code=11)
    assert found["outcome"] == "not_genuine"
    answer = office.shuqiao("verify", str(tampered))
    assert (answer.code, "不可采信" in answer.out) == (11, True)
    assert "JY13302030009999" not in answer.out


def test_what_was_fetched_serves_later_without_a_network(office: Office) -> None:
    path = office.file(VALID)
    assert office.json("verify", path)["outcome"] == "valid"
    office.close_api()
    found = office.json("verify", path, "--offline")
    assert found["outcome"] == "valid"
    assert found["statusAge"] >= 0
    assert "状态清单取得于" in office.shuqiao("verify", path, "--offline").err


def test_the_server_gone_the_kept_lists_are_used_and_that_is_said(office: Office) -> None:
    path = office.file(VALID)
    office.json("verify", path)
    office.close_api()
    aged(office)
    answer = office.shuqiao("verify", path)
    assert answer.code == 0
    assert "未能取得" in answer.err
    assert "3 小时前" in answer.err


def test_with_a_trust_list_and_no_status_lists_the_state_is_unknown_and_ends_with_12(office: Office) -> None:
    from registry.credentials import build  # noqa: PLC0415
    from registry.licences import trust  # noqa: PLC0415

    town = office.town
    document = trust.trust_list_document(
        town.connection, town.ring, base=town.base, resources=build.published(town.types.all, town.base),
        now=datetime.now(UTC),
    )  # fmt: skip
    trusted = office.folder / "trust-list.json"
    trusted.write_bytes(document)
    path = office.file(VALID)
    office.close_api()
    found = office.json("verify", path, "--offline", "--trust", str(trusted), code=12)
    assert found["outcome"] == "status_unknown"
    assert found["root"]["given"] is False


def test_another_root_than_the_given_one_is_not_trusted(office: Office) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    own, other = office.folder / "root.pem", office.folder / "hub.pem"
    own.write_bytes(office.town.ring.root_certificate.public_bytes(Encoding.PEM))
    other.write_bytes(office.town.ring.hub_chain[0].public_bytes(Encoding.PEM))
    path = office.file(VALID)
    assert office.json("verify", path, "--root", str(own))["root"]["given"] is True
    answer = office.shuqiao("verify", path, "--root", str(other))
    assert answer.code == 4
    assert "根证书" in answer.err
    path_of_no_certificate = office.shuqiao("verify", path, "--root", path)
    assert (path_of_no_certificate.code, "PEM" in path_of_no_certificate.err) == (2, True)


def test_a_status_list_elsewhere_is_never_asked_for(office: Office) -> None:
    from shuqiao.status_cache import StatusCache  # noqa: PLC0415

    cache = StatusCache(office.folder / "kept", offline=False, may_fetch=lambda url: url.startswith(office.town.base))
    assert cache.status_list("http://169.254.169.254/latest/meta-data") is None
    assert list(cache.failures) == ["http://169.254.169.254/latest/meta-data"]


def aged(office: Office) -> None:
    """Everything kept was fetched three hours ago: it is asked for again."""
    for kept in (office.folder / "cache/shuqiao/status").iterdir():
        head, _, body = kept.read_bytes().partition(b"\n")
        said = json.loads(head)
        said["fetched_at"] = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
        kept.write_bytes(json.dumps(said).encode() + b"\n" + body)


@contextmanager
def impostor(office: Office, answers: dict[str, bytes]) -> Iterator[list[str]]:
    """Somebody else answers at the hub's address; the paths that were asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = next((body for path, body in answers.items() if self.path.startswith(path)), b"<html>log in</html>")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    address = ("127.0.0.1", urlsplit(office.town.base).port or 0)
    with ThreadingHTTPServer(address, Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


def fetched(office: Office, path: str) -> bytes:
    return requests.get(f"{office.town.base}{path}", timeout=10).content


def test_what_was_kept_is_not_lost_to_who_answers_in_the_hubs_place(office: Office) -> None:
    """A log-in page, or anything that is not signed: the kept lists stay, and serve."""
    path = office.file(VALID)
    office.json("verify", path)
    office.close_api()
    aged(office)
    poisoned = json.dumps({"validFrom": datetime.now(UTC).isoformat()}).encode()
    for answers in ({}, {"/status": poisoned, "/trust-list.json": poisoned}):
        with impostor(office, answers) as asked:
            found = office.json("verify", path)
        assert len(asked) == 4
        assert found["outcome"] == "valid"
        assert len(found["notFetched"]) == 4
        assert found["statusAge"] > 3600
    assert office.json("verify", path, "--offline")["outcome"] == "valid"


def test_yesterdays_lists_are_passed_over_for_those_seen_since(office: Office) -> None:
    """The licence was suspended meanwhile: who replays the lists of before gains nothing."""
    path = office.file(VALID)
    lists = [str(each["statusListCredential"]) for each in json.loads(Path(path).read_bytes())["credentialStatus"]]
    places = [each.removeprefix(office.town.base) for each in lists] + ["/trust-list.json"]
    before = {place: fetched(office, place) for place in places}
    office.town.now += timedelta(minutes=2)
    office.town.feed(food(VALID, valid_to="2099-12-31", status="02"))
    office.town.follow()
    assert office.json("verify", path, code=10)["outcome"] == "suspended"
    office.close_api()
    aged(office)
    with impostor(office, before):
        found = office.json("verify", path, code=10)
        answer = office.shuqiao("verify", path)
    assert found["outcome"] == "suspended"
    assert "旧版本" in answer.err


def test_an_older_trust_list_than_one_seen_before_is_refused(office: Office) -> None:
    """It may hide that a key was stolen. Also as a file; also offline; but not another hub's with the same name."""
    from registry.credentials import build  # noqa: PLC0415
    from registry.licences import trust  # noqa: PLC0415

    town, now = office.town, datetime.now(UTC)
    files = []
    for name, at in (("older", now), ("newer", now + timedelta(minutes=1))):
        body = trust.trust_list_document(
            town.connection, town.ring, base=town.base, resources=build.published(town.types.all, town.base), now=at
        )
        files.append(office.folder / f"{name}.json")
        files[-1].write_bytes(body)
    older, newer = map(str, files)
    path = office.file(VALID)
    assert office.json("verify", path, "--trust", older)["outcome"] == "valid"
    assert office.json("verify", path, "--trust", newer)["outcome"] == "valid"
    for words in ([], ["--offline"]):
        refused = office.shuqiao("verify", path, "--trust", older, *words)
        assert refused.code == 4
        assert "早于此前见过的" in refused.err
    elsewhere = str(office.folder / "elsewhere")
    assert office.json("verify", path, "--trust", older, "--status-cache", elsewhere)["outcome"] == "valid"


def test_an_answer_that_is_no_trust_list_is_told_where_none_was_kept(office: Office) -> None:
    path = office.file(VALID)
    office.close_api()
    with impostor(office, {}):
        answer = office.shuqiao("verify", path)
    assert answer.code == 4
    assert "信任列表" in answer.err


def test_a_damaged_cache_is_as_none(office: Office) -> None:
    path = office.file(VALID)
    office.json("verify", path)
    for kept in (office.folder / "cache/shuqiao/status").iterdir():
        kept.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    assert office.json("verify", path)["outcome"] == "valid"


def test_stdin_is_a_file_too(office: Office) -> None:
    body = Path(office.file(VALID, "jwt")).read_bytes()
    answer = office.shuqiao("verify", "-", "--json", stdin=body)
    assert (answer.code, answer.document["form"]) == (0, "jwt")


def test_no_trust_list_anywhere_ends_with_2_and_says_what_to_do(office: Office) -> None:
    path = office.file(VALID)
    office.close_api()
    answer = office.shuqiao("verify", path, "--offline")
    assert answer.code == 2
    assert "--trust" in answer.err
    assert office.shuqiao("verify", str(office.folder / "not-there.pdf")).code == 2


def test_a_persons_name_is_masked_unless_asked_for_whole(office: Office) -> None:
    path = office.file(OF_A_PERSON)
    for words in (
        ["verify", path],
        ["show", office.identifier(OF_A_PERSON)],
        ["metadata", office.identifier(OF_A_PERSON)],
    ):
        masked, whole = office.shuqiao(*words), office.shuqiao(*words, "--unmasked")
        assert PERSON not in masked.out + office.shuqiao(*words, "--json").out
        assert PERSON in whole.out


def test_licences_are_listed_by_type_holder_number_and_state(office: Office) -> None:
    assert len(office.json("list")) == 3
    assert [each["number"] for each in office.json("list", "--state", "02")] == ["JY13302030000002"]
    holder = office.town.licences(VALID)[0]["content"]["holders"][0]
    code = holder["code"] if isinstance(holder, dict) else holder[1]
    assert [each["identifier"] for each in office.json("list", "--holder", code)] == [office.identifier(VALID)]
    assert office.json("list", "--number", "JY13302030000003", "--type", "food_business_licence")
    assert office.json("list", "--type", "business_licence") == []
    assert office.shuqiao("list", "--type", "food_licence").code == 2
    assert PERSON not in office.shuqiao("list").out


def test_a_licence_is_shown_with_its_versions_and_copies(office: Office) -> None:
    found = office.json("show", office.identifier(SUSPENDED))
    assert found["state"]["code"] == "02"
    assert [event["operation"]["code"] for event in found["versions"][0]["events"]] == ["03", "01"]
    assert "暂扣" in office.shuqiao("show", office.identifier(SUSPENDED)).out
    wrong = office.identifier(VALID)[:-1] + "?"
    assert office.shuqiao("show", wrong).code == 2


def test_types_are_listed_with_what_they_are_made_from(office: Office) -> None:
    found = {each["type"]: each for each in office.json("types")}
    assert found["food_business_licence@1"]["dataset"] == "food_business_licence"
    assert "食品经营许可证" in office.shuqiao("types").out


def test_issuing_follows_the_records_and_again_does_nothing(office: Office) -> None:
    office.town.feed(food(9, valid_to="2099-12-31"))
    assert office.json("issue")["total"]["issued"] == 1
    assert office.json("issue")["total"]["issued"] == 0
    assert "新发 0" in office.shuqiao("issue").err
    missing = office.shuqiao("issue", SHUQIAO_MASTER_KEY="")
    assert missing.code == 4
    assert "SHUQIAO_MASTER_KEY" in missing.err


def test_a_copy_is_made_verified_and_revoked(office: Office) -> None:
    client = clients.add(office.town.url, "桥州银行", ["licence:*"]).id
    pdf = office.folder / "copy.pdf"
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    words = ["copy", office.identifier(VALID), "--client", client, "--for", "桥东支行", "--cause", "办理贷款"]
    made = office.json(*words, "--until", until, "-o", str(pdf))
    assert made["licence"] == office.identifier(VALID)
    assert office.json("verify", str(pdf))["outcome"] == "valid"
    assert office.json("show", office.identifier(VALID))["copies"][0]["cause"] == "办理贷款"
    assert office.json("revoke-copy", made["id"], "--by", "值班员")["revoked_by"] == "值班员"
    assert office.shuqiao("copy", office.identifier(SUSPENDED), *words[2:], "--until", until).code == 1
    assert office.shuqiao(*words[:3], "nobody", *words[4:], "--until", until).code == 2
    assert office.shuqiao("revoke-copy", "there-is-none").code == 1


def test_a_correction_leaves_even_a_final_state(office: Office) -> None:
    office.town.feed(food(VALID, valid_to="2099-12-31", status="04"))
    office.town.follow()
    office.town.feed(food(VALID, valid_to="2099-12-31"))
    office.town.follow()
    before = office.identifier(VALID)
    made = office.json("correct", before, "--reason", "误注销", "--by", "登记员")
    assert made == {"identifier": before, "superseded_by": office.identifier(VALID)}
    assert office.json("show", office.identifier(VALID))["state"]["code"] == "01"
    assert office.shuqiao("correct", "1.2.156.3005.2.x", "--reason", "r").code == 2


def test_a_form_that_is_not_there_is_refused(office: Office) -> None:
    target = str(office.folder / "x")
    assert office.shuqiao("export", office.identifier(VALID), "--form", "ofd", "-o", target).code == 2
    assert office.shuqiao("export", office.identifier(VALID), "--form", "sm2", "-o", target).code == 1
    assert not os.path.lexists(target)
    streamed = office.shuqiao("export", office.identifier(VALID), "--form", "vc", "-o", "-")
    assert json.loads(streamed.out)["proof"]["cryptosuite"] == "ecdsa-jcs-2019"
