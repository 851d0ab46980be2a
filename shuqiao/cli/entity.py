"""``shuqiao entity``: everything that the registry knows of one enterprise."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJson, with_examples
from shuqiao.cli.records import AsOf, Unmasked, moment, show_records, shown

USCC = "001"
"""The unified social credit code, among the kinds of codes of GB/T 36903."""


@with_examples("shuqiao entity 91310000MA1FL00A0Q", "shuqiao entity 91310000MA1FL00A0Q --as-of 2026-11-01 --json")
def entity(
    uscc: Annotated[str, typer.Argument(metavar="USCC", help="统一社会信用代码 Unified social credit code.")],
    code_type: Annotated[str, typer.Option(help="代码类型 Kind of code (GB/T 36903 annex A); 001 is the USCC.")] = USCC,
    as_of: AsOf = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="每个数据集最多条数 Records of each dataset.")
    ] = 50,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """市场主体全景 Everything known of one enterprise, by dataset; personal values are masked."""
    from shuqiao.cli import output, registry  # noqa: PLC0415
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    _check_code(uscc, code_type)
    then = moment(as_of)
    found = registry.read(lambda pool: _known_of(pool, uscc, then, limit, unmasked=unmasked))
    if not found["datasets"]:
        raise Failure(ExitCode.FAILED, f"登记库中没有该主体的记录 the registry knows nothing of {uscc}")
    if as_json:
        output.json_document(found)
        return
    for each in found["datasets"]:
        show_records(f"{each['dataset']}  {each['title']['zh']} {each['title']['en']}", each["records"])
        if each["more"]:
            output.note(f"{each['dataset']}: 还有更多 there are more than {limit}: give a greater --limit")


def _check_code(code: str, code_type: str) -> None:
    from schemas.identifiers import HOLDER_CODE_TYPES, is_uscc  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    if code_type not in HOLDER_CODE_TYPES:
        known = ", ".join(HOLDER_CODE_TYPES)
        raise usage(f"未知代码类型 {code_type!r} is no kind of code", f"expected one of {known}", place="--code-type")
    if code_type == USCC and not is_uscc(code):
        raise usage(
            f"不是有效的统一社会信用代码 {code!r} is no unified social credit code (18, with a check character)",
            "请核对；其他类型的代码用 check it; for other codes give --code-type",
            place="USCC",
        )


async def _known_of(pool: Any, code: str, then: datetime | None, limit: int, *, unmasked: bool) -> dict[str, Any]:
    from registry.api.representations import now, sources  # noqa: PLC0415
    from registry.storage.reads import datasets, records  # noqa: PLC0415

    at = now()
    known = {each.id: each for each in (await datasets.all_datasets(pool)).values()}
    rows = await records.of_entity(pool, code, {number: {} for number in known}, limit=limit + 1, as_of=then)
    by_dataset = []
    for dataset_id, group in groupby(rows, lambda row: row["dataset_id"]):
        state, found = known[dataset_id], list(group)
        by_dataset.append(
            {
                "dataset": state.name,
                "title": {"zh": state.title_zh, "en": state.title_en},
                "department": state.department,
                "sources": sources(state, at),
                "records": [shown(row, state.schema, unmasked=unmasked) for row in found[:limit]],
                "more": len(found) > limit,
            }
        )
    return {"entity": code, "as_of": then or at, "datasets": sorted(by_dataset, key=lambda each: each["dataset"])}
