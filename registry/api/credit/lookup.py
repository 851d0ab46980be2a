"""Finding an enterprise on the public page: by what somebody knows of it already, never by guessing at names.

A code, an old identifier of the registration or the whole name leads to an enterprise; a part of a name leads nowhere,
however long. So nobody learns from the page which enterprises there are, and a list of them cannot be drawn from it by
name. Old taxpayer numbers lead nowhere here: those of individual businesses had the owner's resident number in them.
"""

from __future__ import annotations

from datetime import date

from registry.api.credit.answers import AmbiguousIdentifier, Found, UnknownEnterprise
from registry.domain.credit.matching import normalise_identifier, normalise_name
from registry.domain.credit.sources import default_sources
from registry.storage.reads import credit_reports
from registry.storage.reads.credit_reports import MOST_OF_A_NAME
from registry.storage.reads.pool import Pool
from schemas.identifiers import is_uscc

LONGEST = 200
"""Characters of what is looked for: as long as a name may be."""


async def look_up(pool: Pool, given: str, today: date) -> Found:
    """The one registered enterprise that has this old identifier or bears this very name now; a code leads to itself.

    Width, brackets, spaces and letter case of a name do not count. Raises UnknownEnterprise; AmbiguousIdentifier with
    the codes if several have it (of a name that more bear than a page shows: with none).
    """
    code, name = normalise_identifier(given), normalise_name(given)
    if is_uscc(code):
        return Found(code, "uscc")
    found, how = await credit_reports.identified(pool, code) if code else [], "identifier"
    if not found and name:
        found, how = await credit_reports.named(pool, name), "name"
    bearers = await credit_reports.registered(pool, found, default_sources().on(today).entity_dataset) if found else []
    if not bearers:
        raise UnknownEnterprise(given)
    if len(bearers) > 1:
        raise AmbiguousIdentifier(bearers if len(found) <= MOST_OF_A_NAME else [])
    return Found(bearers[0], how)
