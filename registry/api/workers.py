"""Several processes of the API on one port, and the one that looks after them.

The process that was started answers nothing itself. It makes the listening sockets, one for each worker; the kernel
spreads connections over them (``SO_REUSEPORT``). A worker that ends is replaced at once, and the new one takes over its
socket with the connections that wait there. Told to end, the first process tells the workers, which answer what is
under way; should it be killed itself, they notice by a pipe and end in the same way.

Workers are forks, made before anything is opened: what the program is made of is in memory once.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

END_SECONDS = 8.0
"""After this a worker that was told to end is killed."""
AGAIN_SECONDS = 1.0
"""A worker that ends sooner than this after its start is replaced so much later: no spinning."""
PORT_SECONDS = 3.0
"""How long a port is waited for that somebody else has: a hub that was killed leaves it a moment later."""
BACKLOG = 2048
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given."""

    number: int
    """From 0."""
    listening: socket.socket
    first_process: int
    """A descriptor that becomes readable when the first process is gone."""


def run(count: int, host: str, port: int, work: Callable[[Place], None]) -> None:
    """Have so many workers until told to end by SIGTERM or SIGINT. Raises OSError if the port is taken."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    alive, kept = os.pipe()
    places = [Place(number, each, alive) for number, each in enumerate(listen(host, port, count))]
    try:
        _look_after(places, lambda place: _begin(place, places, kept, before, work))
    finally:
        for place in places:
            place.listening.close()
        os.close(alive)
        os.close(kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets that listen on one port; 0: any free one. Raises OSError if somebody else listens there."""
    _until_free(host, port)
    made: list[socket.socket] = []
    for _ in range(count):
        family, kind, protocol, _, address = _resolved(host, port if not made else made[0].getsockname()[1])
        each = socket.socket(family, kind, protocol)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.bind(address)
        each.listen(BACKLOG)
        made.append(each)
    return made


def _until_free(host: str, port: int) -> None:
    """``SO_REUSEPORT`` would let another hub of this user share the port unnoticed: ask without it first."""
    family, kind, protocol, _, address = _resolved(host, port)
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            else:
                return
        time.sleep(0.05)


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]


def _look_after(places: Sequence[Place], begin: Callable[[Place], int]) -> None:
    """Until all have ended after a signal to end."""
    running = {begin(place): (place, time.monotonic()) for place in places}
    missing: list[Place] = []
    ending = False
    while running or not ending:
        came = signal.sigwait(_SIGNALS)
        if came in {signal.SIGTERM, signal.SIGINT}:
            ending = True
            for place in places:
                place.listening.close()  # who comes now is refused at once
            _tell(running, signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, END_SECONDS)
        elif came == signal.SIGALRM and ending:
            _tell(running, signal.SIGKILL)
        elif came == signal.SIGALRM:
            running |= {begin(place): (place, time.monotonic()) for place in missing}
            missing.clear()
        while running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            place, since = running.pop(ended[0])
            if ending:
                continue
            _log.error("worker %d (process %d) %s: replaced", place.number, ended[0], _how(ended[1]))
            if time.monotonic() - since > AGAIN_SECONDS:
                running[begin(place)] = (place, time.monotonic())
            else:
                missing.append(place)
                signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _begin(place: Place, places: Sequence[Place], kept: int, mask: Iterable[int], work: Callable[[Place], None]) -> int:
    """Fork; the worker's process id. Does not return in the worker."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.close(kept)
        for other in places:
            if other is not place:
                other.listening.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        work(place)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except Exception:  # noqa: BLE001  (told, and the process ends)
        _log.exception("worker %d failed", place.number)
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(status)


def _tell(running: Iterable[int], number: signal.Signals) -> None:
    for pid in running:
        os.kill(pid, number)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"
