"""Values that nobody could mistake go in through sources; then everything that the system wrote is searched for them.

Every table of the registry, the database server's own log, what the commands and the API said, every file of the run
folder: only what is sealed holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from registry.api.settings import ApiSettings
from registry.licences import copies, forms
from schemas.masking import mask
from shuqiao.stack.postgres import EmbeddedPostgres
from tests.api.conftest import Api, Reader, serving
from tests.cli.conftest import Desk
from tests.cli.conftest import desk as desk  # noqa: PLC0414  (the fixture)
from tests.credit.enterprise_file import town as credit
from tests.licences.issue import town as issue
from tests.sealing.searching import Written, files, tables

CONNECTOR = "market-supervision.firms"
BOSS = "诸葛孔明先生之甲"
OTHER_BOSS = "诸葛孔明先生之乙"
PERSON = "欧阳娜娜女士之丙"
UNSAID = "百里长河"
UNSAID_ID = "440301197507070017"
OPERATOR = "上官婉儿女士之丁"
PERSON_ID = "11010519491231002X"
BOSS_ID = "440524188001010014"
MOBILE = "13912345678"
MISPLACED = "310101199003071233"
PLANTED = {
    "the representative's name": BOSS,
    "the representative's name as the tax bureau has it": OTHER_BOSS,
    "a natural person's name": PERSON,
    "a natural person's number": PERSON_ID,
    "a name of which nothing says that it is a person's": UNSAID,
    "the number beside it": UNSAID_ID,
    "the representative's number": BOSS_ID,
    "the name of an operator without a code": OPERATOR,
    "a mobile number in a column of a refused row": MOBILE,
}


def test_only_what_is_sealed_holds_personal_values(
    desk: Desk, postgres: EmbeddedPostgres, tmp_path: Path, heard: pytest.LogCaptureFixture
) -> None:
    said = plant(desk)
    sign(desk.registry)
    answers = ask(desk, tmp_path)
    written = Written(
        [
            *tables(desk.registry),
            ("the log of PostgreSQL", (postgres.data.parent / "log").read_bytes()),
            ("what commands said", "\n".join(said).encode()),
            ("what the API said without a grant for it", "\n".join(answers).encode()),
            ("logs", heard.text.encode()),
            *files(tmp_path / "run"),
        ]
    )
    assert {what: written.holding(value) for what, value in PLANTED.items()} == {what: [] for what in PLANTED}
    assert written.holding(mask(BOSS)), "the masked name is there: the search finds what is written"


def plant(desk: Desk) -> list[str]:
    """Records with personal values through the command line, and through the intake; what the commands said."""
    manifest = desk.manifests / "firms.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("test-office", "market-supervision"), "utf-8")
    desk.write(1, boss=BOSS, code=credit.uscc(1), firm_name="桥州天成1餐饮有限公司")
    desk.write(2, boss=BOSS, state=f"不明 {MOBILE}")  # refused
    desk.write(3, boss=BOSS, code=MISPLACED)  # refused: a person's number where the firm's code should be
    said = []
    for words in (
        ("connectors", "run", CONNECTOR, "--json"),
        ("--debug", "connectors", "check", CONNECTOR),
        ("connectors", "try", CONNECTOR),
        ("records", "legal_entity"),
        ("records", "legal_entity", "--json"),
        ("quarantine", "list"),
        ("quarantine", "show", "1", "--json"),
        ("quarantine", "retry", CONNECTOR, "--json"),
        ("records", "legal_entity", "--where", f"legal_representative={BOSS}x"),
    ):
        answer = desk.shuqiao(*words)
        said += [answer.out, answer.err]
    town = credit.Town(desk.registry)
    town.say(
        "tax_registration", {"t": credit.taxpayer(1, legal_representative=OTHER_BOSS, legal_representative_id=BOSS_ID)}
    )
    town.say(
        "administrative_penalty",
        {
            "p1": credit.penalty(1, legal_representative=BOSS, legal_representative_id=BOSS_ID),
            "p2": credit.penalty(
                2,
                uscc=None,
                holder_kind="natural_person",
                holder_name=PERSON,
                holder_code=PERSON_ID,
                holder_code_type="111",
            ),
        },
    )
    town.say(
        "serious_dishonesty",
        {
            "s": {
                "name": "桥州天成1餐饮有限公司", "holder_code": "无", "holder_code_type": "099",
                "legal_representative": BOSS, "division": "330203", "listed_on": "2025-06-01",
                "listed_reason": "拒不履行", "listed_by": "桥州市市场监督管理局",
            }
        },
    )  # fmt: skip
    town.follow()
    town.say("administrative_penalty", {"p2": of_a_person(content="罚款1元")})
    town.end("administrative_penalty", "p1")
    town.say(
        "administrative_penalty",
        {"p3": credit.penalty(3, uscc=None, holder_kind=None, holder_name=UNSAID, holder_code=UNSAID_ID)},
    )
    town.follow()
    for words in (
        ("credit", "discrepancies", "--json"),
        ("credit", "file", credit.uscc(1), "--json"),
        ("entity", credit.uscc(1), "--json"),
        ("credit", "matches", "--json"),
        ("batches", "list", "--json"),
    ):
        answer = desk.shuqiao(*words)
        said += [answer.out, answer.err]
    town.connection.close()
    return said


def sign(url: str) -> None:
    """E-licences of an enterprise with a representative, and of a natural person: issued, in every form, and copied."""
    town = issue.Town(url, now=datetime.now(UTC))
    town.enter()
    town.client("bank")
    town.feed(
        issue.food(1, valid_to="2099-12-31", legal_representative=BOSS),
        issue.food(2, valid_to="2099-12-31", uscc=None, holder_code=PERSON_ID, holder_code_type="111",
                   holder_name=OPERATOR, legal_representative=OPERATOR),
    )  # fmt: skip
    town.follow()
    for number in (1, 2):
        licence = town.current(number)
        for form in ("jwt", "sd_jwt", "pdf"):
            made = forms.form(town.connection, licence["id"], form, town.ring, town.types, base=town.base, now=town.now)
            assert made[:1] in (b"e", b"%")
            assert made == forms.form(
                town.connection, licence["id"], form, town.ring, town.types, base=town.base, now=town.now
            )
        copy = copies.make(
            town.connection, licence["identifier"], "bank", "银行", "贷款", town.now + timedelta(days=9),
            keys=town.ring,
            types=town.types, base=town.base, now=town.now,
        )  # fmt: skip
        assert copy.pdf.startswith(b"%PDF")
        assert town.verdict(licence["id"]).outcome == "valid"
    town.connection.close()


def of_a_person(**fields: Any) -> dict[str, Any]:
    """A penalty of a natural person."""
    return credit.penalty(
        2, uscc=None, holder_kind="natural_person", holder_name=PERSON, holder_code=PERSON_ID, holder_code_type="111",
        **fields,
    )  # fmt: skip


def ask(desk: Desk, tmp_path: Path) -> list[str]:
    """What the API says to a client that may read the records, and to one that may not."""
    settings = ApiSettings(
        database_url=desk.registry, token_key=tmp_path / "run" / "token.pem", port=0, client_check_seconds=0,
        catalogue_seconds=0,
    )  # fmt: skip
    answers = []
    with serving(settings) as server, requests.Session() as session:
        session.trust_env = False
        api = Api(f"http://127.0.0.1:{server.bound_port}", settings, session, server)
        reader = api.client("read:*", "operate")
        for who, status in ((reader, 200), (api.anyone, 401)):
            told = list(reads(who))
            assert {each.status_code for each in told} == {status}
            answers += [each.text for each in told]
    return answers


def reads(who: Reader) -> Iterator[Any]:
    for path in (
        "/datasets/legal_entity/records",
        "/datasets/administrative_penalty/records",
        "/datasets/administrative_penalty/records/p2",
        "/datasets/administrative_penalty/records/p2/history",
        f"/entities/{credit.uscc(1)}",
        "/changes",
        "/quarantine",
    ):
        yield who.ask(f"/api/v1{path}")
