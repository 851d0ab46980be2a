"""``shuqiao licence``: e-licences from a terminal: verify, look, issue, export, copies, corrections."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shuqiao.cli.options import AsJson, examples

app = typer.Typer(
    help="电子证照 E-licences: verify them, look at them, issue, export, annotated copies, corrections.",
    no_args_is_help=True,
)

FORMS = ("pdf", "vc", "jwt", "sd-jwt", "sm2")
Identifier = Annotated[
    str, typer.Argument(metavar="IDENTIFIER", help="证照标识 The licence's identifier (GB/T 36904).")
]
Unmasked = Annotated[
    bool, typer.Option("--unmasked", help="完整显示个人信息 Show personal values whole; otherwise they are masked.")
]


@app.command(
    epilog=examples(
        "shuqiao licence verify licence.pdf",
        "shuqiao licence verify credential.json --hub https://hub.example.cn --root root.pem",
        "shuqiao licence verify licence.pdf --offline --trust trust-list.json --root root.pem --json",
        "cat token.jwt | shuqiao licence verify -",
    )
)
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="证照文件 PDF, credential JSON, JWT or SD-JWT; - is stdin.")
    ],
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="信任列表 Trust list of the hub; otherwise <hub>/trust-list.json, which is kept."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="根证书 The hub's root certificate (PEM), got by a way that you trust."),
    ] = None,
    status_cache: Annotated[
        Path | None,
        typer.Option("--status-cache", help="缓存目录 Where fetched lists are kept [~/.cache/shuqiao/status]."),
    ] = None,
    hub: Annotated[
        str | None, typer.Option("--hub", help="平台地址 The hub's public address [SHUQIAO_PUBLIC_URL].")
    ] = None,
    offline: Annotated[  # noqa: FBT002
        bool, typer.Option("--offline", help="不联网 Ask no server: what was kept is used, and its age told.")
    ] = False,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """核验证照 Tell whether a licence is genuine and in force, with every check. Needs neither registry nor account.

    The signed trust list says which authorities there are; their signed status lists say what was suspended or revoked.
    Both are fetched and kept, so that --offline works later. Exit code: 0 valid; 10 genuine but not in force (expired,
    suspended, revoked, superseded and so on); 11 not genuine; 12 genuine, present state unknown.
    退出码：0 有效；10 真实但当前无效；11 不可采信；12 状态未知。
    """
    from shuqiao import settings  # noqa: PLC0415
    from shuqiao.cli import licence_verdicts, output  # noqa: PLC0415
    from shuqiao.status_cache import StatusCache, default_folder  # noqa: PLC0415

    body = licence_verdicts.document(file)
    cache = StatusCache(status_cache or default_folder(), offline=offline)
    base = (hub or settings.public_url(settings.read())).rstrip("/")
    trusted = licence_verdicts.trust_list(trust, root, base, cache)
    verdict, used = licence_verdicts.verdict_on(body, trusted, cache)
    if as_json:
        output.json_document(licence_verdicts.as_document(verdict, trusted, used, unmasked=unmasked))
    else:
        licence_verdicts.show(verdict, trusted, used, unmasked=unmasked)
    raise typer.Exit(licence_verdicts.exit_code(verdict))


@app.command(epilog=examples("shuqiao licence types", "shuqiao licence types --json"))
def types(as_json: AsJson = False) -> None:  # noqa: FBT002
    """证照类型 The types of licences that are known here, in all their versions."""
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.licence_types import licence_types  # noqa: PLC0415

    found = licence_types().all
    if as_json:
        output.json_document(
            [
                {
                    "type": each.reference,
                    "code": each.code,
                    "code_is_provisional": each.code_is_provisional,
                    "title": {"zh": each.title.zh, "en": each.title.en},
                    "defining_authority": each.defining_authority.name,
                    "trust_grade": each.trust_grade,
                    "dataset": each.dataset,
                    "items": [item.name for item in each.items],
                    "file": str(each.path),
                }
                for each in found
            ]
        )
        return
    output.table(
        "证照类型 Licence types",
        ["类型 type", "名称 title", "证照类型代码 code", "定义机构 authority", "等级 grade", "来源 dataset"],
        (
            (
                each.reference,
                f"{each.title.zh} {each.title.en}",
                f"{each.code}{' (暂定 provisional)' if each.code_is_provisional else ''}",
                each.defining_authority.name,
                each.trust_grade,
                each.dataset,
            )
            for each in found
        ),
    )


@app.command(
    "list",
    epilog=examples(
        "shuqiao licence list --type food_business_licence",
        "shuqiao licence list --holder 91310000MA1FL00A0Q --json",
        "shuqiao licence list --state 02 -n 500",
    ),
)
def list_(
    kind: Annotated[str | None, typer.Option("--type", "-t", help="证照类型 Only this type.")] = None,
    holder: Annotated[
        str | None, typer.Option("--holder", help="持证主体代码 Only of the holder with this code.")
    ] = None,
    number: Annotated[str | None, typer.Option("--number", help="证照编号 Only with this printed number.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="状态代码 Only in this state: 01-07, 99.")] = None,
    superseded: Annotated[  # noqa: FBT002
        bool, typer.Option("--superseded", help="含历史版本 Also versions that others have superseded.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 50,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出证照 Licences in the order in which they were issued."""
    from shuqiao.cli import licence_reads, output  # noqa: PLC0415

    found = licence_reads.listed(kind, holder, number, state, superseded=superseded, limit=limit, unmasked=unmasked)
    if as_json:
        output.json_document(found)
        return
    output.table(
        "电子证照 E-licences",
        [
            "证照标识 identifier",
            "类型 type",
            "编号 number",
            "持证主体 holder",
            "颁发机关 issuer",
            "状态 state",
            "至 until",
        ],
        (
            (
                each["identifier"],
                each["type"]["title"]["zh"],
                each["number"],
                each["holders"][0]["name"],
                each["issuer"]["name"],
                licence_reads.state_of(each),
                each["valid_to"],
            )
            for each in found
        ),
        empty="没有证照 no licences: shuqiao licence issue",
    )


@app.command(epilog=examples("shuqiao licence refusals", "shuqiao licence refusals --type business_licence --json"))
def refusals(
    kind: Annotated[str | None, typer.Option("--type", "-t", help="证照类型 Only this type.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="最多条数 How many at most.")] = 50,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """未签发的数据 Records that make no licence, or no longer agree with theirs, and why."""
    from dataclasses import asdict  # noqa: PLC0415

    from registry.licences import progress  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415
    from shuqiao.registry_address import database_url  # noqa: PLC0415

    with connect(database_url()) as connection:
        found = progress.refusals(connection, type_name=kind, limit=limit)
    if as_json:
        output.json_document([asdict(each) for each in found])
        return
    output.table(
        "未签发的数据 Records without a licence",
        ["类型 type", "部门 department", "数据集 dataset", "主键 key", "原因 why", "自 since"],
        (
            (
                each.type,
                each.department,
                each.dataset,
                each.key,
                "\n".join(f"{reason['zh']} {reason['en']}" for reason in each.reasons),
                each.first_seen,
            )
            for each in found
        ),
        empty="没有 none: every record in force has its licence",
    )


@app.command(epilog=examples("shuqiao licence show 1.2.156.3005.2.…", "shuqiao licence show 1.2.156.3005.2.… --json"))
def show(
    identifier: Identifier,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """显示证照 One licence: what it says, its state, its versions and what was done to it, its copies."""
    from shuqiao.cli import licence_reads, output  # noqa: PLC0415

    found = licence_reads.shown(identifier, unmasked=unmasked)
    if as_json:
        output.json_document(found)
    else:
        licence_reads.show(found)


@app.command(
    epilog=examples("shuqiao licence metadata 1.2.156.3005.2.… --json", "shuqiao licence metadata 1.2.156.3005.2.…")
)
def metadata(
    identifier: Identifier,
    unmasked: Unmasked = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """元数据 A licence's metadata as GB/T 36903 names them (ZZMC, ZZBH, CZZT and so on)."""
    from shuqiao.cli import licence_reads, output  # noqa: PLC0415

    found = licence_reads.metadata_of(identifier, unmasked=unmasked)
    if as_json:
        output.json_document(found)
    else:
        output.pairs("元数据 Metadata", found)


@app.command(epilog=examples("shuqiao licence issue", "shuqiao licence issue --json"))
def issue(as_json: AsJson = False) -> None:  # noqa: FBT002
    """签发证照 Let every licence follow its record now, as the DAG licences.issue does; doing it again does nothing."""
    from dataclasses import asdict  # noqa: PLC0415

    from shuqiao import licence_run, notes  # noqa: PLC0415
    from shuqiao.cli import licence_acts, output  # noqa: PLC0415

    with licence_acts.explained():
        report = licence_run.run(datetime.now(UTC))
    if as_json:
        output.json_document(asdict(report))
        return
    names = ("issued", "new_versions", "state_changes", "refused", "unchanged")
    heads = ("新发", "新版本", "状态变更", "未签发", "无变化")
    columns = [f"{zh} {en}" for zh, en in zip(heads, names, strict=True)]
    output.table(
        "签发 Issue",
        ["类型 type", *columns],
        ((name, *(getattr(counts, each) for each in names)) for name, counts in report.by_type.items()),
        right=columns,
    )
    output.note(notes.licences_sentence(asdict(report)))


@app.command(
    epilog=examples(
        "shuqiao licence export 1.2.156.3005.2.… --form pdf -o licence.pdf",
        "shuqiao licence export 1.2.156.3005.2.… --form vc -o - | shuqiao licence verify -",
    )
)
def export(
    identifier: Identifier,
    file: Annotated[Path, typer.Option("--output", "-o", help="输出文件 Where to write it; - is stdout.")],
    form: Annotated[str, typer.Option("--form", "-f", help=f"形式 One of {', '.join(FORMS)}.")] = "pdf",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """导出证照 Write a signed form of a licence to a file, byte for byte as it was signed."""
    from shuqiao.cli import licence_acts, output  # noqa: PLC0415

    body = licence_acts.exported(identifier, form)
    licence_acts.write(body, file)
    told = {"identifier": identifier, "form": form, "file": str(file), "bytes": len(body)}
    if as_json and str(file) != "-":
        output.json_document(told)
    elif str(file) != "-":
        output.note(f"已写入 written: {file} ({len(body):,} bytes)")


@app.command(
    epilog=examples(
        "shuqiao licence copy 1.2.156.3005.2.… --client client-0123456789abcdef --for 桥州银行桥东支行 "
        "--cause 办理经营贷款 --until 2026-12-31 -o copy.pdf"
    )
)
def copy(
    identifier: Identifier,
    client: Annotated[
        str, typer.Option("--client", help="客户端 The client on whose account it is (shuqiao clients list).")
    ],
    requested_by: Annotated[str, typer.Option("--for", help="用证单位 Who asked for it; stands on the copy.")],
    cause: Annotated[str, typer.Option("--cause", help="用证事由 What it is for; stands on the copy.")],
    until: Annotated[
        datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="使用期限 The last day on which it is good.")
    ],
    file: Annotated[Path | None, typer.Option("--output", "-o", help="输出文件 Also write its PDF here.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """制作加注件 Make an annotated copy for one use: who, why, until when; with a watermark, on record, revocable."""
    from shuqiao.cli import licence_acts, output  # noqa: PLC0415

    made = licence_acts.copied(identifier, client, requested_by, cause, until)
    if file is not None:
        licence_acts.write(made.pdf, file)
    told = licence_acts.as_document(made)
    if as_json:
        output.json_document(told)
    else:
        output.pairs("加注件 Annotated copy", told)


@app.command("revoke-copy", epilog=examples("shuqiao licence revoke-copy 3q2-7wQh2m0aYt1C"))
def revoke_copy(
    copy_id: Annotated[str, typer.Argument(metavar="COPY", help="加注件编号 The copy's id (shuqiao licence show).")],
    by: Annotated[str, typer.Option("--by", help="操作人 Who revokes it, for the record [the user].")] = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """撤销加注件 End an annotated copy before its time; doing it again changes nothing."""
    from getpass import getuser  # noqa: PLC0415

    from shuqiao.cli import licence_acts, output  # noqa: PLC0415

    ended = licence_acts.copy_revoked(copy_id, by or getuser())
    told = licence_acts.as_document(ended)
    if as_json:
        output.json_document(told)
    else:
        output.pairs("已撤销加注件 Revoked", told)


@app.command(epilog=examples("shuqiao licence correct 1.2.156.3005.2.… --reason '误注销，见更正决定〔2026〕3号'"))
def correct(
    identifier: Identifier,
    reason: Annotated[str, typer.Option("--reason", help="更正理由 Why it was wrong, for the record.")],
    by: Annotated[str, typer.Option("--by", help="操作人 Who decided it, for the record [the user].")] = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """更正证照 Supersede a wrong licence, even an ended one, by a new version made from its record as it is now."""
    from getpass import getuser  # noqa: PLC0415

    from shuqiao.cli import licence_acts, output  # noqa: PLC0415

    made = licence_acts.corrected(identifier, reason, by or getuser())
    if as_json:
        output.json_document({"identifier": identifier, "superseded_by": made})
    else:
        output.pairs("已更正 Corrected", {"证照标识 identifier": identifier, "新版本 superseded by": made})
