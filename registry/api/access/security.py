"""Who may do what. Each route names one of these rules; an application with a route that names none does not start.

=================  ==========================================================================
``public``         anyone
``known_client``   any client with a valid token
``reader``         a client that may read at least one dataset: it has a grant in force, and its token names it
``dataset_reader`` a client that may read the dataset in the path: likewise, ``read:<dataset>`` in the token
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
``grant_decider``  a client that decides who may read: ``grants:decide:<department>`` or ``operate``
``sharing_client`` a client that names itself in the body, as GB/T 36906 has it; who it is not gets the code 11
``operator``       a client with ``operate``: batches, the quarantine, discrepancies, matches, cases as the hub
=================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.routing import APIRoute
from fastapi.security import OAuth2

from registry.api.clients.clients import (
    CREDIT_BANK,
    CREDIT_CASES,
    CREDIT_CONSENT,
    CREDIT_DECIDE,
    CREDIT_DEPARTMENT,
    CREDIT_EXCHANGE,
    CREDIT_PUBLIC,
    GRANTS_DECIDE,
    LICENCE_ALL,
    OPERATE,
    READ,
)
from registry.api.clients.credentials import Method
from registry.api.grants.purpose import AccessPurpose, CaseNumber, given
from registry.api.grants.quotas import use
from registry.api.grants.versions import announce
from registry.api.parameters import only_declared
from registry.api.problems import (
    NOT_FOUND,
    NOT_GRANTED,
    NOT_READY,
    PURPOSE_NOT_GRANTED,
    UNAUTHENTICATED,
    Problem,
)
from registry.api.representations import now
from registry.api.state import ApiState, state_of
from registry.api.tokens.tokens import TokenRefused
from registry.domain.grants.grant import Grant
from registry.domain.grants.projection import View, view
from registry.storage.reads.datasets import DatasetState
from schemas.catalogue import default_catalogue
from schemas.errors import SchemaError

_bearer = OAuth2(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/api/v1/token",
            scopes={
                "read:{dataset}": "one dataset that is granted, for example read:legal_entity 已授权的资源",
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
                "grants:decide:{department}": "decide who may read its datasets 办理本部门资源的共享申请",
                "operate": "batches, quarantine, discrepancies, matches, cases 批次、退回数据、数据差异、匹配与申请",
            },
        )
    ),
    scheme_name="client_credentials",
    description=(
        "OAuth 2.0 client credentials; the client proves itself by a secret, private_key_jwt or a certificate"
        " (`/.well-known/oauth-authorization-server`). The token goes into `Authorization: Bearer`; one got with a"
        " certificate is good with that certificate only. `RateLimit` tells how fast the client may ask."
    ),
    auto_error=False,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A client whose token is good, with the scopes that both the token and the client now have."""

    client_id: str
    scopes: frozenset[str]
    held: Mapping[str, Grant]
    """The client's standing grants, by dataset; what counts now is :meth:`grant`."""
    whole: bool
    """Whether its token was not narrowed to scopes that it named."""

    def grant(self, dataset: str) -> Grant | None:
        """The grant by which a dataset is read now, if the token names it and its time is not over."""
        found = self.held.get(dataset)
        return found if found is not None and f"{READ}{dataset}" in self.scopes and found.is_in_force(now()) else None

    def manages(self, dataset: str) -> bool:
        """Whether what the client set up for a dataset is there for the token, also after the grant has ended."""
        return self.whole or f"{READ}{dataset}" in self.scopes

    @property
    def grants(self) -> Mapping[str, Grant]:
        """Every grant that counts now, by dataset."""
        return {name: found for name in self.held if (found := self.grant(name)) is not None}

    @property
    def operates(self) -> bool:
        """Whether it may see batches and the quarantine."""
        return OPERATE in self.scopes

    def readable(self, datasets: Iterable[DatasetState]) -> list[Granted]:
        """Those datasets whose records are granted, whatever they are read for."""
        return [Granted.of(each, found) for each in datasets if (found := self.grant(each.name)) is not None]

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
    def decides_grants_of(self) -> frozenset[str]:
        """The departments for which it decides who may read their datasets."""
        return frozenset(scope.removeprefix(GRANTS_DECIDE) for scope in self.scopes if scope.startswith(GRANTS_DECIDE))

    @property
    def issues_for(self) -> frozenset[str]:
        """The codes of the issuers for whom it may have credentials signed."""
        return frozenset(scope.removeprefix("issue:") for scope in self.scopes if scope.startswith("issue:"))


@dataclass(frozen=True, slots=True)
class Granted:
    """A dataset together with the grant by which it is read."""

    dataset: DatasetState
    grant: Grant

    @staticmethod
    def of(dataset: DatasetState, grant: Grant) -> Granted:
        """With the grant's rows in the words in which the dataset's records are stored now."""
        return Granted(dataset, grant if grant.schema == dataset.schema else _as_stored(grant, dataset.schema))

    def view(self, state: ApiState) -> View:
        """What the grant shows of its records, in its version. Raises Problem where this API lacks their schema."""
        try:
            return view(self.grant.fields, self.dataset.schema, state.catalogue, self.grant.schema)
        except SchemaError as error:
            zh = f"接口缺少 {self.dataset.schema} 的数据规范；运营方须检查 SHUQIAO_SCHEMAS。"
            en = f"The API lacks the schema {self.dataset.schema}; the operator has to look at SHUQIAO_SCHEMAS."
            raise Problem(NOT_READY, zh, en) from error


@lru_cache(maxsize=4096)
def _as_stored(grant: Grant, schema: str) -> Grant:
    try:
        seen = view(grant.fields, schema, default_catalogue(), grant.schema)
    except SchemaError:
        return grant  # nothing is shown by it: its view says why
    return replace(grant, rows=seen.stored_rows(grant.rows))


async def public(request: Request) -> None:
    """Anyone."""
    only_declared(request)


async def known_client(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """Any client with a valid token."""
    caller = await _caller(request, authorization)
    only_declared(request)
    return caller


async def reader(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that may read at least one dataset."""
    caller = await _caller(request, authorization)
    if not any(caller.grant(dataset) for dataset in caller.held):
        raise Problem(NOT_GRANTED, "该客户端没有有效的数据授权。", "The client has no grant of any dataset in force.")
    only_declared(request)
    return caller


async def dataset_reader(
    request: Request, authorization: Annotated[str | None, Security(_bearer)], dataset: Annotated[str, Path()]
) -> Caller:
    """A client that may read the dataset in the path; one that is not granted looks like one that is not there."""
    caller = await _caller(request, authorization)
    granted(caller, dataset)
    only_declared(request)
    return caller


def granted(caller: Caller, dataset: str) -> Grant:
    """The grant by which a client reads a dataset now. Raises Problem that says what is missing, and how to apply."""
    found = caller.grant(dataset)
    if found is not None:
        return found
    held = caller.held.get(dataset)
    if held is None:
        zh, en = f"该客户端没有数据集 {dataset} 的授权。", f"The dataset {dataset} is not granted to the client."
    elif not held.is_in_force(now()):
        day = f"{held.valid_until:%Y-%m-%d}"
        zh, en = f"数据集 {dataset} 的授权已于 {day} 到期。", f"The grant of the dataset {dataset} ended on {day}."
    else:
        zh, en = f"令牌不含 read:{dataset}，请重新获取。", f"The token does not name read:{dataset}; get a new one."
    raise Problem(NOT_GRANTED, zh, en, members={"dataset": dataset})


def expect_purpose(request: Request, grant: Grant, *, answers: int = 1) -> None:
    """Let a request use a grant: it says what the grant wants to know of it, and counts for so many answers.

    For every read of records, before it. Raises Problem if the purpose or case is missing, or the day's quota used up.
    """
    if grant.purposes or grant.case_number:
        expect_stated(grant, *given(request.headers))
    use(request, grant, answers)


def expect_stated(grant: Grant, purpose: str | None, case_number: str | None) -> None:
    """Raises Problem if a grant wants another purpose than the one that is stated, or a case that is not."""
    if not grant.allows_purpose(purpose):
        wanted = sorted(grant.purposes)
        said_zh, said_en = ("未说明用途", "none") if purpose is None else (f"所述用途为 {purpose}", purpose)
        raise Problem(
            PURPOSE_NOT_GRANTED,
            f"数据集 {grant.dataset} 仅授权用于 {'、'.join(wanted)}；{said_zh}。",
            f"The dataset {grant.dataset} is granted for {', '.join(wanted)}; stated is {said_en}.",
            members={"dataset": grant.dataset, "purposes": wanted},
        )
    if grant.case_number and case_number is None:
        raise Problem(
            PURPOSE_NOT_GRANTED,
            f"读取数据集 {grant.dataset} 须以请求头 Case-Number 给出业务编号。",
            f"The dataset {grant.dataset} is granted case by case: the header Case-Number must name the case.",
            members={"dataset": grant.dataset, "case_number": "required"},
        )


def is_read_whole(request: Request, grant: Grant) -> bool:
    """Whether an answer that is put together by rules of its own may use all that a dataset holds, for this request.

    Only by a grant of every field and record, for what the request says it is for; its use is counted.
    """
    if grant.fields is not None or grant.rows:
        return False
    try:
        expect_purpose(request, grant)
    except Problem:
        return False
    return True


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


async def grant_decider(request: Request, authorization: Annotated[str | None, Security(_bearer)]) -> Caller:
    """A client that decides who may read: the datasets of a department, or as the hub."""
    caller = await _caller(request, authorization)
    _expect_scope(bool(caller.decides_grants_of) or caller.operates, f"{GRANTS_DECIDE}<department> / {OPERATE}")
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
    case_window, case_decider, case_office, case_party, grant_decider, sharing_client, operator,
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
GrantDecider = Annotated[Caller, Depends(grant_decider)]
SharingClient = Depends(sharing_client)
Operator = Annotated[Caller, Depends(operator)]


async def described_dataset(request: Request, caller: DatasetReader, dataset: Annotated[str, Path()]) -> Granted:
    """The dataset in the path, which the caller may read. Raises Problem if the registry holds none of that name."""
    grant = granted(caller, dataset)  # being allowed comes before finding out what there is
    found = (await state_of(request).datasets()).get(dataset)
    if found is None:
        raise Problem(NOT_FOUND, f"没有数据集 {dataset}。", f"There is no dataset {dataset}.")
    return Granted.of(found, grant)


async def granted_dataset(
    request: Request,
    found: Annotated[Granted, Depends(described_dataset)],
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
) -> Granted:
    """The dataset in the path, whose records the caller may read for the purpose that the request states."""
    del access_purpose, case_number  # as headers they are part of the description; read where they are checked
    expect_purpose(request, found.grant)
    announce(request, found.dataset, found.grant)
    return found


DescribedDataset = Annotated[Granted, Depends(described_dataset)]
"""For what is said of a dataset itself: no purpose is asked for."""
GrantedDataset = Annotated[Granted, Depends(granted_dataset)]
"""For its records."""


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
    external = state.external_tokens is not None and state.external_tokens.claims_to_be(token)
    try:
        if external and state.external_tokens is not None:
            claims = await state.external_tokens.verify(token)
        else:
            claims = state.tokens.verify(token)
    except TokenRefused as error:
        raise _refused("访问令牌无效或已过期。", f"The access token is refused: {error}.") from error
    if claims.bound_to is not None and claims.bound_to != state.presented.thumbprint(request.scope):
        raise _refused(
            "该令牌绑定了客户端证书，请求未出示该证书。",
            "The access token is bound to a certificate, which this connection does not show.",
        )
    known = await state.client(claims.client_id, external=external)
    client = known.client
    if client is None or client.revoked or (external and Method.EXTERNAL not in client.methods):
        raise _refused("该客户端已被撤销。", "The client has been revoked.")
    request.state.client_id = client.id
    if "rate_limit" not in request.scope["state"]:  # a request counts once, however often it is asked whose it is
        request.state.rate_limit = state.allowances.take(client.id, client.requests_per_second)
    named = claims.scopes
    if named is None:
        named = client.scopes | {f"{READ}{name}" for name in known.grants}
    scopes = frozenset(each for each in named if each in client.scopes or each.startswith(READ))
    return Caller(client.id, scopes, known.grants, claims.whole)


def _expect_scope(granted: bool, needed: str) -> None:  # noqa: FBT001
    if not granted:
        raise Problem(NOT_GRANTED, f"需要授权范围 {needed}。", f"The scope {needed} is needed.")


def _refused(zh: str, en: str) -> Problem:
    return Problem(
        UNAUTHENTICATED, zh, en, headers={"WWW-Authenticate": 'Bearer realm="shuqiao", error="invalid_token"'}
    )
