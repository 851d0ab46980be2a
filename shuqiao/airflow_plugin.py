"""What the hub adds to Airflow: listeners in the scheduler, found by the entry point ``airflow.plugins``.

* When a run of a connector starts, its source's pool is there (an operator may resize it; it is never reset).
* When a run ends, its note says in a sentence what happened.

Neither may ever stop the scheduler: what goes wrong is logged.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from shuqiao.dag_names import CREDIT_DAG, DAG_PREFIX, LICENCES_DAG, POOL_PREFIX

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)
POOL_SLOTS = 4


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Make the pools that the run's tasks wait in."""
    del msg
    if not dag_run.dag_id.startswith(DAG_PREFIX):
        return
    try:
        _make_pools(dag_run)
    except Exception:
        log.exception("the pools of %s could not be made", dag_run.dag_id)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Say what happened."""
    del msg
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Say what happened."""
    del msg
    _note(dag_run)


def _make_pools(dag_run: DagRun) -> None:
    from airflow.models.pool import Pool  # noqa: PLC0415  (the plugin is also loaded where there is no database)
    from airflow.utils.session import create_session  # noqa: PLC0415

    dag = dag_run.get_dag()
    names = {task.pool for task in dag.tasks if task.pool.startswith(POOL_PREFIX)}
    with create_session(
        scoped=False
    ) as session:  # the scoped one is the scheduler's own: closing it would break its loop
        for name in names:
            if Pool.get_pool(name, session=session) is None:
                text = "同时读取该数据源的任务数 / tasks that read this source at once"
                Pool.create_or_update_pool(name, POOL_SLOTS, text, include_deferred=False, session=session)


def _note(dag_run: DagRun) -> None:
    try:
        if dag_run.dag_id == LICENCES_DAG:
            sentence = _of_licences(dag_run)
        elif dag_run.dag_id == CREDIT_DAG:
            sentence = _of_credit(dag_run)
        elif dag_run.dag_id.startswith(DAG_PREFIX):
            sentence = _of_batch(dag_run)
        else:
            return
        if sentence:
            dag_run.note = sentence
    except Exception:
        log.exception("the run %s of %s has no note", dag_run.run_id, dag_run.dag_id)


def _of_batch(dag_run: DagRun) -> str | None:
    from registry.intake import batches  # noqa: PLC0415  (only the scheduler needs them)
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao import notes  # noqa: PLC0415
    from shuqiao.registry_address import database_url  # noqa: PLC0415

    connector = dag_run.dag_id.removeprefix(DAG_PREFIX)
    with connect(database_url()) as connection:
        approved = (dag_run.conf or {}).get("approve_batch")
        if approved:
            found = [batches.report(connection, int(approved))]
        else:
            found = batches.reports(connection, connector=connector, run_id=dag_run.run_id, limit=1)
    return notes.sentence(found[0]) if found else None


def _of_licences(dag_run: DagRun) -> str | None:
    """What the task returned: an issue report as plain data. None when it failed before its end."""
    from shuqiao import notes  # noqa: PLC0415

    found = _returned(dag_run, "issue")
    return notes.licences_sentence(found) if found else None


def _of_credit(dag_run: DagRun) -> str | None:
    """What each task came to, a line each, without those that failed. None when all of them did."""
    found = [_returned(dag_run, task_id) for task_id in ("keep", "evaluate", "deadlines")]
    return "\n".join(str(each["sentence"]) for each in found if each) or None


def _returned(dag_run: DagRun, task_id: str) -> Any:
    """What a task of the run returned; None when it failed before its end."""
    from airflow.models.xcom import XComModel  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session(scoped=False) as session:
        found = session.scalars(
            XComModel.get_many(
                run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key="return_value", limit=1
            )
        ).first()
        return XComModel.deserialize_value(found) if found else None


class ShuqiaoPlugin(AirflowPlugin):
    """Registers the listeners above."""

    name = "shuqiao"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  (Airflow's own form)
