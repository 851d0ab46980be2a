"""Receivers are reached by TLS, and only those whose certificate is good for the name that the owner gave."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from registry.domain.delivery.addresses import AddressRules
from tests.api.feeding import enterprise, enterprises
from tests.delivery.conftest import LOOPBACK, Desk


@contextmanager
def receiving(certificate: trustme.LeafCert, events: list[bytes]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            events.append(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer()

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("WebHook-Allowed-Origin", "*")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:
                self.close_connection = True

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_certificate_has_to_be_good_for_the_name(desk: Desk, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    rules = AddressRules(networks=LOOPBACK.networks, ports=None)
    enterprises(desk.url).publish([enterprise(1)])
    good: list[bytes] = []
    other: list[bytes] = []
    with (
        receiving(authority.issue_cert("localhost"), good) as port,
        receiving(authority.issue_cert("bank.example.com"), other) as wrong,
    ):
        client = desk.client("legal_entity")
        first, _ = desk.subscribe(f"https://localhost:{port}/events", client=client)
        second, _ = desk.subscribe(f"https://localhost:{wrong}/events", client=client)
        desk.deliver(addresses=rules, ca_file=tmp_path / "ca.pem")

        desk.wait(first, lambda each: each.delivered == 1)
        shown = desk.wait(second, lambda each: each.attempts >= 1)
        desk.stop()

    assert len(good) == 1
    assert other == []
    assert shown.last_error is not None
    assert "TLS failed" in shown.last_error
