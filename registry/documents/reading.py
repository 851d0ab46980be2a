"""Reading a document that somebody hands in: its attached credential, and what is to be said of its signature.

Foreign bytes: only what a seal under the root covers is opened at all (:mod:`registry.documents.sealed_bytes`). Size
and decompression are limited, nothing is fetched, and whatever a damaged file makes the parser do ends in one of the
reasons below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Final

from asn1crypto import cms  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from registry.documents.sealed_bytes import SealedBytes, mentions_signature, sealed_bytes
from registry.signing.certificates import CertificateRefused, check_chain

CREDENTIAL: Final = "credential.json"
LARGEST: Final = 20 * 1024 * 1024
"""Bytes of a document that is looked at."""
_LARGEST_CREDENTIAL: Final = 2 * 1024 * 1024
_TRAILER: Final = 1024
"""Bytes at the end in which a reader looks for the last trailer (ISO 32000, annex H)."""
_MIB: Final = 1024 * 1024
_LIMITS: Final = DecodeLimits(
    per_stream=StreamDecodeLimits(max_ratio=200, max_output_size=32 * _MIB),
    document_budget=DocumentDecodeBudget(base_allowance=64 * _MIB, max_ratio=4),
)
_SHA256: Final = cms.DigestAlgorithm({"algorithm": "sha256"}).dump()
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document or its signature is not accepted: a stable code and a sentence in both languages."""

    code: str
    zh: str
    en: str


class DocumentUnreadable(ValueError):  # noqa: N818
    """The file is not a PDF that can be looked into; ``reason`` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """What was found of a document's signature. Without ``reasons`` it is the issuer's and covers the whole file."""

    reasons: tuple[Reason, ...]
    certificate: x509.Certificate | None = None
    """The seal certificate that the signature names, also of one that is refused."""
    signed_at: datetime | None = None
    """As the signer says; it is inside what is signed."""

    @property
    def ok(self) -> bool:
        """Whether the signature holds."""
        return not self.reasons


TOO_LARGE = Reason("too_large", "文件超过 20 MB", "the file is larger than 20 MB")
DAMAGED = Reason("damaged", "文件不是完整的 PDF", "the file is not a whole PDF")
ENCRYPTED = Reason("encrypted", "文件已加密", "the file is encrypted")
NO_SIGNATURE = Reason("no_signature", "文件没有电子签章", "the document carries no signature")
ALTERED = Reason("altered", "签章后文件内容被改动", "the document was altered: its signature does not fit its bytes")
CHANGED_AFTER_SIGNING = Reason(
    "changed_after_signing",
    "签章后文件被追加了内容",
    "something was appended after signing: the signature does not cover the whole file",
)
SIGNED_IN_FUTURE = Reason("signed_in_future", "签章时间晚于当前时间", "the signing time lies in the future")
AMBIGUOUS_ATTACHMENT = Reason(
    "ambiguous_attachment", "文件附有多个电子证照数据", "more than one credential.json is attached"
)


@dataclass(frozen=True, slots=True)
class Read:
    """What was found in a document."""

    signature: PdfSignature
    opened: bool
    """Whether an authority's seal covers the document, or its beginning; only then it was looked into."""
    credential: bytes | None = None
    """``credential.json`` as attached to what the seal covers."""


def read(document: bytes, root: x509.Certificate, at: datetime) -> Read:
    """What a document says of itself, if an authority under ``root`` has sealed it; ``at`` is now.

    Of one that was added to, what was sealed is read, and :data:`CHANGED_AFTER_SIGNING` said. Raises
    :class:`DocumentUnreadable` for what is no PDF, or encrypted, or too large.
    """
    if len(document) > LARGEST:
        raise DocumentUnreadable(TOO_LARGE)
    found = sealed_bytes(document, root)
    sealed = next((one for one in found if one.refusal is None), None)
    if sealed is None:
        return Read(_unsealed(document, found), opened=False)
    covered = document[: sealed.end]
    signature = check_signature(covered, root, at)
    if sealed.end < len(document) or len(found) > 1:
        others = [_of_certificate(one.refusal) for one in found if one.refusal is not None]
        reasons = (CHANGED_AFTER_SIGNING, *others, *signature.reasons)
        signature = PdfSignature(reasons, signature.certificate, signature.signed_at)
    return Read(signature, opened=True, credential=attached_credential(covered))


def _unsealed(document: bytes, found: Sequence[SealedBytes]) -> PdfSignature:
    """Why a document carries no authority's seal, told from its bytes. Raises :class:`DocumentUnreadable`."""
    end = document[-_TRAILER:]
    if not document.startswith(b"%PDF-") or b"startxref" not in end or b"%%EOF" not in end:
        raise DocumentUnreadable(DAMAGED)
    if b"/Encrypt" in document:
        raise DocumentUnreadable(ENCRYPTED)
    if found and found[0].refusal is not None:
        return PdfSignature((_of_certificate(found[0].refusal),), found[0].certificate)
    return PdfSignature((ALTERED,) if mentions_signature(document) else (NO_SIGNATURE,))


def _of_certificate(refused: CertificateRefused) -> Reason:
    return Reason(f"certificate_{refused.reason}", refused.zh, refused.en)


def attached_credential(document: bytes) -> bytes | None:
    """The bytes of ``credential.json`` as attached, or None. Raises :class:`DocumentUnreadable`.

    Opens the document whatever it is: for those that are sealed, or made here.
    """
    with _reading(document) as pdf:
        files = [file.get_object() for file in pdf.root.get("/AF", ())]
        found = [file for file in files if file.get("/UF", file.get("/F")) == CREDENTIAL]
        if not found:
            return None
        if len(found) > 1:
            raise DocumentUnreadable(AMBIGUOUS_ATTACHMENT)
        content: bytes = found[0]["/EF"]["/F"].data
        if len(content) > _LARGEST_CREDENTIAL:
            raise DocumentUnreadable(TOO_LARGE)
        return content


def check_signature(document: bytes, root: x509.Certificate, at: datetime) -> PdfSignature:
    """Whether an issuer under ``root`` signed exactly these bytes; ``at`` is now.

    Opens the document whatever it is, as :func:`read` does not. The seal certificate must have been good at the signing
    time; whether its key was revoked, the trust list says.
    """
    try:
        with _reading(document, ALTERED) as pdf:
            signatures = pdf.embedded_signatures
            if not signatures:
                return PdfSignature((NO_SIGNATURE,))
            return _checked(document, signatures[0], root, at, alone=len(signatures) == 1)
    except DocumentUnreadable as error:
        return PdfSignature((error.reason,))


@contextmanager
def _reading(document: bytes, otherwise: Reason = DAMAGED) -> Iterator[PdfFileReader]:
    """The document opened; everything that goes wrong inside is :class:`DocumentUnreadable`, for a reason of its own.

    ``otherwise`` is what a failure means that is none of the known ones.
    """
    if len(document) > LARGEST:
        raise DocumentUnreadable(TOO_LARGE)
    with _refusing(DAMAGED):
        pdf = PdfFileReader(BytesIO(document), decode_limits=_LIMITS)
        if pdf.encrypted:
            raise DocumentUnreadable(ENCRYPTED)
    with _refusing(otherwise):
        yield pdf


@contextmanager
def _refusing(reason: Reason) -> Iterator[None]:
    """A parser of hostile bytes fails in every way there is: all of them mean ``reason``."""
    try:
        yield
    except DocumentUnreadable:
        raise
    except PdfDecodeLimitError as error:
        raise DocumentUnreadable(TOO_LARGE) from error
    except Exception as error:
        raise DocumentUnreadable(reason) from error


def _checked(
    document: bytes, signature: EmbeddedPdfSignature, root: x509.Certificate, at: datetime, *, alone: bool
) -> PdfSignature:
    reasons: list[Reason] = []
    if not (alone and _covers_everything(document, signature)):
        reasons.append(CHANGED_AFTER_SIGNING)
    if not _fits(signature):
        reasons.append(ALTERED)
    certificate = x509.load_der_x509_certificate(signature.signer_cert.dump())
    signed_at = signature.self_reported_timestamp
    if signed_at is None:
        return PdfSignature((*reasons, ALTERED), certificate)
    if signed_at > at + _CLOCKS_DIFFER:
        reasons.append(SIGNED_IN_FUTURE)
    try:
        check_chain(certificate, root, signed_at)
    except CertificateRefused as refused:
        reasons.append(_of_certificate(refused))
    return PdfSignature(tuple(reasons), certificate, signed_at)


def _covers_everything(document: bytes, signature: EmbeddedPdfSignature) -> bool:
    """From the first byte to the last but for a gap, which holds the signature as we spell it and nothing else."""
    signature.compute_integrity_info(skip_diff=True)  # type: ignore[no-untyped-call]
    coverage: SignatureCoverageLevel | None = signature.coverage
    first, length, second, _ = signature.byte_range
    content: bytes = signature.pkcs7_content
    return (
        coverage is SignatureCoverageLevel.ENTIRE_FILE
        and first == 0
        and document[length:second] == b"<" + content.hex().upper().encode() + b">"
        and _spelt_as_ours(content)
    )


def _spelt_as_ours(content: bytes) -> bool:
    """Whether what a signature leaves unsigned (versions, lists of algorithms, padding) is as we write it."""
    message = cms.ContentInfo.load(content)
    signed = message["content"]
    (signer,) = signed["signer_infos"]
    digests = [*signed["digest_algorithms"], signer["digest_algorithm"]]
    return (
        [digest.dump() for digest in digests] == [_SHA256, _SHA256]
        and signed["version"].native == signer["version"].native == "v1"
        and signer["unsigned_attrs"].native is None
        and message.contents == message["content_type"].dump() + signed.dump()
        and not any(content[len(message.dump()) :])
    )


def _fits(signature: EmbeddedPdfSignature) -> bool:
    """Whether the signature is over these bytes, by the key of the certificate that it names."""
    try:
        intact, valid = validate_sig_integrity(
            signature.signer_info,
            signature.signer_cert,
            expected_content_type="data",
            actual_digest=signature.compute_digest(),
        )
    except (SignatureValidationError, UnsupportedAlgorithm, ValueError):
        return False
    return bool(intact and valid)
