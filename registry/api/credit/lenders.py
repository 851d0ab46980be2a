"""How a lender's request is answered: permitted by the enterprise's consent, read and put down in one transaction.

An answer whose use cannot be put down is not given. Without a consent nothing is told of an enterprise, not even
whether the hub knows it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

import psycopg
from fastapi import Request

from registry.api.access.security import Caller
from registry.api.credit import answers as credit_answers
from registry.api.credit.answers import AmbiguousIdentifier, Found, UnknownEnterprise
from registry.api.credit.lending_answers import basis
from registry.api.grants.purpose import Stated
from registry.api.problems import CONSENT_REQUIRED, Problem
from registry.api.state import state_of
from registry.credit import consents
from registry.credit.consents import ConsentRefused
from registry.domain.credit.consent import NO_CONSENT
from registry.domain.credit.lending import default_lending_rules
from registry.storage.reads.pool import Pool
from registry.storage.reads.within import Within, answered

Read = Callable[[Pool, Found, Collection[str]], Awaitable[dict[str, Any]]]
"""What makes the answer: from where, about whom, of which items."""


async def answered_by_consent(
    request: Request,
    caller: Caller,
    enterprise: str,
    purpose: Stated,
    items: Collection[str] | None,
    name: str,
    read: Read,
    at: datetime,
) -> dict[str, Any]:
    """The answer with what it rests on. ``name``: of the answer, for the record; ``items`` None: all consented ones.

    Raises Problem, and UnknownEnterprise where there is a consent but nothing to tell: that is no use.
    """
    app, rules = state_of(request), default_lending_rules()
    seconds = app.settings.statement_seconds
    try:
        found = await credit_answers.find(app.pool, enterprise)
    except (UnknownEnterprise, AmbiguousIdentifier):
        raise _refused(ConsentRefused((NO_CONSENT,))) from None

    def work(connection: psycopg.Connection) -> dict[str, Any]:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(seconds * 1000)),))
            allowed = consents.permit(
                connection, client=caller.client_id, entity=found.uscc, purpose=purpose.purpose, items=items, at=at,
                answer=name, case_number=purpose.case_number,
            )  # fmt: skip
            permitted = {item for one in allowed for item in one.items} & rules.items.keys()
            said = answered(_whole(read(Within(connection), found, permitted)))
            return said | basis(allowed, rules, purpose.purpose, purpose.case_number)

    try:
        return await app.licensing.write(work)
    except ConsentRefused as error:
        raise _refused(error) from error


async def _whole(read: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return await read


def _refused(error: ConsentRefused) -> Problem:
    """Why there is no answer: every reason, with its stable code."""
    unmet = [{"code": each.code, "zh": each.zh, "en": each.en} for each in error.reasons]
    members = {"reason": error.code, "unmet": unmet}
    return Problem(CONSENT_REQUIRED, f"{error.zh}。", f"{error.en}.", members=members)
