"""Whether a connector can work: manifest, connection, source, columns, and what its first rows say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from connectors.errors import ConnectorError, ManifestError
from connectors.manifest import Manifest
from connectors.source import Source
from schemas.errors import SchemaError
from shuqiao import ingest
from shuqiao.cli import failures
from shuqiao.cli.exit_codes import ExitCode
from shuqiao.row_check import RowCheck


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at."""

    subject: str
    good: bool
    found: str
    code: ExitCode = ExitCode.DONE
    """What the command ends with if this is the worst that was found."""

    def as_document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"code": int(self.code)}


def check(manifest: Manifest) -> Iterator[Step]:
    """Step by step, until one fails: the others would only say the same again."""
    yield Step("清单 manifest", good=True, found=f"{manifest.path}")
    try:
        with ingest.open_source(manifest) as source:
            connection = manifest.source.connection
            yield Step("连接 connection", good=True, found=connection or "无需连接 none needed")
            yield Step("数据源 source", good=True, found=failures.redacted(source.check()))
            yield _first_rows(manifest, source)
    except (ConnectorError, SchemaError) as error:
        failure = failures.explained(error)
        yield Step("数据源 source", good=False, found=failures.redacted(failure.cause), code=failure.code)


def broken(error: ManifestError) -> Iterator[Step]:
    """A manifest that cannot be used: each problem with file, line and key."""
    for problem in error.problems:
        yield Step("清单 manifest", good=False, found=str(problem), code=ExitCode.MISCONFIGURED)


def _first_rows(manifest: Manifest, source: Source) -> Step:
    """Read some and map them: only that shows that the columns are those that the mapping reads."""
    for partition in source.partitions(None):
        for rows in source.read(partition, None):
            checked = RowCheck(manifest).check(rows)
            read = len(rows.rows) + len(rows.refused)
            if not read:
                continue
            found = (
                f"首批 {read} 行, 退回 {len(checked.refusals)} of the first {read} rows {len(checked.refusals)} refused"
            )
            return Step("映射 mapping", good=True, found=found)
    return Step("映射 mapping", good=True, found="数据源中没有数据 the source is empty now")
