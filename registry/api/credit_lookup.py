"""Finding an enterprise on the public page: by what somebody knows of it already, never by guessing at names.

A code, an old identifier or the whole name leads to an enterprise; a part of a name leads nowhere, however long. So
nobody learns from the page which enterprises there are, and a list of them cannot be drawn from it by name.
"""

from __future__ import annotations

from registry.api import credit_answers
from registry.api.credit_answers import AmbiguousIdentifier, Found, UnknownEnterprise
from registry.domain.credit.matching import normalise_name
from registry.storage.reads import credit_reports
from registry.storage.reads.credit_reports import MOST_OF_A_NAME
from registry.storage.reads.pool import Pool

LONGEST = 200
"""Characters of what is looked for: as long as a name may be."""


async def look_up(pool: Pool, given: str) -> Found:
    """The one enterprise that has this code or old identifier, or bears this very name now.

    Width, brackets, spaces and letter case of a name do not count. Raises UnknownEnterprise; AmbiguousIdentifier with
    the codes if several have it (of a name that more bear than a page shows: with none).
    """
    try:
        return await credit_answers.find(pool, given)
    except UnknownEnterprise:
        name = normalise_name(given)
        bearers = await credit_reports.named(pool, name) if name else []
    if not bearers:
        raise UnknownEnterprise(given)
    if len(bearers) > 1:
        raise AmbiguousIdentifier(bearers if len(bearers) <= MOST_OF_A_NAME else [])
    return Found(bearers[0], "name")
