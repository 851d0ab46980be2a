"""The hub's own upkeep: retention and integrity every night, freshness every ten minutes. No logic here."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from shuqiao.dag_names import TAG

ZONE = "Asia/Shanghai"
DEFAULTS = {"owner": "shuqiao", "retries": 2, "retry_delay": timedelta(minutes=1)}

with DAG(
    dag_id="upkeep.nightly",
    dag_display_name="夜间维护 nightly upkeep",
    description="保留期、分区、一致性检查、访问日志核验 / retention, partitions, integrity, the access log",
    doc_md="清理过期数据，核对登记库自身是否一致、访问日志是否被改动；发现矛盾时任务失败并逐条列出。\n\n"
    "Drops what has outlived its term, checks that the registry does not contradict itself and that nobody altered "
    "the access log (what is new every night, everything once a week); when something is wrong, the task fails and "
    "names each fault.",
    schedule=CronTriggerTimetable("30 2 * * *", timezone=ZONE),
    catchup=False,
    max_active_runs=1,
    tags=[TAG, "upkeep"],
    default_args=DEFAULTS,
):

    @task
    def tidy() -> dict[str, int]:
        """保留期与分区 / retention and partitions."""
        from shuqiao import upkeep_steps

        return upkeep_steps.tidy()

    @task
    def check_integrity() -> None:
        """一致性检查 / integrity."""
        from shuqiao import upkeep_steps

        upkeep_steps.check_integrity()

    @task
    def check_access_log() -> dict[str, int]:
        """访问日志核验 / the access log against its tree and checkpoints."""
        from shuqiao import upkeep_steps

        return upkeep_steps.check_access_log()

    tidy() >> check_integrity()
    check_access_log()

with DAG(
    dag_id="upkeep.freshness",
    dag_display_name="时效检查 freshness",
    description="哪些连接器超过承诺的时效 / which connectors are later than promised",
    doc_md="逾期的连接器使任务失败，并列出部门与最近读取时间。\n\n"
    "Connectors later than their manifest promises fail the task, with department and time of the last read.",
    schedule=CronTriggerTimetable("*/10 * * * *", timezone=ZONE),
    catchup=False,
    max_active_runs=1,
    tags=[TAG, "upkeep"],
    default_args=DEFAULTS | {"retries": 0},
):

    @task
    def check_freshness() -> None:
        """时效检查 / freshness."""
        from shuqiao import upkeep_steps

        upkeep_steps.check_freshness()

    check_freshness()
