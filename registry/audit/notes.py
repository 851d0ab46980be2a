"""Signatures below checkpoints: ECDSA on P-256 as https://c2sp.org/signed-note has it (type 0x02)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from registry.domain.audit import checkpoint as checkpoints
from registry.domain.audit.checkpoint import Checkpoint, NoteSignature, SignedCheckpoint
from registry.signing import p256
from registry.signing.p256 import P256Signer

_ECDSA = b"\x02"
_KEY_ID_BYTES = 4
_COORDINATE = 32  # bytes
_LOG = "access-log"


class LogKeyMalformed(ValueError):  # noqa: N818  (named for what was met)
    """A text is no key of a log."""

    def __init__(self, why: str) -> None:
        super().__init__(f"不是检查点公钥 no key of a log: {why}")


class NotSigned(ValueError):  # noqa: N818
    """No known key has signed the checkpoint, or a signature of a known key is wrong."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key by which a log's checkpoints are verified."""

    origin: str
    public_key: ec.EllipticCurvePublicKey

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names it."""
        return sha256(p256.public_bytes(self.public_key)).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as one line that can be handed out: ``<origin>+<key id>+<base64>``, a ``vkey`` to other tools."""
        encoded = base64.b64encode(_ECDSA + p256.public_bytes(self.public_key)).decode()
        return f"{self.origin}+{self.id.hex()}+{encoded}"


def origin(did: str) -> str:
    """The name of a hub's log, from its ``did:web``: ``hub.example.cn/access-log``."""
    host, *path = did.removeprefix("did:web:").split(":")
    return "/".join([host.replace("%3A", ":").replace("%3a", ":"), *path, _LOG])


def sign(checkpoint: Checkpoint, signer: P256Signer) -> str:
    """The checkpoint as a signed note."""
    both = signer.sign(checkpoint.text.encode())
    signature = encode_dss_signature(int.from_bytes(both[:_COORDINATE]), int.from_bytes(both[_COORDINATE:]))
    key = LogKey(checkpoint.origin, signer.private_key.public_key())
    return checkpoints.note(checkpoint, NoteSignature(checkpoint.origin, key.id, signature))


def opened(note: str, keys: Iterable[LogKey]) -> Checkpoint:
    """What a known key has signed. Raises CheckpointMalformed, NotSigned."""
    signed = checkpoints.parse(note)
    known = {(key.origin, key.id): key for key in keys}
    verified = False
    for signature in signed.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None or signature.name != signed.checkpoint.origin:
            continue
        _verify(signed, signature, key)
        verified = True
    if not verified:
        raise NotSigned(
            f"检查点没有已知密钥的签名 no known key has signed the checkpoint of {signed.checkpoint.origin!r}"
        )
    return signed.checkpoint


def key_from_text(text: str) -> LogKey:
    """The key of :attr:`LogKey.text`. Raises LogKeyMalformed."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = base64.b64decode(encoded, validate=True)
        found = LogKey(name, _p256(load_der_public_key(data[1:])))
    except (binascii.Error, ValueError) as error:
        raise LogKeyMalformed(f"expected <origin>+<key id>+<base64 of a key>: {error}") from error
    if data[:1] != _ECDSA or found.id.hex() != key_id:
        raise LogKeyMalformed("the key id does not fit the key")
    return found


def key_from_pem(pem: bytes, origin: str) -> LogKey:
    """The log key of an origin with a public key in PEM. Raises LogKeyMalformed."""
    try:
        return LogKey(origin, _p256(load_pem_public_key(pem)))
    except ValueError as error:
        raise LogKeyMalformed(f"no public key in PEM: {error}") from error


def _verify(signed: SignedCheckpoint, signature: NoteSignature, key: LogKey) -> None:
    try:
        key.public_key.verify(signature.signature, signed.text.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise NotSigned(f"检查点签名不符 the signature of {signature.name!r} on the checkpoint is wrong") from None


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise LogKeyMalformed("expected a key on P-256")
