"""Processes that follow the registry for licences, reissue, sign lists or make forms; to be killed.

Forked from one process that has imported everything.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from typing import Any

from registry.licences import copies, forms, issue, keys, reissuing, status
from registry.storage.database import connect
from tests.licences.issue.town import BASE, MASTER_KEY, NOW, TYPES

STEP = 40
LATER = NOW + timedelta(days=1)
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.reliability.licence_worker"])


def follow(url: str) -> None:
    """The issue service, in small steps; as often as a rotated key asks for."""
    issue.STEP = STEP
    with connect(url) as connection:
        while True:
            ring = keys.KeyRing.load(connection, MASTER_KEY)
            try:
                issue.follow(connection, TYPES, ring, base=BASE, now=LATER, wait=5)
            except keys.KeyNotActive:
                continue
            return


def follow_once(url: str) -> None:
    """As :func:`follow`, but a rotated key ends it."""
    issue.STEP = STEP
    with connect(url) as connection:
        ring = keys.KeyRing.load(connection, MASTER_KEY)
        issue.follow(connection, TYPES, ring, base=BASE, now=LATER)


def refresh(url: str) -> None:
    """Sign every list anew."""
    with connect(url) as connection:
        ring = keys.KeyRing.load(connection, MASTER_KEY)
        status.refresh(connection, ring, base=BASE, now=NOW + timedelta(days=6))


def reissue(url: str) -> None:
    """Make anew what revoked keys signed."""
    reissuing.STEP = STEP
    with connect(url) as connection:
        ring = keys.KeyRing.load(connection, MASTER_KEY)
        for (key_id,) in connection.execute("SELECT id FROM registry.signing_key WHERE state = 'revoked'").fetchall():
            reissuing.reissue(connection, key_id, types=TYPES, keys=ring, base=BASE, now=LATER)


def make_forms(url: str) -> None:
    """The token of every licence."""
    with connect(url) as connection:
        ring = keys.KeyRing.load(connection, MASTER_KEY)
        for (number,) in connection.execute("SELECT id FROM registry.licence ORDER BY id").fetchall():
            forms.form(connection, number, "jwt", ring, TYPES, base=BASE, now=LATER)


def make_copy(url: str) -> None:
    """An annotated copy of the first licence that is valid."""
    with connect(url) as connection:
        ring = keys.KeyRing.load(connection, MASTER_KEY)
        row = connection.execute(
            "SELECT identifier FROM registry.licence WHERE superseded_by IS NULL AND state = '01' ORDER BY id"
        ).fetchone()
        assert row is not None
        copies.make(
            connection, row[0], "bank", "某银行", "开户", LATER + timedelta(days=30),
            keys=ring, types=TYPES, base=BASE, now=LATER,
        )  # fmt: skip


@contextmanager
def started(work: Callable[[str], None], url: str) -> Iterator[Any]:
    """A process that does the work; killed at the end at the latest."""
    process: ForkServerProcess = _CONTEXT.Process(target=work, args=(url,), daemon=True)
    process.start()
    try:
        yield process
    finally:
        kill(process)


def kill(process: Any) -> None:
    """Kill -9, unless it has ended."""
    if process.is_alive():
        with suppress(ProcessLookupError):  # it may end just now
            os.kill(process.pid, signal.SIGKILL)
    process.join(30)
