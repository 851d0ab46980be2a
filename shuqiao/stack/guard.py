"""Nothing outlives the stack: two processes watch each other, and whichever is left ends everything.

``guarded(main)`` forks. The child runs ``main``, which starts the parts. The parent does nothing but wait, and pass
signals on. Both are *child subreapers* (Linux): a grandchild that detaches itself, in a session of its own, with its
parent gone, becomes a child of ours and not of init, so the tree below us is always whole. When the child ends, however
it ends (``kill -9`` too), the parent ends all that is left below it; when the parent is killed, the child's end of a
pipe closes and it stops as on SIGTERM. No environment variable or process title is trusted: PostgreSQL and Airflow
overwrite both.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import psutil

GRACE_SECONDS = 1.5
_PR_SET_CHILD_SUBREAPER = 36
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def guarded(main: Callable[[], int]) -> int:
    """Run ``main`` in a guarded child, before any thread runs; its exit code, with no descendant left."""
    adopt_orphans()
    listening, held = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(held)
        _run_child(main, listening)
    os.close(listening)
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: _pass_on(child, number))
    try:
        return _wait(child)
    finally:
        end_descendants()


def adopt_orphans() -> None:
    """Let detached descendants become our children instead of init's (Linux; elsewhere the tree may lose them)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(grace: float = GRACE_SECONDS) -> None:
    """End everything below this process: SIGTERM, a short grace, then SIGKILL until nothing is left."""
    deadline = time.monotonic() + grace
    asked: set[int] = set()
    while left := _descendants():
        for process in left:
            overdue = time.monotonic() > deadline
            if overdue or process.pid not in asked:
                asked.add(process.pid)
                _signal(process, signal.SIGKILL if overdue else signal.SIGTERM)
        _reap()
        time.sleep(0.02)


def _run_child(main: Callable[[], int], listening: int) -> None:
    """The child's whole life. Never returns: the caller's frames belong to the parent."""
    code = 70
    try:
        adopt_orphans()
        threading.Thread(target=_stop_with_parent, args=(listening,), daemon=True).start()
        code = main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001  shown as Python would show it, then the process ends with os._exit
        sys.excepthook(*sys.exc_info())
    finally:
        end_descendants()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stop_with_parent(listening: int) -> None:
    """Wait until the parent is gone (it alone holds the other end), then stop as if asked to."""
    os.read(listening, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _pass_on(child: int, number: int) -> None:
    """What was sent to this process alone reaches the child; Ctrl-C at a terminal reaches it twice, as one."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _wait(child: int) -> int:
    """Reap whatever ends below us until the child does; its exit code, as a shell would give it."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _descendants() -> list[psutil.Process]:
    """Everything below us that still runs; a zombie has ended already and only waits for its parent to notice."""
    running = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
        except psutil.NoSuchProcess:
            continue
    return running


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _reap() -> None:
    """Take note of children that have ended, so that they do not stay as zombies."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
