"""Valid and spoilt records, made from a schema itself."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from schemas import code_lists
from schemas.formats import CODE_LIST_FORMATS
from schemas.identifiers import LICENCE_ROOT, USCC_ALPHABET, licence_check_character, uscc_check_character

LEGAL_ENTITY = {
    "uscc": "913302001440536" + "89" + uscc_check_character("91330200144053689"),
    "name": "宁波市海曙区示例餐饮管理有限公司",
    "entity_type": "enterprise",
    "legal_representative": "张小明",
    "registered_capital": {"amount": "6209", "unit": "万元", "currency": "CNY"},
    "established_on": "2012-05-06",
    "approved_on": "2020-01-02",
    "business_from": "2012-05-06",
    "business_to": "2099-12-31",
    "registration_authority": "宁波市海曙区市场监督管理局",
    "address": "浙江省宁波市海曙区中山东路100号1幢201室",
    "division": "330203",
    "industry": "6210",
    "business_scope": "餐饮服务；食品经营（依法须经批准的项目，经相关部门批准后方可开展经营活动）",
    "status": "active",
    "registration_number": "330203000012345",
    "postal_code": "315000",
}

resident_ids = st.sampled_from(["11010519491231002X", "440524188001010014"])
usccs = st.text(USCC_ALPHABET, min_size=17, max_size=17).map(lambda first: first + uscc_check_character(first))
dates = st.dates(min_value=date(1000, 1, 1)).map(str)
licence_bodies = st.tuples(
    usccs.map(lambda code: code + "009"), usccs, st.text("0123456789AZ", min_size=7, max_size=20)
)
_BY_FORMAT: dict[str, st.SearchStrategy[str]] = {
    "uscc": usccs,
    "date": dates,
    "date-time": dates.map(lambda day: f"{day}T08:30:00+08:00"),
    "resident-id": resident_ids,
    "licence-identifier": licence_bodies.map(
        lambda parts: ".".join((LICENCE_ROOT, *parts, "001", licence_check_character("".join(parts) + "001")))
    ),
    **{
        name: st.sampled_from(sorted(code_lists.load(code_list).codes)) for name, code_list in CODE_LIST_FORMATS.items()
    },
}
plain_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def valid_values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that keep the rules of one field."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if kind == "object":
        return valid_objects(schema)
    if kind == "array":
        most = min(schema["maxItems"], 4)
        return st.lists(valid_values(schema["items"]), unique=True, min_size=schema.get("minItems", 0), max_size=most)
    if kind == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return valid_texts(schema)


def valid_texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "format" in schema:
        return _BY_FORMAT[schema["format"]]
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].removesuffix("$"), fullmatch=True)
    return plain_text


@st.composite
def valid_objects(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema["properties"]
    optional = [name for name in properties if name not in schema.get("required", ())]
    chosen = set(schema.get("required", ())) | set(
        draw(st.lists(st.sampled_from(optional), unique=True)) if optional else ()
    )
    record = {name: draw(valid_values(properties[name])) for name in properties if name in chosen}
    return complete(draw, schema, record)


def complete(draw: st.DrawFn, schema: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A party is known by a code of its own or by its unified social credit code."""
    if "holder_code" not in schema["properties"]:
        return record
    record.pop("holder_code", None)
    kind = record.pop("holder_code_type", None)
    if kind is None or draw(st.booleans()):
        record["uscc"] = draw(usccs)
    else:
        codes = {"001": usccs, "111": resident_ids}.get(kind, st.just("NB-1234"))
        record |= {"holder_code_type": kind, "holder_code": draw(codes)}
    return record


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32)))), max_size=8)
    | st.sampled_from(["", "0000-01-01", "2023-02-29", "2024-01-01\n", "２０２４-01-01", "-0", "1e3", "01", "913302"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["amount", "unit", "x", "a/b~c"]), inner)
    ),
    max_leaves=6,
)


@st.composite
def spoilt_objects(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """A valid record to which some things have happened."""
    record: dict[str, Any] = draw(valid_objects(schema))
    for _ in range(draw(st.integers(0, 4))):
        names = sorted(record) or ["uscc"]
        name = draw(st.sampled_from(names))
        match draw(st.sampled_from(["drop", "replace", "unknown", "edit", "other field", "inside"])):
            case "drop":
                record.pop(name, None)
            case "replace":
                record[name] = draw(json_values)
            case "unknown":
                record[draw(st.sampled_from(["x", "a/b~c", "名称", ""]))] = draw(json_values)
            case "edit" if isinstance(record.get(name), str) and record[name]:
                at = draw(st.integers(0, len(record[name]) - 1))
                record[name] = (
                    record[name][:at]
                    + draw(st.sampled_from(["", "0", "9", "X", "\n", "é", "-"]))
                    + record[name][at + 1 :]
                )
            case "other field":
                other = draw(st.sampled_from(sorted(schema["properties"])))
                record[other] = draw(valid_values(schema["properties"][other]) | json_values)
            case "inside" if isinstance(record.get(name), dict) and record[name]:
                record[name] = {**record[name], draw(st.sampled_from(sorted(record[name]))): draw(json_values)}
            case _:
                pass
    return record
