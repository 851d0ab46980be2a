"""What the tasks of ``dags/hub_credit.py`` do."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from registry.credit.evaluations import Progress
from registry.domain.credit.rule_files import RuleFileError
from registry.domain.credit.sources import NoEdition
from shuqiao import credit_run, deadline_run, evaluation_run
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
    sentence = credit_run.sentence(report)
    log.info("%s", sentence)
    return {"sentence": sentence, **report.counts, "caught_up": report.caught_up}


def deadlines() -> dict[str, Any]:
    """Note the deadlines of repairs and objections that were missed; what was noted, as plain data."""
    try:
        report = deadline_run.run(datetime.now(UTC))
    except SettingsError as error:
        raise AirflowFailException(str(error)) from error
    sentence = deadline_run.sentence(report)
    log.info("%s", sentence)
    return {"sentence": sentence, "noted": dict(report.noted), "overdue": report.overdue}


def evaluate() -> dict[str, Any]:
    """Bring the evaluations by every scorecard in use up to the records; what was done, as plain data.

    A wrong rule file needs a person: it fails the task at once. Everything else Airflow tries again, and goes on.
    """

    def told(progress: Progress) -> None:
        log.info("%s", evaluation_run.progress_words(progress))

    try:
        kept = evaluation_run.run(datetime.now(UTC), evaluation_run.every(evaluation_run.SAY_SECONDS, told))
    except (RuleFileError, SettingsError) as error:
        raise AirflowFailException(str(error)) from error
    sentence = evaluation_run.sentence(kept)
    log.info("%s", sentence)
    return {
        "sentence": sentence,
        "cards": {name: dict(report.counts) for name, report in kept.cards.items()},
        "dropped": dict(kept.dropped),
        "without_file": list(kept.without_file),
        "complete": kept.complete,
        "caught_up": kept.caught_up,
    }
