"""Discovery and dry runs of sources that are no database: a department's HTTP interface, and its files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.conftest import REPRESENTATIVE, Desk, uscc


class Firms(BaseHTTPRequestHandler):
    """Two firms under /firms, nothing elsewhere."""

    def do_GET(self) -> None:
        good = self.path.startswith("/firms")
        rows = [{"code": uscc(number), "boss": REPRESENTATIVE, "note": "内部备注内容"} for number in (1, 2)]
        content = json.dumps({"rows": rows}).encode()
        self.send_response(200 if good else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def interface(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Iterator[Desk]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Firms) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        desk.environ["AIRFLOW_CONN_FIRMS"] = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AIRFLOW_CONN_FIRMS", desk.environ["AIRFLOW_CONN_FIRMS"])
        yield desk
        server.shutdown()


REST = """\
connector: firms.listed
title: {zh: 企业, en: Firms}
department: firms
owner: {name: 数据室, email: data@office.example.gov.cn}
legal_basis: 政务数据共享条例
source: {kind: rest, connection: firms, path: /firms, rows: rows}
dataset: legal_entity
schema: legal_entity@1
key: [uscc]
mapping:
  uscc: {from: code}
  name: {constant: 桥州厂}
  legal_representative: {from: boss}
  status: {constant: active}
  established_on: {constant: "2020-01-01"}
schedule: "0 * * * *"
"""


def test_an_interface_must_be_told_where_to_look(interface: Desk) -> None:
    answer = interface.shuqiao("connectors", "discover", "firms")

    assert answer.code == 2
    assert "--set path=" in answer.err


def test_an_interface_shows_its_fields_and_makes_a_draft(interface: Desk) -> None:
    words = ["connectors", "discover", "firms", "--set", "path=/firms", "--set", "rows=rows"]
    answer = interface.shuqiao(*words, "--json")

    assert answer.code == 0, answer.err
    assert {each["name"] for each in answer.document["tables"][0]["fields"]} == {"code", "boss", "note"}
    assert REPRESENTATIVE not in answer.out
    draft = interface.shuqiao(*words, "--draft").out
    assert "  path: /firms" in draft or '  path: "/firms"' in draft
    assert "  rows: rows" in draft


def test_a_dry_run_of_an_interface(interface: Desk) -> None:
    (interface.manifests / "rest.yaml").write_text(REST, "utf-8")
    answer = interface.shuqiao("connectors", "pull", "firms.listed", "--dry-run", "--json")

    assert answer.code == 0, answer.err
    assert (answer.document["accepted"], answer.document["complete"]) == (2, True)
    assert interface.shuqiao("connectors", "check", "firms.listed").code == 0


def test_columns_that_the_mapping_does_not_read_are_masked_in_quarantine(interface: Desk) -> None:
    wrong = REST.replace('"2020-01-01"', '"2999-99-99"').replace("5%", "100%")
    (interface.manifests / "rest.yaml").write_text(wrong, "utf-8")
    ran = interface.shuqiao("connectors", "run", "firms.listed", "--json")
    assert ran.document["refused"] == 2, ran.err
    number = interface.shuqiao("quarantine", "list", "--json").lines[0]["id"]
    raw = interface.shuqiao("quarantine", "show", str(number), "--json").document["raw"]

    assert raw["code"].startswith("9131")
    assert raw["code"] in {uscc(1), uscc(2)}
    assert "内部备注内容" not in raw.values()
    assert REPRESENTATIVE not in raw.values()
