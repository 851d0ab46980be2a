"""Who may do what. Each route names one of these rules; an application with a route that names none does not start.

=================  ==========================================================================
``public``         anyone
``known_client``   any client with a valid token and at least one scope
``reader``         a client that may read at least one dataset
``dataset_reader`` a client that may read the dataset in the path: ``read:<dataset>`` or ``read:*``
``licence_reader`` a client that may read the licences of at least one type: ``licence:<type>`` or ``licence:*``
``issuing_client`` a client that may have credentials signed for at least one issuer: ``issue:<issuer code>``
``credit_reader``  a client that may read credit records: ``credit:public``, ``credit:department`` or ``credit:bank``
``credit_office``  a client that may read enterprises' files and measures: ``credit:department``
``credit_bank``    a client that reads what enterprises consented to: ``credit:bank``
``consent_window`` a client that enters and revokes consents for enterprises: ``credit:consent`` or ``operate``
``consent_party``  a client that has to do with consents: these two, or ``credit:bank`` for those given to it
``credit_platform`` a client that takes over permits and penalties to be made public: ``credit:exchange``
``case_window``    a client that files repairs and objections for enterprises: ``credit:cases``
``case_decider``   a client that decides them for at least one department: ``credit:decide:<department>``
``case_office``    a client that takes them on or not: ``credit:decide:<department>`` or ``operate``
``case_party``     a client that has to do with cases: any of these three
``sharing_client`` a client that names itself in the body, as GB/T 36906 has it; who it is not gets the code 11
``operator``       a client with ``operate``: batches, the quarantine, discrepancies, matches, cases as the hub
=================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.routing import APIRoute
from fastapi.security import OAuth2

from registry.api.access.clients import (
    CREDIT_BANK,
    CREDIT_CASES,
    CREDIT_CONSENT,
    CREDIT_DECIDE,
    CREDIT_DEPARTMENT,
    CREDIT_EXCHANGE,
    CREDIT_PUBLIC,
    LICENCE_ALL,
    OPERATE,
    READ_ALL,
)
from registry.api.access.tokens import TokenRefused
from registry.api.parameters import only_declared
from registry.api.problems import NOT_FOUND, NOT_GRANTED, UNAUTHENTICATED, Problem
from registry.api.state import state_of
from registry.storage.reads.datasets import DatasetState

_bearer = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/api/v1/token",
            scopes={
                "read:*": "every dataset 全部资源",
                "read:{dataset}": "one dataset, for example read:legal_entity 单项资源",
                "licence:*": "licences of every type, and copies of them 全部证照类型",
                "licence:{type}": "licences of one type, for example licence:food_business_licence 单个证照类型",
                "issue:{issuer code}": "credentials of one's own, signed for that issuer 以该机构名义签发凭证",
                CREDIT_PUBLIC: "credit records as far as they are public 可公示的信用信息",
                CREDIT_DEPARTMENT: "enterprises' files, credit records, measures 企业档案、信用记录、奖惩措施",
                CREDIT_BANK: "what enterprises consented to for lending 经企业授权的融资数据项、信用记录与报告",
                CREDIT_CONSENT: "enter and revoke consents for enterprises 代企业登记、撤销授权",
                CREDIT_EXCHANGE: "permits and penalties for the upper-level platform 双公示数据上报",
                CREDIT_CASES: "file repairs and objections for enterprises 代信用主体提交信用修复与异议申请",
                "credit:decide:{department}": "decide cases about what it recorded 办理本部门认定信息的申请",
                "operate": "batches, quarantine, discrepancies, matches, cases 批次、退回数据、数据差异、匹配与申请",
            },
        )
    ),
    scheme_name="client_credentials",
    description="OAuth 2.0 client credentials; the token goes into `Authorization: Bearer`.",
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A client whose token is good, with the scopes that both the token and the client now have."""

    client_id: str
    scopes: frozenset[str]

    @property
    def operates(self) -> bool:
        """Whether it may see batches and the quarantine."""
        return OPERATE in self.scopes

    def may_read(self, dataset: str) -> bool:
        """Whether the records of a dataset are granted."""
        return READ_ALL in self.scopes or f"read:{dataset}" in self.scopes

    def readable(self, datasets: Iterable[DatasetState]) -> list[DatasetState]:
        """Those datasets whose records are granted."""
        return [dataset for dataset in datasets if self.may_read(dataset.name)]

    def may_see(self, licence_type: str) -> bool:
        """Whether the licences of a type are granted."""
        return LICENCE_ALL in self.scopes or f"licence:{licence_type}" in self.scopes

    @property
    def is_department(self) -> bool:
        """Whether it gets credit records as departments do; else as the public does."""
        return CREDIT_DEPARTMENT in self.scopes

    @property
    def is_bank(self) -> bool:
        """Whether it reads what enterprises consented to."""
        return CREDIT_BANK in self.scopes

    @property
    def enters_consents(self) -> bool:
        """Whether it is a window at which enterprises give and revoke consents."""
        return CREDIT_CONSENT in self.scopes

    @property
    def sees_public_credit(self) -> bool:
        """Whether it gets credit records as the public does without saying so."""
        return CREDIT_PUBLIC in self.scopes

    @property
    def files_cases(self) -> bool:
        """Whether it is a window at which enterprises file repairs and objections."""
        return CREDIT_CASES in self.scopes

    @property
    def decides_for(self) -> frozenset[str]:
        """The departments for which it decides cases."""
        return frozenset(scope.removeprefix(CREDIT_DECIDE) for scope in self.scopes if scope.startswith(CREDIT_DECIDE))

    @property
    def issues_for(self) -> frozenset[str]:
        """The codes of the issuers for whom it may have credentials signed."""
        return frozenset(scope.removeprefix("issue:") for scope in self.scopes if scope.startswith("issue:"))


async def public(request: Request) -> None:
    """Anyone."""
    only_declared(request)


async def known_client(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """Any client with a valid token and at least one scope."""
    caller = await _caller(request, authorization)
    if not caller.scopes:
        raise Problem(NOT_GRANTED, "该客户端没有任何授权。", "The client has no scope at all.")
    only_declared(request)
    return caller


async def reader(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may read at least one dataset."""
    caller = await _caller(request, authorization)
    if not any(scope.startswith("read:") for scope in caller.scopes):
        raise Problem(NOT_GRANTED, "需要授权范围 read:<dataset>。", "The scope read:<dataset> is needed.")
    only_declared(request)
    return caller


async def dataset_reader(
    request: Request, authorization: Annotated[str | None, Security(_bearer)], dataset: Annotated[str, Path()]
) -> Caller:
    """A client that may read the dataset in the path; one that is not granted looks like one that is not there."""
    caller = await _caller(request, authorization)
    if not caller.may_read(dataset):
        raise Problem(NOT_GRANTED, f"需要授权范围 read:{dataset}。", f"The scope read:{dataset} is needed.")
    only_declared(request)
    return caller


async def licence_reader(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may read the licences of at least one type."""
    caller = await _caller(request, authorization)
    if not any(scope.startswith("licence:") for scope in caller.scopes):
        raise Problem(NOT_GRANTED, "需要授权范围 licence:<type>。", "The scope licence:<type> is needed.")
    only_declared(request)
    return caller


async def issuing_client(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may have credentials signed for at least one issuer."""
    caller = await _caller(request, authorization)
    if not caller.issues_for:
        raise Problem(NOT_GRANTED, "需要授权范围 issue:<颁发机构代码>。", "The scope issue:<issuer code> is needed.")
    only_declared(request)
    return caller


async def credit_reader(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may read credit records, as the public, as a department, or as a bank with a consent."""
    caller = await _caller(request, authorization)
    if not caller.scopes & {CREDIT_PUBLIC, CREDIT_DEPARTMENT, CREDIT_BANK}:
        needed = f"{CREDIT_PUBLIC} / {CREDIT_DEPARTMENT} / {CREDIT_BANK}"
        raise Problem(NOT_GRANTED, f"需要授权范围 {needed}。", f"The scope {needed} is needed.")
    only_declared(request)
    return caller


async def credit_office(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may read enterprises' files and the measures that apply to them."""
    caller = await _caller(request, authorization)
    if not caller.is_department:
        needed = CREDIT_DEPARTMENT
        raise Problem(NOT_GRANTED, f"需要授权范围 {needed}。", f"The scope {needed} is needed.")
    only_declared(request)
    return caller


async def credit_bank(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A lender; what it gets of an enterprise is that one's consent to say."""
    caller = await _caller(request, authorization)
    _expect_scope(caller.is_bank, CREDIT_BANK)
    only_declared(request)
    return caller


async def consent_window(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that enters and revokes consents for enterprises, or the hub."""
    caller = await _caller(request, authorization)
    _expect_scope(caller.enters_consents or caller.operates, f"{CREDIT_CONSENT} / {OPERATE}")
    only_declared(request)
    return caller


async def consent_party(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that has to do with consents; which ones it sees is the route's to say."""
    caller = await _caller(request, authorization)
    concerned = caller.enters_consents or caller.operates or caller.is_bank
    _expect_scope(concerned, f"{CREDIT_CONSENT} / {CREDIT_BANK} / {OPERATE}")
    only_declared(request)
    return caller


async def credit_platform(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that takes over the permits and penalties that are to be made public."""
    caller = await _caller(request, authorization)
    _expect_scope(CREDIT_EXCHANGE in caller.scopes, CREDIT_EXCHANGE)
    only_declared(request)
    return caller


async def case_window(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that files repairs and objections for enterprises, and takes back what it filed."""
    caller = await _caller(request, authorization)
    _expect_scope(caller.files_cases, CREDIT_CASES)
    only_declared(request)
    return caller


async def case_decider(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that decides cases for at least one department."""
    caller = await _caller(request, authorization)
    _expect_scope(bool(caller.decides_for), f"{CREDIT_DECIDE}<department>")
    only_declared(request)
    return caller


async def case_office(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that takes cases on: for a department, or as the hub."""
    caller = await _caller(request, authorization)
    _expect_scope(bool(caller.decides_for) or caller.operates, f"{CREDIT_DECIDE}<department> / {OPERATE}")
    only_declared(request)
    return caller


async def case_party(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that files cases, decides them, or is the hub's; which ones it sees is the route's to say."""
    caller = await _caller(request, authorization)
    concerned = caller.files_cases or bool(caller.decides_for) or caller.operates
    _expect_scope(concerned, f"{CREDIT_CASES} / {CREDIT_DECIDE}<department> / {OPERATE}")
    only_declared(request)
    return caller


async def sharing_client(request: Request) -> None:
    """A client that names itself in the body: the route asks :func:`identified` who it is."""
    only_declared(request)


async def operator(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client with ``operate``."""
    caller = await _caller(request, authorization)
    if not caller.operates:
        raise Problem(NOT_GRANTED, "需要授权范围 operate。", "The scope operate is needed.")
    only_declared(request)
    return caller


RULES: tuple[Callable[..., Any], ...] = (
    public, known_client, reader, dataset_reader, licence_reader, issuing_client, credit_reader, credit_office,
    credit_bank, consent_window, consent_party, credit_platform,
    case_window, case_decider, case_office, case_party, sharing_client, operator,
)  # fmt: skip

Public = Depends(public)
KnownClient = Annotated[Caller, Depends(known_client)]
Reader = Annotated[Caller, Depends(reader)]
DatasetReader = Annotated[Caller, Depends(dataset_reader)]
LicenceReader = Annotated[Caller, Depends(licence_reader)]
IssuingClient = Annotated[Caller, Depends(issuing_client)]
CreditReader = Annotated[Caller, Depends(credit_reader)]
CreditOffice = Annotated[Caller, Depends(credit_office)]
CreditBank = Annotated[Caller, Depends(credit_bank)]
ConsentWindow = Annotated[Caller, Depends(consent_window)]
ConsentParty = Annotated[Caller, Depends(consent_party)]
CreditPlatform = Annotated[Caller, Depends(credit_platform)]
CaseWindow = Annotated[Caller, Depends(case_window)]
CaseDecider = Annotated[Caller, Depends(case_decider)]
CaseOffice = Annotated[Caller, Depends(case_office)]
CaseParty = Annotated[Caller, Depends(case_party)]
SharingClient = Depends(sharing_client)
Operator = Annotated[Caller, Depends(operator)]


async def granted_dataset(request: Request, caller: DatasetReader, dataset: Annotated[str, Path()]) -> DatasetState:
    """The dataset in the path, which the caller may read. Raises Problem if the registry holds none of that name."""
    del caller  # being allowed comes before finding out what there is
    found = (await state_of(request).datasets()).get(dataset)
    if found is None:
        raise Problem(NOT_FOUND, f"没有数据集 {dataset}。", f"There is no dataset {dataset}.")
    return found


GrantedDataset = Annotated[DatasetState, Depends(granted_dataset)]


def rule_of(route: APIRoute) -> Callable[..., Any] | None:
    """The rule that a route names; None unless it is exactly one."""
    named = {call for call in _calls(route.dependant) if call in RULES}
    return next(iter(named)) if len(named) == 1 else None


def check_rules(app: FastAPI) -> None:
    """Refuse an application with a route that names no rule: forgetting one must not open a door."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or rule_of(route) is None:
            raise RuntimeError(f"the route {getattr(route, 'path', route)} does not name one rule of access")


def _calls(dependant: Dependant) -> list[Any]:
    return [call for inner in dependant.dependencies for call in (inner.call, *_calls(inner))]


async def _caller(request: Request, authorization: str | None) -> Caller:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem(UNAUTHENTICATED, "请求没有携带访问令牌。", "The request carries no access token.")
    return await identified(request, token.strip())


async def identified(request: Request, token: str) -> Caller:
    """The client that a token was given to, as it stands now. Raises Problem."""
    state = state_of(request)
    try:
        claims = state.tokens.verify(token)
    except TokenRefused as error:
        raise _refused("访问令牌无效或已过期。", f"The access token is refused: {error}.") from error
    client = await state.client(claims.client_id)
    if client is None or client.revoked:
        raise _refused("该客户端已被撤销。", "The client has been revoked.")
    request.state.client_id = client.id
    return Caller(client.id, claims.scopes & client.scopes)


def _expect_scope(granted: bool, needed: str) -> None:  # noqa: FBT001
    if not granted:
        raise Problem(NOT_GRANTED, f"需要授权范围 {needed}。", f"The scope {needed} is needed.")


def _refused(zh: str, en: str) -> Problem:
    return Problem(
        UNAUTHENTICATED, zh, en, headers={"WWW-Authenticate": 'Bearer realm="shuqiao", error="invalid_token"'}
    )
