"""What the tasks of ``dags/hub_credit.py`` do."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.sources import NoEdition
from shuqiao import credit_run
from shuqiao.settings import SettingsError

log = logging.getLogger(__name__)


def keep() -> dict[str, Any]:
    """Bring what is known of enterprises up to their records; what was done, as plain data.

    A wrong rule file needs a person: it fails the task at once. Everything else Airflow tries again.
    """
    try:
        report = credit_run.run(datetime.now(UTC))
    except (RuleFileError, NoEdition, SettingsError) as error:
        raise AirflowFailException(str(error)) from error
    log.info("%s", credit_run.sentence(report))
    return {**report.counts, "caught_up": report.caught_up}
