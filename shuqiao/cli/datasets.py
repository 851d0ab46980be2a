"""``shuqiao datasets``: what the registry holds, whose it is, how old it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJson, with_examples


@with_examples("shuqiao datasets", "shuqiao datasets legal_entity", "shuqiao datasets --json")
def datasets(
    dataset: Annotated[str | None, typer.Argument(help="数据集，省略则全部 A dataset; all if left out.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """资源目录 What the registry holds: whose it is, how many records, how old; with a name: its fields too."""
    from shuqiao.cli import output, registry  # noqa: PLC0415

    if dataset is None:
        found = registry.read(_all)
        if as_json:
            output.json_document(found)
        else:
            _show_all(found)
        return
    name = dataset
    one = registry.read(lambda pool: _one(pool, name))
    if as_json:
        output.json_document(one)
    else:
        _show_one(one)


async def _all(pool: Any) -> list[dict[str, Any]]:
    from registry.api.representations import dataset_summary, now  # noqa: PLC0415
    from registry.storage.reads.datasets import all_datasets  # noqa: PLC0415

    at = now()
    return [dataset_summary(each, at) for each in (await all_datasets(pool)).values()]


async def _one(pool: Any, name: str) -> dict[str, Any]:
    from registry.api.representations import dataset_summary, now  # noqa: PLC0415
    from registry.storage.reads.datasets import open_refusals  # noqa: PLC0415
    from shuqiao.cli.registry import dataset_of  # noqa: PLC0415

    found = await dataset_of(pool, name)
    refusals = await open_refusals(pool, found.id)
    return dataset_summary(found, now()) | {"open_refusals": dict(refusals), "fields": _fields(found.schema)}


def _fields(reference: str) -> list[dict[str, Any]]:
    from schemas import catalogue  # noqa: PLC0415
    from schemas.errors import SchemaError  # noqa: PLC0415

    try:
        schema, personal = catalogue.schema(reference), catalogue.personal_fields(reference)
    except SchemaError:
        return []
    required = set(schema.get("required", ()))
    return [
        {
            "field": name,
            "title": {"zh": field.get("title", ""), "en": field.get("x-title-en", "")},
            "required": name in required,
            "personal": f"/{catalogue.escape(name)}" in personal,
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _show_all(found: list[dict[str, Any]]) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    output.table(
        "资源目录 Datasets",
        ["数据集 dataset", "名称 title", "部门 department", "记录 records", "最早读取 oldest read", "过期 late"],
        (
            (
                each["dataset"],
                f"{each['title']['zh']} {each['title']['en']}",
                each["department"],
                each["records"],
                each["oldest_read_at"],
                ", ".join(source["connector"] for source in each["sources"] if source["late"]),
            )
            for each in found
        ),
        right=["记录 records"],
        empty="登记库中还没有数据集。运行连接器后即有 No dataset yet: run a connector (shuqiao connectors run --all).",
    )


def _show_one(found: dict[str, Any]) -> None:
    from shuqiao.cli import output  # noqa: PLC0415

    output.pairs(
        f"{found['dataset']}  {found['title']['zh']} {found['title']['en']}",
        {
            "部门 department": found["department"],
            "数据结构 schema": found["schema_reference"],
            "主键 key": ", ".join(found["key"]),
            "共享类型 sharing": found["sharing"],
            "记录 records": found["records"],
        },
    )
    output.table(
        "来源 Sources",
        ["连接器 connector", "部门 department", "读取时间 read at", "过期 late", "待更正 open refusals"],
        (
            (each["connector"], each["department"], each["read_at"], each["late"])
            + (found["open_refusals"].get(each["connector"], 0),)
            for each in found["sources"]
        ),
    )
    output.table(
        "字段 Fields",
        ["字段 field", "名称 title", "必填 required", "个人信息 personal"],
        (
            (each["field"], f"{each['title']['zh']} {each['title']['en']}", each["required"], each["personal"])
            for each in found["fields"]
        ),
    )
