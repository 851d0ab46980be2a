"""The ``rest`` kind: rows from an HTTP interface, as JSON pages or as lines of NDJSON."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from connectors.connection import Connection
from connectors.errors import RowRefused, SourceMisconfigured, SourceUnavailable
from connectors.kinds import documents
from connectors.kinds.documents import Columns, HalfWritten, Item
from connectors.kinds.measures import DURATION, RATE, SIZE, per_second, seconds, size
from connectors.kinds.rest_auth import AUTH_SCHEMA, Authorisation
from connectors.kinds.rest_paging import PAGING_SCHEMA, Page, Paging, each_page, rows_of
from connectors.kinds.rest_since import INCREMENTAL_SCHEMA, Since, reached
from connectors.kinds.rest_transport import Answer, Patience, Request, Transport, server_time, whole
from connectors.source import Cursor, DiscoveredTable, Partition, RefusedRow, Rows

DEFAULTS: Final[Mapping[str, Any]] = {
    "timeout": "30s",
    "answer_time": {"json": "5m", "ndjson": "2h"},
    "max_wait": "2m",
    "attempts": 5,
    "max_pages": 100_000,
    "max_response": {"json": "64MiB", "ndjson": "16GiB"},
    "max_field": "1MiB",
    "max_record": "8MiB",
}

NOT_MODIFIED: Final = object()
"""Stands for the document of an answer 304."""

SETTINGS_SCHEMA: Final[Mapping[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["path"],
    "additionalProperties": False,
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "path below the connection's address"},
        "params": {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
        },
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "auth": AUTH_SCHEMA,
        "paging": PAGING_SCHEMA,
        "rows": {"type": "string", "minLength": 1, "description": "dotted path of the list of rows"},
        "format": {"enum": ["json", "ndjson"]},
        "encoding": {"type": "string", "minLength": 1},
        "incremental": INCREMENTAL_SCHEMA,
        "conditional": {"type": "boolean"},
        "optional_columns": {"type": "array", "items": {"type": "string"}},
        "timeout": DURATION,
        "answer_time": DURATION,
        "max_wait": DURATION,
        "attempts": {"type": "integer", "minimum": 1, "maximum": 20},
        "rate": RATE,
        "max_pages": {"type": "integer", "minimum": 1},
        "max_response": SIZE,
        "max_field": SIZE,
        "max_record": SIZE,
    },
    "allOf": [
        {
            "$comment": "an ETag of the first page says nothing about the others",
            "if": {"properties": {"conditional": {"const": True}}, "required": ["conditional"]},
            "then": {"properties": {"paging": {"properties": {"kind": {"const": "none"}}}}},
        },
        {
            "$comment": "lines come in one answer",
            "if": {"properties": {"format": {"const": "ndjson"}}, "required": ["format"]},
            "then": {
                "properties": {"paging": {"properties": {"kind": {"const": "none"}}}, "rows": False},
            },
        },
    ],
}


class RestSource:
    """One HTTP interface."""

    settings_schema: ClassVar[Mapping[str, Any]] = SETTINGS_SCHEMA

    def __init__(self, settings: Mapping[str, Any], connection: Connection | None, columns: Sequence[str]) -> None:
        if connection is None:
            raise SourceMisconfigured("kind rest needs a connection: the address of the server")
        self._settings, self._connection = settings, connection
        self._columns = tuple(columns)
        self._lines = settings.get("format", "json") == "ndjson"
        self._max_field = size(settings.get("max_field", DEFAULTS["max_field"]))
        self._optional = frozenset(settings.get("optional_columns", ()))
        self._since = Since(settings["incremental"]) if "incremental" in settings else None
        self._conditional = bool(settings.get("conditional", False))
        self._opened: Transport | None = None

    def check(self) -> str:
        """Ask for the first rows."""
        rows = self._sample()
        return f"{self._place}: answers with {'lines' if self._lines else 'rows'}; the first {len(rows)} can be read"

    def discover(self) -> Sequence[DiscoveredTable]:
        """The one table of this interface, from its first page."""
        rows = self._sample()
        return (DiscoveredTable(self._settings["path"], documents.inferred_fields(rows)),)

    def partitions(self, since: Cursor | None) -> Sequence[Partition]:  # noqa: ARG002  (the server alone knows)
        """One: an interface hands out its rows in its own order."""
        return (Partition(0, self._settings["path"]),)

    def read(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:  # noqa: ARG002
        """The rows that changed since the cursor."""
        return self._read_lines(since) if self._lines else self._read_pages(since)

    def combine(self, since: Cursor | None, reached: Sequence[Cursor | None]) -> Cursor | None:
        """The cursor of the one partition."""
        return next((each for each in reversed(reached) if each is not None), since)

    def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _transport(self) -> Transport:
        if self._opened is None:
            base = base_address(self._connection)
            patience = self._patience()
            authorisation = Authorisation(self._settings.get("auth", {}), self._connection, base, patience)
            self._opened = Transport(
                base,
                patience,
                authorise=authorisation,
                renew=authorisation.renew,
                secret_names=authorisation.secret_parameters,
                verify=self._connection.extra.get("ca_file", True),
            )
        return self._opened

    def _patience(self) -> Patience:
        def setting(name: str) -> Any:
            default = DEFAULTS[name]
            if isinstance(default, Mapping):
                default = default["ndjson" if self._lines else "json"]
            return self._settings.get(name, default)

        rate = self._settings.get("rate")
        return Patience(
            timeout=seconds(setting("timeout")),
            answer_time=seconds(setting("answer_time")),
            max_wait=seconds(setting("max_wait")),
            attempts=setting("attempts"),
            max_response=size(setting("max_response")),
            interval=1 / per_second(rate) if rate is not None else 0.0,
        )

    @property
    def _place(self) -> str:
        return self._transport.place(self._transport.address(self._settings["path"]))

    def _request(self, since: Cursor | None) -> Request:
        params = {name: _written(value) for name, value in self._settings.get("params", {}).items()}
        params |= self._since.params(since) if self._since else {}
        accept = "application/x-ndjson, application/json" if self._lines else "application/json"
        request = Request(
            self._transport.address(self._settings["path"]),
            params,
            {"Accept": accept, **self._settings.get("headers", {})},
        )
        return replace(request, headers={**request.headers, **self._conditions(request, since)})

    def _conditions(self, request: Request, since: Cursor | None) -> dict[str, str]:
        """If-None-Match and If-Modified-Since, if the cursor knows them of this very address."""
        if not self._conditional or not since or since.get("asked") != _digest(request):
            return {}
        known = {"If-None-Match": since.get("etag"), "If-Modified-Since": since.get("modified")}
        return {name: value for name, value in known.items() if value}

    def _cursor(self, since: Cursor | None, newest: datetime | None, answer: _Heard, request: Request) -> Cursor | None:
        cursor: dict[str, Any] = {}
        if self._since:
            moment = reached(newest, (since or {}).get("since"), answer.clock)
            cursor |= {"since": moment} if moment else {}
        if self._conditional:
            tags = {"etag": answer.headers.get("ETag"), "modified": answer.headers.get("Last-Modified")}
            tags = {name: value for name, value in tags.items() if value}
            cursor |= {**tags, "asked": _digest(request)} if tags else {}
        return cursor or None

    def _read_pages(self, since: Cursor | None) -> Iterator[Rows]:
        request, columns, newest = self._request(since), Columns(self._columns, self._optional), None
        paging = Paging(self._settings.get("paging", {}), self._settings.get("max_pages", 100_000), self._transport)
        heard: list[_Heard] = []
        batch: Rows | None = None

        def load(asked: Request) -> Page:
            page = self._transport.fetch(replace(asked, headers=request.headers), self._page)
            if not heard:
                heard.append(_Heard.of(page.headers))
            return page

        for page in each_page(paging, request, load):
            if page.document is NOT_MODIFIED:
                yield Rows(self._columns, (), page.where, reached=since, unchanged=True)
                return
            for items in documents.in_batches(self._items(page)):
                if batch is not None:
                    yield batch
                batch = columns.batch(page.where, items)
                newest = self._newest(items, newest, page.where)
        last = batch or Rows(self._columns, (), self._place)
        yield replace(last, reached=self._cursor(since, newest, heard[0], request))

    def _items(self, page: Page) -> Iterator[Item]:
        """A page's rows; what cannot be taken of them is refused one by one."""
        weight = page.weight // max(1, len(page.rows))
        for number, row in enumerate(page.rows, 1):
            try:
                found = documents.an_object(row)
                if page.careful or not documents.is_flat(found):
                    documents.inspect(found, self._max_field)
                yield Item(number, weight, found)
            except RowRefused as error:
                yield Item(number, 0, documents.refuse(f"{page.where}:{number}", row, error))

    def _newest(self, items: Sequence[Item], so_far: datetime | None, where: str) -> datetime | None:
        if self._since is None:
            return None
        rows = (item.row for item in items if not isinstance(item.row, RefusedRow))
        values = (documents.column_value(row, self._since.field) for row in rows)
        return self._since.newest((value for value in values if value is not documents.MISSING), so_far, where)

    def _page(self, answer: Answer) -> Page:
        """Make a page of an answer's whole body."""
        if answer.status == 304:  # noqa: PLR2004
            answer.close()
            return Page((), NOT_MODIFIED, answer.headers, answer.response.url, answer.where)
        body = whole(answer)
        refuse_html(body[:256], answer)
        text = body.decode(self._encoding(answer), "surrogateescape")
        document = _document(text, answer.where)
        return Page(
            rows_of(document, self._settings.get("rows"), answer.where),
            document,
            answer.headers,
            answer.response.url,
            answer.where,
            weight=len(body),
            careful=documents.suspect(body, self._max_field) or not documents.is_text(text),
        )

    def _encoding(self, answer: Answer) -> str:
        name = str(self._settings.get("encoding") or _charset(answer.headers) or "utf-8")
        try:
            codecs.lookup(name)
        except LookupError:
            raise SourceMisconfigured(f"{answer.where}: {name!r} is no encoding known here") from None
        return name

    def _read_lines(self, since: Cursor | None) -> Iterator[Rows]:
        request, columns, newest = self._request(since), Columns(self._columns, self._optional), None
        answer = self._transport.fetch(request, lambda found: found)
        with answer:
            if answer.status == 304:  # noqa: PLR2004
                yield Rows(self._columns, (), answer.where, reached=since, unchanged=True)
                return
            batch: Rows | None = None
            for items in documents.in_batches(self._line_items(answer)):
                if batch is not None:
                    yield batch
                batch = columns.batch(answer.where, items)
                newest = self._newest(items, newest, answer.where)
            last = batch or Rows(self._columns, (), answer.where)
            yield replace(last, reached=self._cursor(since, newest, _Heard.of(answer.headers), request))

    def _line_items(self, answer: Answer) -> Iterator[Item]:
        stream = io.BufferedReader(answer, 1 << 17)
        refuse_html(stream.peek(256), answer)
        try:
            yield from documents.ndjson_items(
                stream,
                answer.where,
                encoding=self._encoding(answer),
                max_field=self._max_field,
                max_record=size(self._settings.get("max_record", DEFAULTS["max_record"])),
            )
        except HalfWritten as error:
            raise SourceUnavailable(str(error)) from None

    def _sample(self, count: int = 200) -> list[dict[str, Any]]:
        """The first rows, as the source has them."""
        if self._lines:
            with self._transport.fetch(self._request(None), lambda found: found) as answer:
                found = [item.row for item in islice(self._line_items(answer), count)]
        else:
            paging = Paging(self._settings.get("paging", {}), 1, self._transport)
            page = self._transport.fetch(paging.first(self._request(None)), self._page)
            found = [item.row for item in islice(self._items(page), count)]
        return [row for row in found if not isinstance(row, RefusedRow)]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the first answer of a reading said about time and version."""

    headers: Mapping[str, str]
    clock: float

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> _Heard:
        return cls(headers, server_time(headers) or time.time())


def base_address(connection: Connection) -> str:
    """The server's address, from the parts of an Airflow HTTP connection."""
    host = connection.host
    if "://" in host:
        base = host
    else:
        known = [name for name in (connection.schema, connection.type) if name in ("http", "https")]
        base = f"{known[0] if known else 'http'}://{f'[{host}]' if ':' in host else host}"
    if connection.port and urlsplit(base).port is None:
        parts = urlsplit(base)
        base = parts._replace(netloc=f"{parts.netloc}:{connection.port}").geturl()
    if not urlsplit(base).hostname:
        raise SourceMisconfigured(f"connection {connection.id}: no host")
    return base


def refuse_html(start: bytes, answer: Answer) -> None:
    """Say so when a web page stands where data should be. Raises SourceMisconfigured."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if documents.looks_like_html(start) or (kind == "text/html" and start.lstrip()[:1] not in (b"{", b"[")):
        raise SourceMisconfigured(
            f"{answer.where}: got a web page (HTML) instead of JSON; is it a login or error page? "
            "Check the path and the credentials"
        )


def _document(text: str, where: str) -> Any:
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise SourceUnavailable(f"{where}: the answer is empty, expected JSON")
    try:
        return documents.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise SourceUnavailable(f"{where}: the answer ends in the middle of the JSON document") from None
        raise SourceMisconfigured(
            f"{where}: the answer is no JSON: {error.msg} at line {error.lineno}, character {error.colno}"
        ) from None
    except RowRefused as error:
        raise SourceMisconfigured(f"{where}: the answer is {error.en}") from None


def _charset(headers: Mapping[str, str]) -> str | None:
    found = re.search(r"charset=[\"']?([\w.:-]+)", headers.get("Content-Type", ""), re.IGNORECASE)
    return found[1] if found else None


def _written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _digest(request: Request) -> str:
    text = json.dumps([request.url, request.params], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
