"""Credit reports with numbers: as PDF, and checked by whoever holds one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Public
from registry.api.credit import report_models as models
from registry.api.credit import reports as credit_reports
from registry.api.credit.answers import Datasets
from registry.api.negotiation import not_acceptable, preferred
from registry.api.problems import INVALID_PARAMETER, NOT_FOUND, Problem, parameter_error
from registry.api.representations import AGE, answer, now, spoken
from registry.api.state import ApiState, state_of
from registry.credit.reports import IssuedReport
from registry.domain.credit import report_numbers
from registry.domain.credit.report_numbers import ReportNumberMalformed, ReportNumberMistyped

router = APIRouter(tags=["credit"])

JSON, PDF = "application/json", "application/pdf"
FORMS: dict[int | str, dict[str, Any]] = {
    200: {"content": {PDF: {"schema": {"type": "string", "format": "binary"}}}, "headers": AGE}
}
"""What the report's route answers with beside JSON."""


@router.get("/credit/reports/{number}", response_model=models.ReportOnRecord, dependencies=[Public])
async def checked(
    request: Request,
    number: Annotated[
        str, Path(max_length=100, description="Number of the report, as printed 报告编号", examples=[models.NUMBER])
    ],
) -> Response:
    """Whether a report of this number was issued here, and whether all of it still is so. Needs no token. 报告核对."""
    app, at = state_of(request), now()
    try:
        printed = report_numbers.parse(unquote(number))
    except ReportNumberMalformed:
        raise _invalid("应为20位字母和数字。", "Expected 20 letters and digits.") from None
    except ReportNumberMistyped:
        raise _invalid(
            "校验位不符，编号抄录有误。", "Its check character does not fit: it was copied wrongly."
        ) from None
    found = await credit_reports.check(app.pool, await app.datasets(), printed, at)
    if found is None:
        zh, en = "没有出具过该编号的报告。", "No report of this number was ever issued here."
        raise Problem(NOT_FOUND, zh, en)
    return answer(credit_reports.checked(found, at, app.licensing.base))


async def form(request: Request) -> str:
    """The form that Accept asks for, once it is known that it can be made; before anything is put down as read.

    Raises Problem where there is no such form, or nobody signs.
    """
    wanted = preferred(request.headers.get("accept"), [JSON, PDF])
    if wanted is None:
        raise not_acceptable([JSON, PDF])
    if wanted == PDF:
        await state_of(request).licensing.keys()
    return wanted


async def answered(
    request: Request,
    report: Mapping[str, Any],
    datasets: Datasets,
    *,
    form: str,
    asked_by: str,
    only: Collection[str] | None = None,
) -> Response:
    """A report in a form: JSON as it is, or a PDF, for which it gets a number. Raises Problem."""
    if form == JSON:
        return answer(report, headers={"Vary": "Accept"} | _of_when(report, datasets))
    return await document(state_of(request), report, datasets, asked_by=asked_by, only=only)


async def document(
    app: ApiState,
    report: Mapping[str, Any],
    datasets: Datasets,
    *,
    asked_by: str,
    only: Collection[str] | None = None,
) -> Response:
    """A report as PDF, with its number. Raises Problem where nobody signs, or too many wait."""
    at, base = now(), app.licensing.base
    await app.licensing.keys()  # before a number is taken: one that was never printed is of no use
    issued = await app.licensing.write(
        lambda connection: credit_reports.issue(connection, report, asked_by=asked_by, now=at, only=only)
    )
    body = await app.licensing.sign(
        lambda _, keys: credit_reports.pdf(
            report, issued, datasets, key=keys.hub, chain=keys.hub_chain, base=base, now=at
        ),
        drawing=True,
    )
    return Response(body, headers=_headers(issued, base) | _of_when(report, datasets), media_type=PDF)


def _of_when(report: Mapping[str, Any], datasets: Datasets) -> dict[str, str]:
    return spoken(report["as_of"], *(datasets[name] for name in report["sources"]))


def _headers(issued: IssuedReport, base: str) -> dict[str, str]:
    return {
        "Vary": "Accept",
        "Cache-Control": "no-store",
        "Content-Disposition": f'inline; filename="credit-report-{issued.number}.pdf"',
        "Link": f'<{credit_reports.links(issued.number, base)["check"]}>; rel="describedby"',
    }


def _invalid(zh: str, en: str) -> Problem:
    return Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("number", zh, en, where="path")])
