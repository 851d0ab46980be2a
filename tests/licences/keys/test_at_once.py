"""Two who change keys at once, and one who is killed in the middle: never two active keys, never half of anything."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from registry.domain.licences.licence import Issuer
from registry.licences import issuers, keys
from registry.licences.keys import KeyNotActive, KeyRing, Reason
from registry.signing.master_key import MasterKey, MasterKeyWrong
from registry.storage.database import connect
from tests.licences.keys.conftest import BASE, HEALTH, MARKET, MASTER_KEY, MASTER_KEY_TEXT, NOW, Hall

LATER = NOW + timedelta(days=1)


def at_once(url: str, work: Callable[[Any], Any], times: int = 2) -> list[Any]:
    """Each on a connection of its own, all begun at the same moment: what each gave, or the error it met."""
    start = threading.Barrier(times)

    def one(_: int) -> Any:
        with connect(url) as connection:
            start.wait()
            try:
                return work(connection)
            except keys.KeysError as error:
                return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_two_who_enter_the_first_authority_make_one_root_one_hub_and_one_seal(empty: Hall) -> None:
    def enter(connection: Any) -> Issuer:
        return issuers.enter(
            connection, MARKET.code, MARKET.name, MARKET.name_en, base=BASE, master_key=MASTER_KEY, now=NOW
        )

    one, other, third = at_once(empty.url, enter, 3)
    assert one == other == third
    assert sorted(purpose for purpose, *_ in empty.made()) == ["hub", "root", "seal"]


def test_two_who_replace_the_same_key_make_one_new_key(hall: Hall) -> None:
    meant = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).key_id
    answers = at_once(
        hall.url,
        lambda it: keys.rotate(it, MARKET.code, master_key=MASTER_KEY, now=LATER, replacing=meant),
    )
    (refused,) = [each for each in answers if isinstance(each, KeyNotActive)]
    (done,) = [each for each in answers if isinstance(each, keys.Rotation)]
    assert done.new.id in str(refused)
    assert [key.state for key in keys.all_keys(hall.connection, MARKET.code)] == ["retired", "active"]


def test_two_who_revoke_the_same_key_make_one_successor(hall: Hall) -> None:
    key_id = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).key_id
    one, other = at_once(
        hall.url, lambda it: keys.revoke(it, key_id, Reason.KEY_COMPROMISE, master_key=MASTER_KEY, now=LATER)
    )
    assert one == other
    assert [key.state for key in keys.all_keys(hall.connection, MARKET.code)] == ["revoked", "active"]


def test_a_rotation_and_a_new_master_key_at_once_leave_keys_that_open_with_one_of_them(hall: Hall) -> None:
    new = MasterKey(bytes(32))

    def rotate(connection: psycopg.Connection) -> None:
        with contextlib.suppress(MasterKeyWrong):
            keys.rotate(connection, MARKET.code, master_key=MASTER_KEY, now=LATER)

    def reseal(connection: psycopg.Connection) -> None:
        keys.reseal(connection, MASTER_KEY, new)

    work: SimpleQueue[Callable[[psycopg.Connection], None]] = SimpleQueue()
    work.put(rotate)
    work.put(reseal)

    def next_one(connection: psycopg.Connection) -> None:
        work.get()(connection)

    at_once(hall.url, next_one)
    assert {key.master_key_id for key in keys.all_keys(hall.connection)} == {new.id}
    assert KeyRing.load(hall.connection, new).signer(MARKET.code).sign(b"x")


def test_who_signs_holds_the_key_until_the_signature_is_kept(hall: Hall) -> None:
    """A revocation waits for the transaction that signs, and bears a later time; the next one who signs is told."""
    key_id = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).key_id
    with ThreadPoolExecutor(1) as pool, connect(hall.url) as other:
        with hall.connection.transaction():
            keys.hold(hall.connection, {key_id})
            asked = datetime.now(UTC)
            revoking = pool.submit(keys.revoke, other, key_id, Reason.SUPERSEDED, master_key=MASTER_KEY, now=asked)
            _until_it_waits(hall.url)
            sleep(0.2)
            assert not revoking.done()
        revoked_at = revoking.result(30).key.revoked_at
    assert revoked_at is not None
    assert revoked_at - asked >= timedelta(seconds=0.2)
    with pytest.raises(KeyNotActive, match=key_id), hall.connection.transaction():
        keys.hold(hall.connection, {key_id})


@pytest.mark.parametrize("sm2", [False, True])
def test_who_still_has_the_old_master_key_makes_no_key_that_nobody_can_open(hall: Hall, *, sm2: bool) -> None:
    keys.reseal(hall.connection, MASTER_KEY, MasterKey(bytes(32)))
    with pytest.raises(MasterKeyWrong):
        keys.rotate(hall.connection, MARKET.code, master_key=MASTER_KEY, now=LATER, sm2=sm2)
    assert len(hall.made()) == 4


def test_two_who_sign_do_not_wait_for_each_other(hall: Hall) -> None:
    ring = KeyRing.load(hall.connection, MASTER_KEY)
    ids = {ring.signer(code).key_id for code in (MARKET.code, HEALTH.code)}
    with connect(hall.url) as other, hall.connection.transaction(), other.transaction():
        other.execute("SET LOCAL lock_timeout = '2s'")
        keys.hold(hall.connection, ids)
        keys.hold(other, ids)


def _until_it_waits(url: str) -> None:
    end = monotonic() + 30
    with connect(url) as watching:
        statement = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while watching.execute(statement).fetchone() is None:
            assert monotonic() < end, "nobody waits for the lock"
            sleep(0.02)


DYING = """
import os, signal, sys
from datetime import datetime
from registry.licences import issuers, key_rows, keys
from registry.signing.master_key import MasterKey, from_text
from registry.storage.database import connect

url, module, name, call = sys.argv[1:5]
module = {"keys": keys, "key_rows": key_rows}[module]
whole, left = getattr(module, name), [int(call)]

def dies(*values, **named):
    left[0] -= 1
    done = whole(*values, **named)
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(module, name, dies)
given = {"master_key": from_text(os.environ["SHUQIAO_MASTER_KEY"]), "now": datetime.fromisoformat(sys.argv[6])}
code, key_id = sys.argv[7:9]
with connect(url) as connection:
    if sys.argv[5] == "rotate":
        keys.rotate(connection, code, **given)
    elif sys.argv[5] == "revoke":
        keys.revoke(connection, key_id, keys.Reason.KEY_COMPROMISE, **given)
    elif sys.argv[5] == "replace_root":
        keys.replace_root(connection, **given)
    elif sys.argv[5] == "reseal":
        keys.reseal(connection, given["master_key"], MasterKey(bytes(32)))
    else:
        wanted = [issuers.Wanted("330203", "海曙区行政审批局", "x"), issuers.Wanted(code, "新名称", "renamed")]
        issuers.enter_all(connection, wanted, base="https://hub.example.gov.cn", **given)
"""
"""Does one thing and is killed right after the n-th call of a function within it."""
PLACES = [
    ("key_rows", "retire", 1, "rotate"),
    ("key_rows", "make_leaf", 1, "rotate"),
    ("keys", "Rotation", 1, "rotate"),
    ("key_rows", "make_leaf", 1, "revoke"),
    ("keys", "affected", 1, "revoke"),
    ("key_rows", "make_root", 1, "replace_root"),
    ("key_rows", "make_leaf", 2, "replace_root"),
    ("key_rows", "reseal", 2, "reseal"),
    ("key_rows", "make_leaf", 1, "enter"),
    ("key_rows", "retire", 1, "enter"),
    ("key_rows", "make_leaf", 2, "enter"),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_who_is_killed_has_changed_nothing_and_the_same_again_succeeds(
    hall: Hall, place: tuple[str, str, int, str]
) -> None:
    module, name, call, work = place
    before = hall.made(), issuers.all_issuers(hall.connection), [key.id for key in keys.all_keys(hall.connection)]
    key_id = KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).key_id

    def run(after_calls: int) -> int:
        command = [sys.executable, "-c", DYING, hall.url, module, name, str(after_calls), work, LATER.isoformat()]
        command += [MARKET.code, key_id]
        environ = {"PATH": os.environ["PATH"], "SHUQIAO_MASTER_KEY": MASTER_KEY_TEXT}
        return subprocess.run(command, env=environ, check=False, timeout=60).returncode

    assert run(call) == -signal.SIGKILL
    after = hall.made(), issuers.all_issuers(hall.connection), [key.id for key in keys.all_keys(hall.connection)]
    assert after == before
    assert KeyRing.load(hall.connection, MASTER_KEY).signer(MARKET.code).key_id == key_id
    assert run(1_000) == 0
    active = [(purpose, code) for purpose, code, state in hall.made() if state == "active"]
    assert len(active) == len(set(active)) == (5 if work == "enter" else 4)
