"""What is answered to a lender that an enterprise has consented to: the items for lending, each with its sources."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from registry.api.credit.answers import Datasets, Found, held_of, source_of
from registry.api.representations import sources
from registry.credit.consents import ConsentUse, EnteredConsent
from registry.domain.credit.consent import Allowed
from registry.domain.credit.enterprise_file import provenance
from registry.domain.credit.lending import READER, LendingItem, LendingRules, lent_body
from registry.domain.credit.marks import china_day
from registry.domain.credit.readers import without_identifiers
from registry.domain.credit.report import may_see
from registry.storage.reads import credit
from registry.storage.reads.pool import Pool
from schemas.errors import SchemaError


async def lending(
    pool: Pool, datasets: Datasets, found: Found, items: Iterable[str], rules: LendingRules, at: datetime
) -> dict[str, Any]:
    """The items, which the caller has been permitted; one without entries: the hub holds none that may be shared."""
    wanted = [rules.items[name] for name in rules.items if name in set(items)]
    names = [name for item in wanted for name in item.datasets]
    rows = await credit.records_of(pool, found.uscc, [datasets[name].id for name in names if name in datasets])
    today = china_day(at)
    held = [each for each in map(held_of, rows) if may_see(each, today, READER)]

    def entries(item: LendingItem) -> list[dict[str, Any]]:
        shown = []
        for each in held:
            if each.record.dataset not in item.datasets:
                continue
            try:
                body = lent_body(each, item)
            except SchemaError:  # of a schema that is not known here nothing leaves
                continue
            entry = {"key": without_identifiers(each.record.key), "body": body}
            marks = ["disputed"] if each.mark.disputed_since is not None else []
            shown.append(entry | {"marks": marks, "source": source_of(provenance(each.record, today))})
        return shown

    said: dict[str, Any] = {}
    for item in wanted:
        said[item.name] = {
            "title": {"zh": item.title.zh, "en": item.title.en},
            "entries": entries(item),
            "sources": {name: sources(datasets[name], at) for name in item.datasets if name in datasets},
            "missing": [name for name in item.datasets if name not in datasets],
        }
        if item.evaluation:
            said[item.name]["evaluations"] = [dict(row) for row in await credit.evaluations_of(pool, found.uscc)]
    return {"uscc": found.uscc, "found_by": found.by, "as_of": at, "edition": rules.edition, "items": said}


def basis(allowed: Iterable[Allowed], rules: LendingRules, purpose: str, case_number: str) -> dict[str, Any]:
    """On what an answer rests: the consents, for what they were used, and which items they leave out."""
    used = {item for one in allowed for item in one.items}
    return {
        "purpose": purpose,
        "case_number": case_number,
        "consents": [
            {"id": one.consent.id, "items": list(one.items), "valid_until": one.consent.valid_until} for one in allowed
        ],
        "not_consented": [name for name in rules.items if name not in used],
    }


def consent(entered: EnteredConsent, at: datetime) -> dict[str, Any]:
    """A consent as it stands."""
    one = entered.consent
    return {
        "id": one.id,
        "subject": one.entity,
        "grantee": one.grantee,
        "purpose": one.purpose,
        "items": sorted(one.items),
        "valid_from": one.valid_from,
        "valid_until": one.valid_until,
        "evidence_digest": one.evidence_digest.hex(),
        "state": _state(entered, at),
        "given_by": entered.given_by,
        "created_at": entered.created_at,
        "revoked_at": one.revoked_at,
        "revoked_by": entered.revoked_by,
    }


def consent_use(use: ConsentUse) -> dict[str, Any]:
    """One use of a consent."""
    return {
        "id": use.id,
        "consent": use.consent_id,
        "at": use.at,
        "client": use.client,
        "items": list(use.items),
        "answer": use.answer,
        "case_number": use.case_number,
    }


def _state(entered: EnteredConsent, at: datetime) -> str:
    one = entered.consent
    if one.revoked_at is not None:
        return "revoked"
    if at < one.valid_from:
        return "not_yet"
    return "over" if at >= one.valid_until else "holding"
