"""Where the registry's database is."""

from __future__ import annotations

from shuqiao import settings
from shuqiao.settings import SettingsError


def database_url() -> str:
    """The registry's PostgreSQL. Raises SettingsError when there is none, and says what to do."""
    url = settings.read().database_url
    if not url:
        raise SettingsError(
            ["no registry is known here: start one with `make run`, or set SHUQIAO_DATABASE_URL to its PostgreSQL"]
        )
    return url
