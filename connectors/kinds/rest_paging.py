"""How a server hands out its rows in pages, and how to notice that it never stops or does not give what it promised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

import requests

from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.kinds.documents import MISSING, resolve
from connectors.kinds.rest_transport import Request, Transport

PAGING_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"enum": ["none", "page", "offset", "cursor", "next_link"]},
        "page_parameter": {"type": "string", "minLength": 1},
        "first_page": {"type": "integer", "minimum": 0},
        "offset_parameter": {"type": "string", "minLength": 1},
        "size_parameter": {"type": "string", "minLength": 1},
        "size": {"type": "integer", "minimum": 1},
        "cursor_parameter": {"type": "string", "minLength": 1},
        "cursor_path": {"type": "string", "minLength": 1},
        "next_path": {"type": "string", "minLength": 1},
        "total_path": {"type": "string", "minLength": 1},
        "stop": {"enum": ["empty", "short", "total"]},
    },
    "allOf": [
        {"if": {"properties": {"kind": {"const": "cursor"}}}, "then": {"required": ["cursor_path"]}},
        {
            "if": {"properties": {"stop": {"const": "short"}}, "required": ["stop"]},
            "then": {"required": ["size"]},
        },
        {
            "if": {"properties": {"stop": {"const": "total"}}, "required": ["stop"]},
            "then": {"required": ["total_path"]},
        },
    ],
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, with what else came along."""

    rows: Sequence[Any]
    document: Any
    headers: Mapping[str, str]
    url: str
    """Where it came from."""
    where: str
    weight: int = 0
    """Bytes."""
    careful: bool = False
    """Whether something in its bytes asks for a look at every value."""


@dataclass(slots=True)
class Progress:
    """What has been seen of the pages so far."""

    pages: int = 0
    rows: int = 0
    total: int | None = None
    total_moved: bool = False
    first: Sequence[Any] = ()
    previous: Sequence[Any] = ()
    marks: set[bytes] = field(default_factory=set)
    """Digests of the cursors and links that were followed."""


class Paging:
    """The requests of one reading, each made from the page before."""

    def __init__(self, settings: Mapping[str, Any], max_pages: int, transport: Transport) -> None:
        self._settings, self._max_pages, self._transport = settings, max_pages, transport
        self.kind: str = settings.get("kind", "none")
        self._size: int | None = settings.get("size")
        self.progress = Progress()

    def first(self, request: Request) -> Request:
        """The request for the first page."""
        params = dict(request.params)
        if self._size is not None:
            params[self._settings.get("size_parameter", "size")] = self._size
        if self.kind == "page":
            params[self._page_parameter] = self._settings.get("first_page", 1)
        elif self.kind == "offset":
            params[self._settings.get("offset_parameter", "offset")] = 0
        return Request(request.url, params, request.headers)

    @property
    def _page_parameter(self) -> str:
        return str(self._settings.get("page_parameter", "page"))

    def after(self, request: Request, page: Page) -> Request | None:
        """The request for the page after this one; None when this was the last. Raises when it cannot go on."""
        progress = self.progress
        progress.pages += 1
        progress.rows += len(page.rows)
        self._note_total(page)
        if self.kind == "none":
            return None
        self._refuse_repetition(page)
        following = self._following(request, page)
        if following is not None and progress.pages >= self._max_pages:
            raise SourceMisconfigured(
                f"{page.where}: no end after {progress.pages} pages and {progress.rows} rows "
                "(setting max_pages); the pages may be endless"
            )
        return following

    def _following(self, request: Request, page: Page) -> Request | None:
        if self.kind == "next_link":
            return self._linked(page)
        if self.kind == "cursor":
            return self._with_cursor(request, page)
        stop = self._settings.get("stop", "empty")
        short = stop == "short" and self._size is not None and len(page.rows) < self._size
        if not page.rows or short or (stop == "total" and self._all_there()):
            return None
        params = dict(request.params)
        if self.kind == "page":
            params[self._page_parameter] = int(params[self._page_parameter]) + 1
        else:
            params[self._settings.get("offset_parameter", "offset")] = self.progress.rows
        return Request(request.url, params)

    def _all_there(self) -> bool:
        return self.progress.total is not None and self.progress.rows == self.progress.total

    def is_past_the_end(self, page: Page) -> bool:
        """Whether all promised rows were there already and the server, asked for more, repeats its last page."""
        return self.kind in ("page", "offset") and self._all_there() and page.rows == self.progress.previous

    def _linked(self, page: Page) -> Request | None:
        path = self._settings.get("next_path")
        link: Any = resolve(page.document, path.split(".")) if path else _link_header(page.headers)
        if link is MISSING or link is None or link == "":
            return None
        if not isinstance(link, str):
            raise SourceMisconfigured(f"{page.where}: {path} should hold a link, got a {type(link).__name__}")
        target = urljoin(page.url, link)
        self._transport.require_same_host(target, page.where)
        self._mark(target, page, "the link to the next page")
        return Request(target)

    def _with_cursor(self, request: Request, page: Page) -> Request | None:
        path = self._settings["cursor_path"]
        cursor = resolve(page.document, path.split("."))
        if cursor is MISSING or cursor is None or cursor == "" or cursor is False:
            return None
        if not isinstance(cursor, str | int):
            raise SourceMisconfigured(f"{page.where}: {path} should hold text, got a {type(cursor).__name__}")
        self._mark(str(cursor), page, f"the cursor of the next page ({path})")
        name = self._settings.get("cursor_parameter", "cursor")
        return Request(request.url, {**request.params, name: cursor})

    def _mark(self, text: str, page: Page, what: str) -> None:
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self.progress.marks:
            raise SourceMisconfigured(
                f"{page.where}: endless pages: {what} came before, after {self.progress.pages} pages "
                f"and {self.progress.rows} rows"
            )
        self.progress.marks.add(digest)

    def _refuse_repetition(self, page: Page) -> None:
        progress = self.progress
        if page.rows and (page.rows in (progress.previous, progress.first)):
            raise SourceMisconfigured(
                f"{page.where}: endless pages: page {progress.pages} holds the same {len(page.rows)} rows as an "
                "earlier one; does the server know the paging parameter? "
                "If it repeats its last page, set paging.total_path"
            )
        progress.first = progress.first or page.rows
        progress.previous = page.rows

    def _note_total(self, page: Page) -> None:
        path = self._settings.get("total_path")
        if path is None:
            return
        total = resolve(page.document, path.split("."))
        if isinstance(total, str) and total.isdecimal() and len(total) < 19:  # noqa: PLR2004
            total = int(total)
        if not isinstance(total, int) or isinstance(total, bool):
            raise SourceMisconfigured(f"{page.where}: {path} (paging.total_path) should hold the number of rows")
        if self.progress.total is not None and self.progress.total != total:
            self.progress.total_moved = True
        self.progress.total = total
        if self.progress.rows > total and not self.progress.total_moved:
            self._refuse_total(page.where)

    def finish(self, where: str) -> None:
        """Compare what came with what was promised. Raises if they differ."""
        if self.progress.total is None or self.progress.rows == self.progress.total:
            return
        if self.progress.total_moved:
            raise SourceUnavailable(
                f"{where}: the source changed while it was read: {self.progress.rows} rows came, and it now counts "
                f"{self.progress.total}"
            )
        self._refuse_total(where)

    def _refuse_total(self, where: str) -> None:
        raise SourceMisconfigured(
            f"{where}: the source says it has {self.progress.total} rows "
            f"({self._settings['total_path']}), but {self.progress.rows} came"
        )


def _link_header(headers: Mapping[str, str]) -> str | None:
    for link in requests.utils.parse_header_links(headers.get("Link", "")):
        if link.get("rel") == "next":
            return link.get("url")
    return None


def rows_of(document: Any, path: str | None, where: str) -> Sequence[Any]:
    """The rows that stand at the row path. Raises SourceMisconfigured when there is no list."""
    found = resolve(document, path.split(".")) if path else document
    if isinstance(found, list):
        return found
    if found is None and path:
        return []
    if found is MISSING:
        keys = ", ".join(list(document)[:20]) if isinstance(document, dict) else type(document).__name__
        raise SourceMisconfigured(f"{where}: no rows at {path}; the answer has: {keys}")
    raise SourceMisconfigured(
        f"{where}: {path or 'the answer'} should hold a list of rows, got a {type(found).__name__}"
        + (f" with {', '.join(list(found)[:20])}; set rows" if isinstance(found, dict) else "")
    )


def each_page(paging: Paging, request: Request, load: Callable[[Request], Page]) -> Iterator[Page]:
    """The pages one after the other; ``load`` fetches one."""
    following: Request | None = paging.first(request)
    while following is not None:
        page: Page = load(following)
        if page.rows and paging.is_past_the_end(page):
            break
        following = paging.after(following, page)
        yield page
    paging.finish(page.where)
