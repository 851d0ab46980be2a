"""The catalogue as DCAT-AP 3: a graph of statements, written as JSON-LD or Turtle.

Nodes have addresses of this hub's, so that who harvests it twice finds the same datasets. Values that may hold
anything (titles) are escaped by the rules of each form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

PREFIXES: Mapping[str, str] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "access": "http://publications.europa.eu/resource/authority/access-right/",
    "frequency": "http://publications.europa.eu/resource/authority/frequency/",
    "media": "https://www.iana.org/assignments/media-types/",
}
_ACCESS = {"unconditional": "RESTRICTED", "conditional": "RESTRICTED", "none": "NON_PUBLIC"}
"""Nothing is open to anyone: also what needs nobody's agreement is given to known clients only."""
_HOUR, _DAY = 3600, 86400
_FREQUENCIES = (
    (_HOUR, "HOURLY"),
    (_DAY, "DAILY"),
    (7 * _DAY, "WEEKLY"),
    (31 * _DAY, "MONTHLY"),
    (366 * _DAY, "ANNUAL"),
)


@dataclass(frozen=True, slots=True)
class Iri:
    """A node by its address."""

    address: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value with its language or its datatype."""

    value: str
    language: str = ""
    datatype: str = ""


Value = Iri | Literal
Node = tuple[str, str, Sequence[tuple[str, Value]]]
"""Address, class, and what is said of it."""


def graph(entries: Sequence[Mapping[str, Any]], base: str, registered_at: datetime | None) -> list[Node]:
    """What is said of the hub and its datasets."""
    hub, service = f"{base}/#hub", f"{base}/#api"
    said: list[tuple[str, Value]] = [
        *_both("dct:title", "数桥资源目录", "Catalogue of the data-sharing hub"),
        *_both("dct:description", "本平台共享的政务数据资源", "Datasets that departments share through this hub"),
        ("dct:publisher", Iri(hub)),
        ("dct:language", Iri("http://publications.europa.eu/resource/authority/language/ZHO")),
        ("dct:language", Iri("http://publications.europa.eu/resource/authority/language/ENG")),
        ("foaf:homepage", Iri(f"{base}/catalogue")),
        ("dcat:service", Iri(service)),
    ]
    if registered_at is not None:
        said.append(("dct:issued", _time(registered_at)))
    said += [("dcat:dataset", Iri(_dataset(base, entry))) for entry in entries]
    departments = sorted({entry["department"] for entry in entries})
    return [
        (f"{base}/catalogue", "dcat:Catalog", said),
        (hub, "foaf:Agent", [("foaf:name", Literal("数桥", "zh")), ("foaf:name", Literal("Shuqiao", "en"))]),
        *((_department(base, name), "foaf:Agent", [("foaf:name", Literal(name))]) for name in departments),
        (service, "dcat:DataService", _service(entries, base)),
        *(node for entry in entries for node in _nodes(entry, base)),
    ]


def as_json_ld(nodes: Sequence[Node]) -> bytes:
    """Compacted by prefixes only, so that any reader understands it without fetching a context."""
    listed = []
    for address, kind, said in nodes:
        members: dict[str, Any] = {"@id": _escaped(address), "@type": kind}
        for name, value in said:
            members.setdefault(name, []).append(_json(value))
        listed.append(members)
    return orjson.dumps({"@context": dict(PREFIXES), "@graph": listed}, option=orjson.OPT_INDENT_2)


def as_turtle(nodes: Sequence[Node]) -> bytes:
    """RDF 1.1 Turtle."""
    return "".join(_turtle(nodes)).encode()


def _turtle(nodes: Sequence[Node]) -> Iterator[str]:
    for prefix, address in PREFIXES.items():
        yield f"@prefix {prefix}: <{address}> .\n"
    for address, kind, said in nodes:
        yield f"\n<{_escaped(address)}> a {kind}"
        for name, value in said:
            yield f" ;\n    {name} {_term(value)}"
        yield " .\n"


def _nodes(entry: Mapping[str, Any], base: str) -> Iterator[Node]:
    dataset = _dataset(base, entry)
    api, contact = f"{dataset}#api", f"{dataset}#contact"
    title = entry["title"]
    said: list[tuple[str, Value]] = [
        *_both("dct:title", title["zh"], title["en"]),
        *_both("dct:description", *_description(entry)),
        ("dct:identifier", Literal(entry["dataset"])),
        ("dct:publisher", Iri(_department(base, entry["department"]))),
        ("dct:accessRights", Iri(PREFIXES["access"] + _ACCESS[entry["sharing"]])),
        ("dct:issued", _time(entry["registered_at"])),
        ("dct:accrualPeriodicity", Iri(PREFIXES["frequency"] + _frequency(entry))),
        ("dcat:landingPage", Iri(entry["page"])),
        ("dcat:distribution", Iri(api)),
    ]
    if entry["oldest_read_at"] is not None:
        said.append(("dct:modified", _time(entry["oldest_read_at"])))
    if entry["contacts"]:
        said.append(("dcat:contactPoint", Iri(contact)))
    records = f"{base}/api/v1/datasets/{entry['dataset']}/records"
    served: list[tuple[str, Value]] = [
        *_both("dct:title", f"{title['zh']}接口", f"{title['en']} through the API"),
        ("dcat:accessURL", Iri(records)),
        ("dcat:accessService", Iri(f"{base}/#api")),
        ("dcat:mediaType", Iri(f"{PREFIXES['media']}application/json")),
    ]
    yield (entry["page"], "foaf:Document", _both("dct:title", title["zh"], title["en"]))
    if (schema := entry["schema_address"]) is not None:
        said.append(("dct:conformsTo", Iri(schema)))
        served.append(("dct:conformsTo", Iri(schema)))
        yield (schema, "dct:Standard", [("dct:title", Literal(entry["schema_reference"]))])
    yield (dataset, "dcat:Dataset", said)
    yield (api, "dcat:Distribution", served)
    if entry["contacts"]:
        first = entry["contacts"][0]
        mail = ("vcard:hasEmail", Iri(f"mailto:{first['email']}"))
        yield (contact, "vcard:Organization", [("vcard:fn", Literal(first["name"])), mail])


def _service(entries: Sequence[Mapping[str, Any]], base: str) -> list[tuple[str, Value]]:
    return [
        *_both("dct:title", "数桥查询接口", "The hub's API"),
        ("dcat:endpointURL", Iri(f"{base}/api/v1")),
        ("dcat:endpointDescription", Iri(f"{base}/api/v1/openapi.json")),
        ("dct:publisher", Iri(f"{base}/#hub")),
        *(("dcat:servesDataset", Iri(_dataset(base, entry))) for entry in entries),
    ]


def _description(entry: Mapping[str, Any]) -> tuple[str, str]:
    how = entry["how_to_apply"]
    return (
        f"{entry['title']['zh']}，{entry['sharing_title']['zh']}。{how['zh']}",
        f"{entry['title']['en']}. {entry['sharing_title']['en']}. {how['en']}",
    )


def _frequency(entry: Mapping[str, Any]) -> str:
    promised = [source["freshness_seconds"] for source in entry["freshness"]]
    if not promised or None in promised:
        return "UNKNOWN"
    return next((name for most, name in _FREQUENCIES if max(promised) <= most), "UNKNOWN")


def _dataset(base: str, entry: Mapping[str, Any]) -> str:
    return f"{base}/catalogue/{entry['dataset']}#dataset"


def _department(base: str, name: str) -> str:
    return f"{base}/catalogue#department-{name}"


def _both(name: str, zh: str, en: str) -> list[tuple[str, Value]]:
    return [(name, Literal(zh, "zh")), (name, Literal(en, "en"))]


def _time(moment: datetime) -> Literal:
    return Literal(moment.isoformat(), datatype="xsd:dateTime")


def _json(value: Value) -> dict[str, str]:
    if isinstance(value, Iri):
        return {"@id": _escaped(value.address)}
    found = {"@value": value.value}
    if value.language:
        found["@language"] = value.language
    if value.datatype:
        found["@type"] = value.datatype
    return found


def _term(value: Value) -> str:
    if isinstance(value, Iri):
        return f"<{_escaped(value.address)}>"
    mark = f"@{value.language}" if value.language else f"^^{value.datatype}" if value.datatype else ""
    return f'"{"".join(map(_character, value.value))}"{mark}'


def _character(each: str) -> str:
    """Within quotation marks: those, the backslash and what cannot be seen are escaped."""
    return f"\\u{ord(each):04X}" if each in '"\\' or each < " " else each


def _escaped(address: str) -> str:
    """Without what may not stand in an address."""
    return "".join(f"%{ord(each):02X}" if each in '<>"{}|^`\\' or each <= " " else each for each in address)
