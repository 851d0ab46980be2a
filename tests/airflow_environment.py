"""Airflow as the hub sets it up, with a database and a home of its own."""

from __future__ import annotations

import os
from pathlib import Path

from shuqiao import settings


def airflow_environment(database: str, home: Path) -> dict[str, str]:
    """Airflow as airflow.cfg has it, with what the stack would add."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "SHUQIAO"))}
    return kept | {
        "SHUQIAO_PERSONAL_KEYS": os.environ["SHUQIAO_PERSONAL_KEYS"],
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(settings.airflow_config()),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.dags_folder()),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database.replace("+psycopg", "+asyncpg"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-0123456789abcdef",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
    }
