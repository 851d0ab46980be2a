"""Credit reports as documents: numbered, sealed with the hub's key, written to a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.api.credit import reports as credit_reports
from registry.api.credit.answers import Datasets
from registry.api.representations import now
from registry.credit.reports import COMMAND_LINE
from registry.licences.keys import KeyRing
from registry.storage.database import connect
from shuqiao import master_key, settings
from shuqiao.cli import registry
from shuqiao.cli.licence_acts import explained, write


def write_pdf(report: Mapping[str, Any], datasets: Datasets, file: Path) -> str:
    """Write a report to a file (``-``: stdout) and give its number. Raises Failure without keys or master key."""
    at, base = now(), settings.public_url(settings.read())
    with explained(), connect(registry.url()) as connection:
        keys = KeyRing.load(connection, master_key.load())
        key, chain = keys.hub, keys.hub_chain
        issued = credit_reports.issue(connection, report, asked_by=COMMAND_LINE, now=at)
        body = credit_reports.pdf(report, issued, datasets, key=key, chain=chain, base=base, now=at)
    write(body, file)
    return issued.number
