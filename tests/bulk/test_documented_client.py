"""The client that docs/bulk.md shows, as it stands there: it is cut off at every place and comes to the same."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import orjson
import pytest
import requests

from tests.api.conftest import Api
from tests.api.feeding import enterprise, enterprises, uscc
from tests.docs.test_docs import DOCS, file_in


class _Cut(Exception):  # noqa: N818
    """The line broke."""


class Line(requests.Session):
    """A session that breaks after so many answers."""

    def __init__(self, token: str | None, answers: int) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["Authorization"] = f"Bearer {token}"
        self.left = answers

    def request(self, *arguments: object, **named: object) -> requests.Response:
        answer = super().request(*arguments, **named)  # type: ignore[arg-type]
        if self.left == 0:
            raise _Cut  # it was given, and did not arrive
        self.left -= 1
        return answer


@pytest.fixture
def client(tmp_path: Path) -> ModuleType:
    path = tmp_path / "fetcher.py"
    path.write_text(file_in((DOCS / "bulk.md").read_text("utf-8"), "fetcher.py"), "utf-8")
    spec = importlib.util.spec_from_file_location("fetcher", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cut_off_at_every_answer_the_copy_is_whole_and_nothing_is_doubled(
    api: Api, registry_url: str, client: ModuleType, tmp_path: Path
) -> None:
    feed = enterprises(registry_url)
    feed.publish([enterprise(n) for n in range(11)])
    reader = api.client("read:legal_entity")
    folder, answers = tmp_path / "copy", 1
    while True:
        with Line(reader.token, answers % 4) as session:
            try:
                export = client.fetch(session, api.address, "legal_entity", folder, part_records=3)
            except _Cut:
                answers += 1
                feed.publish([enterprise(answers % 11, name=f"改名{answers}")])
            else:
                break
        assert answers < 100
    files = sorted(folder.glob("part-*.ndjson"))
    keys = [orjson.loads(line)["key"] for file in files for line in file.read_bytes().splitlines()]
    assert keys == sorted(uscc(n) for n in range(11))
    assert export["records"] == 11
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
