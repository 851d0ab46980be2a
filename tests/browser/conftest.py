"""A real browser before a real server with real licences."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from registry.api.clients import clients
from registry.api.settings import ApiSettings
from registry.licences import copies, forms
from shuqiao.stack.postgres import EmbeddedPostgres, free_port
from tests.api.conftest import serving
from tests.conftest import _database
from tests.licences.issue.town import MASTER_KEY, Town, food
from tests.registry.feeding import Row

PERSON = "欧阳明月"
RESIDENT = "11010519491231002X"
DESK = {"width": 1280, "height": 1100}
PHONE = {"width": 390, "height": 844}


@dataclass
class Hub:
    """A registry whose licences are in every state, served at its public address."""

    town: Town

    @property
    def base(self) -> str:
        return self.town.base

    def identifier(self, number: int, version: int | None = None) -> str:
        found = self.town.licences(number)
        return str(found[-1 if version is None else version - 1]["identifier"])

    def page_of(self, number: int, version: int | None = None) -> str:
        return f"{self.base}/verify/{self.identifier(number, version)}"

    def form(self, number: int, name: Any) -> bytes:
        licence, town = self.town.current(number), self.town
        now = datetime.now(UTC)
        return forms.form(town.connection, licence["id"], name, town.ring, town.types, base=town.base, now=now)

    def copy_of(self, number: int) -> copies.Copy:
        client = clients.add(self.town.url, "a bank", ["licence:*"])
        now = datetime.now(UTC)
        return copies.make(
            self.town.connection, self.identifier(number), client.id, "桥州银行桥东支行", "办理经营贷款",
            now + timedelta(days=30), keys=self.town.ring, types=self.town.types, base=self.base, now=now,
        )  # fmt: skip

    def revoke(self, copy_id: str) -> None:
        town = self.town
        copies.revoke(town.connection, copy_id, "operator", keys=town.ring, base=town.base, now=datetime.now(UTC))


VALID, SUSPENDED, REVOKED, CHANGED, EXPIRED, CANCELLED, WITHDRAWN, MOVED_OUT, OTHER, OF_A_PERSON = range(1, 11)
_STATES = {SUSPENDED: "02", REVOKED: "07", CANCELLED: "04", WITHDRAWN: "03", MOVED_OUT: "06"}


def _food(number: int, **fields: Any) -> Row:
    return food(number, **({"valid_to": "2099-12-31"} | fields))


@contextmanager
def _city(url: str) -> Iterator[Town]:
    """What was issued three days ago, and what has become of it since."""
    now = datetime.now(UTC)
    before = now - timedelta(days=3)
    town = Town(url, now=before, base=f"http://127.0.0.1:{free_port()}")
    town.enter()
    person = {"uscc": None, "holder_code": RESIDENT, "holder_code_type": "111", "holder_name": PERSON}
    town.feed(
        *(_food(number) for number in (VALID, SUSPENDED, REVOKED, CHANGED, CANCELLED, WITHDRAWN, MOVED_OUT, OTHER)),
        _food(EXPIRED, valid_to=(before + timedelta(days=1)).date().isoformat()),
        _food(OF_A_PERSON, legal_representative=PERSON, **person),
    )
    town.follow()
    town.now = now
    town.feed(
        _food(CHANGED, holder_name="宁波改名后的食品有限公司"),
        _food(OTHER, status="99", status_reason="许可信息正在核实"),
        *(_food(number, status=state) for number, state in _STATES.items()),
    )
    town.follow()
    yield town
    town.connection.close()


@pytest.fixture(scope="session")
def hub(postgres: EmbeddedPostgres, registry_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One for all tests: they only read, or have something of their own made."""
    with contextmanager(_database)(postgres, registry_template) as url, _city(url) as town:
        settings = ApiSettings(
            database_url=url,
            token_key=tmp_path_factory.mktemp("token") / "key.pem",
            port=urlsplit(town.base).port or 0,
            public_url=town.base,
            master_key=MASTER_KEY,
            catalogue_seconds=0,
        )
        with serving(settings):
            yield Hub(town)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    found = shutil.which("chromium")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no chromium here (Debian package chromium)")
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=arguments)
        yield started
        started.close()


@contextmanager
def visiting(browser: Browser, hub: Hub, **options: Any) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen: no error in the console, nothing loaded from elsewhere."""
    context = browser.new_context(locale="zh-CN", **options)
    page = context.new_page()
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # Chromium itself says that an answer was 404 and the like; what the page then shows is what tests look at
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((hub.base, "data:", "blob:")):
            wrong.append(f"asked elsewhere: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", asked)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(browser: Browser, hub: Hub) -> Iterator[Page]:
    with visiting(browser, hub, viewport=DESK) as made:
        yield made


@pytest.fixture
def phone(browser: Browser, hub: Hub) -> Iterator[Page]:
    with visiting(browser, hub, viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2) as made:
        yield made


@pytest.fixture
def plain(browser: Browser, hub: Hub) -> Iterator[Page]:
    """Without scripts."""
    with visiting(browser, hub, viewport=DESK, java_script_enabled=False) as made:
        yield made


def picture(page: Page, name: str) -> None:
    """Keep a screenshot where SHUQIAO_TEST_PICTURES says; docs/images are made so."""
    folder = os.environ.get("SHUQIAO_TEST_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
