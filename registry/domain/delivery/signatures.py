"""Signatures of what is delivered, as Standard Webhooks has them (https://www.standardwebhooks.com).

The signed bytes are ``<webhook-id>.<webhook-timestamp>.<body>``; the signature is HMAC-SHA256 with the subscription's
secret, written ``v1,<base64>``. While a secret is being replaced there is one signature by each, with a space between.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
LENGTH = 32
"""Bytes of a secret; the standard has 24 to 64."""


def new_secret() -> bytes:
    """A secret for a subscription."""
    return secrets.token_bytes(LENGTH)


def shown(secret: bytes) -> str:
    """A secret as its owner gets it, once."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(message_id: str, at: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message; ``at`` is the moment of this attempt, in seconds since 1970."""
    signed = b"%s.%d.%s" % (message_id.encode(), at, body)
    signatures = (base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
