"""Three offices of Chicago, each behind another kind of source, serving the real records of ``../shared/data``."""

from __future__ import annotations

import csv
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from registry.storage.database import connect

DATA = Path(__file__).parents[3] / "shared" / "data"
INSPECTION_COLUMNS = (
    "inspection_id int, dba_name text, aka_name text, licence int, facility_type text, risk text, address text,"
    " city text, state text, zip text, inspection_date date, inspection_type text, results text, critical_count int,"
    " serious_count int, minor_count int"
)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the real records."""
    if not (DATA / "chicago_business_licences.csv").is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{DATA} is not there: in CI the acceptance test must run")
        pytest.skip(f"{DATA} is not there")
    return DATA


def fill_food_regulator(url: str, file: Path) -> None:
    """The regulator's database."""
    with connect(url) as connection:
        connection.execute("CREATE SCHEMA food")
        connection.execute(f"CREATE TABLE food.inspection ({INSPECTION_COLUMNS})".encode())
        with connection.cursor() as cursor, cursor.copy("COPY food.inspection FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(file.read_bytes())


@contextmanager
def sanitation_office(file: Path) -> Iterator[str]:
    """The office's HTTP interface, as the URI of an Airflow connection."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))

    class Office(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            start, size = int(asked.get("offset", "0")), min(int(asked.get("limit", "100")), 500)
            found: dict[str, Any] = {"total": len(rows), "items": rows[start : start + size]}
            body = json.dumps(found).encode() if parts.path == "/complaints" else b"{}"
            self.send_response(200 if parts.path == "/complaints" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Office)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
