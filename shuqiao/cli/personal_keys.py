"""``shuqiao keys personal``: the keys that personal values are sealed with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

app = typer.Typer(
    help="个人信息密钥 Keys that personal values are sealed with: make, rotate, retire them; see docs/personal.md.",
    no_args_is_help=True,
)

_Yes = Annotated[bool, typer.Option("--yes", "-y", help="不再询问 Do not ask.")]


@app.command(epilog=examples("SHUQIAO_PERSONAL_KEYS=/etc/shuqiao/personal.keys shuqiao keys personal new"))
def new(
    if_missing: Annotated[  # noqa: FBT002
        bool, typer.Option("--if-missing", help="已有则不做 Do nothing where there is a ring.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """新建密钥 The ring with its first key; where there is a ring, a further key, which waits to be rotated to."""
    from registry.sealing import key_file  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    path = key_file.place()
    if if_missing and path.exists():
        key_file.read(path)
        return
    file = key_file.add(path) if path.exists() else key_file.make(path)
    made = file.keys[-1]
    if as_json:
        output.json_document(_plain(made))
        return
    output.pairs("已新建 Made", {"编号 number": made.number, "状态 state": made.state, "文件 file": str(path)})
    output.note("请备份该文件，与数据库备份分开保存 Keep a copy of the file, apart from the database's backups")
    if made.state == "waiting":
        output.note("文件分发到所有机器后 once every machine has the file: shuqiao keys personal rotate")


@app.command("list", epilog=examples("shuqiao keys personal list", "shuqiao keys personal list --json"))
def list_(as_json: AsJson = False) -> None:  # noqa: FBT002
    """列出密钥 The keys, and how many values of the registry each has sealed."""
    from registry.intake import resealing  # noqa: PLC0415
    from registry.sealing import key_file  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    file = key_file.read(key_file.place())
    with connect(registry.url()) as connection:
        used = resealing.in_use(connection)
    found = [_plain(key) | {"values": used.get(key.number, 0)} for key in file.keys]
    if as_json:
        output.json_document(found)
        return
    output.table(
        "个人信息密钥 Keys of personal values",
        ["编号 number", "状态 state", "生成 made", "停止加密 replaced", "值 values"],
        (
            (each["number"], each["state"], _moment(each["made_at"]), _moment(each["replaced_at"]), each["values"])
            for each in found
        ),
        right=["编号 number", "值 values"],
    )


@app.command(epilog=examples("shuqiao keys personal rotate --yes"))
def rotate(yes: _Yes = False, as_json: AsJson = False) -> None:  # noqa: FBT002
    """启用新密钥 The waiting key seals from now on, what the old one sealed opens; hand the file to every machine."""
    from registry.sealing import key_file  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    path = key_file.place()
    before = key_file.read(path).active
    _ask(f"停止用密钥 {before.number} 加密 stop sealing with key {before.number}?", yes=yes)
    after = key_file.activate(path).active
    if as_json:
        output.json_document({"old": before.number, "new": after.number})
        return
    output.pairs("已启用 Rotated", {"旧 old": before.number, "新 new": after.number})
    output.note("先将文件分发到所有机器 first hand the file to every machine that has a copy of it")
    output.note(f"重新加密 then: shuqiao keys personal reencrypt; then: shuqiao keys personal retire {before.number}")


@app.command(epilog=examples("shuqiao keys personal reencrypt"))
def reencrypt(as_json: AsJson = False) -> None:  # noqa: FBT002
    """重新加密 Seal everything with the active key, and what still lies in the clear. May be stopped and run again.

    A thousand rows a transaction, beside everything else that goes on; it makes no versions and no changes.
    """
    from registry.intake import resealing  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    with connect(registry.url()) as connection:
        done = resealing.reseal(connection)
    if as_json:
        output.json_document({"resealed": done.resealed, "sealed": done.sealed})
        return
    output.pairs("已加密 Sealed", {"重新加密 again": done.resealed, "原为明文 lay in the clear": done.sealed})


@app.command(epilog=examples("shuqiao keys personal retire 1"))
def retire(
    number: Annotated[int, typer.Argument(help="编号 The number of a key that was replaced.", min=1)],
    yes: _Yes = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """停用密钥 Take a replaced key out of the ring for good. Refused while anything is sealed with it, or may be."""
    from registry.intake import resealing  # noqa: PLC0415
    from registry.sealing import key_file  # noqa: PLC0415
    from registry.sealing.errors import PersonalKeyRefused  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import output, registry  # noqa: PLC0415

    path = key_file.place()
    ring = key_file.read(path)
    known = next((key for key in ring.keys if key.number == number), None)
    if known is None:
        raise PersonalKeyRefused(
            f"密钥环中没有密钥 {number}：shuqiao keys personal list。",
            f"The ring has no key {number}: shuqiao keys personal list.",
        )
    if known.number == ring.active.number:
        raise PersonalKeyRefused(
            f"密钥 {number} 正在使用，请先执行 `shuqiao keys personal rotate`。",
            f"Key {number} seals what is sealed now: run `shuqiao keys personal rotate` first.",
        )
    with connect(registry.url()) as connection:
        running = resealing.oldest_transaction(connection)
        used = resealing.in_use(connection).get(number, 0)
    if used:
        raise PersonalKeyRefused(
            f"仍有 {used} 个值由密钥 {number} 加密，请先执行 `shuqiao keys personal reencrypt`。",
            f"{used} values are still sealed with key {number}: run `shuqiao keys personal reencrypt` first.",
        )
    if known.replaced_at and running and running <= datetime.fromisoformat(known.replaced_at):
        raise PersonalKeyRefused(
            f"有早于更换密钥的事务仍在运行（始于 {running.isoformat()}），请待其结束。",
            f"A transaction runs that began before the key was replaced ({running.isoformat()}): wait for its end.",
        )
    _ask(f"永久停用密钥 {number}，旧备份需用旧密钥环打开 retire key {number} for good? Older backups of the database "
         "then need an older copy of the ring", yes=yes)  # fmt: skip
    key_file.retire(path, number)
    if as_json:
        output.json_document({"retired": number})
        return
    output.console().print(f"已停用 retired: {number}", markup=False)


def _plain(key: Any) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ("number", "state", "made_at", "replaced_at")}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _ask(question: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(question, abort=True, err=True)
