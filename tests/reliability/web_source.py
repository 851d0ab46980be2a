"""A department's HTTP server as a process of its own; told to, it kills itself (-9) at a place of an answer.

``python -m tests.reliability.web_source PORT DIES_AT``: ``before:N`` before answering the Nth request, ``within:N`` in
the middle of its body, ``after:N`` right after it; ``never``. It prints its port when it listens.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROWS = 600
PAGE = 100


def row(number: int) -> dict[str, Any]:
    state = "未知" if number % 100 == 50 else "有效"
    return {
        "serial": number,
        "card_no": f"P{number:06}",
        "holder": f"持证人{number}",
        "state": state,
        "day": "2026-01-02",
    }


def main(port: int, dies: str) -> None:
    place, _, number = dies.partition(":")
    answered = 0

    class Office(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal answered
            answered += 1
            due = place != "never" and answered == int(number)
            if due and place == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            page = int(parse_qs(urlsplit(self.path).query)["page"][0])
            rows = [row(each) for each in range(1, ROWS + 1)][(page - 1) * PAGE : page * PAGE]
            body = json.dumps({"total": ROWS, "items": rows}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if due and place == "within":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            self.wfile.write(body)
            self.wfile.flush()
            if due:
                os.kill(os.getpid(), signal.SIGKILL)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", port), Office)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
