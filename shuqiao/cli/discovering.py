"""What a source offers, asked by the name of a connector or straight by the id of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from connectors.connection import Connection
from connectors.errors import SourceMisconfigured
from connectors.kinds import names, source_class
from connectors.manifest import Manifest
from connectors.source import DiscoveredTable
from shuqiao import connections, ingest, manifests
from shuqiao.cli.failures import usage

_KINDS = {"http": "rest", "https": "rest", "sftp": "file", "ssh": "file", "s3": "file", "aws": "file", "file": "file"}
"""Kind of source by the type of connection; every other type is a database's."""
_NEEDED = {"rest": ("path", "/api/v1/taxpayers"), "file": ("path", "'outbox/*.csv'")}
"""Where a kind looks must be said, and how that is written; a database shows everything."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The tables or files of a source, and how it was reached."""

    kind: str
    connection: str | None
    settings: dict[str, Any]
    tables: tuple[DiscoveredTable, ...]
    manifest: Manifest | None = None

    def as_document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": self.kind,
            "connection": self.connection,
            "tables": [asdict(table) for table in self.tables],
        }


def discover(where: str, *, kind: str | None, settings: Sequence[str], table: str | None) -> Offer:
    """Ask the source. Raises Failure for a name that is neither, and the source's errors."""
    try:
        manifest = manifests.one(where)
    except KeyError:
        offer = _of_connection(where, kind, _given(settings))
    else:
        with ingest.open_source(manifest) as source:
            section = manifest.source
            tables = tuple(source.discover())
            offer = Offer(section.kind, section.connection, dict(section.settings), tables, manifest)
    if table is None:
        return offer
    chosen = tuple(each for each in offer.tables if table in each.name)
    if not chosen:
        there = ", ".join(each.name for each in offer.tables[:20])
        raise usage(f"没有这样的表 there is no table {table!r}", f"there are: {there or 'none'}", place=where)
    exact = tuple(each for each in chosen if each.name == table)
    return Offer(offer.kind, offer.connection, offer.settings, exact or chosen, offer.manifest)


def _of_connection(id: str, kind: str | None, settings: dict[str, Any]) -> Offer:  # noqa: A002
    try:
        connection = connections.resolve(id)
    except SourceMisconfigured as error:
        known = [each.connector for each in manifests.everything()[0]]
        raise usage(
            f"既不是连接器也不是连接 {id!r} is neither a connector nor a connection: {error}",
            f"shuqiao connectors list ({', '.join(known[:5])}{' …' if len(known) > 5 else ''})",  # noqa: PLR2004
        ) from None
    found = kind or _KINDS.get(connection.type, "sql")
    if found not in names():
        raise usage(f"没有类型 there is no kind {found!r}", f"expected one of {', '.join(names())}", place="--kind")
    return _ask(found, connection, settings)


def _ask(kind: str, connection: Connection, settings: dict[str, Any]) -> Offer:
    key, example = _NEEDED.get(kind, ("", ""))
    if key and key not in settings:
        raise usage(
            f"类型 {kind} 需要 {key} a connection of kind {kind} needs to be told where to look",
            f"shuqiao connectors discover {connection.id} --set {key}={example}",
            place="--set",
        )
    with closing(source_class(kind)(settings, connection, ())) as source:
        return Offer(kind, connection.id, settings, tuple(source.discover()))


def _given(settings: Sequence[str]) -> dict[str, Any]:
    """``paging.kind=page`` and its like, as the manifest's section would hold them."""
    found: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise usage(f"无法识别的设置 {text!r} is no setting", "expected KEY=VALUE: path=/api/x", place="--set")
        place = found
        *above, last = name.split(".")
        for step in above:
            place = place.setdefault(step, {})
        try:
            place[last] = yaml.safe_load(value)
        except yaml.YAMLError:
            place[last] = value
    return found
