"""Pages for the public: what may be published of an enterprise today, and whether a report is genuine.

They need no login and no scripts. Nothing on them is for search engines: what is public today may not be tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from registry.api.access.security import Public
from registry.api.credit import answers as credit_answers
from registry.api.credit import report_words
from registry.api.credit import reports as credit_reports
from registry.api.credit.answers import AmbiguousIdentifier, Found, UnknownEnterprise
from registry.api.credit.lookup import LONGEST, look_up
from registry.api.credit.reports import Check
from registry.api.pages import rendering
from registry.api.pages.credit_words import MESSAGES, Said
from registry.api.problems import SIGNING_UNAVAILABLE, Problem
from registry.api.representations import now
from registry.api.routes.credit.reports import document
from registry.api.state import state_of
from registry.credit.reports import ANYONE
from registry.documents.credit_report import Pair, Words
from registry.domain.credit import report_numbers
from registry.domain.credit.marks import china_day
from registry.domain.credit.report_numbers import ReportNumberMalformed, ReportNumberMistyped
from registry.storage.reads.pool import ReadError

router = APIRouter(tags=["credit"], dependencies=[Public], include_in_schema=False)

_WHATEVER = {"parameters": [{"in": "query", "name": "whatever", "schema": {"type": "string"}}]}
"""Apps through which people scan and share add parameters of their own to an address: the pages let them be."""
_MOST_GIVEN = 2000
_CODE = re.compile(r"[0-9A-Za-z]{18}")
_UNLISTED = {"X-Robots-Tag": "noindex, nofollow, noarchive", "Cache-Control": "no-store"}
_Given = Annotated[str | None, Query(max_length=_MOST_GIVEN)]
_InPath = Annotated[str, Path(max_length=_MOST_GIVEN)]


@router.get("/credit", openapi_extra=_WHATEVER)
async def asked(request: Request, q: _Given = None) -> Response:
    """The page; what is looked for leads to the enterprise's own address. 查询页."""
    if q is None:
        return _page(request)
    given = q.strip()
    if not given:
        return _say(request, Said.NOTHING_GIVEN)
    found = await _looked_up(request, given)
    if isinstance(found, Response):
        return found
    root = urlsplit(state_of(request).licensing.base).path
    return RedirectResponse(f"{root}/credit/{found.uscc}", 303, _UNLISTED)


@router.get("/credit/{enterprise}", openapi_extra=_WHATEVER)
async def shown(request: Request, enterprise: _InPath) -> Response:
    """One enterprise, as the public sees it today. 公示信息."""
    app = state_of(request)
    found = await _looked_up(request, unquote(enterprise))
    if isinstance(found, Response):
        return found
    try:
        async with app.lookups.passed():
            datasets = await app.datasets()
            report = await credit_answers.report(app.pool, datasets, found, "public", now())
    except UnknownEnterprise:
        return _say(request, Said.UNKNOWN, found.uscc)
    except (ReadError, Problem):
        return _say(request, Said.UNAVAILABLE)
    content = {
        "uscc": report["uscc"],
        "name": report["name"] or report["uscc"],
        "head": report_words.head(report)[1:] if report["name"] else report_words.head(report),
        "sections": report_words.sections(report, datasets),
        "ages": report_words.ages(report, datasets),
        "nothing": report_words.NOTHING,
        "use": report_words.USE["public"],
        "objection": report_words.OBJECTION,
        "signs": app.settings.master_key is not None,
    }
    return _page(request, report=content, outcome="shown")


@router.get("/credit/{enterprise}/report.pdf", openapi_extra=_WHATEVER)
async def report_document(request: Request, enterprise: _InPath) -> Response:
    """The public edition of today's report, numbered and sealed. 公开版报告."""
    app = state_of(request)
    found = await _looked_up(request, unquote(enterprise))
    if isinstance(found, Response):
        return found
    try:
        async with app.lookups.passed():
            datasets = await app.datasets()
            report = await credit_answers.report(app.pool, datasets, found, "public", now())
            made = await document(app, report, datasets, asked_by=ANYONE)
    except UnknownEnterprise:
        return _say(request, Said.UNKNOWN, found.uscc)
    except (ReadError, Problem) as error:
        unsigned = isinstance(error, Problem) and error.kind is SIGNING_UNAVAILABLE
        return _say(request, Said.NOT_SIGNED if unsigned else Said.UNAVAILABLE)
    made.headers.update(_UNLISTED)
    return made


@router.get("/reports", openapi_extra=_WHATEVER)
async def check_asked(request: Request, number: _Given = None) -> Response:
    """The page by which a report is checked; with a number the result too. 报告核对页."""
    if number is None:
        return _page(request, template=_REPORTS)
    if not number.strip():
        return _say(request, Said.NO_NUMBER, template=_REPORTS)
    return await _checked(request, number)


@router.get("/reports/{number}", openapi_extra=_WHATEVER)
async def checked(request: Request, number: _InPath) -> Response:
    """One report, from its QR code. 报告核对."""
    return await _checked(request, unquote(number))


_CREDIT, _REPORTS = "credit.html.jinja", "reports.html.jinja"


async def _looked_up(request: Request, given: str) -> Found | Response:
    """The enterprise, or the page that says why there is none."""
    app = state_of(request)
    if len(given) > LONGEST:
        return _say(request, Said.UNKNOWN, given)
    try:
        async with app.lookups.passed():
            return await look_up(app.pool, given, china_day(now()))
    except UnknownEnterprise:
        return _say(request, Said.MISTYPED if _CODE.fullmatch(given) else Said.UNKNOWN, given)
    except AmbiguousIdentifier as error:
        return _say(request, Said.SEVERAL, given, choices=error.candidates)
    except (ReadError, Problem):
        return _say(request, Said.UNAVAILABLE)


async def _checked(request: Request, given: str) -> Response:
    app, at = state_of(request), now()
    try:
        number = report_numbers.parse(given)
    except ReportNumberMalformed:
        return _say(request, Said.NUMBER_MALFORMED, given, template=_REPORTS)
    except ReportNumberMistyped:
        return _say(request, Said.NUMBER_MISTYPED, given, template=_REPORTS)
    try:
        async with app.lookups.passed():
            found = await credit_reports.check(app.pool, await app.datasets(), number, at)
    except (ReadError, Problem):
        return _say(request, Said.UNAVAILABLE, template=_REPORTS)
    if found is None:
        return _say(request, Said.NO_SUCH_REPORT, number, template=_REPORTS)
    said = Said.STILL_SO if found.still_so else Said.CHANGED
    facts = [*_facts(found), Pair(Words("核对时间", "Checked"), _time(report_words.moment(at)))]
    return _say(request, said, template=_REPORTS, facts=facts)


def _facts(found: Check) -> list[Pair]:
    same = report_words.same
    facts = [
        Pair(Words("报告编号", "Number"), same(found.number)),
        Pair(Words("统一社会信用代码", "Unified social credit code"), same(found.uscc)),
        Pair(Words("版本", "Edition"), report_words.EDITIONS[found.reader]),
        Pair(Words("报告日期", "Day of the report"), report_words.day(found.day)),
        Pair(Words("出具时间", "Issued"), _time(report_words.moment(found.issued_at))),
    ]
    if found.still_so:
        facts.append(Pair(Words("记录数", "Records"), same(str(found.records))))
    return [*facts, Pair(Words("摘要（SHA-256）", "Digest of the records"), same(found.digest))]


def _time(text: str) -> Words:
    return Words(f"{text}（北京时间）", "Beijing time")


def _say(
    request: Request,
    said: Said,
    subject: str = "",
    *,
    template: str = _CREDIT,
    facts: Sequence[Pair] = (),
    choices: Sequence[str] = (),
) -> Response:
    message = MESSAGES[said]
    more: dict[str, Any] = {"message": message, "subject": subject[:LONGEST], "facts": facts, "choices": choices}
    made = _page(request, template=template, outcome=said.value, status=message.status, **more)
    if message.status == MESSAGES[Said.UNAVAILABLE].status:
        made.headers["Retry-After"] = "10"
    return made


def _page(request: Request, *, template: str = _CREDIT, outcome: str = "", status: int = 200, **more: Any) -> Response:
    public = urlsplit(state_of(request).licensing.base)
    content: Mapping[str, Any] = {
        "root": public.path,
        "host": public.netloc,
        "outcome": outcome,
        "longest": LONGEST,
        "report": None,
        "message": None,
        "subject": "",
        "facts": (),
        "choices": (),
        "given": more.get("subject", ""),
    } | more
    made = rendering.page(template, content, status=status)
    made.headers.update(_UNLISTED)
    return made
