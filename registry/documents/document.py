"""The document for people: a licence, or an annotated copy of one, as a signed PDF made from its signed credential."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from registry.documents import rendering, signing
from registry.documents.page import copy_of, page_of
from registry.domain.licences.types import LicenceType


def make(
    credential: bytes,
    licence_type: LicenceType,
    *,
    key: signing.SealKey,
    chain: Sequence[x509.Certificate],
    verification_address: str,
    issuer_en: str = "",
    at: datetime,
) -> bytes:
    """The PDF of a signed credential, sealed by its issuer.

    ``credential`` is the credential as signed and kept, a licence's or a copy's (the copy's has a watermark);
    ``verification_address`` is what the QR code leads to; ``chain`` the certificates above the key's. Raises what
    :func:`registry.documents.rendering.render` and :func:`registry.documents.signing.sign` raise.
    """
    said = json.loads(credential)
    page = page_of(said, licence_type, issuer_en)
    copy = copy_of(said)
    document = rendering.render(
        page,
        template=licence_type.template,
        credential=credential,
        verification_address=verification_address,
        at=at,
        copy=copy,
    )
    reason = "颁发电子证照 issue of an e-licence" if copy is None else "出具加注件 issue of an annotated copy"
    return signing.sign(document, key, chain, name=page.issuer_zh, reason=reason, at=at)
