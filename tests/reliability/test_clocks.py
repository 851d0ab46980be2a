"""Clocks that are set back, at the registry or at the source, change nothing about the end state."""

from __future__ import annotations

import pytest

from registry.domain.batches import State
from registry.storage.database import connect
from shuqiao import ingest
from tests.reliability.conftest import Hub
from tests.reliability.state import registry


def test_the_registrys_clock_set_back_between_two_runs(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last publication lies a month ahead of the clock: versions still follow each other in time, feed included."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        url = hub.registry.url(database)
        with connect(url) as connection:
            connection.execute("UPDATE registry.connector SET published_at = now() + interval '32 days'")
            connection.execute("UPDATE registry.record SET valid_from = c.published_at FROM registry.connector c")
        assert ingest.run(url, hub.manifest).state is State.PUBLISHED
        assert registry(url) == hub.clean["later"]  # which looks at valid_from and valid_to too


def test_the_sources_clock_set_back_between_two_runs(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the source's clock stands before where it stood, rows may bear times long passed: all is read again."""
    monkeypatch.setenv("AIRFLOW_CONN_OFFICE", hub.connections("later")["AIRFLOW_CONN_OFFICE"])
    with hub.registry.database(hub.templates["later"]) as database:
        url = hub.registry.url(database)
        with connect(url) as connection:
            connection.execute(
                "UPDATE registry.connector SET cursor = cursor || jsonb_build_object("
                " 'clock', to_char(now() + interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS+00:00'),"
                " 'value', to_char(now() + interval '1 day', 'YYYY-MM-DD\"T\"HH24:MI:SS+00:00'))"
            )
        assert ingest.run(url, hub.manifest).state is State.PUBLISHED
        found = registry(url)
        assert (found.records, found.feed, found.refusals) == (
            hub.clean["later"].records,
            hub.clean["later"].feed,
            hub.clean["later"].refusals,
        )
        assert found.cursor == hub.clean["later"].cursor
