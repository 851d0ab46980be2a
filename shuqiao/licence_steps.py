"""What the tasks of ``dags/hub_licences.py`` do, and ``shuqiao licence issue`` beside Airflow."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from registry.domain.licences.loading import LicenceTypeError
from registry.signing.master_key import MasterKeyError
from shuqiao import licence_run, notes
from shuqiao.settings import SettingsError

log = logging.getLogger(__name__)


def issue() -> dict[str, Any]:
    """Let every licence follow its record; what was done, as plain data.

    A key that is missing and a wrong licence type need a person: they fail the task at once. Everything else Airflow
    tries again.
    """
    with _sorted_errors():
        report = asdict(licence_run.run(datetime.now(UTC)))
    log.info("%s", notes.licences_sentence(report))
    for line in licence_run.warnings(datetime.now(UTC)):
        log.warning("%s", line)
    return report


@contextmanager
def _sorted_errors() -> Iterator[None]:
    try:
        yield
    except (LicenceTypeError, MasterKeyError, SettingsError) as error:
        raise AirflowFailException(str(error)) from error
