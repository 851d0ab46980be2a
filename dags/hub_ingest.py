"""One DAG per connector, from its manifest: plan -> pull (one task per part) -> publish. No logic here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronTriggerTimetable, Param, get_current_context, get_parsing_context, task
from airflow.sdk.exceptions import AirflowFailException

from connectors.errors import ManifestError
from connectors.manifest import Manifest
from shuqiao import manifests
from shuqiao.dag_docs import broken_manifest_page, connector_page
from shuqiao.dag_names import DAG_PREFIX, POOL_PREFIX, TAG

RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
PARAMS = {
    "full": Param(
        default=False,
        type="boolean",
        title="全量重读 / full reload",
        description="从头读取数据源 / read the source from the start",
    ),
    "dry_run": Param(
        default=False, type="boolean", title="试运行 / dry run", description="只计数，不写入 / count, write nothing"
    ),
    "approve_batch": Param(
        None,
        type=["null", "integer"],
        title="放行批次 / approve batch",
        description="照原样发布一个被拦下的批次 / publish a held batch as it is",
    ),
}


def _schedule(manifest: Manifest) -> CronTriggerTimetable | None:
    """The manifest's times. No start date: with one, Airflow would begin with a run for the time just passed."""
    if manifest.schedule is None:
        return None
    return CronTriggerTimetable(manifest.schedule, timezone=manifest.timezone, run_immediately=False)


def ingest_dag(manifest: Manifest) -> DAG:
    """The DAG of one connector."""
    connector = manifest.connector
    pool = POOL_PREFIX + (manifest.source.connection or connector)
    dataset = Asset(name=manifest.dataset, uri=f"shuqiao://registry/{manifest.dataset}")
    with DAG(
        dag_id=DAG_PREFIX + connector,
        dag_display_name=f"{manifest.title.zh} {connector}",
        description=f"{manifest.title.zh} / {manifest.title.en}",
        doc_md=connector_page(manifest),
        schedule=_schedule(manifest),
        catchup=False,
        max_active_runs=1,
        tags=[TAG, manifest.department, manifest.dataset],
        default_args={**RETRIES, "owner": manifest.department},
        params=PARAMS,
    ) as dag:

        @task(pool=pool)
        def plan() -> list[dict[str, Any]]:
            """计划 / ask the source for its parts and open a batch."""
            from shuqiao import dag_steps

            context = get_current_context()
            return dag_steps.plan(connector, dict(context["params"]), context["dag_run"].run_id)

        @task(pool=pool, map_index_template="{{ task.op_kwargs['part']['label'] }}")
        def pull(part: dict[str, Any]) -> dict[str, int]:
            """读取 / read one part, validate it, stage it."""
            from shuqiao import dag_steps

            return dag_steps.pull(connector, part["batch_id"], part["number"])

        @task(outlets=[dataset], trigger_rule="none_failed")
        def publish() -> dict[str, Any]:
            """发布 / merge into the registry in one transaction."""
            from shuqiao import dag_steps

            context = get_current_context()
            report = dag_steps.publish(connector, dict(context["params"]), context["dag_run"].run_id)
            context["outlet_events"][dataset].extra = report
            return report

        pull.expand(part=plan()) >> publish()
    return dag


def broken_dag(number: int, error: ManifestError) -> DAG:
    """A manifest that is wrong shows in the UI with every fault, and takes no other DAG down."""
    with DAG(
        dag_id=f"broken-manifest.{error.problems[0].path.stem}.{number}",
        doc_md=broken_manifest_page(error),
        schedule=None,
        tags=[TAG, "broken-manifest"],
    ) as dag:

        @task
        def say_what_is_wrong() -> None:
            raise AirflowFailException(str(error))

        say_what_is_wrong()
    return dag


wanted = get_parsing_context().dag_id
if wanted is not None and wanted.startswith(DAG_PREFIX):
    ingest_dag(manifests.one(wanted.removeprefix(DAG_PREFIX)))
else:
    good, broken = manifests.everything()
    for each in good:
        ingest_dag(each)
    for number, each_error in enumerate(broken):
        broken_dag(number, each_error)
