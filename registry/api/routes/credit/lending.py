"""The data items for lending, with the enterprise's consent: for banks, by purpose and case."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from registry.api.access.security import CreditBank
from registry.api.credit import consent_models as models
from registry.api.credit import lending_answers
from registry.api.credit.lenders import answered_by_consent
from registry.api.grants.purpose import AccessPurpose, CaseNumber, stated
from registry.api.problems import INVALID_PARAMETER, Problem, parameter_error
from registry.api.representations import answer, now
from registry.api.routes.credit.enterprises import Enterprise
from registry.api.state import state_of
from registry.domain.credit.lending import default_lending_rules

router = APIRouter(tags=["credit"])


@router.get("/enterprises/{enterprise}/lending", response_model=models.Lending)
async def lending(
    request: Request,
    caller: CreditBank,
    enterprise: Enterprise,
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
    items: Annotated[
        str | None,
        Query(
            max_length=1000,
            description="Only these, joined by commas; without: all that are consented to 数据项",
            examples=["registration,tax_credit_rating"],
        ),
    ] = None,
) -> Response:
    """What a lender needs, as far as the enterprise has consented; each answer is on record. 融资数据项."""
    at, rules = now(), default_lending_rules()
    purpose = stated(access_purpose, case_number)
    wanted = None if items is None else frozenset(items.split(","))
    if wanted is not None and not wanted <= rules.items.keys():
        names = ", ".join(rules.items)
        zh, en = f"未知数据项；应为 {names}。", f"Not an item; expected some of {names}."
        raise Problem(INVALID_PARAMETER, zh, en, errors=[parameter_error("items", zh, en)])
    known = await state_of(request).datasets()
    said = await answered_by_consent(
        request,
        caller,
        enterprise,
        purpose,
        wanted,
        "lending",
        lambda pool, found, permitted: lending_answers.lending(pool, known, found, permitted, rules, at),
        at,
    )
    return answer(said)
