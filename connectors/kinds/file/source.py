"""Files as a source: which ones to read now, each once, a changed one again, only complete ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar, Final

from connectors.connection import Connection
from connectors.errors import SourceUnavailable
from connectors.kinds import documents
from connectors.kinds.file.places import Found, Place, is_missing, place, translated
from connectors.kinds.file.reading import Opening, batches_of_file
from connectors.kinds.file.settings import SETTINGS_SCHEMA, Layout, Limits, older_than
from connectors.kinds.measures import seconds
from connectors.source import Cursor, DiscoveredTable, Partition, Rows

SAMPLE_FILES: Final = 20
SAMPLE_ROWS: Final = 200


class FileSource:
    """The files that one manifest names."""

    settings_schema: ClassVar[Mapping[str, Any]] = SETTINGS_SCHEMA

    def __init__(
        self,
        settings: Mapping[str, Any],
        connection: Connection | None,
        columns: Sequence[str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._connection, self._columns = settings, connection, tuple(columns)
        self._layout, self._limits = Layout.of(settings), Limits.of(settings)
        self._clock = clock
        self._opened: Place | None = None

    @property
    def _label(self) -> str:
        return str(self._settings["path"])

    @property
    def _place(self) -> Place:
        if self._opened is None:
            timeout = seconds(self._settings.get("timeout", "30s"))
            self._opened = place(self._connection, self._label, timeout)
        return self._opened

    def close(self) -> None:
        """Give back the connection."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def check(self) -> str:
        """Look which files are there."""
        with translated(self._label):
            listed = self._place.listing()
            ready = self._complete(listed)
        if not listed:
            return f"{self._label}: can be reached; no file matches yet"
        newest = f"; the last one is {ready[-1].name}" if ready else ""
        return f"{self._label}: {len(listed)} file(s) match, {len(ready)} of them complete{newest}"

    def discover(self) -> Sequence[DiscoveredTable]:
        """The files, with the fields of their first rows."""
        with translated(self._label):
            files = self._complete(self._place.listing())
        return [self._table(file) for file in files[-SAMPLE_FILES:]]

    def _table(self, file: Found) -> DiscoveredTable:
        rows: list[dict[str, Any]] = []
        for batch in islice(self._batches(file.path, ()), 1):
            rows = [dict(zip(batch.columns, row, strict=True)) for row in batch.rows[:SAMPLE_ROWS]]
        return DiscoveredTable(file.path, documents.inferred_fields(rows))

    def _complete(self, listed: list[Found]) -> list[Found]:
        """Those files whose writer has finished, as the manifest says how to tell."""
        rule = self._settings.get("complete", {})
        if marker := rule.get("marker"):
            pattern = marker.replace("{name}", "*").replace("{stem}", "*")
            markers = self._place.names_beside(listed, pattern)
            listed = [file for file in listed if _marker(file, marker) in markers]
        oldest = self._clock() - older_than(self._settings)
        if "older_than" in rule:
            listed = [file for file in listed if file.modified is None or file.modified <= oldest]
        return listed

    def partitions(self, since: Cursor | None) -> Sequence[Partition]:
        """Each new or changed file."""
        with translated(self._label):
            listed = self._place.listing()
            ready = self._complete(listed)
        latest = self._settings.get("latest", False)
        if latest and ready:
            ready = [max(ready, key=lambda file: file.modified or 0) if latest == "modified" else ready[-1]]
            listed = ready
        known: Mapping[str, Any] = (since or {}).get("files", {})
        new = [file for file in ready if known.get(file.path) != file.fingerprint]
        if new and (self._settings.get("together") or self._settings.get("snapshot")):
            new = ready
        gone = sorted(set(known) - {file.path for file in listed})
        return [
            Partition(
                number,
                file.name,
                {"path": file.path, "fingerprint": dict(file.fingerprint), **({"gone": gone} if not number else {})},
            )
            for number, file in enumerate(new)
        ]

    def combine(self, since: Cursor | None, reached: Sequence[Cursor | None]) -> Cursor | None:
        """All files read so far, without those that are not there any more."""
        files: dict[str, Any] = dict((since or {}).get("files", {}))
        for each in reached:
            for path in (each or {}).get("gone", ()):
                files.pop(path, None)
        for each in reached:
            files |= (each or {}).get("files", {})
        return {"files": files} if files or since is not None else None

    def read(self, partition: Partition, since: Cursor | None) -> Iterator[Rows]:  # noqa: ARG002
        """The rows of one file; what it reached is said only once the file is seen not to have changed meanwhile."""
        path, fingerprint = partition.spec["path"], partition.spec["fingerprint"]
        self._require_same(path, fingerprint, "since it was listed")
        held: Rows | None = None
        for batch in self._batches(path, self._columns):
            if held is not None:
                yield held
            held = batch
        self._require_same(path, fingerprint, "while it was read")
        held = held or Rows(self._columns, (), self._place.where(path))
        gone = {"gone": list(partition.spec["gone"])} if partition.spec.get("gone") else {}
        yield replace(held, reached={"files": {path: dict(fingerprint)}, **gone})

    def _require_same(self, path: str, fingerprint: Mapping[str, Any], when: str) -> None:
        with translated(path):
            where = self._place.where(path)
            try:
                now = self._place.look(path).fingerprint
            except FileNotFoundError as error:
                if not is_missing(error):
                    raise
                raise SourceUnavailable(f"{where}: the file has been taken away {when}") from None
        if dict(now) != dict(fingerprint):
            raise SourceUnavailable(f"{where}: the file has changed {when}; is it still being written?")

    def _batches(self, path: str, columns: tuple[str, ...]) -> Iterator[Rows]:
        """The rows of one file; everything that can go wrong is the port's error."""
        with translated(path):
            where = self._place.where(path)
        with translated(where), self._place.open(path) as raw:
            opening = Opening(self._settings, self._layout, self._limits, is_local=self._place.is_local)
            yield from batches_of_file(raw, path.rpartition("/")[2], where, columns, opening)


def _marker(file: Found, pattern: str) -> str:
    folder, name = file.path.rpartition("/")[0], file.name
    marker = pattern.replace("{name}", name).replace("{stem}", name.partition(".")[0])
    return (f"{folder}/{marker}" if folder else marker).lstrip("/")
