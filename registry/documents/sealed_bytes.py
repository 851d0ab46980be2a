"""Which bytes of a foreign PDF a seal under the root has signed: found without opening the document.

A PDF is a program for its parser: megabytes of brackets, of references in a circle, of tables in tables keep one busy
for as long as their author likes. So nothing is opened that no authority has sealed. What a seal covers stands in
plain bytes (``/ByteRange``, ISO 32000-2, 12.8.1), and so does the signature in the gap between: one search, one hash
and one signature decide, whatever else the file holds.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from asn1crypto import cms  # type: ignore[import-untyped]
from cryptography import x509
from pyhanko.sign.general import extract_signer_info
from pyhanko.sign.validation.generic_cms import extract_certs_for_validation, validate_sig_integrity

from registry.signing.certificates import CertificateRefused, check_chain

MOST_SIGNATURES: Final = 4
"""Of so many signatures, the last in the file, the bytes are hashed; a licence has one."""
MOST_HEX: Final = 128 * 1024
"""Characters of a signature; one of a licence has 8,192."""
_RANGE = re.compile(rb"/ByteRange\s{0,80}\[\s{0,80}0\s{1,80}(\d{1,9})\s{1,80}(\d{1,9})\s{1,80}(\d{1,9})\s{0,80}\]")
_HEX = re.compile(rb"<([0-9A-Fa-f]*)>")


@dataclass(frozen=True, slots=True)
class SealedBytes:
    """A signature that fits the bytes from the first one to ``end``, but for the gap that it stands in."""

    end: int
    certificate: x509.Certificate
    refusal: CertificateRefused | None
    """Why the certificate is none of an authority under the root."""


def sealed_bytes(document: bytes, root: x509.Certificate) -> list[SealedBytes]:
    """The signatures that fit their bytes, the one that covers most first. Never raises for what a document holds."""
    found = [_fitting(document, *place, root) for place in _places(document)]
    return sorted((one for one in found if one is not None), key=lambda one: one.end, reverse=True)


def mentions_signature(document: bytes) -> bool:
    """Whether there is anything that could be a signature's range."""
    return _RANGE.search(document) is not None


def _places(document: bytes) -> Iterator[tuple[int, int, int]]:
    """Begin and end of the gap, and the end of what is covered, of the last signatures in the file."""
    for found in deque(_RANGE.finditer(document), maxlen=MOST_SIGNATURES):
        begin, second, length = (int(number) for number in found.groups())
        if begin < second <= second + length <= len(document) and second - begin <= MOST_HEX:
            yield begin, second, second + length


def _fitting(document: bytes, begin: int, second: int, end: int, root: x509.Certificate) -> SealedBytes | None:
    gap = _HEX.fullmatch(document[begin:second])
    if gap is None:
        return None
    covered = memoryview(document)
    digest = hashlib.sha256(covered[:begin])
    digest.update(covered[second:end])
    try:
        signed = cms.ContentInfo.load(bytes.fromhex(gap[1].decode()))["content"]
        signer = extract_signer_info(signed)
        certificate = extract_certs_for_validation(signed).signer_cert
        fits = validate_sig_integrity(signer, certificate, expected_content_type="data", actual_digest=digest.digest())
        if not all(fits):
            return None
        sealed_with = x509.load_der_x509_certificate(certificate.dump())
    except Exception:  # noqa: BLE001 - foreign bytes make the parser fail in every way there is: no signature that fits
        return None
    try:
        # As of its first day: whether it was good when it signed is asked when that time is read.
        check_chain(sealed_with, root, sealed_with.not_valid_before_utc)
    except CertificateRefused as refused:
        return SealedBytes(end, sealed_with, refused)
    return SealedBytes(end, sealed_with, None)
