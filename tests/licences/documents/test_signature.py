from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from io import BytesIO
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import embed, generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PdfFileWriter, copy_into_new_writer

from registry.documents import reading, signing
from registry.signing import p256
from tests.licences.documents.conftest import AT, AUTHORITY, Authority, Poppler, authority, document_of, licence


def codes(document: bytes, by: Authority, at: datetime = AT) -> tuple[str, ...]:
    """What keeps a document from being accepted."""
    try:
        found = reading.read(document, by.root.certificate, at)
    except reading.DocumentUnreadable as error:
        return (error.reason.code,)
    return tuple(reason.code for reason in found.signature.reasons)


def written(writer: PdfFileWriter | IncrementalPdfFileWriter) -> bytes:
    target = BytesIO()
    writer.write(target)  # type: ignore[no-untyped-call]
    return target.getvalue()


def unsigned(attachments: dict[str, bytes] | None = None) -> bytes:
    """A PDF of no pages, with attachments."""
    writer = PdfFileWriter()  # type: ignore[no-untyped-call]
    for number, (name, content) in enumerate((attachments or {}).items()):
        file = embed.EmbeddedFileObject.from_file_data(writer, content)
        spec = embed.FileSpec(
            file_spec_string=name.strip(),
            file_name=name.strip(),
            embedded_data=file,
            af_relationship=generic.pdf_name("/Data"),
        )
        embed.embed_file(writer, spec)
        if number == 0:
            writer.root["/AF"] = generic.ArrayObject()
        writer.root["/AF"].append(writer.add_object(spec.as_pdf_object()))
    return written(writer)


def test_a_signed_document_is_its_authoritys(by: Authority, plain: bytes) -> None:
    found = reading.check_signature(plain, by.root.certificate, AT)

    assert found.ok
    assert found.reasons == ()
    assert found.certificate == by.signer.certificate
    assert found.signed_at == AT


def test_poppler_finds_one_valid_signature_over_the_whole_document(
    by: Authority, plain: bytes, poppler: Poppler
) -> None:
    said = poppler("pdfsig", plain, root=by.root)

    assert "Signature is Valid." in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said
    assert "Certificate is Trusted" in said
    assert AUTHORITY in said
    assert "Signature #2" not in said


def test_the_signature_certifies_that_nothing_may_be_changed(plain: bytes) -> None:
    signature = PdfFileReader(BytesIO(plain)).embedded_signatures[0]

    assert signature.docmdp_level is not None
    assert signature.docmdp_level.name == "NO_CHANGES"
    assert "/DocMDP" in PdfFileReader(BytesIO(plain)).root["/Perms"]


def test_the_same_document_signed_at_the_same_time_is_the_same_bytes(by: Authority) -> None:
    one = licence("food_business_licence")

    assert document_of(one, by) == document_of(one, by)
    assert document_of(one, by) != document_of(one, by, at=AT + timedelta(seconds=1))


def test_a_document_can_be_signed_while_an_event_loop_runs(by: Authority) -> None:
    async def inside() -> bytes:
        return document_of(licence("animal_clinic_licence"), by)

    assert codes(asyncio.run(inside()), by) == ()


def test_a_key_without_certificate_cannot_seal() -> None:
    with pytest.raises(ValueError, match="no seal certificate"):
        signing.sign(unsigned(), p256.P256Signer(p256.new_key(), "did:web:x#1"), name="x", reason="x", at=AT)


# Each thing that can be done to a document has its own reason.


def with_update(plain: bytes) -> bytes:
    writer = IncrementalPdfFileWriter(BytesIO(plain))
    writer.root["/Lang"] = generic.TextStringObject("en")
    writer.update_root()  # type: ignore[no-untyped-call]
    return written(writer)


def signed_again(plain: bytes) -> bytes:
    return signing.sign(unsealed(plain), authority("别的机关").signer, name="别的机关", reason="x", at=AT)


def unsealed(plain: bytes) -> bytes:
    """The same document, its certification and its signature taken off by an update."""
    writer = IncrementalPdfFileWriter(BytesIO(plain))
    del writer.root["/Perms"]
    form = writer.root["/AcroForm"]
    form["/Fields"] = generic.ArrayObject()
    writer.update_container(form)
    writer.update_root()  # type: ignore[no-untyped-call]
    return written(writer)


TAMPERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a line break at the end": (lambda plain: plain + b"\n", "changed_after_signing"),
    "a comment at the end": (lambda plain: plain + b"% nothing\n", "changed_after_signing"),
    "an incremental update": (with_update, "changed_after_signing"),
    "a byte of the page": (lambda plain: plain[:9000] + bytes([plain[9000] ^ 1]) + plain[9001:], "altered"),
    "a byte of the title": (lambda plain: plain.replace(b"<rdf:li", b"<rdf:lj", 1), "altered"),
    "the signing time": (lambda plain: plain.replace(b"(D:20261123", b"(D:20261122", 1), "altered"),
    "the padding of the signature": (
        lambda plain: re.sub(rb"00(>\s*/ByteRange|>)", rb"01\1", plain, count=1),
        "changed_after_signing",
    ),
    "the spelling of the signature": (
        lambda plain: re.sub(rb"<3082[0-9A-F]{3000,}>", lambda found: found[0].lower(), plain),
        "changed_after_signing",
    ),
    "the signature replaced by zeros": (
        lambda plain: re.sub(rb"<3082[0-9A-F]{3000,}>", lambda found: b"<" + b"0" * (len(found[0]) - 2) + b">", plain),
        "altered",
    ),
    "the signature taken out of the form": (unsealed, "changed_after_signing"),
    "another's signature instead": (signed_again, "certificate_other_root"),
    "the first half": (lambda plain: plain[: len(plain) // 2], "damaged"),
    "the end cut off": (lambda plain: plain[:-30], "damaged"),
    "nothing": (lambda _: b"", "damaged"),
    "text": (lambda _: b"not a PDF", "damaged"),
    "a heading only": (lambda _: b"%PDF-1.7\n", "damaged"),
    "too many bytes": (lambda plain: plain + bytes(20 * 1024 * 1024), "too_large"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_document_is_refused_for_its_reason(what: str, by: Authority, plain: bytes) -> None:
    tamper, code = TAMPERED[what]
    tampered = tamper(plain)

    assert tampered != plain
    assert code in codes(tampered, by)


@pytest.mark.parametrize("what", ["an incremental update", "a byte of the page"])
def test_poppler_refuses_what_we_refuse(what: str, plain: bytes, by: Authority, poppler: Poppler) -> None:
    said = poppler("pdfsig", TAMPERED[what][0](plain), root=by.root)

    assert "Total document signed" not in said or "Signature is Valid" not in said


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_byte_can_be_changed(by: Authority, plain: bytes, data: st.DataObject) -> None:
    begin = plain.index(b"<3082")
    place = data.draw(st.one_of(st.integers(0, len(plain) - 1), st.integers(begin, begin + 3000)))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != plain[place]))

    assert codes(plain[:place] + bytes([byte]) + plain[place + 1 :], by) != ()


@pytest.mark.parametrize(
    ("made", "signed", "now", "code"),
    [
        (timedelta(days=-3 * 365 - 1), timedelta(0), timedelta(0), "certificate_expired"),
        (timedelta(days=30), timedelta(0), timedelta(0), "certificate_not_yet_valid"),
        (timedelta(0), timedelta(days=2), timedelta(0), "signed_in_future"),
    ],
)
def test_the_certificate_must_have_been_good_when_it_signed(
    made: timedelta, signed: timedelta, now: timedelta, code: str
) -> None:
    by = authority(made=AT + made, root=authority(made=AT - timedelta(days=4 * 365)).root)

    document = document_of(licence("animal_clinic_licence"), by, at=AT + signed)

    assert codes(document, by, AT + now) == (code,)


def test_a_signature_stays_good_after_its_certificate_has_ended(by: Authority, plain: bytes) -> None:
    assert codes(plain, by, AT + timedelta(days=5 * 365)) == ()


def test_a_certificate_of_another_root_is_refused(plain: bytes) -> None:
    assert codes(plain, authority()) == ("certificate_other_root",)


def test_a_certificate_that_may_not_seal_is_refused(by: Authority) -> None:
    root = by.root
    signer = p256.P256Signer(root.private_key, "did:web:x#1", root.certificate)

    document = document_of(licence("animal_clinic_licence"), Authority(root, signer))

    assert codes(document, by) == ("certificate_wrong_usage",)


def test_an_encrypted_document_is_not_looked_into(by: Authority, plain: bytes) -> None:
    writer = copy_into_new_writer(PdfFileReader(BytesIO(plain)))
    writer.encrypt("owner", "")  # type: ignore[no-untyped-call]

    assert codes(written(writer), by) == ("encrypted",)
    with pytest.raises(reading.DocumentUnreadable, match="encrypted"):
        reading.attached_credential(written(writer))


def test_a_document_without_credential_has_none() -> None:
    assert reading.attached_credential(unsigned()) is None
    assert reading.attached_credential(unsigned({"other.json": b"{}"})) is None


def test_a_document_with_two_credentials_is_refused() -> None:
    with pytest.raises(reading.DocumentUnreadable) as refused:
        reading.attached_credential(unsigned({"credential.json": b"{}", "credential.json ": b"[]"}))

    assert refused.value.reason.code == "ambiguous_attachment"


@pytest.mark.parametrize("size", [3 * 1024 * 1024, 100 * 1024 * 1024])
def test_a_credential_that_unpacks_to_megabytes_is_refused(size: int) -> None:
    bomb = unsigned({"credential.json": bytes(size)})

    assert len(bomb) < size / 100
    with pytest.raises(reading.DocumentUnreadable) as refused:
        reading.attached_credential(bomb)
    assert refused.value.reason.code == "too_large"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_document_is_refused_and_nothing_else_happens(
    by: Authority, plain: bytes, data: st.DataObject
) -> None:
    cut = sorted(data.draw(st.lists(st.integers(0, len(plain)), min_size=2, max_size=2, unique=True)))
    filling = data.draw(st.binary(max_size=40))
    damaged = plain[: cut[0]] + filling + plain[cut[1] :]

    assert codes(damaged, by) != ()
    with suppress(reading.DocumentUnreadable):
        reading.attached_credential(damaged)


# What is made to be slow


def brackets(count: int) -> bytes:
    return b"%PDF-1.7\n1 0 obj\n" + b"(" * count + b"\nendobj\ntrailer\n<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"


def tables(_: bytes) -> bytes:
    """Thousands of tables of objects, each naming the one before."""
    body = bytearray(b"%PDF-1.7\n")
    previous = 0
    for _number in range(20_000):
        place = len(body)
        body += b"xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 1/Prev %d>>\n" % previous
        previous = place
    return bytes(body) + b"startxref\n%d\n%%%%EOF\n" % previous


def predictors(_: bytes) -> bytes:
    """Thirty megabytes to be undone byte by byte, in a few kilobytes."""
    packed = zlib.compress(bytes(30 << 20), 9)
    head = (
        b"<</Type/XRef/Size 1/W[1 1 1]/Root 1 0 R/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 3>>/Length %d>>"
    )
    stream = b"1 0 obj\n" + head % len(packed) + b"stream\n" + packed + b"\nendstream\nendobj\n"
    return b"%PDF-1.7\n" + stream + b"startxref\n9\n%%EOF\n"


SLOW: dict[str, Callable[[bytes], bytes]] = {
    "ten megabytes of brackets": lambda _: brackets(10 << 20),
    "nineteen megabytes of brackets behind a genuine licence": lambda plain: plain + brackets(19 << 20),
    "brackets before a genuine licence": lambda plain: brackets(10 << 20) + plain,
    "dictionaries in dictionaries": lambda _: brackets(0).replace(b"obj\n\n", b"obj\n" + b"<</a" * 3_000_000),
    "tables that name each other": tables,
    "predictors": predictors,
    "ranges of signatures": lambda _: brackets(0) + b"/ByteRange [0 1 2 3]" * 900_000 + b"startxref\n9\n%%EOF\n",
    "ranges with an endless gap": lambda _: brackets(0) + (b"/ByteRange [0 " + b" " * 90) * 150_000 + b"%%EOF",
    "a range over everything": lambda _: brackets(10 << 20) + b"/ByteRange [0 9 9 9999999]startxref %%EOF",
    "a signature of megabytes": lambda _: (
        b"%PDF-1.7\n/ByteRange [0 40 4000042 9]  <" + b"30" * 2_000_000 + b">startxref\n%%EOF\n"
    ),
}


@pytest.mark.parametrize("what", SLOW)
def test_what_is_made_to_be_slow_is_refused_at_once_and_not_opened(what: str, by: Authority, plain: bytes) -> None:
    slow = SLOW[what](plain)
    assert len(slow) <= reading.LARGEST
    began = process_time()

    refused = codes(slow, by)

    assert process_time() - began < 1  # second of one core; parsers take minutes
    assert refused != ()


def test_what_was_added_to_a_licence_is_not_read(by: Authority, plain: bytes) -> None:
    """The update swaps the attached credential: what counts is the one that was sealed."""
    writer = IncrementalPdfFileWriter(BytesIO(plain))
    spec = embed.FileSpec(
        file_spec_string="credential.json",
        file_name="credential.json",
        embedded_data=embed.EmbeddedFileObject.from_file_data(writer, b'{"forged":true}'),
        af_relationship=generic.pdf_name("/Data"),
    )
    writer.root["/AF"] = generic.ArrayObject([writer.add_object(spec.as_pdf_object())])
    writer.update_root()  # type: ignore[no-untyped-call]
    updated = written(writer)
    assert reading.attached_credential(updated) == b'{"forged":true}'

    found = reading.read(updated, by.root.certificate, AT)

    assert found.credential == reading.attached_credential(plain)
    assert [reason.code for reason in found.signature.reasons] == ["changed_after_signing"]


def test_a_second_signature_over_everything_does_not_hide_the_first(by: Authority, plain: bytes) -> None:
    """One under the same root: both hold, and still it is not the document that the authority sealed."""
    other = authority("别的机关", root=by.root)
    again = signing.sign(unsealed(plain), other.signer, name="别的机关", reason="x", at=AT)

    assert codes(again, by) != ()


def test_a_document_of_nobody_known_is_not_opened(plain: bytes) -> None:
    found = reading.read(plain, authority().root.certificate, AT)

    assert not found.opened
    assert found.credential is None
