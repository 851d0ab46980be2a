"""What the parts of the local stack inherit from the shell it is started in."""

from __future__ import annotations

import pytest

from registry.api.clients.options import VARIABLES
from shuqiao.stack.environment import clean

_TLS = {"SHUQIAO_CLIENT_CA", "SHUQIAO_TLS_CERTIFICATE", "SHUQIAO_TLS_KEY", "SHUQIAO_CLIENT_CERTIFICATE_HEADER"}
"""The local stack speaks plain HTTP on loopback."""


@pytest.mark.parametrize(
    "name",
    ["SHUQIAO_SMALLEST_GROUP", "SHUQIAO_API_WORKERS", "AIRFLOW_CONN_BANK", "HOME", *sorted({*VARIABLES} - _TLS)],
)
def test_a_setting_that_the_stack_does_not_make_itself_reaches_the_parts(name: str) -> None:
    assert clean({name: "5"})[name] == "5"


@pytest.mark.parametrize("name", ["SHUQIAO_DATABASE_URL", "AIRFLOW__CORE__EXECUTOR", "PGHOST", *sorted(_TLS)])
def test_a_setting_of_another_hub_does_not(name: str) -> None:
    assert name not in clean({name: "5"})


def test_what_runs_on_loopback_is_asked_without_a_proxy() -> None:
    assert clean({"no_proxy": "intranet"})["NO_PROXY"] == "intranet,127.0.0.1,localhost"
