"""Metadata of GB/T 36903 and the national directory's row: they come back as they were."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.domain.licences.metadata import (
    CopyNote,
    Described,
    Listing,
    MetadataRefused,
    Seal,
    area_code,
    from_directory_row,
    from_metadata,
    listing_of,
    to_directory_row,
    to_metadata,
)
from tests.licences.domain.contents import TYPES, content_from, contents, types
from tests.licences.domain.test_identifiers import LIVING, identifiers
from tests.schemas.records import plain_text

slow = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
SHANGHAI = timezone(timedelta(hours=8))
LICENCE = Described(LIVING[3], content_from("construction_qualification", valid_to="2029-02-28"))
WRONG_CHECK = LIVING[3][:-1] + "9"

seals = st.none() | st.builds(Seal, plain_text, st.datetimes(timezones=st.sampled_from([UTC, SHANGHAI])), plain_text)
listings = st.builds(
    Listing,
    *[st.just("330200"), plain_text, plain_text, plain_text],
    file_url=st.none() | plain_text,
    related_item_name=st.none() | plain_text,
    related_item_code=st.none() | plain_text,
    copy=st.none() | st.builds(CopyNote, plain_text, plain_text, plain_text, plain_text),
)


def test_a_licence_has_the_elements_of_the_standard() -> None:
    seal = Seal("桥州市住房和城乡建设局", datetime(2024, 3, 1, 9, 30, tzinfo=SHANGHAI), "电子证照专用章")

    assert to_metadata(LICENCE, seal) == {
        "ZZMC": "建设工程企业资质证书",
        "ZZLXDM": "11100000000013338W009",
        "ZZBH": "D31000000123",
        "ZZBS": LIVING[3],
        "ZZBFJG": "桥州市住房和城乡建设局",
        "ZZBFJGDM": "11330105002500287C",
        "ZZBFRQ": "2024-03-01",
        "CZZT": "桥州市示例化工有限公司",
        "CZZTDM": LICENCE.content.holders[0].code,
        "CZZTDMLX": "统一社会信用代码",
        "CZZTDMLXDM": "001",
        "ZZYXQQSRQ": "2024-03-01",
        "ZZYXQJZRQ": "2029-02-28",
        "ZZQZR": "桥州市住房和城乡建设局",
        "ZZQZSJ": "2024-03-01T09:30:00+08:00",
        "ZZQZMC": "电子证照专用章",
        "ZZLBJDJ": "建筑工程施工总承包 三级",
    }


@slow
@given(types, st.data(), seals)
def test_metadata_come_back_as_the_licence_they_were_made_of(licence_type: Any, data: st.DataObject, seal: Any) -> None:
    identifier = data.draw(identifiers)
    licence = Described(str(identifier), data.draw(contents(licence_type)), seal)
    sent = json.loads(json.dumps(to_metadata(licence, seal)))
    back = from_metadata(licence_type, sent)

    assert (back.identifier, back.content, back.seal) == (licence.identifier, licence.content, seal)
    assert to_metadata(back, back.seal) == sent


@slow
@given(types, st.data(), seals, listings)
def test_a_row_of_the_directory_comes_back_too(
    licence_type: Any, data: st.DataObject, seal: Any, listing: Listing
) -> None:
    metadata = to_metadata(Described(str(data.draw(identifiers)), data.draw(contents(licence_type))), seal)
    row = json.loads(json.dumps(to_directory_row(metadata, listing)))

    assert from_directory_row(row) == (metadata, listing)


def test_the_directory_s_row_says_type_version_authority_area_term_and_copy() -> None:
    note = CopyNote("2024-05-01T10:00:00+08:00", "桥州银行", "开户", "2024-06-01T10:00:00+08:00")
    row = to_directory_row(to_metadata(LICENCE), listing_of(LICENCE, "01", copy=note, file_url="https://example.cn/1"))

    assert row["certificate_identifier"] == LIVING[3]
    assert row["certificate_version"] == 2
    assert row["certificate_type_no"] == row["certificate_type_name_code"] == "11100000000013338W009"
    assert row["certificate_define_authority_code"] == "11100000000013338W"
    assert row["certificate_area_code"] == "330105"
    assert row["certificate_validity_range"] == "2024-03-01至2029-02-28"
    assert row["certificate_holder_type"] == "001"
    assert row["certificate_copy_creator"] == "桥州银行"
    assert row["certificate_copy_cause"] == "开户"
    assert row["status"] == "01"
    assert json.loads(row["extend_info"]) == {"ZZLBJDJ": "建筑工程施工总承包 三级"}


def test_a_term_without_end_is_said_in_words() -> None:
    metadata = to_metadata(Described(LIVING[3], content_from("construction_qualification")))
    row = to_directory_row(metadata, Listing("330200", "01", "", ""))

    assert "ZZYXQJZRQ" not in metadata
    assert row["certificate_validity_range"] == "2024-03-01至长期"
    assert (
        from_metadata(TYPES.latest("construction_qualification"), metadata | {"ZZYXQJZRQ": "长期"}).content.valid_to
        is None
    )


def test_dates_in_the_compact_form_of_other_systems_are_read() -> None:
    sent = to_metadata(LICENCE)
    compact = sent | {key: sent[key].replace("-", "") for key in ("ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ")}

    assert from_metadata(LICENCE.content.type, compact).content == from_metadata(LICENCE.content.type, sent).content


def test_values_with_codes_travel_by_their_chinese_title() -> None:
    metadata = to_metadata(Described(LIVING[3], content_from("food_business_licence")))

    assert metadata["ZTYT"] == "餐饮服务经营者"
    assert metadata["JYXM"] == ["热食类食品制售", "自制饮品制售"]
    assert from_metadata(TYPES.latest("food_business_licence"), metadata).content.items["operation_kind"] == "catering"


def test_a_foreign_identifier_with_a_wrong_check_character_is_imported_with_a_warning() -> None:
    back = from_metadata(LICENCE.content.type, to_metadata(LICENCE) | {"ZZBS": WRONG_CHECK})

    assert back.identifier == WRONG_CHECK
    ((zh, en),) = back.warnings
    assert "校验位为 9，按 GB/T 36904 应为 0" in zh
    assert "check character is 9, by GB/T 36904 it is 0" in en


def test_what_is_odd_is_a_warning() -> None:
    sent = to_metadata(LICENCE) | {"ZZBS": LIVING[0], "ZZMC": "资质证书", "XYZ": "1", "ZZBFJGJB": "市级"}

    assert [en.split(",")[0] for _, en in from_metadata(LICENCE.content.type, sent).warnings] == [
        "the identifier's type code is 11100000000013338W011",
        "ZZMC is not the type's name",
        "XYZ is no element of this type and was left out",
    ]


def test_every_reason_of_a_refusal_is_said_at_once_and_no_value_is_shown() -> None:
    sent = to_metadata(LICENCE) | {
        "ZZBS": "1.2.156.3005.2.secret",
        "ZZBFRQ": "2024-02-30",
        "ZZLXDM": "secret",
        "CZZTDM": "",
        "CZZTDMLXDM": "secret",
        "ZZQZSJ": "secret",
        "ZZLBJDJ": ["secret"],
    }
    del sent["ZZBH"]
    with pytest.raises(MetadataRefused) as caught:
        from_metadata(LICENCE.content.type, sent)

    assert {problem.element for problem in caught.value.problems} == {
        "ZZBS", "ZZBFRQ", "ZZLXDM", "CZZT", "CZZTDMLXDM", "ZZQZSJ", "ZZLBJDJ", "ZZBH"
    }  # fmt: skip
    assert "secret" not in str(caught.value)
    assert all(problem.zh and problem.en for problem in caught.value.problems)


odd_values = st.none() | st.integers() | plain_text | st.lists(plain_text | st.dictionaries(plain_text, plain_text))


@given(st.dictionaries(st.sampled_from([*to_metadata(LICENCE), "CZZTXX", "ZZQZSJ", "ZZQZR"]), odd_values))
def test_any_metadata_are_read_or_refused(changes: dict[str, Any]) -> None:
    with suppress(MetadataRefused):
        described = from_metadata(LICENCE.content.type, to_metadata(LICENCE) | changes)
        assert to_metadata(described, described.seal)
        assert described.content.holders


@pytest.mark.parametrize("text", ["{", "[]", "1", '"x"'])
def test_a_row_whose_extension_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(MetadataRefused, match="expected a JSON object"):
        from_directory_row({"extend_info": text})


def test_the_area_of_an_authority_is_in_its_code() -> None:
    assert area_code("11330105002500287C") == "330105"
    assert area_code("340100") == "340100"
