"""docs/licences-api.md says what is so: its code runs, and every address is on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from registry.api.app import create_app
from registry.api.routes.licences.sharing_service import MESSAGES
from registry.api.settings import ApiSettings
from tests.api.conftest import Api
from tests.api.licensing import food, open_office, uscc
from tests.docs.test_docs import DOCS, file_in, names, rows

PAGE = (DOCS / "licences-api.md").read_text("utf-8")


def test_the_loan_desk_gets_a_copy_that_can_be_verified(
    start: Callable[..., Api], registry_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    office = open_office(start, registry_url)
    office.town.publish(food(1), food(2))
    (tmp_path / "loan_desk.py").write_text(file_in(PAGE, "loan_desk.py"), "utf-8")
    module: Any = _module(tmp_path / "loan_desk.py")
    client = office.reader("licence:food_business_licence").client
    assert client is not None

    desk = module.LoanDesk(office.api.address, client.id, client.secret)
    try:
        (licence,) = desk.licences(uscc(1), "food_business_licence")
        copy = desk.copy(licence["identifier"], "2026-118", "2099-01-01T00:00:00+08:00")
        assert desk.verdict(copy)["outcome"] == "valid"
        assert desk.verdict(copy.replace(b"2026", b"2027"))["outcome"] == "not_genuine"
        office.town.publish(food(1, status="07"))
        assert desk.verdict(copy)["outcome"] == "revoked"
        assert desk.licences(uscc(1), "food_business_licence") == []
    finally:
        desk.session.close()


def test_every_address_with_licences_is_on_the_page(settings: ApiSettings) -> None:
    for route in create_app(settings).routes:
        assert isinstance(route, APIRoute)
        if {"licences", "trust", "credentials (VC API)", "sharing service"} & set(route.tags):
            assert route.path in PAGE, route.path


def test_every_code_of_the_sharing_service_is_explained() -> None:
    said = {int(cells[0].strip("`")): cells[1] for cells in rows(PAGE, "## GB/T 36906 for systems that speak it")}

    assert set(said) == set(MESSAGES)
    for code, message in MESSAGES.items():
        assert said[code].startswith(message), code
    assert names(PAGE, "## Who may ask") == {"licence:<type>", "licence:*", "issue:<issuer code>"}


def _module(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
