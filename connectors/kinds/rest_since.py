"""How far an HTTP source has been read: the newest change seen, less a look-back, never beyond the server's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.errors import SourceMisconfigured
from connectors.kinds.measures import DURATION, seconds

INCREMENTAL_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["parameter", "field"],
    "additionalProperties": False,
    "properties": {
        "parameter": {"type": "string", "minLength": 1},
        "field": {"type": "string", "minLength": 1},
        "lookback": DURATION,
        "format": {"type": "string", "minLength": 1},
        "timezone": {"type": "string", "minLength": 1},
        "initial": {"type": ["string", "integer"]},
    },
}
_FORMATS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y%m%d")
_MILLISECONDS: Final = 10**11
"""A number of seconds this large would be the year 5138: it counts milliseconds."""


class Since:
    """The incremental parameter of one connector."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self.field: str = settings["field"]
        self._lookback = timedelta(seconds=seconds(settings.get("lookback", "10m")))
        self._format: str = settings.get("format", "iso")
        try:
            self._zone = ZoneInfo(settings.get("timezone", "Asia/Shanghai"))
        except (KeyError, ValueError, OSError):
            raise SourceMisconfigured(f"incremental.timezone: {settings['timezone']} is no time zone") from None

    def params(self, cursor: Mapping[str, Any] | None) -> dict[str, Any]:
        """The parameter that asks for what changed since the cursor."""
        name, since = self._settings["parameter"], (cursor or {}).get("since")
        if since is not None:
            return {name: self._written(datetime.fromisoformat(since) - self._lookback)}
        return {name: self._settings["initial"]} if "initial" in self._settings else {}

    def _written(self, moment: datetime) -> str | int:
        local = moment.astimezone(self._zone)
        if self._format == "iso":
            return local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")
        if self._format == "epoch":
            return int(moment.timestamp())
        if self._format == "epoch_ms":
            return int(moment.timestamp() * 1000)
        return local.strftime(self._format)

    def newest(self, values: Iterable[Any], so_far: datetime | None, where: str) -> datetime | None:
        """The latest of the values and what was seen before. Raises SourceMisconfigured when one is no time."""
        texts: set[Any] = {value for value in values if value is not None and value != ""}
        for value in texts:
            moment = self._moment(value)
            if moment is None:
                shown = str(value)[:40]
                raise SourceMisconfigured(f"{where}: {self.field} (incremental.field): got {shown!r}, expected a time")
            so_far = moment if so_far is None else max(so_far, moment)
        return so_far

    def _moment(self, value: Any) -> datetime | None:
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000 if value > _MILLISECONDS else value, UTC)
            if not isinstance(value, str):
                return None
            return self._aware(datetime.fromisoformat(value.strip()))
        except (ValueError, OverflowError, OSError):
            return self._in_other_formats(str(value).strip())

    def _in_other_formats(self, text: str) -> datetime | None:
        known: Sequence[str] = _FORMATS if self._format in ("iso", "epoch", "epoch_ms") else (self._format, *_FORMATS)
        for each in known:
            try:
                return self._aware(datetime.strptime(text, each))  # noqa: DTZ007  (made aware at once)
            except (ValueError, OverflowError):
                continue
        return None

    def _aware(self, moment: datetime) -> datetime:
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)
        return moment.astimezone(UTC)


def reached(newest: datetime | None, since: str | None, server_clock: float) -> str | None:
    """The new cursor: what was seen, but never a time that the server has not reached when reading began.

    A row dated tomorrow must not make the hub skip what is written today; a server whose clock was set back is
    followed back, which reads some rows twice and misses none.
    """
    known = [moment for moment in (newest, datetime.fromisoformat(since) if since else None) if moment is not None]
    if not known:
        return None
    return min(max(known), datetime.fromtimestamp(server_clock, UTC)).isoformat()
