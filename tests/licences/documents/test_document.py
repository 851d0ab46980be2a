from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.documents import fonts, reading, rendering
from registry.documents.page import Entry, Page
from registry.domain.licences.licence import Holder
from tests.licences.documents.conftest import (
    ADDRESS,
    AT,
    BASE,
    HOLDER,
    ITEMS,
    Authority,
    Poppler,
    copy_of,
    credential_of,
    document_of,
    licence,
    needed,
    types,
)

DOCS = Path(__file__).parents[3] / "docs"
LONG = "；".join(
    f"第{number}项：预包装食品销售、食用农产品零售、日用百货销售、办公用品销售" for number in range(1, 80)
)[:2000]


def squeezed(text: str) -> str:
    """Without white space: where lines and words break is no matter here."""
    return "".join(text.split())


def page(**changes: Any) -> Page:
    plain = Page(
        title_zh="动物诊疗许可证",
        title_en="Animal clinic licence",
        identifier="1.2.156.3005.2.11100000000013127D001.11330203002938475M.7Q2M4K9ZP1XW8TR5B0LC.001.K",
        number=Entry("number", "证照编号", "Licence number", "0012"),
        entries=(Entry("holder_name", "名称", "Name of the holder", HOLDER),),
        issuer_zh="桥州市农业农村局",
        issuer_en="",
        issued_on=date(2026, 11, 5),
    )
    return replace(plain, **changes)


def rendered(one: Page, template: str = "animal_clinic_licence", credential: bytes = b"{}") -> bytes:
    return rendering.render(
        one,
        template=types().latest(template).template,
        credential=credential,
        verification_address=f"{BASE}/verify/{one.identifier}",
        at=AT,
    )


def words(poppler: Poppler, document: bytes) -> list[tuple[float, float, float, float, str]]:
    """Of the first page: left, top, right, bottom in points, and the word."""
    first = poppler("pdftotext", document, "-bbox", "-f", "1", "-l", "1")
    found = re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.*?)</word>', first)
    return [(float(left), float(top), float(right), float(bottom), word) for left, top, right, bottom, word in found]


@pytest.mark.parametrize("name", sorted(ITEMS))
def test_every_type_prints_its_items_with_their_labels(name: str, by: Authority, poppler: Poppler) -> None:
    one = licence(name, valid_to=date(2031, 11, 4))
    kind = one.content.type

    text = squeezed(poppler("pdftotext", document_of(one, by)))

    assert HOLDER in text
    assert one.identifier in text
    assert f"{BASE}/verify/{one.identifier}" in text
    assert one.content.number in text
    assert one.content.issuer_name in text
    assert "2026年11月5日至2031年11月4日" in text
    for item in kind.items:
        value = ITEMS[name].get(item.name)
        if isinstance(value, str) and item.kind == "text":
            assert squeezed(item.codes[value].zh if item.codes else value) in text, item.name
        if value is not None and not (name == "administrative_permit" and item.name == "licence_name"):
            assert item.title.zh in text


def test_amounts_lists_and_dates_are_printed_as_people_write_them(by: Authority, poppler: Poppler) -> None:
    business = squeezed(poppler("pdftotext", document_of(licence("business_licence"), by)))
    food = squeezed(poppler("pdftotext", document_of(licence("food_business_licence"), by)))

    assert "6209万元人民币" in business
    assert "2012年5月6日" in business
    assert "2026年11月5日至长期" in business
    assert "预包装食品销售（含冷藏冷冻食品）；热食类食品制售；冷食类食品制售" in food


def test_the_number_of_a_natural_person_is_not_printed_in_full(by: Authority, poppler: Poppler) -> None:
    person = Holder("张小明", "11010519491231002X", "111")

    text = poppler("pdftotext", document_of(licence("food_business_licence", holders=(person,)), by))

    assert "1101**********002X" in text
    assert person.code not in text
    assert "公民身份号码" in squeezed(text)


def test_several_holders_stand_side_by_side(by: Authority, poppler: Poppler) -> None:
    holders = (Holder("甲公司", "91330200144053689K", "001"), Holder("张小明", "11010519491231002X", "111"))

    text = squeezed(poppler("pdftotext", document_of(licence("administrative_permit", holders=holders), by)))

    assert "甲公司、张小明" in text
    assert "证件号码" in text


def test_only_our_two_typefaces_are_used_and_both_are_embedded_in_part(plain: bytes, poppler: Poppler) -> None:
    _, _, *lines = poppler("pdffonts", plain).splitlines()

    assert {re.sub(r"^[A-Z]{6}\+|-Identity-H$", "", line.split()[0]) for line in lines} == {
        "NotoSerifSC-Regular",
        "NotoSansSC-Regular",
    }
    for line in lines:
        assert re.search(r" yes +yes +yes ", line), line  # embedded, a subset, with a map to Unicode


def test_a_document_is_small_and_says_that_it_is_pdf_a_also_when_signed(plain: bytes, poppler: Poppler) -> None:
    said = poppler("pdfinfo", plain)

    assert len(plain) < 150_000
    assert "PDF version:     1.7" in said
    assert "Metadata Stream: yes" in said
    assert plain.count(b"<x:xmpmeta") == 1  # the signing leaves the metadata alone
    assert re.search(rb"pdfaid:part>3<.*pdfaid:conformance>B<", plain, re.DOTALL)


def test_the_credential_is_attached_as_the_data_that_the_document_shows(
    by: Authority, plain: bytes, poppler: Poppler
) -> None:
    one = licence("food_business_licence")
    credential = credential_of(one, by.signer)

    assert reading.attached_credential(document_of(one, by, credential)) == credential
    assert b"/AFRelationship/Data" in plain
    assert "1: credential.json" in poppler("pdfdetach", plain, "-list")


def test_the_code_leads_to_the_verification_address(by: Authority, poppler: Poppler, tmp_path: Path) -> None:
    one = licence("administrative_permit")
    document = document_of(one, by)

    poppler("pdftoppm", document, "-r", "150", "-png", "-singlefile", into=tmp_path / "page")

    needed("zbarimg", "zbar-tools")
    scanned = subprocess.run(["zbarimg", "--quiet", tmp_path / "page.png"], capture_output=True, text=True, check=False)
    assert scanned.stdout.strip() == f"QR-Code:{BASE}/verify/{one.identifier}"


def test_the_same_input_gives_the_same_bytes_also_from_another_compiler() -> None:
    first = rendered(page())
    rendering._compiler.cache_clear()

    assert rendered(page()) == first


def test_threads_do_not_get_each_others_licences() -> None:
    credentials = [b'{"number": %d}' % number for number in range(24)]

    with ThreadPoolExecutor(8) as threads:
        documents = list(threads.map(lambda credential: rendered(page(), credential=credential), credentials))

    assert [reading.attached_credential(document) for document in documents] == credentials


@pytest.mark.parametrize(
    "text",
    [
        '#import "@preview/cetz:0.3.0": *',
        '#read("/etc/passwd")',
        "*粗* _斜_ $x^2$ `码` <标> @引 = 标题",
        "\\u{202e} // 注释 /* 注释 */ [x](y)",
        '"; panic(1)',
        "{{7*7}} ${HOME} %s",
    ],
)
def test_a_text_is_never_read_as_markup(text: str, poppler: Poppler) -> None:
    one = page(entries=(Entry("holder_name", "名称", "Name", text), Entry("*x*", "#标", "$签", text)), title_zh=text)

    assert squeezed(poppler("pdftotext", rendered(one))).count(squeezed(text)) >= 3


def test_a_scope_of_2000_characters_continues_on_an_annex(by: Authority, poppler: Poppler) -> None:
    document = document_of(licence("business_licence", items={"business_scope": LONG}), by)

    assert "Pages:           3" in poppler("pdfinfo", document)
    assert "全文见附页" in squeezed(poppler("pdftotext", document, "-l", "1"))
    annex = [squeezed(poppler("pdftotext", document, "-f", str(number), "-l", str(number))) for number in (2, 3)]
    body = [text.split("Scopeofbusiness")[-1].split("证照标识")[0] for text in annex]
    assert "第2页共3页" in annex[0]
    assert re.sub(r"第[23]页共3页Page[23]of3", "", "".join(body)) == LONG


def test_thirty_permitted_items_are_all_printed(by: Authority, poppler: Poppler) -> None:
    items = [f"第{number}项食品经营项目（含冷藏冷冻食品、散装熟食）" for number in range(1, 31)]

    text = squeezed(poppler("pdftotext", document_of(licence("food_business_licence", items={"items": items}), by)))

    assert all(item in text for item in items)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"holder": "很长的公司名称" * 28}, "a name of 200 characters"),
        ({"issuer": "某某市某某区综合行政执法局行政审批服务中心" * 4}, "an authority of 80 characters"),
        ({"items": {"legal_representative": "W" * 200, "remark": "https://" + "x" * 1000}}, "words without a break"),
        ({"items": {"activities": LONG, "remark": LONG, "legal_representative": LONG}}, "everything long"),
        ({"number": "证" * 120}, "a number of 120 characters"),
    ],
)
def test_nothing_leaves_the_page_or_runs_into_the_seal(
    changes: dict[str, Any], what: str, by: Authority, poppler: Poppler
) -> None:
    found = words(poppler, document_of(licence("animal_clinic_licence", **changes), by))

    assert found, what
    for left, top, right, bottom, word in found:
        assert left >= 17.5 * 72 / 25.4, word  # inside the frame
        assert top >= 17.5 * 72 / 25.4, word
        assert right <= (297 - 17.5) * 72 / 25.4, word
        assert bottom <= (210 - 17.5) * 72 / 25.4, word
    seal_top = min(top for _, top, _, _, word in found if word.startswith("发证机关"))
    assert all(bottom <= seal_top + 1 for _, _, _, bottom, word in found if word in {"至", "长期"} or ADDRESS in word)
    labels = [bottom for _, _, _, bottom, word in found if word in {"holder", "validity", "activities"}]
    assert labels
    assert max(labels) <= seal_top


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=300), min_size=8, max_size=8))
def test_whatever_characters_a_record_has_a_document_comes_of_it(texts: list[str]) -> None:
    one = page(
        title_zh=texts[0],
        title_en=texts[1],
        issuer_zh=texts[2],
        issuer_en=texts[3],
        number=Entry("number", "证照编号", "Licence number", texts[4]),
        entries=(
            Entry("holder_name", texts[5], texts[6], texts[7]),
            Entry("term", "有效期限", "Term of validity", texts[0]),
        ),
    )

    for template in ("animal_clinic_licence", "administrative_permit"):
        assert rendered(one, template).startswith(b"%PDF-1.7")


def test_a_character_that_no_typeface_has_is_marked_and_named(poppler: Poppler) -> None:
    one = page(entries=(Entry("holder_name", "名称", "Name", "\U00020bb7野家\ue000有限公司"),))

    text = squeezed(poppler("pdftotext", rendered(one)))

    assert "〓野家〓有限公司" in text
    assert "U+20BB7、U+E000" in text


@given(st.text())
def test_what_is_set_has_only_characters_of_the_typefaces(text: str) -> None:
    settable, missing = fonts.settable(text)

    assert {ord(character) for character in settable} <= fonts.printable()
    assert (fonts.MISSING_SORT in settable) >= bool(missing)
    assert fonts.settable(settable) == (settable, ())


def test_a_direction_override_cannot_turn_a_name_around() -> None:
    assert fonts.settable("甲\u202e司公限有\u202c\u200b\u2066乙\ufe0f") == ("甲司公限有乙", ())


def test_an_annotated_copy_says_for_what_for_whom_and_until_when(by: Authority, poppler: Poppler) -> None:
    one = licence("food_business_licence")
    credential = copy_of(one, by.signer, requested_by="桥州农村商业银行", cause="办理小微企业贷款")

    document = document_of(one, by, credential)

    text = squeezed(poppler("pdftotext", document))
    assert text.count("办理小微企业贷款") > 4  # across the page, and once for reading
    assert "用证方Usedby桥州农村商业银行" in text
    assert "有效至Until2026-12-3116:30" in text  # as clocks in China show it
    assert "加注件Annotatedcopy" in text
    assert reading.attached_credential(document) == credential
    assert reading.check_signature(document, by.root.certificate, AT + timedelta(hours=1)).ok


def test_a_licence_itself_has_no_watermark(plain: bytes, poppler: Poppler) -> None:
    text = poppler("pdftotext", plain)

    assert "仅限用于" not in text
    assert "加注件" not in text


def test_the_template_of_the_documentation_uses_the_common_parts(tmp_path: Path, poppler: Poppler) -> None:
    written = re.search(r"```typst\n(.*?)```", (DOCS / "licence-types.md").read_text("utf-8"), re.DOTALL)
    assert written
    template = tmp_path / "1.typ"
    template.write_text(written[1], "utf-8")

    document = rendering.render(page(), template=template, credential=b"{}", verification_address=BASE, at=AT)

    assert HOLDER in poppler("pdftotext", document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('#import "@preview/cetz:0.3.0": *', "would be fetched"),
        ('#read("/etc/hostname")', "1.typ"),
        ('#read("../outside.txt")', "1.typ"),
        ("#licence(", "1.typ"),
    ],
)
def test_a_template_that_fetches_reads_elsewhere_or_is_wrong_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("x")
    (tmp_path / "type").mkdir()
    template = tmp_path / "type" / "1.typ"
    template.write_text(text, "utf-8")

    with pytest.raises(rendering.RenderingFailed, match=said):
        rendering.render(page(), template=template, credential=b"{}", verification_address=BASE, at=AT)
