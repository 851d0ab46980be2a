"""Real Airflow runs of a connector's DAG, from the department's database to the registry."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.credit.cases.town import Town, offence
from tests.dags.conftest import Office, code

pytestmark = pytest.mark.airflow

ENDED = """
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select
from shuqiao.airflow_plugin import on_dag_run_success

with create_session(scoped=False) as session:
    for run in session.scalars(select(DagRun).order_by(DagRun.id)):
        on_dag_run_success(run, "")
"""
"""What the scheduler does when a run has ended; `airflow dags test` has none."""


def test_a_run_publishes_and_tells_the_counts(office: Office) -> None:
    done = office.test_dag()

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert sorted(office.registry("SELECT key FROM registry.record")) == sorted([(code(0),), (code(1),)])
    assert office.registry("SELECT key FROM registry.refusal WHERE closed_at IS NULL") == [("91330200MA2AAAAC00",)]
    state, run_id, *counts = office.registry("SELECT state, run_id, pulled, new, refused FROM registry.batch")[0]
    assert (state, counts) == ("published", [3, 2, 1])
    events = office.airflow("SELECT extra->>'new', extra->>'refused' FROM asset_event")
    assert events == [("2", "1")]
    assert run_id.startswith("manual__")


def test_a_dry_run_writes_nothing(office: Office) -> None:
    assert office.test_dag(dry_run=True).returncode == 0
    assert office.registry("SELECT state, new, refused FROM registry.batch") == [("dry_run", 2, 1)]
    assert office.registry("SELECT count(*) FROM registry.record") == [(0,)]


def test_a_held_batch_fails_the_run_with_its_reason_and_can_be_approved(office: Office) -> None:
    office.source(
        "INSERT INTO ent SELECT 100 + n, 'wrong', '丁', 'active', '2021-01-01', now() FROM generate_series(1, 30) n"
    )
    held = office.test_dag()

    assert held.returncode != 0
    assert "approve_batch=1" in held.stdout + held.stderr
    assert office.registry("SELECT state FROM registry.batch") == [("held",)]
    assert office.registry("SELECT count(*) FROM registry.record") == [(0,)]

    assert office.test_dag(approve_batch=1).returncode == 0
    assert office.registry("SELECT state, new, refused, approved_by FROM registry.batch") == [
        ("published", 2, 31, "operator")
    ]


def test_a_source_that_is_not_as_the_manifest_says_fails_at_once(office: Office) -> None:
    office.source("ALTER TABLE ent RENAME TO ent_old")
    done = office.test_dag()
    text = done.stdout + done.stderr

    assert done.returncode != 0
    assert "public.ent" in text
    assert "up_for_retry" not in text.lower()
    assert office.registry("SELECT count(*) FROM registry.batch WHERE state = 'published'") == [(0,)]


def test_the_credit_run_notes_missed_deadlines_once(office: Office) -> None:
    town = Town(office.registry_url)
    town.penalties(offence(1))
    case = town.file()
    town.rows("UPDATE registry.credit_case SET due_on = '2026-01-05' WHERE id = %s RETURNING id", case.id)
    town.connection.close()

    for _ in range(2):
        done = office.test_dag("credit.enterprises")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    assert office.registry("SELECT action, actor, text FROM registry.credit_case_event ORDER BY number") == [
        ("file", "桥州天成1餐饮有限公司", None),
        ("overdue", "hub", "accept 2026-01-05"),
    ]
    command = [sys.executable, "-c", ENDED]
    ended = subprocess.run(command, env=office.environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    notes = [text for (text,) in office.airflow("SELECT content FROM dag_run_note ORDER BY dag_run_id")]
    assert ["新增逾期 1 件（credit 1）" in notes[0], "新增逾期 0 件" in notes[1]] == [True, True]
    assert all(len(text.splitlines()) == 3 for text in notes)  # enterprises, evaluations, deadlines
