"""The receiver of docs/subscriptions.md, run as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import requests

from shuqiao.stack import ports, postgres
from tests.api.feeding import enterprise, enterprises, uscc
from tests.delivery.conftest import Desk

PAGE = (Path(__file__).parent.parent.parent / "docs" / "subscriptions.md").read_text("utf-8")


def test_the_receiver_of_the_guide_takes_signed_events_and_no_others(desk: Desk, tmp_path: Path) -> None:
    found = re.search(r"<!-- file: receiver.py -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "receiver.py").write_text(found[1], "utf-8")
    enterprises(desk.url).publish([enterprise(1), enterprise(2)])
    port = postgres.free_port()
    _, secret = desk.subscribe(f"http://127.0.0.1:{port}/events", batch=True)
    receiver = subprocess.Popen(
        [sys.executable, str(tmp_path / "receiver.py"), str(port)],
        env={"WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert receiver.stdout is not None
        deadline = time.monotonic() + 20
        while not ports.accepts(port):
            assert time.monotonic() < deadline
        forged = requests.post(
            f"http://127.0.0.1:{port}/events",
            data="{}",
            headers={"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"},
            timeout=10,
        )
        assert forged.status_code == 401
        desk.deliver()

        events = [json.loads(receiver.stdout.readline()) for _ in range(2)]

        assert [event["subject"] for event in events] == [uscc(1), uscc(2)]
    finally:
        receiver.kill()
        receiver.communicate()
