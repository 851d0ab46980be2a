"""E-licences follow their records: a run whenever one of their datasets was published. No logic here."""

from __future__ import annotations

from datetime import timedelta
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

from shuqiao.dag_names import LICENCES_DAG, TAG
from shuqiao.licence_types import licence_types

ZONE = "Asia/Shanghai"
E_LICENCES = Asset(name="e_licences", uri="shuqiao://registry/e_licences")
DATASETS = [
    Asset(name=dataset, uri=f"shuqiao://registry/{dataset}")
    for dataset in sorted({each.dataset for each in licence_types().all})
]

with DAG(
    dag_id=LICENCES_DAG,
    dag_display_name="电子证照签发 e-licences",
    description="随数据变更签发、变更、暂扣、注销电子证照 / licences are issued and follow their records",
    doc_md="任一来源数据集发布后运行：新记录签发电子证照，变更的换发新版本，暂扣、注销、吊销的更新状态列表；"
    "每天零点后处理到期证照并续签状态列表。\n\n"
    "Runs whenever a dataset that licences are made from was published: new records become licences, changed ones new "
    "versions, and a suspension or revocation reaches the signed status lists. Soon after midnight it enters licences "
    "whose term has ended. Whatever is retried or run twice, there is one licence per record and version.",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("3 0 * * *", timezone=ZONE, run_immediately=False),
        assets=AssetAny(*DATASETS),
    ),
    catchup=False,
    max_active_runs=1,
    tags=[TAG, "licences"],
    default_args={
        "owner": "shuqiao",
        "retries": 3,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
    },
):

    @task(outlets=[E_LICENCES])
    def issue() -> dict[str, Any]:
        """签发与更新 / issue licences and follow their records."""
        from shuqiao import licence_steps

        report = licence_steps.issue()
        get_current_context()["outlet_events"][E_LICENCES].extra = report
        return report

    issue()
