"""What is known of enterprises follows their records: a run whenever a dataset was published. No logic here."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAny,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    get_current_context,
    task,
)

from registry.domain.credit.sources import default_sources
from shuqiao.dag_names import CREDIT_DAG, TAG

ZONE = "Asia/Shanghai"
ENTERPRISES = Asset(name="enterprises", uri="shuqiao://registry/enterprises")
DATASETS = [
    Asset(name=dataset, uri=f"shuqiao://registry/{dataset}")
    for dataset in sorted(default_sources().on(date.today()).datasets)  # noqa: DTZ011  (editions change by the day)
]

with DAG(
    dag_id=CREDIT_DAG,
    dag_display_name="法人库 enterprises",
    description="更新旧标识对照、部门间不一致、记录匹配和双公示问题 / what is known of enterprises",
    doc_md="任一来源数据集发布后运行：更新旧标识与统一社会信用代码的对照，发现部门间不一致并通知非数源部门，"
    "为无代码记录找候选企业，检查双公示的及时性和金额；每天零点后处理到期事项。\n\n"
    "Runs whenever a dataset that enterprises' files are merged from was published: the cross-walk of old identifiers, "
    "discrepancies between departments, candidates for records without a code, late records and wrong amounts. Soon "
    "after midnight it enters what a day brings by itself. Retried or run twice, it ends the same.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("6 0 * * *", timezone=ZONE, run_immediately=False),
        assets=AssetAny(*DATASETS),
    ),
    catchup=False,
    max_active_runs=1,
    tags=[TAG, "credit"],
    default_args={
        "owner": "shuqiao",
        "retries": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
    },
):

    @task(outlets=[ENTERPRISES])
    def keep() -> dict[str, Any]:
        """法人库更新 / bring what is known of enterprises up to their records."""
        from shuqiao import credit_steps

        report = credit_steps.keep()
        get_current_context()["outlet_events"][ENTERPRISES].extra = report
        return report

    keep()
