"""Nothing is left running, whatever ends the stack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

FAKE = Path(__file__).with_name("fake_stack.py")
ROOT = Path(__file__).parents[2]


class FakeStack:
    """A running fake stack: the process the user would have started, and what belongs to it."""

    def __init__(self, folder: Path, *parts: str) -> None:
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [sys.executable, str(FAKE), str(folder), *parts],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )

    def wait_up(self) -> int:
        """Wait until every part is ready; the pid of the supervising process."""
        deadline = time.monotonic() + 30
        up = self.folder / "up"
        while not (up.exists() and up.read_text()):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the fake stack did not come up"
            time.sleep(0.02)
        return int(up.read_text())

    def output(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=30)
        return self.process.returncode, output

    def left(self) -> list[psutil.Process]:
        """The parts' processes that still run."""
        return list(holders(self.folder / "alive"))

    def wait_none_left(self) -> None:
        deadline = time.monotonic() + 15
        while left := self.left():
            assert time.monotonic() < deadline, f"left running: {left}"
            time.sleep(0.05)


def holders(path: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if any(Path(opened.path) == path for opened in process.open_files()):
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[FakeStack]:
    made = FakeStack(tmp_path, "sleeper", "forker", "stubborn")
    yield made
    for process in made.left():
        process.kill()
    made.process.kill()
    made.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_part_and_what_the_parts_left_behind(stack: FakeStack, number: int) -> None:
    stack.wait_up()
    assert len(stack.left()) == 4  # the forker's detached grandchild too

    stack.process.send_signal(number)
    code, output = stack.output()

    assert (code, output) == (0, f"stopped by {signal.Signals(number).name}\n")
    assert stack.left() == []


def test_ctrl_c_at_a_terminal_reaches_the_whole_foreground_group_and_counts_once(stack: FakeStack) -> None:
    stack.wait_up()

    os.killpg(stack.process.pid, signal.SIGINT)
    code, output = stack.output()

    assert (code, output) == (0, "stopped by SIGINT\n")
    assert stack.left() == []


@pytest.mark.parametrize("whom", ["supervisor", "guard"])
def test_kill_9_of_either_process_ends_everything(stack: FakeStack, whom: str) -> None:
    supervisor = stack.wait_up()
    assert supervisor != stack.process.pid

    os.kill(supervisor if whom == "supervisor" else stack.process.pid, signal.SIGKILL)
    code, _ = stack.output()

    assert code == (137 if whom == "supervisor" else -9)
    stack.wait_none_left()


def test_a_crash_of_a_part_is_named_with_its_last_words_and_stops_the_rest(tmp_path: Path) -> None:
    stack = FakeStack(tmp_path, "sleeper", "forker", "crasher")

    code, output = stack.output()

    assert code == 4
    assert "crasher-2 ended with exit code 3" in output
    assert "the reason of the crash" in output
    assert stack.left() == []


def test_parts_are_stopped_youngest_first_and_only_the_deaf_are_killed(stack: FakeStack) -> None:
    stack.wait_up()
    began = time.monotonic()

    stack.process.send_signal(signal.SIGTERM)
    stack.output()

    assert 1 <= time.monotonic() - began < 10  # the stubborn part's second, not the default quarter of a minute
