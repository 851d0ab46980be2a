"""The page of a connector in the Airflow UI, from its manifest."""

from __future__ import annotations

from connectors.errors import ManifestError
from connectors.manifest import Manifest


def connector_page(manifest: Manifest) -> str:
    """Markdown, Chinese and English: what is pulled, from whom, by what right, and what to do when it fails."""
    source = manifest.source
    limits = manifest.limits
    key = ", ".join(f"`{name}`" for name in manifest.key)
    return f"""
### {manifest.title.zh} / {manifest.title.en}

| | |
|---|---|
| 连接器 connector | `{manifest.connector}` |
| 部门 department | {manifest.department} |
| 负责人 owner | {manifest.owner.name} <{manifest.owner.email}> |
| 依据 legal basis | {manifest.legal_basis} |
| 数据源 source | `{source.kind}`, connection `{source.connection or "-"}` |
| 目录项 dataset | `{manifest.dataset}` (`{manifest.schema}`), key {key} |
| 频率 schedule | `{manifest.schedule or "-"}` ({manifest.timezone}) |
| 时效 freshness | {manifest.freshness or "-"} |
| 闸门 gates | refused ≤ {limits.max_refused if limits.max_refused is not None else "default"}, \
shrink ≤ {limits.max_shrink if limits.max_shrink is not None else "default"} |
| 清单 manifest | `{manifest.path.name}` |

**计划 plan** 向数据源询问要读的部分 · asks the source for its parts.
**读取 pull** 逐部分读取、映射、校验、暂存 · reads, maps, validates and stages each part.
**发布 publish** 一个事务内合并、记史、变更、游标 · merges, with history, feed and cursor, in one transaction.

任务失败时先看日志最后一行。被拦下的批次什么也没有发布：看清原因后，可带参数 `approve_batch` 触发。
When a task fails, read the last line of its log. A held batch has published nothing: once the reason is understood,
trigger with `approve_batch`. Refused records: `shuqiao quarantine list --connector {manifest.connector}`.
"""


def broken_manifest_page(error: ManifestError) -> str:
    """Every fault of a manifest, with its place."""
    faults = "\n".join(f"- `{problem}`" for problem in error.problems)
    return f"### 清单有误 / the manifest is wrong\n\n{faults}\n"
