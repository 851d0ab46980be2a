"""The connections of sources: Airflow's own (database, environment, secrets backend), else the environment."""

from __future__ import annotations

import os
import sys

from connectors.connection import Connection
from connectors.errors import SourceMisconfigured

PREFIX = "AIRFLOW_CONN_"


def resolve(id: str) -> Connection:  # noqa: A002
    """The connection of that id. Raises SourceMisconfigured when nobody knows it, and says how to add it."""
    text = os.environ.get(PREFIX + id.upper())
    if text:
        try:
            return Connection.parse(id, text)
        except ValueError as error:
            raise SourceMisconfigured(str(error)) from None
    if "airflow.sdk" in sys.modules:  # inside a task: ask Airflow, which asks its secrets backends and its database
        from airflow.sdk import BaseHook  # noqa: PLC0415
        from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415

        try:
            found = BaseHook.get_connection(id)
        except AirflowNotFoundException:
            pass
        else:
            return Connection(
                id=id,
                type=found.conn_type or "",
                host=found.host or "",
                port=found.port,
                login=found.login or "",
                password=found.password or "",
                schema=found.schema or "",
                extra=found.extra_dejson,
            )
    raise SourceMisconfigured(
        f"there is no connection {id!r}: add it in Airflow (Admin > Connections, or `airflow connections add`), "
        f"or set {PREFIX}{id.upper()}"
    )
