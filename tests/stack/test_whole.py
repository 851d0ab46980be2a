"""The whole stack, started as a person starts it: two cycles with a day of life between them, and nothing left over."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import psutil
import psycopg
import pytest

from registry.credit import following, keeping
from registry.domain.credit.sources import default_sources
from registry.domain.licences.loading import load_types
from registry.licences import progress
from schemas.identifiers import is_licence_identifier, is_uscc
from shuqiao import settings as hub
from shuqiao.dag_names import DAG_PREFIX, LICENCES_DAG, POOL_PREFIX
from shuqiao.demo import life
from shuqiao.demo.credit_faults import planted
from shuqiao.demo.rosters import CONNECTORS, City
from shuqiao.settings import Settings
from shuqiao.stack import airflow, postgres, reader
from shuqiao.stack import secrets as stack_secrets
from shuqiao.stack.environment import FILE as ENVIRONMENT
from shuqiao.stack.local import REGISTRY_DATABASE
from shuqiao.stack.secrets import FILE as SECRETS
from tests import china

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

SHUQIAO = Path(sys.executable).with_name("shuqiao")
SCALE = 200
CITY = City(scale=SCALE)
COUNTED = ("pulled", "accepted", "refused", "new", "changed", "unchanged", "deleted")


@dataclass(frozen=True)
class Stack:
    """A run folder and ports of the test's own."""

    settings: Settings
    environ: dict[str, str]

    def shuqiao(self, *arguments: str) -> str:
        """What a command said; it must have ended well."""
        done = subprocess.run(
            [SHUQIAO, *arguments], env=self.environ, capture_output=True, text=True, check=False, timeout=420
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done.stdout

    def left(self) -> list[str]:
        """Processes that name the run folder, stand in it, or hold one of its files: each part's log is one."""
        return [str(process) for process in psutil.process_iter() if str(self.settings.run_dir) in _marks(process)]

    @contextmanager
    def databases(self) -> Iterator[dict[str, psycopg.Connection]]:
        """The stopped stack's databases."""
        secrets = stack_secrets.load(self.settings.run_dir)
        server = postgres.initialise(self.settings.run_dir / "postgres", self.settings.postgres_port, secrets.postgres)
        process = postgres.start(server, self.settings.run_dir / "logs" / "postgres.log")
        try:
            with (
                psycopg.connect(server.conninfo(REGISTRY_DATABASE)) as registry,
                psycopg.connect(server.conninfo(airflow.DATABASE)) as metadata,
            ):
                yield {"registry": registry, "airflow": metadata}
        finally:
            postgres.stop(process)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    names = [name for name in Settings.__dataclass_fields__ if name.endswith("_port")]
    given = {"SHUQIAO_RUN_DIR": str(tmp_path / "run"), "SHUQIAO_SCALE": str(SCALE)}
    given |= {hub.variable(name): str(port) for name, port in zip(names, _free_ports(len(names)), strict=True)}
    return Stack(hub.read(given), {**os.environ, **given})


def test_two_cycles_with_a_day_of_life_between_them(stack: Stack) -> None:
    said_first = stack.shuqiao("run", "--once")
    table = _table(said_first)

    assert set(table) == set(CONNECTORS)
    _a_licence_can_be_looked_at(said_first)
    _an_enterprise_can_be_looked_at(said_first)
    for connector, counts in table.items():
        expected = life.expected(CITY, connector)
        assert counts["refused"] == sum(expected.refused.values()), connector
        assert counts["new"] == expected.good, connector
    assert stack.left() == []
    _secrets_are_kept(stack)

    with stack.databases() as databases:
        _runs_have_notes(databases["airflow"], cycles=1)
        _sources_have_pools(databases["airflow"])
        _licences_agree_with_their_records(databases["registry"])
        planted_now = sum(
            len(planted(CITY, connector)) for connector in ("tax.registration", "licensing.food-business")
        )
        assert planted_now == 12
        _what_is_known_of_enterprises_is_up_to_date(databases["registry"], discrepancies=planted_now)
        stopped = _now(databases["registry"])
        assert stack.left() != [], "a server that runs is not seen"
        said = {each["connector"]: each for each in json.loads(stack.shuqiao("demo", "change", "--json"))}
    assert stack.left() == []

    assert set(_table(stack.shuqiao("run", "--once"))) == set(CONNECTORS)

    assert stack.left() == []
    with stack.databases() as databases:
        _runs_have_notes(databases["airflow"], cycles=2)
        brought = _brought(databases["registry"], after=stopped)
        refused = _open_refusals(databases["registry"])
        _licences_agree_with_their_records(databases["registry"])
        assert _versions(databases["registry"]) > 0, "a day of life changes records that licences are made from"
    for connector in CONNECTORS:
        day = life.happened(CITY, connector, 1)
        assert (said[connector]["new"], said[connector]["changed"]) == (day.new, day.changed)
        assert brought[connector] == (day.new + day.corrected, day.changed, day.deleted), connector
        assert refused.get(connector, 0) == sum(life.expected(CITY, connector, 1).refused.values()), connector
    _secrets_are_kept(stack)


def _table(output: str) -> dict[str, dict[str, int]]:
    """The summary: counts by connector. Every connector has published."""
    rows = {}
    for line in output.splitlines():
        name, *cells = re.split(r"\s*[│┃|]\s*", line.strip("│┃| \t"))
        if "." in name and len(cells) == len(COUNTED) + 2:
            assert cells[-1] == "published", line
            rows[name] = {
                title: int(cell.replace(",", "")) for title, cell in zip(COUNTED, cells[: len(COUNTED)], strict=True)
            }
    assert rows, output
    return rows


def _a_licence_can_be_looked_at(output: str) -> None:
    """The summary names an identifier, the page that verifies it, and a document that is there."""
    found = re.search(r"licence +(\S+)\n.*verify +(\S+)\n.*PDF +(.+\.pdf)$", output, re.MULTILINE)
    assert found, output[-3000:]
    identifier, page, document = found.groups()
    assert is_licence_identifier(identifier)
    assert page.endswith(f"/verify/{identifier}")
    assert Path(document).read_bytes().startswith(b"%PDF-")


def _an_enterprise_can_be_looked_at(output: str) -> None:
    """The summary shows an enterprise with its grade, the page where anyone looks it up, and its report."""
    found = re.search(r"credit +(\S+/credit/(\S+))\n.*report +(.+\.pdf)$", output, re.MULTILINE)
    assert found, output[-4000:]
    page, code, document = found.groups()
    assert is_uscc(code)
    assert Path(document).read_bytes().startswith(b"%PDF-")
    table = output[: output.index(page)]
    assert code in table
    assert re.search(r"grade +[│|]? +[ABCD] +[0-9.]+ +\(enterprise_credit/1\)", table), table[-4000:]
    for shown in ("Administrative acts", "measures", "discrepancies"):
        assert shown in table


def _what_is_known_of_enterprises_is_up_to_date(registry: psycopg.Connection, discrepancies: int) -> None:
    """Everything has been followed, exactly the planted contradictions are open, and everyone is evaluated."""
    sources = default_sources().on(china.today())  # editions change by the day
    assert not following.is_behind(registry, keeping.FOLLOWER, sources.datasets)
    kept = registry.execute(
        "SELECT (SELECT count(*) FROM registry.discrepancy WHERE closed_at IS NULL),"
        " (SELECT count(*) FROM registry.evaluation), (SELECT count(DISTINCT r.entity) FROM registry.record r"
        " JOIN registry.dataset d ON d.id = r.dataset_id WHERE d.name = 'legal_entity')"
    ).fetchone()
    assert kept is not None
    assert kept[0] == discrepancies
    assert kept[1] == kept[2] > 0


def _licences_agree_with_their_records(registry: psycopg.Connection) -> None:
    """Every record in force has one current licence in its state, none is waited for, and none was refused."""
    types = load_types()
    assert progress.behind(registry, types) == []
    assert sum(count.refused for count in progress.counts(registry)) == 0
    for dataset, wanted in (
        ("food_business_licence", {"01": "01", "02": "02"}),
        ("legal_entity", {"active": "01", "suspended": "02"}),
    ):
        in_force = registry.execute(
            "SELECT r.key, body ->> 'status' FROM registry.record r JOIN registry.dataset d ON d.id = r.dataset_id"
            " WHERE d.name = %s AND body ->> 'status' = ANY(%s)"
            " AND coalesce(body ->> 'valid_to', body ->> 'business_to', '9')"
            " >= to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD')",
            (dataset, list(wanted)),
        ).fetchall()
        licences = registry.execute(
            "SELECT l.key, l.state FROM registry.licence l JOIN registry.dataset d ON d.id = l.dataset_id"
            " WHERE d.name = %s AND superseded_by IS NULL AND l.state IN ('01', '02')",
            (dataset,),
        ).fetchall()
        assert in_force
        assert sorted(licences) == sorted((key, wanted[status]) for key, status in in_force), dataset


def _versions(registry: psycopg.Connection) -> int:
    return registry.execute("SELECT FROM registry.licence WHERE version > 1").rowcount


def _runs_have_notes(metadata: psycopg.Connection, cycles: int) -> None:
    found = metadata.execute(
        "SELECT dag_id, count(*), bool_and(coalesce(content, '') <> '') FROM dag_run"
        " LEFT JOIN dag_run_note ON dag_run_id = id WHERE starts_with(dag_id, %s) AND state = 'success' GROUP BY 1",
        [DAG_PREFIX],
    ).fetchall()
    assert {row[0] for row in found} == {DAG_PREFIX + connector for connector in CONNECTORS}
    assert [row for row in found if row[1] < cycles or not row[2]] == []
    of_licences = metadata.execute(
        "SELECT content FROM dag_run LEFT JOIN dag_run_note ON dag_run_id = id WHERE dag_id = %s AND state = 'success'",
        [LICENCES_DAG],
    ).fetchall()
    assert of_licences
    assert all(row[0] and row[0].startswith("电子证照：新发") for row in of_licences)


def _sources_have_pools(metadata: psycopg.Connection) -> None:
    wanted = metadata.execute(
        "SELECT DISTINCT pool FROM task_instance WHERE starts_with(pool, %s)", [POOL_PREFIX]
    ).fetchall()
    there = metadata.execute("SELECT pool, slots FROM slot_pool WHERE starts_with(pool, %s)", [POOL_PREFIX]).fetchall()
    assert len(wanted) >= 4
    assert {row[0] for row in there} == {row[0] for row in wanted}
    assert all(row[1] > 0 for row in there)


def _now(registry: psycopg.Connection) -> datetime:
    row = registry.execute("SELECT clock_timestamp()").fetchone()
    assert row
    return cast("datetime", row[0])


def _brought(registry: psycopg.Connection, after: datetime) -> dict[str, tuple[int, ...]]:
    """New, changed and deleted of every batch that ended later.

    A schedule may have come due beside ours, and a run that the stop cut short ends its batch in the second cycle.
    """
    found = registry.execute(
        "SELECT c.name, sum(new)::int, sum(changed)::int, sum(deleted)::int FROM registry.batch b"
        " JOIN registry.connector c ON c.id = connector_id WHERE b.ended_at > %s GROUP BY 1",
        [after],
    ).fetchall()
    return {row[0]: row[1:] for row in found}


def _open_refusals(registry: psycopg.Connection) -> dict[str, int]:
    found = registry.execute(
        "SELECT c.name, count(*) FROM registry.refusal r JOIN registry.connector c ON c.id = r.connector_id"
        " WHERE closed_at IS NULL GROUP BY 1"
    ).fetchall()
    return {name: count for name, count in found}  # noqa: C416  (rows are tuples of unknown length to the checker)


def _secrets_are_kept(stack: Stack) -> None:
    """Only files for their owner alone hold a secret, and no log does."""
    where = stack.settings.run_dir
    secrets: dict[str, Any] = json.loads((where / SECRETS).read_text("utf-8"))
    secrets["reader"] = json.loads((where / reader.FILE).read_text("utf-8"))["secret"]
    private = {
        where / SECRETS,
        where / reader.FILE,
        where / ENVIRONMENT,
        airflow.home(stack.settings) / "passwords.json",
    }
    wanted = {name: text.rstrip("=").encode() for name, text in secrets.items()}
    holding = set()
    for path in where.rglob("*"):
        if path.is_file() and where / "postgres" not in path.parents:
            content = path.read_bytes()
            found = [name for name, text in wanted.items() if text in content]
            assert not (found and path.suffix == ".log"), f"{path} tells {found}"
            if found:
                holding.add(path)
    assert holding == private
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in private} == dict.fromkeys(private, 0o600)
    assert [path for path in where.rglob("*.pem") if stat.S_IMODE(path.stat().st_mode) != 0o600] == []
    assert stat.S_IMODE((where / "postgres").stat().st_mode) == 0o700


def _marks(process: psutil.Process) -> str:
    """What ties a process to a folder."""
    marks: list[str] = []
    with contextlib.suppress(psutil.Error):
        marks += [*process.cmdline(), process.cwd()]
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                marks += [str(descriptor.readlink())]
    return "\n".join(marks)


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(postgres.free_port())
    return list(ports)
