"""How fast each client may ask: a bucket per client and process, filled again all the time.

The headers are those of draft-ietf-httpapi-ratelimit-headers. Everything here is arithmetic on a few numbers in memory,
for it is done at every request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from registry.api.problems import TOO_MANY_REQUESTS, Problem

WINDOW_SECONDS = 10
"""A bucket holds what may be asked in this time."""
MOST_CLIENTS = 10_000
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class _Bucket:
    per_second: int
    left: float
    at: float
    policy: bytes


class Allowances:
    """The buckets of one process."""

    def __init__(self, per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``per_second``: for clients without a limit of their own."""
        self._per_second, self._clock = per_second, clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client_id: str, own: int | None) -> Headers:
        """One request of a client; the headers that tell what is left. Raises Problem when nothing is."""
        bucket = self._filled(client_id, own)
        per_second, left = bucket.per_second, bucket.left
        if left < 1:
            raise _too_many(per_second, (1 - left) / per_second, _headers(bucket, 0, (1 - left) / per_second))
        bucket.left = left - 1
        return _told(bucket)

    def told(self, client_id: str, own: int | None) -> Headers:
        """What a client has left, for an answer to a request that is counted elsewhere."""
        return _told(self._filled(client_id, own))

    def _filled(self, client_id: str, own: int | None) -> _Bucket:
        """A client's bucket, with what has flowed in until now."""
        per_second = own or self._per_second
        now = self._clock()
        bucket = self._buckets.get(client_id)
        if bucket is None or bucket.per_second != per_second:
            bucket = self._new(client_id, per_second, now)
        bucket.left = min(per_second * WINDOW_SECONDS, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        return bucket

    def _new(self, client_id: str, per_second: int, now: float) -> _Bucket:
        if len(self._buckets) >= MOST_CLIENTS:
            self._buckets.clear()
        whole = per_second * WINDOW_SECONDS
        bucket = _Bucket(per_second, whole, now, b'"client";q=%d;w=%d' % (whole, WINDOW_SECONDS))
        self._buckets[client_id] = bucket
        return bucket


def _told(bucket: _Bucket) -> Headers:
    missing = bucket.per_second * WINDOW_SECONDS - bucket.left
    return _headers(bucket, int(bucket.left), missing / bucket.per_second)


def _headers(bucket: _Bucket, left: int, seconds: float) -> Headers:
    return [
        (b"ratelimit-policy", bucket.policy),
        (b"ratelimit", b'"client";r=%d;t=%d' % (left, math.ceil(seconds))),
    ]


def _too_many(per_second: int, seconds: float, headers: Headers) -> Problem:
    whole = max(1, math.ceil(seconds))
    return Problem(
        TOO_MANY_REQUESTS,
        f"该客户端的请求超过每秒 {per_second} 次，请在 {whole} 秒后重试。",
        f"The client asks more often than {per_second} times a second; try again in {whole} seconds.",
        headers={"Retry-After": str(whole), **{name.decode(): value.decode() for name, value in headers}},
        members={"violated-policies": ["client"]},
    )
