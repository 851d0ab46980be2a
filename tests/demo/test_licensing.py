"""The licensing office's SFTP server: daily files, complete ones marked, for reading only."""

import zipfile
from pathlib import Path

import asyncssh
import openpyxl
import pytest

from connectors.connection import Connection
from shuqiao.demo import licensing, licensing_files, life
from shuqiao.demo.rosters import City
from tests.demo.conftest import SECRET, Start
from tests.demo.reading import pull

CONNECTORS = ["licensing.food-business", "licensing.permits", "licensing.construction"]


@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_first_file_brings_all_and_the_next_what_a_day_changed(
    connector: str, start: Start, data: Path, city: City
) -> None:
    connection = start("licensing", data)
    first, expected = pull(connector, connection), life.expected(city, connector, 0)
    assert first.rows == expected.rows
    assert len(first.records) == expected.good
    assert len(first.refused) == sum(expected.refused.values())

    licensing_files.change(data, city, 1)
    second, did = pull(connector, connection, first.cursor), life.happened(city, connector, 1)
    fresh = {key for key, record in second.records.items() if first.records.get(key) != record}
    assert len(fresh) == did.new + did.changed + did.corrected
    assert len(second.deleted) == did.deleted


def test_the_formats_are_what_the_names_say(data: Path) -> None:
    outbox = licensing_files.outbox(data)
    names = sorted(str(path.relative_to(outbox)) for path in outbox.rglob("*") if path.is_file())
    assert names == [
        *("construction/construction_20260601.zip", "construction/construction_20260601.zip.ok"),
        *("food/food_20260601.csv", "food/food_20260601.csv.ok"),
        *("permits/permits_20260601.xlsx", "permits/permits_20260601.xlsx.ok"),
    ]
    text = (outbox / "food/food_20260601.csv").read_bytes()
    assert text.startswith("许可证编号".encode("gb18030"))
    with pytest.raises(UnicodeDecodeError):
        text.decode("gb18030")
    book = openpyxl.load_workbook(outbox / "permits/permits_20260601.xlsx", read_only=True)
    assert book.sheetnames == ["行政许可"]
    book.close()
    with zipfile.ZipFile(outbox / "construction/construction_20260601.zip") as archive:
        assert archive.namelist() == ["资质证书.xml"]


async def _visit(connection: Connection, data: Path, password: str) -> None:
    public = licensing.host_key(data).with_suffix(".pub").read_text()
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{connection.port} {public}")
    async with (
        asyncssh.connect(
            "127.0.0.1",
            connection.port or 0,
            username=licensing.USER,
            password=password,
            known_hosts=known,
            config=None,
            client_keys=None,
        ) as session,
        session.start_sftp_client() as sftp,
    ):
        assert "food_20260601.csv.ok" in await sftp.listdir("food")
        for attempt in (sftp.remove("food/food_20260601.csv"), sftp.mkdir("x"), sftp.rename("food", "food2")):
            with pytest.raises(asyncssh.SFTPError):
                await attempt
        with pytest.raises(asyncssh.SFTPError):
            await sftp.open("food/new.csv", "w")
        with pytest.raises(asyncssh.SFTPError):
            await sftp.open("food/food_20260601.csv", "a")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await sftp.stat("/../../licensing/host_key")


def test_visitors_may_read_and_nothing_else(start: Start, data: Path) -> None:
    import asyncio  # noqa: PLC0415

    connection = start("licensing", data)
    asyncio.run(_visit(connection, data, SECRET))
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(_visit(connection, data, "wrong"))
    assert (data / "licensing" / "host_key").stat().st_mode & 0o777 == 0o600
