"""One API over a registry in which there is something of everything that the description speaks of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from registry.api.settings import ApiSettings
from shuqiao.stack.postgres import free_port
from tests import china
from tests.api.conftest import Api, Reader, serving
from tests.api.licensing import BUREAU_CODE, MASTER_KEY, food, uscc
from tests.api.licensing import Town as Licences
from tests.credit.enterprise_file.town import Town as Credit
from tests.credit.enterprise_file.town import body, enterprise, penalty
from tests.registry.feeding import Row

SCOPES = (
    "operate", "licence:*", f"issue:{BUREAU_CODE}", "credit:public", "credit:department", "credit:bank",
    "credit:consent", "credit:exchange", "credit:cases", "credit:decide:credit",
)  # fmt: skip
"""Every scope that a client's role may have, but those of datasets."""
PURPOSE = {"Access-Purpose": "credit_lending", "Case-Number": "L-2026-000123"}
_EVIDENCE = [
    {"kind": "performance", "title": "缴款凭证", "sha256": "ab" * 32},
    {"kind": "commitment", "title": "信用承诺书", "sha256": "cd" * 32},
]


@dataclass
class City:
    """The API, its registry, and a client that may do everything."""

    api: Api
    credit: Credit
    licences: Licences

    @cached_property
    def everything(self) -> Reader:
        """A client with every scope and every dataset."""
        return self.api.client("read:*", *SCOPES)

    @cached_property
    def nothing(self) -> Reader:
        """A client with a scope that opens next to nothing."""
        return self.api.client("read:no_such_dataset")

    @cached_property
    def bank(self) -> Reader:
        """A lender; nobody enters a consent for itself."""
        return self.api.client("credit:bank")

    @property
    def identifier(self) -> str:
        """Of a licence."""
        return self.licences.identifiers(1)[-1]

    def post(self, path: str, content: Any = None, *, reader: Reader | None = None) -> dict[str, Any]:
        """What comes of a write that must succeed; ``path`` begins at the root."""
        answer = self.send("POST", path, content, reader=reader)
        assert answer.status_code in {200, 201}, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send(self, method: str, path: str, content: Any = None, *, reader: Reader | None = None) -> requests.Response:
        reader = reader or self.everything
        headers = {"Authorization": f"Bearer {reader.token}"}
        return self.api.session.request(method, self.api.address + path, json=content, headers=headers, timeout=60)

    def case(self, number: int, kind: str = "objection") -> str:
        """A case about a penalty of its own."""
        filing: dict[str, Any] = {
            "kind": kind,
            "dataset": "administrative_penalty",
            "key": f"P{number}",
            "entity": uscc(number),
            "applicant": enterprise(number)["name"],
            "statement": "决定书所载金额有误。",
        }
        if kind == "repair":
            dated = f"{china.today() - timedelta(days=100)}"  # rules follow the real clock
            filing["evidence"] = [{**each, "dated": dated} for each in _EVIDENCE]
        return str(self.post("/api/v1/credit/cases", filing)["id"])

    def consent(self) -> str:
        """A consent of the first enterprise to what the lender asks for."""
        now = datetime.now(UTC)
        given = {
            "subject": uscc(1),
            "grantee": self.bank.client.id if self.bank.client else "",
            "purpose": PURPOSE["Access-Purpose"],
            "items": ["registration", "tax_credit_rating", "penalties"],
            "valid_from": (now - timedelta(hours=1)).isoformat(),
            "valid_until": (now + timedelta(days=90)).isoformat(),
        }
        digest = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()
        return str(self.post("/api/v1/credit/consents", {"evidence_digest": digest, **given})["id"])

    def copy(self) -> str:
        """An annotated copy of the first licence."""
        until = (datetime.now(UTC) + timedelta(days=20)).isoformat()
        asked = {"requested_by": "桥州银行桥东支行", "cause": "办理经营贷款", "valid_until": until}
        return str(self.post(f"/api/v1/licences/{self.identifier}/copies", asked)["id"])

    def match(self, state: str = "candidate") -> int:
        """A record without a code that might be the enterprise's."""
        found = self.everything.get("/credit/matches", state=state)["matches"]
        return int(found[0]["id"])


@contextmanager
def city(url: str, folder: Path, **changes: Any) -> Iterator[City]:
    """The API over the registry at ``url``, which has been migrated and is empty."""
    port = free_port()
    settings = ApiSettings(
        database_url=url, token_key=folder / "token_key.pem", port=port, public_url=f"http://127.0.0.1:{port}",
        master_key=MASTER_KEY, catalogue_seconds=0, client_check_seconds=0, feed_poll_seconds=0.05, **changes,
    )  # fmt: skip
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        server = stack.enter_context(serving(settings))
        api = Api(f"http://127.0.0.1:{port}", settings, session, server)
        made = City(api, Credit(url, now=datetime.now(UTC)), Licences(url))
        stack.callback(made.credit.connection.close)
        _enter(made)
        yield made


def _enter(made: City) -> None:
    made.licences.publish(food(1), food(2))
    made.licences.publish(food(1, holder_name="宁波改名后的食品有限公司"))
    long_ago = f"{china.today() - timedelta(days=200)}"
    credit = made.credit
    credit.say("legal_entity", {f"{number}": enterprise(number) for number in range(1, 13)})
    fields = {"penalty_kinds": ["confiscation_of_income"], "decided_on": long_ago}
    credit.say("administrative_penalty", {f"P{number}": penalty(number, **fields) for number in range(1, 13)})
    rating = {"taxpayer_number": uscc(1), "year": "2025", "grade": "A", "rated_on": long_ago}
    credit.say("tax_credit_rating", {"R1": body(1, **rating)})
    for number in range(1, 5):
        credit.say("serious_dishonesty", {f"D{number}": _listed(number)})
    credit.feeder("tax_registration").feed([Row({"id": "T1"}, "row-T1", refused="format")])
    credit.follow()


def _listed(number: int) -> dict[str, Any]:
    """An entry that a person has to match: another ending of the name, no code."""
    return {
        "name": f"桥州天成{number}餐饮有限责任公司", "holder_code": "无", "holder_code_type": "099",
        "legal_representative": "王某", "division": "330203", "listed_on": "2025-06-01",
        "listed_reason": "拒不履行", "listed_by": "桥州市海曙区市场监督管理局",
    }  # fmt: skip
