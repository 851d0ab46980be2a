"""Answers that carry a receipt are signed by the hub: HTTP Message Signatures (RFC 9421) over a digest (RFC 9530).

What is signed: the status, the digest of the body as it was sent, the receipt, which holds the digest of the request
and the place in the access log, and the request's id. Whoever keeps an answer with these headers can show what the hub
answered to what, and hold it to its log. The key is the hub's own, which signs the log's checkpoints too; a hub without
the master key signs nothing. Answers in a stream, whose end nobody knows when they begin, are not signed.
"""

from __future__ import annotations

import base64
import time
from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.api.access_log.logged import RECEIPT
from registry.api.state import ApiState
from registry.signing.p256 import P256Signer
from registry.storage.reads.pool import ReadError

WAIT_SECONDS = 2.0
"""How long an answer that is ready waits for the hub's key to be read."""
_RECEIPT = RECEIPT.lower().encode()
_PARAMETERS = (
    b'("@status" "content-digest" "shuqiao-receipt" "x-request-id")'
    b';created=%d;keyid="%b";alg="ecdsa-p256-sha256";tag="shuqiao-answer"'
)
_BASE = b'"@status": %d\n"content-digest": %b\n"shuqiao-receipt": %b\n"x-request-id": %b\n"@signature-params": %b'


class Signed:
    """Outside compression, for the digest is of the bytes that are sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; anything but HTTP passes through."""
        if scope["type"] == "http":
            await self._app(scope, receive, _Answer(scope, send).send)
        else:
            await self._app(scope, receive, send)


class _Answer:
    """An answer whose head is held until its body is there."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            receipt = next((value for name, value in start["headers"] if name == _RECEIPT), None)
            if receipt is not None and not message.get("more_body", False):
                await self._sign(start, message.get("body", b""), receipt)
            await self._send(start)
        await self._send(message)

    async def _sign(self, start: Message, body: bytes, receipt: bytes) -> None:
        app: ApiState = self._scope["app"].state.api
        try:
            signer = await app.hub_signer(WAIT_SECONDS)
        except (ReadError, TimeoutError):
            return  # the answer is on record, and its receipt stands by itself
        if signer is not None:
            trace_id = self._scope["state"]["trace_id"].encode()
            start["headers"] = [*start["headers"], *signature(signer, start["status"], body, receipt, trace_id)]


def signature(
    signer: P256Signer, status: int, body: bytes, receipt: bytes, trace_id: bytes
) -> list[tuple[bytes, bytes]]:
    """The headers that sign an answer."""
    digest = b"sha-256=:%b:" % base64.b64encode(sha256(body).digest())
    parameters = _PARAMETERS % (int(time.time()), signer.verification_method.encode())
    signed = signer.sign_once(_BASE % (status, digest, receipt, trace_id, parameters))
    return [
        (b"content-digest", digest),
        (b"signature-input", b"hub=" + parameters),
        (b"signature", b"hub=:%b:" % base64.b64encode(signed)),
    ]
