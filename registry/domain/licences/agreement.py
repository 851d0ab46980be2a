"""What a JSON Schema cannot say of a licence type: whether its parts agree with each other and with the dataset."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema_rs

from registry.domain.licences.metadata import SHORT_NAMES
from registry.domain.licences.types import Condition, LicenceType
from schemas import code_lists
from schemas.catalogue import Catalogue
from schemas.documents import Key
from schemas.errors import SchemaError, UnknownSchema
from schemas.formats import is_date
from schemas.identifiers import HOLDER_CODE_TYPES, is_uscc, uscc_check_character
from schemas.structure import Fault, did_you_mean, unknown_key

_DEFINING_CODE = slice(0, 18)
_KINDS = {
    "text": "a text",
    "date": "a date",
    "list": "a list of texts",
    "money": "an amount of money (amount, unit, currency)",
}


def agreement_faults(data: Any, catalogue: Catalogue, path: Path, said: Collection[Key] = ()) -> Iterator[Fault]:
    """Every fault beyond the structure; of data that is structurally wrong what can be told in spite of it.

    ``said``: keys of which something has been said already.
    """
    if not isinstance(data, Mapping):
        return
    for faults in _all_faults(data, catalogue, path):
        with suppress(KeyError, TypeError, AttributeError, ValueError, IndexError):
            yield from (fault for fault in faults if fault[0] not in said)


def _all_faults(data: Mapping[str, Any], catalogue: Catalogue, path: Path) -> Iterator[Iterator[Fault]]:
    yield _code_faults(data)
    yield _pattern_faults(data)
    yield _holder_code_faults(data)
    yield _date_faults(data)
    yield _item_name_faults(data)
    yield _template_faults(data, path)
    yield _schema_faults(data, catalogue)
    try:
        schema = catalogue.schema(data["schema"])
    except (SchemaError, KeyError, TypeError):
        return
    personal = catalogue.personal_fields(data["schema"])
    yield _field_faults(data, schema["properties"])
    yield _kind_faults(data, schema["properties"])
    yield _value_faults(data, schema["properties"])
    yield _personal_faults(data, personal)


def _code_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    authority = data["defining_authority"]["code"]
    if not is_uscc(authority):
        right = uscc_check_character(authority[:-1])
        yield (
            ("defining_authority", "code"),
            f"got {authority}, which has the wrong check character; its first 17 characters ask for {right}",
        )
    if data["code"][_DEFINING_CODE] != authority:
        yield ("code",), f"got {data['code']}; expected {authority} (the defining authority's code) and three digits"


def _pattern_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    pattern = data["number"]["pattern"]
    try:
        re.compile(pattern)
        jsonschema_rs.Draft202012Validator({"pattern": f"^(?:{pattern})$"})
    except re.error as error:
        yield ("number", "pattern"), f"got {pattern!r}, which is no regular expression: {error}"
    except ValueError:
        message = f"got {pattern!r}; expected an expression that JSON Schema takes too, for the licence's schema has it"
        yield ("number", "pattern"), message


def _holder_code_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    holder = data["holder"]
    for number, code in enumerate(holder["code_types"]):
        if code not in HOLDER_CODE_TYPES:
            listed = ", ".join(HOLDER_CODE_TYPES)
            yield ("holder", "code_types", number), f"got {code!r}; expected a code of GB/T 36903 annex A: {listed}"
    if holder["code_types"] != ["001"] and "code" not in holder:
        yield (
            ("holder", "code_types"),
            "other codes than 001 are allowed, but no field has them; expected code and code_type, or only 001",
        )


def _date_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    for number, text in enumerate(data["term"].get("unlimited", [])):
        if not is_date(text):
            yield ("term", "unlimited", number), f"got {text!r}; expected a day that exists, written YYYY-MM-DD"


def _item_name_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key in ("name", "short_name"):
        first: dict[str, int] = {}
        for number, item in enumerate(data["items"]):
            if item[key] in first:
                yield ("items", number, key), f"{item[key]} stands twice; the first is items[{first[item[key]]}]"
            first.setdefault(item[key], number)
    for number, item in enumerate(data["items"]):
        if item["short_name"] in SHORT_NAMES:
            yield (
                ("items", number, "short_name"),
                (
                    f"{item['short_name']} is an element of GB/T 36903 ({SHORT_NAMES[item['short_name']]}); "
                    "expected another short name"
                ),
            )


def _template_faults(data: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    if "template" in data and not (path.parent / data["template"]).is_file():
        yield ("template",), f"got {data['template']!r}; expected a file, relative to {path.parent}"


def _schema_faults(data: Mapping[str, Any], catalogue: Catalogue) -> Iterator[Fault]:
    reference, dataset = data["schema"], data["dataset"]
    known = catalogue.references()
    datasets = sorted({name.partition("@")[0] for name in known})
    if dataset not in datasets:
        yield ("dataset",), f"no dataset {dataset!r}{did_you_mean(dataset, datasets)}; there are {', '.join(datasets)}"
    elif reference.partition("@")[0] != dataset:
        yield ("schema",), f"got {reference!r}; expected a schema of {dataset}, such as {dataset}@1"
    elif reference not in known:
        there = ", ".join(name for name in known if name.partition("@")[0] == dataset)
        yield ("schema",), f"no schema {reference!r}; there is {there}"
    else:
        try:
            catalogue.schema(reference)
        except UnknownSchema:
            pass
        except SchemaError as error:
            yield ("schema",), f"{reference} cannot be used: {error}"


def _fields(data: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Every place that names a field of the record, and the name."""
    places: list[tuple[Key, Any]] = [
        (("number", "field"), data.get("number", {}).get("field")),
        *((("holder", key), data.get("holder", {}).get(key)) for key in ("name", "uscc", "code", "code_type")),
        *((("issuer", key), data.get("issuer", {}).get(key)) for key in ("name", "code")),
        *((("term", key), data.get("term", {}).get(key)) for key in ("issued_on", "valid_from", "valid_to")),
        *((("states", key), data.get("states", {}).get(key)) for key in ("field", "text")),
    ]
    if isinstance(data.get("conditions"), list):
        places += [(("conditions", number, "field"), found["field"]) for number, found in enumerate(data["conditions"])]
    places += [(("items", number, "field"), item.get("field")) for number, item in enumerate(data.get("items", []))]
    for key, named in places:
        if isinstance(named, str):
            yield key, named
        elif isinstance(named, list):
            yield from (((*key, number), name) for number, name in enumerate(named))


def _field_faults(data: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Fault]:
    for key, name in _fields(data):
        if name not in properties:
            yield key, f"{data['schema']} has no field {name!r}: {unknown_key(name, properties)}"


def _kind_faults(data: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Fault]:
    for number, item in enumerate(data["items"]):
        found = properties.get(item.get("field"))
        if found is not None and item.get("kind") in _KINDS and item["kind"] not in _kinds_of(found):
            fitting = " or ".join(_kinds_of(found)) or "none: such a field cannot be an item"
            yield (
                ("items", number, "kind"),
                f"got {item['kind']} ({_KINDS[item['kind']]}) for the field {item['field']}; expected {fitting}",
            )
    for key, name in _fields(data):
        found = properties.get(name)
        if found is None or key[0] == "items":
            continue
        if key[0] == "term" and "date" not in _kinds_of(found):
            yield key, f"got the field {name}, which has no date; expected a field of dates"
        elif "text" not in _kinds_of(found):
            yield key, f"got the field {name}, which has no text; expected a field of texts"


def _kinds_of(schema: Mapping[str, Any]) -> list[str]:
    """The kinds of items that a field can be."""
    if schema.get("type") == "string":
        return ["date", "text"] if schema.get("format") == "date" else ["text"]
    if schema.get("type") == "array" and schema.get("items", {}).get("type") == "string":
        return ["list"]
    if schema.get("type") == "object" and {"amount", "unit", "currency"} <= set(schema.get("properties", ())):
        return ["money"]
    return []


def _values_of(schema: Mapping[str, Any]) -> list[str]:
    """The values that a field can have, if they are listed; empty if not."""
    if "enum" in schema:
        return [value for value in schema["enum"] if isinstance(value, str)]
    if schema.get("format") == "licence-state":
        return [code.code for code in code_lists.load("licence_states")]
    return []


def _value_faults(data: Mapping[str, Any], properties: Mapping[str, Any]) -> Iterator[Fault]:
    """Codes of values that cannot occur, and values without a code."""
    codes, field = data["states"]["codes"], data["states"]["field"]
    values = _values_of(properties.get(field, {}))
    yield from _code_list_faults(("states", "codes"), codes, field, values)
    missing = [value for value in values if value not in codes]
    if missing:
        yield ("states", "codes"), f"{field} can also be {', '.join(missing)}; expected a state for each value"
    if "text" not in data["states"] and "99" in (*codes.values(), data["states"]["deleted"]):
        yield ("states",), "99 needs an explanation; expected text, the field that has it"
    for number, item in enumerate(data["items"]):
        if "codes" in item:
            if item["kind"] not in {"text", "list"}:
                yield ("items", number, "codes"), f"codes of a {item['kind']}; expected kind text or list"
            found = properties.get(item["field"], {})
            values = _values_of(found.get("items", found))
            yield from _code_list_faults(("items", number, "codes"), item["codes"], item["field"], values)
            yield from _title_faults(("items", number, "codes"), item["codes"])
    if isinstance(data.get("conditions"), list):
        for number, condition in enumerate(data["conditions"]):
            values = _values_of(properties.get(condition["field"], {}))
            for key in ("values", "not"):
                wanted = dict.fromkeys(condition.get(key, ()))
                yield from _code_list_faults(("conditions", number, key), wanted, condition["field"], values)


def _code_list_faults(key: Key, codes: Mapping[str, Any], field: str, values: list[str]) -> Iterator[Fault]:
    for code in codes:
        if values and code not in values:
            hint = did_you_mean(code, values)
            yield (*key, code), f"{field} is never {code!r}; expected one of {', '.join(values)}{hint}"


def _title_faults(key: Key, codes: Mapping[str, Any]) -> Iterator[Fault]:
    """Values travel by their Chinese titles: each must lead back to one value."""
    first: dict[str, str] = {}
    for code, title in codes.items():
        zh = title["zh"]
        taken = first.setdefault(zh, code)
        if taken != code or (zh in codes and zh != code):
            yield (
                (*key, code, "zh"),
                f"{zh} stands for {taken if taken != code else zh} already; expected another title",
            )


def _personal_faults(data: Mapping[str, Any], personal: set[str]) -> Iterator[Fault]:
    for number, item in enumerate(data["items"]):
        field, is_personal = item["field"], _is_personal(item["field"], personal)
        if item.get("personal", is_personal) != is_personal:
            says = "is personal" if is_personal else "is not personal"
            message = (
                f"got {str(item['personal']).lower()}, but in {data['schema']} {field} {says} (x-personal); "
                "expected the same in both, or no word of it here"
            )
            yield ("items", number, "personal"), message
    if all(code.startswith("0") for code in data["holder"]["code_types"]):
        return
    for key in ("name", "code"):
        field = data["holder"].get(key)
        if field is not None and not _is_personal(field, personal):
            message = (
                f"natural persons may hold this licence, but in {data['schema']} {field} is not personal; "
                'expected "x-personal": true there, or only codes of organisations (001, 099) in code_types'
            )
            yield ("holder", key), message


def _is_personal(field: str, personal: set[str]) -> bool:
    return any(pointer == f"/{field}" or pointer.startswith(f"/{field}/") for pointer in personal)


def overlap(first: Sequence[Condition], second: Sequence[Condition]) -> bool:
    """Whether some record could meet the conditions of both."""
    conditions = (*first, *second)
    for field in {condition.field for condition in conditions}:
        wanted = [set(found.values) for found in conditions if found.field == field and not found.negated]
        barred = {value for found in conditions if found.field == field and found.negated for value in found.values}
        if wanted and not set.intersection(*wanted) - barred:
            return False
    return True


def otherwise_conditions(licence_type: LicenceType, types: Sequence[LicenceType]) -> tuple[Condition, ...]:
    """The conditions of the records that no other type of the dataset takes.

    Raises ValueError where they cannot be said: another type has several conditions, or takes all that is left.
    """
    conditions: dict[str, list[str]] = {}
    for other in types:
        if other.name == licence_type.name:
            continue
        if other.otherwise or not other.conditions:
            raise ValueError(f"{other.name} ({other.path}) also takes every record of {other.dataset} that is left")
        if len(other.conditions) > 1 or other.conditions[0].negated:
            raise ValueError(
                f"{other.name} ({other.path}) has more than one list of values; "
                "expected, beside a type for all otherwise records, types with one condition with values"
            )
        conditions.setdefault(other.conditions[0].field, []).extend(other.conditions[0].values)
    return tuple(Condition(field, tuple(values), negated=True) for field, values in sorted(conditions.items()))
