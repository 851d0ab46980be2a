"""What a city has in the places of values that the examples have from the lot or the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from registry.api import examples
from registry.api.grants.models import GrantFiling
from tests import china
from tests.api.conftest import Reader
from tests.api.licensing import BUREAU_CODE, FOOD, uscc
from tests.description.city import City

_REQUESTS = "post /api/v1/grants/requests/{asked}/"
_CASES = "post /api/v1/credit/cases/{case}/"
_MATCHES = "post /api/v1/credit/matches/{match}/"
_EXPORTS = "/api/v1/datasets/{dataset}/exports/{export}"
_SUBSCRIPTION = "sub_0a1b2c3d4e5f60718293a4b5"


def _asked() -> dict[str, Any]:
    """The description's own example of a request for a grant."""
    extra: Any = GrantFiling.model_config.get("json_schema_extra")
    return dict(extra["examples"][0])


@dataclass(frozen=True, slots=True)
class Place:
    """Whom an operation is asked by, and the values that take the places of literals."""

    reader: Reader
    values: Mapping[str, str]


class Places:
    """By operation (``get /api/v1/changes``); each call prepares anew what a write uses up."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._own: Mapping[str, Callable[[], Place]] = {
            "get /api/v1/datasets/{dataset}/records/{key}": self._record,
            "get /api/v1/datasets/{dataset}/records/{key}/history": self._record,
            "post /api/v1/datasets/{dataset}/records/lookup": self._record,
            "post /api/v1/copies/{copy}/revoke": lambda: self._with(city.everything, {examples.COPY: city.copy()}),
            f"{_CASES}accept": lambda: self._case(2, self._office),
            f"{_CASES}decline": lambda: self._case(3, self._office),
            f"{_CASES}forward": lambda: self._case(4, self._hub, accepted_by=self._hub),
            f"{_CASES}extend": lambda: self._case(5, self._office, accepted_by=self._office, kind="repair"),
            f"{_CASES}grant": lambda: self._case(6, self._office, accepted_by=self._office),
            f"{_CASES}refuse": lambda: self._case(7, self._office, accepted_by=self._office),
            f"{_CASES}withdraw": lambda: self._case(8, city.everything),
            "post /api/v1/credit/cases": self._filing,
            "get /api/v1/grants/requests/{asked}": self._asked,
            "get /api/v1/grants/{grant}": self._granted,
            f"{_REQUESTS}check": self._asked,
            f"{_REQUESTS}return": self._asked,
            f"{_REQUESTS}approve": lambda: self._asked(checked=True),
            f"{_REQUESTS}refuse": lambda: self._asked(checked=True),
            f"{_REQUESTS}withdraw": self._asked,
            "post /api/v1/grants/{grant}/revoke": self._granted,
            "post /api/v1/credit/consents/{consent}/revoke": lambda: self._with(
                city.everything, {examples.CONSENT: city.consent()}
            ),
            f"{_MATCHES}accept": self._candidate,
            f"{_MATCHES}reject": self._candidate,
            f"{_MATCHES}undo": lambda: self._match("accept"),
            f"{_MATCHES}reopen": lambda: self._match("reject"),
            "get /api/v1/enterprises/{enterprise}/lending": lambda: self._with(city.bank, {}),
            "get /api/v1/enterprises/{enterprise}/credit": lambda: self._with(self._department, {}),
            "get /api/v1/enterprises/{enterprise}/report": lambda: self._with(self._department, {}),
            "get /api/v1/credit/reports/{number}": self._report,
            "get /status/{group}/{purpose}": self._status_list,
            "post /credentials/status": self._credential,
            "post /api/v1/datasets/{dataset}/records/{key}": self._record,
            "post /api/v1/subscriptions/{subscription}/replay": self._replayed,
            "delete /api/v1/subscriptions/{subscription}": lambda: self._with(
                city.everything, {_SUBSCRIPTION: self._subscription()}
            ),
        }

    def of(self, operation: str) -> Place:
        """For one request of an operation."""
        made = self._own.get(operation)
        return self._with(self._city.everything, {}) if made is None else made()

    def known(self) -> dict[str, object]:
        """A value for each parameter of a path that leads somewhere."""
        usual = self._usual
        numbers = ("BATCH", "REFUSAL", "MATCH", "CASE")
        asked, granted = self._asked(), self._granted()
        return {
            "identifier": usual[examples.LICENCE],
            "enterprise": usual[examples.USCC],
            "entity": usual[examples.USCC],
            "dataset": "legal_entity",
            "key": "1",
            "copy": usual[examples.COPY],
            "consent": usual[examples.CONSENT],
            "export": usual[examples.EXPORT],
            "subscription": usual[_SUBSCRIPTION],
            "code": usual[examples.ISSUER],
            **{name.lower(): int(usual[f"{getattr(examples, name)}"]) for name in numbers},
            "asked": int(asked.values[f"{examples.GRANT_REQUEST}"]),
            "grant": int(granted.values[f"{examples.GRANT}"]),
        }

    def _with(self, reader: Reader, values: Mapping[str, str]) -> Place:
        """The longest first: one may be part of another."""
        found = {**self._usual, **values}
        return Place(reader, {name: found[name] for name in sorted(found, key=len, reverse=True)})

    @cached_property
    def _usual(self) -> dict[str, str]:
        city, now = self._city, datetime.now(UTC)
        client = city.everything.client
        lender = city.bank.client
        assert client is not None
        assert lender is not None
        city.everything.ask("/api/v1/audit/checkpoint")
        return {
            examples.LICENCE: city.identifier,
            examples.USCC: uscc(1),
            examples.COPY: city.copy(),
            f"{examples.CASE}": city.case(1),
            examples.CONSENT: city.consent(),
            examples.ISSUER: BUREAU_CODE,
            f"{examples.BATCH}": self._number("batch"),
            f"{examples.REFUSAL}": self._number("refusal"),
            f"{examples.MATCH}": f"{city.match()}",
            examples.EXPORT: self._export(),
            _SUBSCRIPTION: self._subscription(),
            "11100000000013338W009": FOOD.code,
            "eyJhbGciOiJFUzI1NiJ9.e30.c2ln": f"{city.everything.token}",
            "client-0123456789abcdef": client.id,
            '"grantee":"client-0123456789abcdef"': f'"grantee":"{lender.id}"',
            "2026-12-23T05:36:52Z": (now + timedelta(days=20)).isoformat(),
            "2026-11-23T00:00:00+08:00": (now - timedelta(hours=1)).isoformat(),
            "2027-11-22T16:00:00Z": (now + timedelta(days=180)).isoformat(),
            "2027-05-22T16:00:00Z": (now + timedelta(days=90)).isoformat(),
            "2027-05-23T00:00:00+08:00": (now + timedelta(days=90)).isoformat(),
        }

    @cached_property
    def _office(self) -> Reader:
        return self._city.api.client("credit:decide:credit")

    @cached_property
    def _hub(self) -> Reader:
        return self._city.api.client("operate")

    @cached_property
    def _owner(self) -> Reader:
        return self._city.api.client("grants:decide:market-supervision")

    @cached_property
    def _department(self) -> Reader:
        return self._city.api.client("credit:department")

    def _record(self) -> Place:
        return self._with(self._city.everything, {examples.USCC: "1"})

    def _case(
        self, number: int, reader: Reader, *, accepted_by: Reader | None = None, kind: str = "objection"
    ) -> Place:
        case = self._city.case(number, kind)
        if accepted_by is not None:
            self._city.post(f"/api/v1/credit/cases/{case}/accept", {}, reader=accepted_by)
        return self._with(reader, {f"{examples.CASE}": case})

    def _asked(self, *, checked: bool = False) -> Place:
        """A request for a grant, by the client itself, which is the hub's operator too."""
        wanted = {**_asked(), "valid_until": (datetime.now(UTC) + timedelta(days=200)).isoformat()}
        number = self._city.post("/api/v1/grants/requests", wanted)["id"]
        if checked:
            self._city.post(f"/api/v1/grants/requests/{number}/check", {}, reader=self._hub)
        reader = self._owner if checked else self._city.everything
        return self._with(reader, {f"{examples.GRANT_REQUEST}": f"{number}"})

    def _granted(self) -> Place:
        """A grant of a client of its own."""
        reader = self._city.api.client("read:legal_entity", "operate")
        number = reader.get("/grants")["grants"][0]["id"]
        return self._with(reader, {f"{examples.GRANT}": f"{number}"})

    def _filing(self) -> Place:
        paid = f"{china.today() - timedelta(days=100)}"  # rules follow the real clock
        return self._with(
            self._city.everything, {examples.USCC: uscc(9), "沪市监罚〔2026〕7号": "P9", "2026-05-10": paid}
        )

    def _candidate(self) -> Place:
        return self._with(self._city.everything, {f"{examples.MATCH}": f"{self._city.match()}"})

    def _match(self, first: str) -> Place:
        match = f"{self._city.match()}"
        self._city.post(f"/api/v1/credit/matches/{match}/{first}", {"reason": "档案一致"})
        return self._with(self._city.everything, {f"{examples.MATCH}": match})

    def _report(self) -> Place:
        path = f"/api/v1/enterprises/{uscc(1)}/report"
        made = self._department.ask(path, headers={"Accept": "application/pdf"})
        assert made.status_code == 200, made.text
        number = self._city.credit.rows("SELECT number FROM registry.credit_report LIMIT 1")[0][0]
        return self._with(self._department, {"7Q2M-4K9Z-P1XW-8TR5-B0HU": f"{number}"})

    def _status_list(self) -> Place:
        credential = self._city.everything.ask(f"/api/v1/licences/{self._city.identifier}", form="vc").json()
        entry = next(each for each in credential["credentialStatus"] if each["statusPurpose"] == "revocation")
        group = entry["statusListCredential"].split("/")[-2]
        return self._with(self._city.everything, {f"{examples.GROUP}": group})

    def _credential(self) -> Place:
        document = {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "urn:uuid:0d9ec9a4-7e6a-4a8f-9d4f-0a53b1a9d3a0"},
        }
        issued = self._city.post("/credentials/issue", {"credential": document, "options": {}})
        return self._with(self._city.everything, {examples.CREDENTIAL: issued["verifiableCredential"]["id"]})

    def _number(self, table: str) -> str:
        return f"{self._city.credit.rows(f'SELECT min(id) FROM registry.{table}')[0][0]}"

    def _export(self) -> str:
        return str(self._city.post("/api/v1/datasets/legal_entity/exports", {"format": "ndjson"})["id"])

    def _subscription(self) -> str:
        wanted = {"url": "https://bank.example.com/shuqiao/events", "dataset": "legal_entity"}
        return str(self._city.post("/api/v1/subscriptions", wanted)["id"])

    def _replayed(self) -> Place:
        cursor = self._city.everything.get("/changes", dataset="legal_entity", limit=1)["next"]
        return self._with(self._city.everything, {"WyJmZWVkIiw4MTIsMTAyNF0": cursor})
