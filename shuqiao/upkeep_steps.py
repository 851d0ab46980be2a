"""What the tasks of ``dags/hub_upkeep.py`` do."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime

from airflow.sdk.exceptions import AirflowFailException

from registry.audit import nightly, notes
from registry.audit.notes import LogKey
from registry.intake import upkeep
from registry.licences import integrity
from registry.licences.trust import hub_keys
from registry.storage.database import connect
from shuqiao.registry_address import database_url

log = logging.getLogger(__name__)


def tidy() -> dict[str, int]:
    """Retention and partitions; what was taken away."""
    with connect(database_url()) as connection:
        tidied = upkeep.tidy(connection)
    log.info("%s", tidied)
    return asdict(tidied)


def check_integrity() -> None:
    """Fail with every contradiction found."""
    with connect(database_url()) as connection:
        said = [f"{fault.dataset}: {fault.zh} / {fault.en}" for fault in upkeep.faults(connection)]
        said += [f"{fault.zh} / {fault.en}" for fault in integrity.faults(connection)]
    if said:
        raise AirflowFailException("\n".join(said))
    log.info("登记库一致 / the registry is sound")


def check_access_log() -> dict[str, int]:
    """Fail with everything found in the access log that is not as it was logged; else how far was checked."""
    with connect(database_url()) as connection:
        keys = [LogKey(notes.origin(did), key) for did, key in hub_keys(connection)]
        found = nightly.run(connection, keys, now=datetime.now(UTC))
    if found.findings:
        lines = [f"{each.first}-{each.last} [{each.kind}]: {each.zh} / {each.en}" for each in found.findings]
        lines.append(
            "访问日志被改动，请保全数据库并运行 / the access log was altered; keep the database, run: "
            "shuqiao audit verify --checkpoint <kept elsewhere>"
        )
        raise AirflowFailException("\n".join(lines))
    log.info("访问日志完好 / the access log is sound: %d-%d", found.first, found.size)
    return {"first": found.first, "entries": found.size, "proven": found.proven}


def check_freshness() -> None:
    """Fail with every connector that is later than it promised."""
    with connect(database_url()) as connection:
        late = upkeep.late(connection)
    if late:
        lines = [
            f"{each.connector} ({each.department}): 最近读取 / last read {each.read_at or '-'}, "
            f"承诺 / promised every {each.freshness}"
            for each in late
        ]
        raise AirflowFailException("\n".join(lines))
    log.info("所有连接器都在时效之内 / every connector is fresh")
