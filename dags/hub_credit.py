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

from registry.domain.credit.scorecard import default_scorecards
from registry.domain.credit.sources import default_sources
from shuqiao.dag_names import CREDIT_DAG, TAG

ZONE = "Asia/Shanghai"
ENTERPRISES = Asset(name="enterprises", uri="shuqiao://registry/enterprises")
EVALUATIONS = Asset(name="evaluations", uri="shuqiao://registry/evaluations")
TODAY = date.today()  # noqa: DTZ011  (editions change by the day)
FOLLOWED = {
    *default_sources().on(TODAY).datasets,
    *(dataset for card in default_scorecards().live(TODAY) for dataset in card.datasets),
}
DATASETS = [Asset(name=dataset, uri=f"shuqiao://registry/{dataset}") for dataset in sorted(FOLLOWED)]

with DAG(
    dag_id=CREDIT_DAG,
    dag_display_name="法人库 enterprises",
    description="更新旧标识对照、部门间不一致、记录匹配和双公示问题 / what is known of enterprises",
    doc_md="任一来源数据集发布后运行：更新旧标识与统一社会信用代码的对照，发现部门间不一致并通知非数源部门，"
    "为无代码记录找候选企业，检查双公示的及时性和金额；每天零点后处理到期事项，"
    "并登记逾期未办的信用修复与异议申请，每个期限一次。随后按在用的信用评价指标卡，"
    "只对记录有变动或到期的企业重新评价；首次分段评价全部企业。\n\n"
    "Runs whenever a dataset that enterprises' files are merged from was published: the cross-walk of old identifiers, "
    "discrepancies between departments, candidates for records without a code, late records and wrong amounts. Soon "
    "after midnight it enters what a day brings by itself, and notes missed deadlines of repairs and objections, each "
    "once. Then it evaluates, by every scorecard in use, the enterprises whose records changed or whose day has come; "
    "the first time all of them, part by part. Retried or run twice, it ends the same.",
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

    @task(outlets=[EVALUATIONS], execution_timeout=timedelta(hours=6))
    def evaluate() -> dict[str, Any]:
        """信用评价更新 / evaluate the enterprises whose records changed, by every scorecard in use."""
        from shuqiao import credit_steps

        report = credit_steps.evaluate()
        get_current_context()["outlet_events"][EVALUATIONS].extra = report
        return report

    @task
    def deadlines() -> dict[str, Any]:
        """申请逾期登记 / note the deadlines of repairs and objections that were missed, each once."""
        from shuqiao import credit_steps

        return credit_steps.deadlines()

    deadlines()
    keep() >> evaluate()
