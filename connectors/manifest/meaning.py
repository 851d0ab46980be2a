"""What a JSON Schema cannot say of a manifest: whether its parts agree with each other, the schema and the kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from connectors.errors import ConnectorError
from connectors.manifest.cron import cron_fault
from connectors.manifest.rules import columns_of, is_timezone, rule_faults
from connectors.manifest.secrets import secret_faults
from connectors.quantities import duration, rate, share, size
from schemas import catalogue, structure
from schemas.documents import Key

Fault = tuple[Key, str]
SettingsSchema = Callable[[str], Mapping[str, Any] | None]
"""The ``settings_schema`` of a kind; ``None``: not to be had here; KeyError: no such kind."""

COMMON_KEYS = ("kind", "connection", "row_id", "operation", "tombstone", "snapshot")
_READERS: dict[Key, Callable[[Any], Any]] = {
    ("freshness",): duration,
    ("limits", "max_refused"): share,
    ("limits", "max_shrink"): share,
    ("limits", "rate"): rate,
    ("limits", "max_field"): size,
}


def meaning_faults(data: Mapping[str, Any], settings_schema: SettingsSchema) -> Iterator[Fault]:
    """``data`` is valid per the manifest's JSON Schema."""
    for faults in _all_faults(data, settings_schema):
        yield from faults


def readable_faults(data: Any, settings_schema: SettingsSchema) -> Iterator[Fault]:
    """The same for data that is not valid: what can be told in spite of it, so that all is told at once."""
    if not isinstance(data, Mapping):
        return
    for faults in _all_faults(data, settings_schema):
        with suppress(KeyError, TypeError, AttributeError, ValueError):
            yield from faults


def _all_faults(data: Mapping[str, Any], settings_schema: SettingsSchema) -> Iterator[Iterator[Fault]]:
    yield _name_faults(data)
    yield _quantity_faults(data)
    yield _rule_faults(data)
    yield _field_faults(data)
    yield _source_faults(data)
    yield _kind_faults(data, settings_schema)


def _rule_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    for field, rule in data["mapping"].items():
        for key, message in rule_faults(as_rule(rule)):
            yield ("mapping", field, key) if key else ("mapping", field), message


def as_rule(rule: Any) -> Mapping[str, Any]:
    """``name: comp_nm`` is short for ``name: {from: comp_nm}``."""
    return {"from": rule} if isinstance(rule, str) else rule


def settings_of(source: Mapping[str, Any]) -> dict[str, Any]:
    """The kind's own keys of a source section."""
    return {key: value for key, value in source.items() if key not in COMMON_KEYS}


def _name_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    if not data["connector"].startswith(data["department"] + "."):
        yield ("connector",), f"got {data['connector']!r}; expected a name that begins with {data['department']}."


def _quantity_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    for key, reader in _READERS.items():
        value: Any = data
        for step in key:
            value = value.get(step) if isinstance(value, Mapping) else None
        if value is None:
            continue
        try:
            reader(value)
        except ValueError as error:
            yield key, str(error)
    schedule = data.get("schedule")
    fault = cron_fault(schedule) if schedule is not None else None
    if fault:
        yield ("schedule",), fault
    if "timezone" in data and not is_timezone(data["timezone"]):
        yield ("timezone",), f"got {data['timezone']!r}; expected a time zone such as Asia/Shanghai"


def _field_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    targets = list(data["mapping"])
    tops = {target.split(".")[0] for target in targets}
    for number, name in enumerate(data["key"]):
        if name not in tops:
            guess = structure.did_you_mean(name, tops)
            yield ("key", number), f"{name} is not mapped{guess or '; expected a field of mapping'}"
    for target in targets:
        if any(other.startswith(target + ".") for other in targets):
            yield ("mapping", target), "is mapped as a whole and in parts"
    reference = data["schema"]
    known = catalogue.references()
    if reference not in known:
        guess = structure.did_you_mean(reference, known)
        yield ("schema",), f"there is no schema {reference}{guess or '; expected one of ' + ', '.join(known)}"
        return
    fields = property_names(catalogue.schema(reference))
    for target in targets:
        if target.split(".")[0] not in fields:
            yield ("mapping", target), f"{reference}: {structure.unknown_key(target, fields)}"


def property_names(schema: Mapping[str, Any]) -> set[str]:
    """The fields that a record schema describes, also where it is composed of parts."""
    names: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        names.update(part.get("properties", ()))
        for key in ("allOf", "anyOf", "oneOf"):
            waiting.extend(part.get(key, ()))
        waiting.extend(part.get(key) for key in ("if", "then", "else"))
        reference = part.get("$ref", "")
        if reference.startswith("#/"):
            target: Any = schema
            for step in reference[2:].split("/"):
                target = target.get(step) if isinstance(target, Mapping) else None
            waiting.append(target)
    return names


def _source_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    source = data["source"]
    yield from secret_faults(settings_of(source), ("source",))
    if "operation" in source and "tombstone" in source:
        yield ("source", "tombstone"), "cannot stand beside operation: one of them says what is deleted"
    if source.get("snapshot"):
        if "operation" in source:
            yield (
                ("source", "snapshot"),
                "cannot be true beside operation: an exchange table itself says what is deleted",
            )
        for key in ("cursor", "incremental"):
            if key in source:
                yield (
                    ("source", "snapshot"),
                    f"cannot be true beside {key}: what an incremental read lacks is not deleted",
                )
    unmapped = set(data["key"]) - {target.split(".")[0] for target in data["mapping"]}
    if "row_id" not in source and not unmapped and not _key_columns(data):
        yield ("source", "row_id"), "is missing: the key fields are mapped from no source column"


def _key_columns(data: Mapping[str, Any]) -> tuple[str, ...]:
    columns: dict[str, None] = {}
    for target, rule in data["mapping"].items():
        if target.split(".")[0] in data["key"]:
            columns.update(dict.fromkeys(columns_of(as_rule(rule))))
    return tuple(columns)


def row_id_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns that identify a row at the source."""
    return tuple(data["source"].get("row_id") or _key_columns(data))


def _kind_faults(data: Mapping[str, Any], settings_schema: SettingsSchema) -> Iterator[Fault]:
    source = data["source"]
    try:
        schema = settings_schema(source["kind"])
    except KeyError as error:
        yield ("source", "kind"), str(error.args[0])
        return
    except ConnectorError as error:
        yield ("source", "kind"), str(error)
        return
    if schema is None:
        return
    try:
        for key, message in structure.faults(settings_of(source), schema, ("source",)):
            if not any(True for _ in secret_faults({key[-1]: None}, ())):
                yield key, message
    except ValueError as error:
        yield ("source", "kind"), f"the settings_schema of {source['kind']} is no JSON Schema: {error}"
