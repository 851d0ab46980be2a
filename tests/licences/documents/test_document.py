from __future__ import annotations

from registry.documents import reading
from tests.licences.documents.conftest import HOLDER, Authority, Poppler, credential_of, document_of, licence


def test_poppler_finds_one_valid_signature_over_the_whole_document(
    by: Authority, plain: bytes, poppler: Poppler
) -> None:
    said = poppler("pdfsig", plain, root=by.root)

    assert "Signature is Valid." in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said
    assert "Certificate is Trusted" in said
    assert "Signature #2" not in said


def test_the_holders_name_can_be_found_as_text(plain: bytes, poppler: Poppler) -> None:
    assert HOLDER in poppler("pdftotext", plain)


def test_the_attached_credential_is_byte_for_byte_the_signed_one(by: Authority) -> None:
    one = licence("food_business_licence")
    credential = credential_of(one, by.signer)

    assert reading.attached_credential(document_of(one, by, credential)) == credential
