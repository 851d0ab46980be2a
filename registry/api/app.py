"""The application: routes, what surrounds them, and what becomes of their errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from registry.api import problems
from registry.api.access.security import Public, check_rules
from registry.api.access_log.logged import Logged
from registry.api.access_log.signed import Signed
from registry.api.compression import Compressed
from registry.api.credit.answers import load_rules
from registry.api.credit.refusals import refusal
from registry.api.grants.refusals import refusal as grant_refusal
from registry.api.idempotency import Idempotent
from registry.api.limits import BodyRefused
from registry.api.middleware import Envelope
from registry.api.openapi import describe
from registry.api.problems import Problem, respond
from registry.api.representations import answer
from registry.api.routes import (
    audit,
    authorization_server,
    batches,
    changes,
    datasets,
    entities,
    grants,
    health,
    quarantine,
    records,
    subscriptions,
    token,
)
from registry.api.routes import problems as problem_pages
from registry.api.routes.bulk import counts, exports, lookup
from registry.api.routes.catalogue import listing as catalogue
from registry.api.routes.catalogue import manual
from registry.api.routes.catalogue import pages as catalogue_pages
from registry.api.routes.credit import cases as credit_cases
from registry.api.routes.credit import consents as credit_consents
from registry.api.routes.credit import counts as credit_counts
from registry.api.routes.credit import enterprises as credit
from registry.api.routes.credit import evaluations as credit_evaluations
from registry.api.routes.credit import exchange as credit_exchange
from registry.api.routes.credit import lending as credit_lending
from registry.api.routes.credit import matches as credit_matches
from registry.api.routes.credit import pages as credit_pages
from registry.api.routes.credit import reports as credit_reports
from registry.api.routes.licences import copies, credentials, issuers, sharing_service, status, verification
from registry.api.routes.licences import reading as licences
from registry.api.settings import ApiSettings, ApiSettingsError
from registry.api.state import ApiState
from registry.api.tokens.token_keys import TokenKeys
from registry.api.tokens.tokens import Tokens
from registry.api.validation import invalid
from registry.domain.credit.case_rules import NoCaseRules, default_case_rules
from registry.domain.credit.cases import CreditRefused
from registry.domain.grants.rules import default_grant_rules
from registry.domain.grants.terms import GrantError
from registry.domain.licences.loading import UnknownLicenceType
from registry.licences.errors import CopyRefused, CredentialRefused, FormNotOffered, LicenceServiceError
from registry.sealing.errors import PersonalKeysError
from registry.storage.reads.pool import DatabaseBusy, ReadError, ReadTookTooLong

PREFIX = "/api/v1"
_DESCRIPTION = """
The records that departments share, validated, with their history, through one interface.
各部门共享的、经过校验的记录及其历史，统一查询接口。

* Every answer with records says how old the data is (`as_of`, `sources[].read_at`); a record that is wrong at its
  source since some time says so (`stale`). 每个答复都说明数据的时间；来源处有误的记录以 `stale` 标明。
* Enterprises' files and public credit records: `/enterprises`. 企业档案与公共信用信息。
* E-licences in every form; anyone may verify (`/credentials/verify`, by hand `/verify`). 电子证照，任何人可核验。
* Pages: send `next` as `after`. 翻页：把 `next` 作为 `after` 传入。
* Problems: RFC 9457, with a stable `type` that leads to an explanation, and `fault`, which says whose it is: `caller`,
  `hub` or `source` (a department's data). 问题说明见 `type`，责任方见 `fault`：
  调用方、平台或来源部门。
"""

_log = logging.getLogger(__name__)


def create_app(settings: ApiSettings) -> FastAPI:
    """The API. Opens nothing but the token key; the database may be down.

    Raises TokenKeyError, LicenceTypeError, RuleFileError, ApiSettingsError.
    """
    load_rules()
    default_grant_rules()
    _expect_place(settings.credit_place)
    state = ApiState(settings, Tokens(TokenKeys(settings.token_key), settings.token_seconds, settings.base))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await state.pool.open()
        signing = asyncio.create_task(state.checkpoints.keep_signing()) if app.state.signs_the_log else None
        yield
        if signing is not None:
            signing.cancel()
            await asyncio.wait([signing])
        await state.access_log.close()
        await state.attempts.close()
        await state.pool.close()

    app = FastAPI(
        title="Shuqiao registry 数桥登记库",
        summary="Read API of a city's data-sharing hub",
        description=_DESCRIPTION,
        version="1",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.api = state
    app.state.signs_the_log = True
    app.router.routes.extend(_routes())
    app.add_middleware(Idempotent)
    app.add_middleware(Logged)
    app.add_middleware(Compressed)
    app.add_middleware(Signed)
    app.add_middleware(Envelope, settings=settings, places=state.places)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ReadError, _unreadable)
    app.add_exception_handler(PersonalKeysError, _sealed)
    app.add_exception_handler(LicenceServiceError, _refused)
    app.add_exception_handler(UnknownLicenceType, _typeless)
    app.add_exception_handler(CreditRefused, _credit_refused)
    app.add_exception_handler(NoCaseRules, _no_case_rules)
    app.add_exception_handler(GrantError, _grant_refused)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    check_rules(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route, put together once for a process: what they answer from is the application's state."""
    router = APIRouter()
    for module in (
        token,
        catalogue,
        datasets,
        records,
        exports,
        lookup,
        counts,
        entities,
        changes,
        subscriptions,
        licences,
        copies,
        batches,
        quarantine,
        credit,
        credit_cases,
        credit_counts,
        credit_consents,
        credit_evaluations,
        credit_exchange,
        credit_lending,
        credit_matches,
        credit_reports,
        audit,
        grants,
    ):
        router.include_router(module.router, prefix=PREFIX)
    router.include_router(authorization_server.router)
    router.include_router(licences.addresses)
    for module in (issuers, status, credentials, sharing_service, verification, credit_pages, health, problem_pages):
        router.include_router(module.router)
    for addresses in (catalogue.addresses, catalogue_pages.router, manual.router):
        router.include_router(addresses)
    router.add_api_route(f"{PREFIX}/openapi.json", _description, dependencies=[Public], include_in_schema=False)
    return tuple(router.routes)


def _expect_place(place: str) -> None:
    """A slip in the place's name would change every deadline."""
    places = default_case_rules().places
    if place not in places:
        raise ApiSettingsError(f"SHUQIAO_CREDIT_PLACE cannot be {place!r}; expected one of {', '.join(places)}")


async def _description(request: Request) -> Response:
    """This description (OpenAPI 3.1)."""
    return answer(request.app.openapi(), headers={"Cache-Control": "public, max-age=300"})


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  (what the handler is registered for)
    media_type = "application/json" if "error" in error.members else problems.MEDIA_TYPE
    return respond(request, error, media_type)


async def _invalid(request: Request, error: Exception) -> Response:
    """Parameters that are not of the declared kind."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return respond(request, invalid(error.errors()))


async def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, BodyRefused):
        return respond(request, error.problem)
    assert isinstance(error, HTTPException)  # noqa: S101
    kinds = {404: problems.NOT_FOUND, 405: problems.METHOD_NOT_ALLOWED, 413: problems.TOO_LONG}
    kind = kinds.get(error.status_code, problems.INVALID_REQUEST)
    headers = {"Allow": _allowed(request)} if kind is problems.METHOD_NOT_ALLOWED else error.headers
    return respond(request, Problem(kind, headers=headers))


def _allowed(request: Request) -> str:
    """The methods of every route of this address: one address may have a route for each of its methods."""
    matching = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in matching for method in route.methods}))


async def _sealed(request: Request, error: Exception) -> Response:
    """Personal values that the answer needs cannot be opened."""
    _log.error("personal values cannot be opened: %s", error)
    return respond(request, Problem(problems.PERSONAL_UNAVAILABLE))


async def _refused(request: Request, error: Exception) -> Response:
    """What the licence services refuse, with their own reason."""
    assert isinstance(error, LicenceServiceError)  # noqa: S101
    kinds = {
        CopyRefused: problems.LICENCE_NOT_VALID,
        CredentialRefused: problems.CREDENTIAL_REFUSED,
        FormNotOffered: problems.NOT_ACCEPTABLE,
    }
    kind = kinds.get(type(error), problems.NOT_FOUND)
    return respond(request, Problem(kind, f"{error.zh}。", f"{error.en}.", members={"reason": error.code}))


async def _credit_refused(request: Request, error: Exception) -> Response:
    """What cases, matches and consents refuse, with their own code."""
    assert isinstance(error, CreditRefused)  # noqa: S101
    return respond(request, refusal(error))


async def _grant_refused(request: Request, error: Exception) -> Response:
    """What grants and requests for them refuse, with their own code."""
    assert isinstance(error, GrantError)  # noqa: S101
    return respond(request, grant_refusal(error))


async def _no_case_rules(request: Request, error: Exception) -> Response:
    """A case was filed under a rule whose file is gone."""
    del error
    zh = "接口缺少该申请适用的办理规则文件；运营方须检查 SHUQIAO_CREDIT_RULES。"
    en = "The API lacks the rule file by which this case is handled; the operator has to look at SHUQIAO_CREDIT_RULES."
    return respond(request, Problem(problems.NOT_READY, zh, en))


async def _typeless(request: Request, error: Exception) -> Response:
    """A licence of a type, or of a version of one, whose file this API does not have."""
    del error
    zh = "接口缺少该证照的类型文件；运营方须检查 SHUQIAO_LICENCE_TYPES。"
    en = "The API lacks the file of this licence's type; the operator has to look at SHUQIAO_LICENCE_TYPES."
    return respond(request, Problem(problems.NOT_READY, zh, en))


async def _unreadable(request: Request, error: Exception) -> Response:
    kind = problems.DATABASE_UNAVAILABLE
    if isinstance(error, DatabaseBusy):
        kind = problems.BUSY
    elif isinstance(error, ReadTookTooLong):
        kind = problems.TOOK_TOO_LONG
    return respond(request, Problem(kind))
