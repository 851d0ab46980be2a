"""How fast a dataset leaves whole: ``make bench-bulk``.

``RECORDS=1000000``. One embedded PostgreSQL with the default settings of the local stack, one process of the API, one
client that fetches part after part over HTTP with a token; every part is logged with whom it is about.
``records_per_s`` is what the client has on its side, with every digest compared; ``api_peak_mib`` is the most memory
that the API's process had, ``api_before_mib`` what it had before the first part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import psutil
import requests

from benchmarks.server import running
from registry.api.clients import clients
from registry.domain.batches import Limits, Mode
from registry.domain.grants.terms import Terms
from registry.grants import giving
from registry.intake import batches
from registry.intake.batches import ConnectorEntry, DatasetEntry, PlannedPart
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.storage.database import connect
from registry.storage.migrate import migrate
from schemas.identifiers import organisation_code_check_character, uscc_check_character
from shuqiao.stack import postgres

DATASET = DatasetEntry(
    "legal_entity", "legal_entity@1", "市场主体", "Legal entities", "market-supervision", ("uscc",), "uscc",
    "unconditional",
)  # fmt: skip
CHUNK = 50_000


def main() -> int:
    """Measure and print one JSON document a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=int(os.environ.get("RECORDS", "1000000")))
    arguments = parser.parse_args()
    with running() as (server, folder):
        url = server.conninfo()
        migrate(url)
        _fill(url, arguments.records)
        for form, coding in (("ndjson", "identity"), ("ndjson", "zstd"), ("csv", "identity"), ("parquet", "identity")):
            sys.stdout.write(json.dumps(_exported(url, folder, form, coding)) + "\n")
            sys.stdout.flush()
    return 0


def _fill(url: str, records: int) -> None:
    entry = ConnectorEntry(
        "market-supervision.enterprise", "market-supervision", "连接器", "Connector", "Office", "o@example.gov.cn",
        None, timedelta(hours=2), "digest",
    )  # fmt: skip
    with connect(url) as connection:
        position = batches.register(connection, DATASET, entry)
        parts = [PlannedPart(0, "all", {})]
        batch = batches.plan(
            connection, position, parts, mode=Mode.FULL, schema=DATASET.schema, manifest_digest="digest", run_id="bench"
        )
        staging = Staging(connection, batch, 0)
        for first in range(0, records, CHUNK):
            numbers = range(first, min(first + CHUNK, records))
            codes = [_uscc(number) for number in numbers]
            bodies = [_body(code, number) for code, number in zip(codes, numbers, strict=True)]
            staging.add(numbers, codes, codes, codes, bodies)
        staging.finish({})
        publish(connection, batch, {}, Limits(max_refused=1.0, max_shrink=1.0))


def _uscc(number: int) -> str:
    organisation = f"{number:08d}"
    first = f"91310000{organisation}{organisation_code_check_character(organisation)}"
    return first + uscc_check_character(first)


def _body(code: str, number: int) -> bytes:
    body = {
        "uscc": code,
        "name": f"桥州市第{number}号贸易有限公司",
        "entity_type": "enterprise",
        "status": "active",
        "established_on": "2020-01-02",
        "address": f"桥州市滨江区人民路{number % 999}号",
        "division": "310101",
        "industry": "F51",
        "business_scope": "批发、零售；技术咨询与服务。（依法须经批准的项目，经相关部门批准后方可开展经营活动）",
        "registration_authority": "桥州市市场监督管理局",
        "legal_representative": "张三",
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _exported(url: str, folder: Path, form: str, coding: str) -> dict[str, Any]:
    client = clients.add(url, "bench", [])
    with connect(url) as connection:
        giving.give(connection, client.id, DATASET.name, Terms(), given_by="bench", schema=DATASET.schema)
    port = postgres.free_port()
    environment = os.environ | {
        "SHUQIAO_DATABASE_URL": url,
        "SHUQIAO_TOKEN_KEY": str(folder / "token_key.pem"),
        "SHUQIAO_API_WORKERS": "1",
    }
    command = [sys.executable, "-m", "registry.api", "--port", str(port)]
    api = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        with requests.Session() as session:
            session.trust_env = False
            address = f"http://127.0.0.1:{port}"
            _until_it_answers(session, address)
            form_data = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
            token = session.post(f"{address}/api/v1/token", data=form_data, timeout=30).json()["access_token"]
            session.headers.update({"Authorization": f"Bearer {token}", "Accept-Encoding": coding})
            return {"form": form, "coding": coding, **_fetched(session, address, form, psutil.Process(api.pid))}
    finally:
        api.terminate()
        api.wait()


def _fetched(session: requests.Session, address: str, form: str, api: psutil.Process) -> dict[str, Any]:
    before = api.memory_info().rss
    peak, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], api.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    begun = time.perf_counter()
    export = session.post(f"{address}/api/v1/datasets/legal_entity/exports", json={"format": form}, timeout=60).json()
    records = sent = slowest = 0.0
    href = export["next"]
    while href:
        asked = time.perf_counter()
        answer = session.get(address + href, timeout=60)
        answer.raise_for_status()
        slowest = max(slowest, time.perf_counter() - asked)
        if "Content-Encoding" not in answer.headers:
            assert hashlib.sha256(answer.content).hexdigest() == answer.headers["Shuqiao-Part-SHA256"]  # noqa: S101
        records += int(answer.headers["Shuqiao-Part-Records"])
        sent += int(answer.headers["Content-Length"])
        href = answer.links.get("next", {}).get("url")
    seconds = time.perf_counter() - begun
    done.set()
    watching.join()
    return {
        "records": int(records),
        "seconds": round(seconds, 1),
        "records_per_s": round(records / seconds),
        "mib_sent": round(sent / (1 << 20)),
        "slowest_part_ms": round(slowest * 1000),
        "api_before_mib": before >> 20,
        "api_peak_mib": peak[0] >> 20,
    }


def _until_it_answers(session: requests.Session, address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if session.get(f"{address}/healthz", timeout=2).status_code == 200:  # noqa: PLR2004
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("the API did not start")


if __name__ == "__main__":
    sys.exit(main())
