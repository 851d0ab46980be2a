"""Records and contents of every shipped type, made from the datasets' schemas and the types' own rules."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from registry.domain.licences import content
from registry.domain.licences.licence import Content, Holder
from registry.domain.licences.loading import load_types
from registry.domain.licences.types import Item, LicenceType
from schemas import catalogue
from schemas.identifiers import HOLDER_CODE_TYPES
from tests.schemas import records

TYPES = load_types()
types = st.sampled_from(TYPES.newest)

FOOD = {
    "licence_number": "JY13302030012345",
    "holder_name": "桥州市示例餐饮管理有限公司",
    "uscc": records.LEGAL_ENTITY["uscc"],
    "legal_representative": "张小明",
    "business_address": "桥州市东城区中山路1号",
    "operation_kind": "catering",
    "items": ["热食类食品制售", "自制饮品制售"],
    "issued_on": "2024-03-01",
    "valid_to": "2029-02-28",
    "authority": "桥州市东城区市场监督管理局",
    "status": "01",
}
PERMIT = {
    "holder_name": "桥州市示例化工有限公司",
    "uscc": records.LEGAL_ENTITY["uscc"],
    "decision_number": "桥许〔2024〕0000001号",
    "licence_name": "危险化学品经营许可证",
    "licence_number": "QZ000000001",
    "licence_category": "ordinary",
    "content": "危险化学品经营（不带储存设施）",
    "decided_on": "2024-03-01",
    "valid_to": "2099-12-31",
    "authority": "桥州市应急管理局",
    "status": "valid",
}
CONSTRUCTION = PERMIT | {
    "decision_number": "D31000000123",
    "licence_number": "D31000000123",
    "licence_name": "建筑业企业资质证书",
    "licence_category": "qualification",
    "content": "建筑工程施工总承包 三级",
    "authority": "桥州市住房和城乡建设局",
}
CLINIC = PERMIT | {"licence_name": "动物诊疗许可证", "licence_number": "桥动诊证（2024）第001号", "content": "动物诊疗"}
RECORDS: dict[str, dict[str, Any]] = {
    "business_licence": records.LEGAL_ENTITY,
    "food_business_licence": FOOD,
    "construction_qualification": CONSTRUCTION,
    "animal_clinic_licence": CLINIC,
    "administrative_permit": PERMIT,
}
"""One good record of each type."""


def valid_records(reference: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records that the dataset's schema accepts."""
    return records.valid_objects(catalogue.schema(reference))


@st.composite
def contents(draw: st.DrawFn, licence_type: LicenceType) -> Content:
    """Whatever a licence of the type can say, several holders and terms without end among it."""
    start, end = sorted([draw(st.dates()), draw(st.dates())])
    return Content(
        type=licence_type,
        number=draw(records.plain_text),
        holders=tuple(draw(st.lists(_holders, min_size=1, max_size=3))),
        issuer_name=draw(records.plain_text),
        issuer_code=draw(records.usccs),
        issued_on=draw(st.dates()),
        valid_from=start,
        valid_to=draw(st.sampled_from([None, end])),
        items={item.name: draw(_value(item)) for item in licence_type.items if item.required or draw(st.booleans())},
    )


_holders = st.builds(Holder, records.plain_text, records.plain_text, st.sampled_from(sorted(HOLDER_CODE_TYPES)))


def _value(item: Item) -> st.SearchStrategy[Any]:
    text = st.sampled_from(sorted(item.codes)) if item.codes else records.plain_text
    match item.kind:
        case "date":
            return st.dates().map(str)
        case "list":
            return st.lists(text, min_size=1, max_size=3)
        case "money":
            amount = st.fixed_dictionaries(
                {"amount": st.just("12.5"), "unit": st.just("万元"), "currency": st.just("CNY")}
            )
            return amount.map(dict)
        case _:
            return text


def content_from(name: str, **changes: Any) -> Content:
    """The content of a good record, with some fields changed; None takes a field out."""
    return content.content_of(TYPES.latest(name), record_of(name, **changes))


def record_of(name: str, **changes: Any) -> dict[str, Any]:
    """A good record of a type, with some fields changed; None takes a field out."""
    return {field: value for field, value in (RECORDS[name] | changes).items() if value is not None}
