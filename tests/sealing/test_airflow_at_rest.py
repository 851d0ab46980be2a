"""A real Airflow run of a connector: what Airflow keeps of it, in its logs and its own database, holds no person."""

from __future__ import annotations

import pytest

from tests.dags.conftest import Office, code
from tests.dags.conftest import office as office  # noqa: PLC0414  (the fixture)
from tests.sealing.searching import Written, tables

pytestmark = pytest.mark.airflow

BOSS = "公孙大娘女士之庚"
OTHER_BOSS = "公孙大娘女士之辛"
MISPLACED_ID = "310101199003071233"
MOBILE = "13912345678"
PLANTED = (BOSS, OTHER_BOSS, MISPLACED_ID, MOBILE)


@pytest.fixture
def airflow(office: Office) -> Office:
    """A department whose rows name persons: two good ones, one with a number in its code's place, one with a mobile."""
    manifest = office.manifests / "enterprise.yaml"
    mapped = "mapping:\n  legal_representative: {from: boss}\n"
    manifest.write_text(manifest.read_text("utf-8").replace("mapping:\n", mapped), "utf-8")
    office.source("ALTER TABLE ent ADD boss text")
    office.source("UPDATE ent SET boss = %s", BOSS)
    office.source("INSERT INTO ent VALUES (4, %s, '丁', 'active', '2021-01-01', now(), %s)", MISPLACED_ID, OTHER_BOSS)
    office.source("INSERT INTO ent VALUES (5, %s, '戊', %s, '2021-01-01', now(), %s)", code(2), MOBILE, OTHER_BOSS)
    return office


def test_what_airflow_keeps_of_a_run_holds_no_personal_values(airflow: Office) -> None:
    done = airflow.test_dag()
    airflow.source("ALTER TABLE ent RENAME COLUMN title TO name")
    failed = airflow.test_dag()

    assert (done.returncode == 0, failed.returncode == 0) == (True, False)
    assert airflow.registry("SELECT pulled, new, refused FROM registry.batch WHERE state = 'published'") == [(5, 2, 3)]
    said = "".join(each.stdout + each.stderr for each in (done, failed))  # with the logs of the tasks
    database = airflow.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    kept = Written([("logs of the tasks", said.encode()), *tables(database)])
    assert {value: kept.holding(value) for value in PLANTED} == {value: [] for value in PLANTED}
    assert {"logs of the tasks", "public.task_instance", "public.xcom"} <= set(kept.holding("office.enterprise"))
    assert kept.holding("2 accepted, 3 refused") == ["logs of the tasks"]
