"""The demo client of the registry's API: proof that the API answers, and the lines that a person can paste."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from registry.api.clients import clients
from registry.domain.grants.terms import Terms
from registry.grants import giving
from registry.storage.database import connect
from shuqiao.settings import Settings
from shuqiao.stack.credit import Example as Enterprise
from shuqiao.stack.licences import Example
from shuqiao.stack.ports import HOST
from shuqiao.stack.secrets import Secrets, write_private

FILE = "reader.json"
NAME = "demo reader 示范读取方"
SCOPES = (clients.LICENCE_ALL, clients.CREDIT_PUBLIC, clients.CREDIT_DEPARTMENT, clients.OPERATE)
_GIVEN_BY = "shuqiao up"
_LEGAL_BASIS = "本机示范 demonstration on this machine"


@dataclass(frozen=True, slots=True)
class Client:
    """How to ask for a token."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the API said."""

    entity: str | None
    """The code of an entity that can be read."""
    problems: tuple[str, ...] = ()


def client(run_dir: Path, database_url: str) -> Client:
    """The demo client, entered now if the registry does not know it. Its secret lies in ``run_dir``, mode 0600.

    It is granted every dataset that the registry holds by now, personal values masked.
    """
    kept = _entered(run_dir, database_url)
    with connect(database_url) as connection:
        standing = {each.dataset: each.valid_until for each in giving.held(connection, client_id=kept.id)}
        soon = datetime.now(UTC) + timedelta(days=1)
        for (dataset,) in connection.execute("SELECT name FROM registry.dataset ORDER BY name").fetchall():
            if dataset not in standing or standing[dataset] < soon:
                terms = Terms(legal_basis=_LEGAL_BASIS)
                giving.give(connection, kept.id, dataset, terms, given_by=_GIVEN_BY, approval=_LEGAL_BASIS)
    return kept


def _entered(run_dir: Path, database_url: str) -> Client:
    path = run_dir / FILE
    known = {
        each.id
        for each in clients.all_clients(database_url)
        if each.revoked_at is None and set(each.scopes) >= set(SCOPES)
    }
    if path.exists():
        kept = Client(**json.loads(path.read_text("utf-8")))
        if kept.id in known:
            return kept
    made = clients.add(database_url, NAME, SCOPES)
    kept = Client(made.id, made.secret)
    write_private(path, json.dumps(asdict(kept)) + "\n")
    return kept


def is_ready(port: int) -> bool:
    """Whether the API says that it is ready to answer."""
    try:
        return _session().get(f"http://{HOST}:{port}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def check(port: int, who: Client, deadline: float) -> Answered:
    """Take a token, read an entity and the change feed, as a downstream system does."""
    until = time.monotonic() + deadline
    while True:
        try:
            return _read(port, who)
        except (requests.RequestException, LookupError, ValueError) as error:
            if time.monotonic() > until or isinstance(error, LookupError):
                sentence = f"登记库接口没有正确回答 / the registry API did not answer as it should: {error}"
                return Answered(None, (sentence,))
            time.sleep(0.5)


def addresses(settings: Settings, secrets: Secrets) -> list[str]:
    """Where everything is, and the login."""
    return [
        f"Airflow          http://{HOST}:{settings.airflow_port}   admin / {secrets.airflow_admin}",
        f"登记库接口 API   {_base(settings.api_port)}/openapi.json",
        f"PostgreSQL       {HOST}:{settings.postgres_port}   ({settings.run_dir}/secrets.json)",
        f"日志 logs        {settings.run_dir}/logs",
    ]


def token(port: int, who: Client) -> str:
    """An access token, as a downstream system takes one. Raises requests.RequestException."""
    with _session() as session:
        return _token(session, port, who)


def guide(
    settings: Settings,
    secrets: Secrets,
    who: Client,
    answered: Answered,
    licence: Example | None,
    enterprise: Enterprise | None,
) -> list[str]:
    """Addresses, the login, lines that can be pasted into a shell, a licence and an enterprise to look at."""
    base = _base(settings.api_port)
    python = "python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])'"
    token = f"TOKEN=$(curl -s -u {who.id}:{who.secret} -d grant_type=client_credentials {base}/token | {python})"
    entity = answered.entity or "<USCC>"
    return [
        "",
        *addresses(settings, secrets),
        "",
        token,
        f'curl -s -H "Authorization: Bearer $TOKEN" {base}/entities/{entity}',
        f'curl -s -H "Authorization: Bearer $TOKEN" "{base}/changes?limit=3"',
        *(_licence(licence) if licence else ()),
        *(_enterprise(base, enterprise) if enterprise else ()),
        "",
    ]


def _licence(licence: Example) -> list[str]:
    return [
        "",
        f"电子证照 licence  {licence.identifier}",
        f"核验 verify       {licence.page}",
        f"文件 PDF          {licence.pdf}",
    ]


def _enterprise(base: str, enterprise: Enterprise) -> list[str]:
    return [
        "",
        f"信用查询 credit   {enterprise.page}",
        f"信用报告 report   {enterprise.pdf}",
        f'curl -s -H "Authorization: Bearer $TOKEN" {base}/enterprises/{enterprise.uscc}',
        f'curl -s -H "Authorization: Bearer $TOKEN" "{base}/enterprises/{enterprise.uscc}/report?reader=public"',
    ]


def _read(port: int, who: Client) -> Answered:
    with _session() as session:
        session.headers["Authorization"] = f"Bearer {_token(session, port, who)}"
        changes = _json(session.get(f"{_base(port)}/changes", params={"limit": "200"}, timeout=30))
        entities = [each["entity"] for each in changes["changes"] if each["entity"]]
        if not entities:
            raise LookupError("the change feed names no entity")
        _json(session.get(f"{_base(port)}/entities/{entities[0]}", timeout=30))
        return Answered(str(entities[0]))


def _token(session: requests.Session, port: int, who: Client) -> str:
    form = {"grant_type": "client_credentials"}
    answer = _json(session.post(f"{_base(port)}/token", data=form, auth=(who.id, who.secret), timeout=30))
    return str(answer["access_token"])


def _json(answer: requests.Response) -> dict[str, Any]:
    answer.raise_for_status()
    return dict(answer.json())


def _session() -> requests.Session:
    """A session that asks loopback directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    return session


def _base(port: int) -> str:
    return f"http://{HOST}:{port}/api/v1"
