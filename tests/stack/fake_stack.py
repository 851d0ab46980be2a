"""A small stack of fake parts, run as a program by test_supervisor: ``fake_stack.py FOLDER PART...``.

Each part is ``sleeper`` (lives), ``forker`` (has a child in a session of its own whose parent is gone, both with a
scrubbed environment), ``stubborn`` (ignores SIGTERM) or ``crasher`` (ends after half a second with code 3). Every
process that belongs to it holds FOLDER/alive open, so the test can find what is left whatever it calls itself.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from shuqiao.stack.guard import guarded
from shuqiao.stack.supervisor import Part, PartFailed, StopRequested, Supervisor

HERE = Path(__file__)


def main(folder: Path, parts: list[str]) -> int:
    supervisor = Supervisor(folder / "logs")
    try:
        with supervisor:
            for number, kind in enumerate(parts):
                name = f"{kind}-{number}"
                command = (sys.executable, str(HERE), "part", str(folder), name)
                ready = (folder / f"{name}.ready").exists
                part = Part(name, command, dict(os.environ), ready=ready, ready_seconds=20, stop_seconds=1)
                supervisor.start(part)
            supervisor.wait_ready()
            (folder / "up").write_text(str(os.getpid()))
            supervisor.sleep(60)
    except PartFailed as failed:
        say(failed)
        return 4
    except StopRequested as stop:
        say(f"stopped by {stop}")
        return 0
    return 5


def part(folder: Path, name: str) -> None:
    kind = name.partition("-")[0]
    say(f"{name} begins")
    hold(folder)
    if kind == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind == "forker":
        command = [sys.executable, str(HERE), "detached", str(folder)]
        with subprocess.Popen(command, env={"PATH": os.environ["PATH"]}) as middle:
            middle.wait()
    (folder / f"{name}.ready").touch()
    if kind == "crasher":
        while not (folder / "up").exists():
            time.sleep(0.05)
        say("the reason of the crash")
        sys.exit(3)
    while True:
        signal.pause()


def detached(folder: Path) -> None:
    """Fork a grandchild into a session of its own and leave it behind, deaf to SIGTERM."""
    if os.fork() == 0:
        os.setsid()
        hold(folder)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def hold(folder: Path) -> None:
    os.set_inheritable(os.open(folder / "alive", os.O_CREAT | os.O_RDONLY), False)  # noqa: FBT003


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["part", where, name]:
            with contextlib.suppress(KeyboardInterrupt):
                part(Path(where), name)
        case ["detached", where]:
            detached(Path(where))
        case [where, *kinds]:
            sys.exit(guarded(lambda: main(Path(where), kinds)))
        case _:
            sys.exit(__doc__)
