"""XML: one element after the other as a row, with no document type, no entities, no network, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final, cast

from lxml import etree

from connectors.errors import RowRefused, SourceMisconfigured
from connectors.kinds import documents
from connectors.kinds.documents import HalfWritten, Item
from connectors.kinds.file.settings import Layout, Limits

MAX_ELEMENTS: Final = 10_000
"""Elements within one row."""
PROLOGUE: Final = 1 << 16


class Remembering:
    """A stream that remembers its last bytes."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner, self._last = inner, b""

    def read(self, size: int = -1) -> bytes:
        """As the parser asks for it."""
        data = self._inner.read(size)
        self._last = (self._last + data)[-512:]
        return data

    def ends_with(self, element: str) -> bool:
        """Whether the whole document, read to its end, closes this element."""
        while self.read(1 << 20):
            pass
        last = self._last.replace(b"\x00", b"").rstrip()
        return last.endswith(b">") and element.encode() in last.rpartition(b"</")[2]


def refuse_document_type(start: bytes, where: str) -> None:
    """Refuse entity declarations before any parser sees them. Raises SourceMisconfigured."""
    plain = start.replace(b"\x00", b"")
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise SourceMisconfigured(
            f"{where}: declares a document type (<!DOCTYPE ...>), by which entities could fill the memory or read "
            "files; the hub does not take such XML. Ask the department to leave it out"
        )


def xml_items(stream: Any, where: str, layout: Layout, limits: Limits) -> Iterator[Item]:
    """The rows: elements of the name (or path) that the manifest says, as objects."""
    refuse_document_type(stream.peek(PROLOGUE)[:PROLOGUE], where)
    wanted = (layout.row_path or "").strip("/").split("/")
    if not wanted[0]:
        raise SourceMisconfigured(f"{where}: XML needs row_path, the name of the element that is a row")
    number, path, remembering = 0, list[str](), Remembering(stream)
    try:
        for element in _elements(remembering, path, wanted, where, layout):
            number += 1
            yield _item(element, number, where, limits)
    except etree.XMLSyntaxError as error:
        if not path or not remembering.ends_with(path[0]):
            raise HalfWritten(f"{where}: the file ends in the middle of the XML document") from None
        raise SourceMisconfigured(f"{where}: is no valid XML: {str(error.msg)[:200]}") from None


def _elements(
    stream: Remembering, path: list[str], wanted: list[str], where: str, layout: Layout
) -> Iterator[etree._Element]:
    """The elements that are rows; ``path`` holds the names of those open."""
    encoding = None if layout.encoding.lower() in ("utf-8", "utf8") else layout.encoding
    events = etree.iterparse(
        cast("IO[bytes]", stream),
        events=("start", "end"),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=encoding,
    )
    row: etree._Element | None = None
    within = 0
    for event, element in events:
        if event == "start":
            if not path and element.getroottree().docinfo.internalDTD is not None:
                refuse_document_type(b"<!DOCTYPE", where)
            path.append(_name(element.tag))
            if row is None and path[-len(wanted) :] == wanted:
                row, within = element, 0
            within += 1
            if row is not None and within > MAX_ELEMENTS:
                raise SourceMisconfigured(f"{where}: one {wanted[-1]} holds more than {MAX_ELEMENTS} elements")
            continue
        if len(path) > 1:
            path.pop()
        if row is not None and element is row:
            yield row
            row = None
        if row is None:
            _forget(element)


def _forget(element: etree._Element) -> None:
    """Give back the memory of an element and of those before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _name(tag: Any) -> str:
    return str(tag).rpartition("}")[2]


def _item(element: etree._Element, number: int, where: str, limits: Limits) -> Item:
    try:
        row = as_object(element)
        documents.inspect(row, limits.max_field)
    except RowRefused as error:
        raw = etree.tostring(element, encoding="unicode")[: documents.EXCERPT]
        return Item(number, 0, documents.refuse(f"{where}:{number}", {"xml": raw}, error))
    return Item(number, 100 * (1 + len(element)), row)


def as_object(element: etree._Element) -> dict[str, Any]:
    """Attributes as ``@name``, children by name (several of one name as a list), text beside them as ``#text``."""
    found = _value(element, 1)
    return found if isinstance(found, dict) else {"#text": found}


def _value(element: etree._Element, depth: int) -> Any:
    if depth > documents.MAX_DEPTH:
        raise documents.too_deep()
    text = (element.text or "").strip()
    if not len(element) and not element.attrib:
        return text or None
    found: dict[str, Any] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _name(child.tag), _value(child, depth + 1)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    if text:
        found["#text"] = text
    return found
