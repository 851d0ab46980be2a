"""What a request that failed is answered with."""

from __future__ import annotations

import logging

from registry.api.problems import INTERNAL, TOOK_TOO_LONG, Problem

_log = logging.getLogger(__name__)


def problem_of(error: Exception, trace_id: str) -> Problem:
    """What the client is told. What nobody expected is written down here, under the request's id."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TimeoutError):
        return Problem(TOOK_TOO_LONG)
    _log.error("a request failed, trace id %s", trace_id, exc_info=error)
    return Problem(INTERNAL)
