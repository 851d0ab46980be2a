"""The documentation that the hub serves: its examples are run word for word, its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.api import limits, manual
from registry.api.manual import LANGUAGES, PAGES, Language
from registry.api.paging import LIMIT
from registry.api.settings import ApiSettings
from tests.api.conftest import Api, api, settings, start
from tests.api.feeding import enterprise, enterprises

__all__ = ["api", "settings", "start"]  # fixtures of the API's own tests


def files(page: str, language: Language) -> dict[str, str]:
    """The blocks of code that have a file's name."""
    found = re.findall(r"^```\w+ (\S+)\n(.*?)^```", manual.text(page, language), re.MULTILINE | re.DOTALL)
    return dict(found)


def test_both_languages_have_the_same_code() -> None:
    for page in PAGES:
        blocks = [re.findall(r"^```.*?^```", manual.text(page, each), re.MULTILINE | re.DOTALL) for each in LANGUAGES]
        without_comments = [re.sub(r"^#.*$", "#", "\n".join(found), flags=re.MULTILINE) for found in blocks]
        assert without_comments[0] == without_comments[1], page
        tables = [manual.text(page, each).count("\n|") for each in LANGUAGES]
        assert tables[0] == tables[1], page


@pytest.fixture
def given(api: Api, registry_url: str) -> dict[str, str]:
    """The environment that the first page asks for, with 250 enterprises to read."""
    enterprises(registry_url).publish([enterprise(number) for number in range(250)])
    client = api.client("read:legal_entity").client
    assert client is not None
    wanted = {"HUB": api.address, "CLIENT_ID": client.id, "CLIENT_SECRET": client.secret, "NO_PROXY": "*"}
    return {**os.environ, **wanted, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(command: list[str], environment: dict[str, str]) -> str:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_five_minute_start_works_word_for_word(given: dict[str, str], tmp_path: Path) -> None:
    for language in LANGUAGES:
        started = files("start", language)
        by_curl = run(["bash", "-euc", started["start.sh"]], given)
        assert by_curl.count('"key":') >= 2
        assert '"dataset":"legal_entity"' in by_curl
        assert '"operation":"new"' in by_curl
        (tmp_path / "start.py").write_text(started["start.py"], "utf-8")
        by_python = run([sys.executable, str(tmp_path / "start.py")], given).splitlines()
        assert len(by_python) == 250
        assert enterprise(249)["name"] in "\n".join(by_python)
    begun = files("start", "en")["start.sh"]
    assert run(["bash", "-euc", begun + files("feed", "en")["feed.sh"]], given).count('"operation":"new"') >= 100
    exported = run(["bash", "-euc", begun + files("bulk", "en")["export.sh"]], given)
    assert exported.count('"key":') >= 250
    assert '"state":"filed"' in run(["bash", "-euc", begun + files("grants", "en")["apply.sh"]], given)


def test_every_page_is_served_in_the_language_that_is_wanted(api: Api) -> None:
    for page in PAGES:
        zh, en = (api.anyone.ask(f"/docs/{page}", lang=language) for language in LANGUAGES)
        assert (zh.status_code, en.status_code) == (200, 200)
        assert (zh.headers["Content-Language"], en.headers["Content-Language"]) == ("zh-CN", "en")
        assert zh.text != en.text
    likes = {"en-GB,en;q=0.9,zh;q=0.1": "en", "zh-CN,zh;q=0.9,en": "zh-CN", "fr": "zh-CN", "": "zh-CN"}
    for liked, language in likes.items():
        answer = api.anyone.ask("/docs", headers={"Accept-Language": liked})
        assert answer.headers["Content-Language"] == language
        assert "Accept-Language" in answer.headers["Vary"]
    assert api.anyone.ask("/docs", lang="en", headers={"Accept-Language": "zh"}).headers["Content-Language"] == "en"
    first = api.anyone.ask("/docs/errors")
    assert api.anyone.ask("/docs/errors", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    missing = api.anyone.ask("/docs/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")


def test_what_the_pages_link_to_is_there(api: Api, registry_url: str) -> None:
    enterprises(registry_url).publish([enterprise(1)])
    links = {
        link
        for page in PAGES
        for language in LANGUAGES
        for link in re.findall(r'href="(/[^"#]*)', api.anyone.ask(f"/docs/{page}", lang=language).text)
    }
    assert len(links) > 15
    for link in sorted(links):
        assert api.anyone.ask(link).status_code == 200, link


def test_below_a_path_links_lead_below_it_too() -> None:
    assert 'href="/hub/docs/grants"' in manual.page("start", "en").below("/hub")


def test_the_limits_that_are_told_are_those_of_the_code() -> None:
    defaults = ApiSettings("", Path())
    for language in LANGUAGES:
        told = manual.text("limits", language)
        for number in (limits.QUERY_BYTES, limits.BODY_BYTES, limits.LOOKUP_BYTES, limits.JSON_DEPTH, LIMIT):
            assert f"{number}" in told
        for size in (limits.JSON_DOCUMENT_BYTES, limits.PDF_DOCUMENT_BYTES):
            assert f"{size >> 20} MiB" in told
        for seconds in (defaults.body_seconds, defaults.statement_seconds, defaults.token_seconds / 60):
            assert f"| {seconds:.0f} " in told
