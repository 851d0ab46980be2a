"""The issuer's electronic seal on a document: PAdES-B by pyHanko, certifying that nothing may be changed afterwards.

The signature is ETSI.CAdES.detached (PAdES baseline B), ECDSA with SHA-256, made through the port of signatures: the
private key stays behind it. No time stamping service is asked: the signing time is the one given, and the trust list
says from when to when a key was good.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from io import BytesIO
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.keys import load_certs_from_pemder_data
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, Signer
from pyhanko.sign.signers.constants import ESIC_EXTENSION_1
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko_certvalidator.registry import SimpleCertificateStore

FIELD: Final = "Seal"
_P256_BYTES: Final = 32
_DER_BYTES: Final = 72
"""The longest DER form of a P-256 signature."""
_RESERVED: Final = 8192
"""Bytes kept free in the file for the hexadecimal CMS: two or three certificates of some 800 bytes fit well."""


class SealKey(Protocol):
    """What signs: the issuer's key with the seal certificate made out for it (see registry.signing.p256)."""

    @property
    def certificate(self) -> x509.Certificate | None:
        """The seal certificate."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes, r || s, over SHA-256 of ``data``."""


class _Seal(Signer):
    """pyHanko's view of a key that signs elsewhere; the root is not put into the file, verifiers have it."""

    def __init__(self, key: SealKey, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> None:
        store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        store.register_multiple([_asn1(above) for above in chain])
        super().__init__(signing_cert=_asn1(certificate), cert_registry=store, embed_roots=False)
        self._key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:  # noqa: FBT001, FBT002
        if digest_algorithm != "sha256":
            raise ValueError(f"expected the digest sha256, got {digest_algorithm}")
        if dry_run:
            return bytes(_DER_BYTES)
        signature = self._key.sign(data)
        r, s = signature[:_P256_BYTES], signature[_P256_BYTES:]
        return encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


class _Update(IncrementalPdfFileWriter):
    """The update that adds the signature and nothing else.

    pyHanko would write the clock's time into the metadata (and PDF/A asks for more care with them than it takes), and
    draw the file's second identifier at random: the same document signed at the same time is to be the same bytes.
    """

    def _update_meta(self) -> None:
        pass

    @classmethod
    def _handle_id(cls, prev: PdfFileReader) -> generic.ArrayObject:
        first, _ = prev.trailer["/ID"]
        prev.stream.seek(0)
        second = hashlib.sha256(prev.stream.read()).digest()[: len(first)]
        return generic.ArrayObject([first, generic.ByteStringObject(second)])


class _Signing(PdfSigner):
    """A signing at a given time instead of the clock's."""

    def __init__(self, metadata: PdfSignatureMetadata, signer: Signer, at: datetime) -> None:
        super().__init__(metadata, signer)
        self._at = at

    def init_signing_session(
        self,
        pdf_out: BasePdfFileWriter,
        existing_fields_only: bool = False,  # noqa: FBT001, FBT002
    ) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self._at
        return session

    def register_extensions(self, pdf_out: BasePdfFileWriter, *, md_algorithm: str) -> None:  # noqa: ARG002
        """PAdES is declared; that ECDSA is not, which would make the file PDF 2.0 and so no PDF/A-3 any more."""
        pdf_out.register_extension(ESIC_EXTENSION_1)


def sign(
    document: bytes,
    key: SealKey,
    chain: Sequence[x509.Certificate] = (),
    *,
    name: str,
    reason: str,
    location: str | None = None,
    at: datetime,
) -> bytes:
    """``document`` with the issuer's signature, which covers the whole file.

    ``chain`` are the certificates above the key's own, ``name`` the issuing authority, ``at`` the signing time (with a
    time zone). Raises ValueError for a key without certificate.
    """
    if key.certificate is None:
        raise ValueError("the key has no seal certificate")
    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        name=name,
        reason=reason,
        location=location,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
    )
    signing = _Signing(metadata, _Seal(key, key.certificate, chain), at)
    signed = BytesIO()
    writer = _Update(BytesIO(document))
    _finish(signing.async_sign_pdf(writer, output=signed, bytes_reserved=_RESERVED))
    return signed.getvalue()


def _finish(signing: Coroutine[Any, Any, Any]) -> None:
    """Run pyHanko's coroutine to its end, also when the caller's thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(signing)
    else:
        with ThreadPoolExecutor(max_workers=1) as other:
            other.submit(asyncio.run, signing).result()


def _asn1(certificate: x509.Certificate) -> Any:
    """In the shape that pyHanko works with."""
    (loaded,) = load_certs_from_pemder_data(certificate.public_bytes(Encoding.DER))
    return loaded
