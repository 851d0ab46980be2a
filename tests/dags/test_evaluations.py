"""A real Airflow run of the credit DAG evaluates enterprises by the card in force, and tells how many."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shuqiao import evaluation_run
from shuqiao.dag_names import CREDIT_DAG
from tests.credit.enterprise_file.town import Town, enterprise, uscc
from tests.dags.conftest import Office

pytestmark = pytest.mark.airflow
EVENTS = (
    "SELECT e.extra->'cards'->'enterprise_credit@1'->>'evaluated', e.extra->>'complete', e.extra->>'sentence'"
    " FROM asset_event e JOIN asset a ON a.id = e.asset_id WHERE a.name = 'evaluations'"
)


def test_a_run_evaluates_all_enterprises_and_leaves_nothing_to_do(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(office.registry_url)
    town.say("legal_entity", {str(each): enterprise(each) for each in range(2)})
    town.connection.close()

    done = office.test_dag(CREDIT_DAG)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert office.registry("SELECT scorecard, version, entity FROM registry.evaluation ORDER BY entity") == [
        ("enterprise_credit", 1, entity) for entity in sorted([uscc(0), uscc(1)])
    ]
    ((evaluated, complete, sentence),) = office.airflow(EVENTS)
    assert (evaluated, complete) == ("2", "true")
    assert "2 enterprises evaluated" in sentence
    monkeypatch.setenv("SHUQIAO_DATABASE_URL", office.registry_url)
    assert not evaluation_run.run(datetime.now(UTC)).counts["evaluated"]
