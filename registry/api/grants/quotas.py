"""What a request uses of the client's grants: noted by the rules of access, counted with the access log's entry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from registry.api.problems import QUOTA_USED_UP, Problem
from registry.api.representations import now
from registry.api.state import ApiState, state_of
from registry.domain.grants.grant import Grant
from registry.storage.grant_uses import Use, day_of, next_day


@dataclass(frozen=True, slots=True)
class Used:
    """A grant that a request reads by, and for how much it counts."""

    grant: Grant
    use: Use


def use(request: Request, grant: Grant, answers: int = 1) -> None:
    """Note that a request reads by a grant, for so many answers. Raises Problem if none is left of the day's quota."""
    state, at = state_of(request), now()
    if grant.daily_quota is not None and state.used_up.get(grant.id) == day_of(at):
        raise quota_used_up(state, grant.id, at)
    uses: dict[int, Used] = request.scope["state"].setdefault("uses", {})
    uses[grant.id] = Used(grant, Use(grant.id, answers, grant.daily_quota))


def quota_used_up(state: ApiState, grant_id: int, at: datetime, *, answers: int = 1) -> Problem:
    """Says so, and when there is more; remembered, so that no record is read for nothing.

    Not remembered where ``answers`` were asked for at once: there may be enough left for fewer.
    """
    if len(state.used_up) >= 10_000:  # noqa: PLR2004  (memory stays flat)
        state.used_up.clear()
    if answers == 1:
        state.used_up[grant_id] = day_of(at)
    wait = math.ceil((next_day(at) - at).total_seconds())
    return Problem(QUOTA_USED_UP, headers={"Retry-After": str(wait)}, members={"grant": grant_id})


def granted_fields(uses: Mapping[int, Used]) -> tuple[str, ...] | None:
    """The fields that were asked for, for the access log; None where a grant is of all fields.

    Where an answer is from several datasets, each with its dataset: ``permit.valid_to``.
    """
    grants = [used.grant for used in uses.values()]
    if not grants or any(grant.fields is None for grant in grants):
        return None
    if len(grants) == 1:
        return tuple(sorted(grants[0].fields or ()))
    return tuple(sorted(f"{grant.dataset}.{name}" for grant in grants for name in grant.fields or ()))
