"""A change as CloudEvents 1.0 has it, in structured JSON, alone or several together (batch mode).

``data`` is the change as the feed gives it to the same client. ``id`` names the change and stays the same however often
it is sent; with ``source`` it tells an event from all others. ``partitionkey`` names the record, ``sequence`` can be
compared as text and grows with every change of a record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

SINGLE = "application/cloudevents+json; charset=utf-8"
BATCH = "application/cloudevents-batch+json; charset=utf-8"
MOST_IN_BATCH = 100
"""Events in one message of a subscription in batch mode."""
MOST_BYTES = 512 << 10
"""A message in batch mode takes no more events once it is so long."""


def event(base: str, change: Mapping[str, Any]) -> bytes:
    """One change of the feed as an event. ``base``: the hub's public address."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": change["id"],
            "source": f"{base}/api/v1/datasets/{change['dataset']}",
            "type": f"shuqiao.record.{change['operation']}",
            "subject": change["key"],
            "time": change["at"],
            "datacontenttype": "application/json",
            "sequence": f"{change['version']:020d}",
            "partitionkey": f"{change['dataset']}/{change['key']}",
            "data": change,
        },
        option=orjson.OPT_UTC_Z,
    )


def test_event(base: str, subscription: str, at: datetime) -> bytes:
    """An event that tells nothing, to try a receiver."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"test-{subscription}-{int(at.timestamp() * 1000)}",
            "source": f"{base}/api/v1/subscriptions/{subscription}",
            "type": "shuqiao.subscription.test",
            "time": at,
        },
        option=orjson.OPT_UTC_Z,
    )


def batched(events: Sequence[bytes]) -> bytes:
    """Several events as one message."""
    return b"[" + b",".join(events) + b"]"
