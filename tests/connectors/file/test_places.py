"""The same files from real servers: SFTP, HTTP, S3."""

from __future__ import annotations

import asyncio
import functools
import http.server
import logging
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from connectors.connection import Connection
from connectors.errors import ConnectorError, SourceMisconfigured, SourceUnavailable
from connectors.kinds.file import FileSource

from .reading import read_all, values

SECRET = "s3cr3t-value"


class SftpServer:
    """asyncssh on a thread of its own, serving one folder to one login."""

    def __init__(self, folder: Path) -> None:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._connections: list[asyncssh.SSHServerConnection] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(self._start(folder))
        self.port: int = self._server.get_port()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _start(self, folder: Path) -> Any:
        connections = self._connections

        class Login(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                connections.append(conn)

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("hub", SECRET)

        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Login,
            server_host_keys=[self.key],
            sftp_factory=functools.partial(asyncssh.SFTPServer, chroot=str(folder).encode()),
            allow_scp=False,
        )

    @property
    def host_key(self) -> str:
        return self.key.export_public_key().decode().strip()

    def connection(self, **extra: Any) -> Connection:
        extra = extra or {"host_key": self.host_key}
        return Connection(
            id="licensing", type="sftp", host="127.0.0.1", port=self.port, login="hub", password=SECRET, extra=extra
        )

    def stop(self) -> None:
        async def stop() -> None:
            self._server.close()
            await self._server.wait_closed()
            for each in self._connections:
                each.abort()
                await each.wait_closed()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0.05)  # transports close in a callback of their own

        self._run(stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox" / "food"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id\n1\n")
    (folder / "b.csv").write_text("id\n2\n")
    (folder / "b.csv.ok").touch()
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("许可.xml", "<r><permit><id>3</id></permit></r>")
    return tmp_path


@pytest.fixture
def sftp(outbox: Path) -> Iterator[SftpServer]:
    server = SftpServer(outbox)
    yield server
    server.stop()


def test_files_over_sftp_with_markers_and_archives(sftp: SftpServer, outbox: Path) -> None:
    marked = FileSource({"path": "outbox/food/*.csv", "complete": {"marker": "{name}.ok"}}, sftp.connection(), ["id"])
    zipped = FileSource(
        {"path": "/outbox/food/*.zip", "members": "*.xml", "row_path": "permit"}, sftp.connection(), ["id"]
    )
    first, cursor = read_all(marked)
    (outbox / "outbox/food/a.csv.ok").touch()
    second, cursor = read_all(marked, cursor)

    assert (values(first), values(second)) == ([("2",)], [("1",)])
    assert read_all(marked, cursor)[0] == []
    assert values(read_all(zipped)[0]) == [("3",)]
    assert second[0].where == "sftp://127.0.0.1/outbox/food/a.csv"


def error_of(connection: Connection, path: str = "outbox/food/*.csv") -> ConnectorError:
    source = FileSource({"path": path, "timeout": "5s"}, connection, ["id"])
    with pytest.raises(ConnectorError) as caught:
        source.check()
    source.close()
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_with_another_key_gets_no_password(sftp: SftpServer, caplog: pytest.LogCaptureFixture) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    rsa = asyncssh.generate_private_key("ssh-rsa").export_public_key().decode()
    with caplog.at_level(logging.DEBUG):
        same_type = error_of(sftp.connection(host_key=other))
        other_type = error_of(sftp.connection(host_key=rsa))
        unknown = error_of(sftp.connection(something=1))
        unreadable = error_of(sftp.connection(host_key="ssh-ed25519 nonsense"))

    assert "shows another key than connection licensing knows" in str(same_type)
    assert isinstance(other_type, SourceMisconfigured)
    assert "the server's key is not known" in str(unknown)
    assert "host_key cannot be read" in str(unreadable)
    assert "Auth password" not in caplog.text.replace("userauth", "")
    assert SECRET not in caplog.text


def test_the_check_of_the_key_can_be_given_up_by_name_only(sftp: SftpServer) -> None:
    source = FileSource({"path": "outbox/food/*.csv"}, sftp.connection(no_host_key_check=True), ["id"])

    assert values(read_all(source)[0]) == [("1",), ("2",)]


def test_a_wrong_password_a_missing_folder_and_a_stopped_server_are_told_apart(sftp: SftpServer) -> None:
    good = sftp.connection()
    wrong = Connection(
        id="licensing", type="sftp", host="127.0.0.1", port=good.port, login="hub", password="no", extra=good.extra
    )

    assert "the login is not accepted" in str(error_of(wrong))
    assert isinstance(error_of(wrong), SourceMisconfigured)
    missing = error_of(good, "nowhere/*.csv")
    assert (type(missing), "no such file or folder" in str(missing)) == (SourceMisconfigured, True)
    nobody = Connection(id="licensing", type="sftp", host="127.0.0.1", port=1, login="hub", extra=good.extra)
    assert isinstance(error_of(nobody), SourceUnavailable)


@pytest.fixture
def web(outbox: Path) -> Iterator[Connection]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/away"):
                self.send_response(302)
                self.send_header("Location", "http://localhost:1/stolen.csv")
                self.end_headers()
                return
            if self.path.startswith("/busy"):
                self.send_error(503)
                return
            if not self.headers.get("Authorization"):
                self.send_error(401)
                return
            super().do_GET()

        do_HEAD = do_GET  # noqa: N815

        def send_head(self) -> Any:
            head, self.command = self.command, self.command
            found = super().send_head()
            if head == "HEAD" and found is not None:
                found.close()
                return None
            return found

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(outbox)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield Connection(
        id="credit", type="http", host="127.0.0.1", port=server.server_address[1], login="hub", password=SECRET
    )
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_over_http_are_read_once_and_again_when_changed(web: Connection, outbox: Path) -> None:
    source = FileSource({"path": "/outbox/food/*.csv"}, web, ["id"])
    first, cursor = read_all(source)
    (outbox / "outbox/food/b.csv").write_text("id\n2\n22\n")
    second, cursor = read_all(source, cursor)

    assert values(first) == [("1",), ("2",)]
    assert values(second) == [("2",), ("22",)]
    assert read_all(source, cursor)[0] == []
    assert second[0].where == f"http://127.0.0.1:{web.port}/outbox/food/b.csv"


def test_a_redirect_to_another_host_is_no_file(web: Connection) -> None:
    for path in ("/away/x.ndjson", "/away/*.ndjson"):
        assert "the server redirects to another host (localhost)" in str(error_of(web, path))


def test_refusals_of_a_web_server_are_told_apart(web: Connection) -> None:
    stranger = Connection(id="credit", type="http", host="127.0.0.1", port=web.port)
    nobody = Connection(id="credit", type="http", host="127.0.0.1", port=1)

    for path in ("/outbox/food/a.csv", "/outbox/food/*.csv"):
        refused = error_of(stranger, path)
        assert (type(refused), "HTTP 401" in str(refused)) == (SourceMisconfigured, True)
        assert isinstance(error_of(nobody, path), SourceUnavailable)
    for path in ("/busy/a.csv", "/busy/*.csv"):
        busy = error_of(web, path)
        assert (type(busy), "HTTP 503" in str(busy)) == (SourceUnavailable, True)


@pytest.fixture
def s3() -> Iterator[Connection]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Connection(
        id="store",
        type="aws",
        login="key",
        password=SECRET,
        extra={"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"},
    )
    server.stop()


def test_files_in_s3(s3: Connection) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3.extra["endpoint_url"],
        aws_access_key_id="key",
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="exchange")
    client.put_object(Bucket="exchange", Key="food/a.csv", Body=b"id\n1\n")
    client.put_object(Bucket="exchange", Key="food/b.csv", Body=b"id\n2\n")
    source = FileSource({"path": "exchange/food/*.csv"}, s3, ["id"])
    first, cursor = read_all(source)
    client.put_object(Bucket="exchange", Key="food/a.csv", Body=b"id\n3\n")
    second, cursor = read_all(source, cursor)
    client.close()

    assert (values(first), values(second)) == ([("1",), ("2",)], [("3",)])
    assert read_all(source, cursor)[0] == []
    assert "no such file or folder" in str(error_of(s3, "nowhere/x/*.csv"))
