"""``shuqiao keys tokens``: the keys that sign access tokens, in a file that every process of the API reads."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from registry.api.tokens.token_keys import TokenKey

app = typer.Typer(
    help="令牌密钥 The keys that sign access tokens: look, replace without restart, take away.", no_args_is_help=True
)
_PathOption = Annotated[
    Path | None,
    typer.Option("--file", help="密钥文件 The file; left out: SHUQIAO_TOKEN_KEY, else in the run folder."),
]


@app.command("list", epilog=examples("shuqiao keys tokens list", "shuqiao keys tokens list --file token_key.pem"))
def list_(path: _PathOption = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """列出令牌密钥 The keys in the file: which signs, which only verify, and until when."""
    from registry.api.tokens import token_keys  # noqa: PLC0415

    where = _path(path)
    if not where.exists():
        raise _failed(f"{where}: 没有该文件 there is no such file")
    try:
        _show(token_keys.load(where), as_json=as_json)
    except token_keys.TokenKeyError as error:
        raise _failed(str(error)) from None


@app.command(
    epilog=examples(
        "shuqiao keys tokens rotate",
        "shuqiao keys tokens rotate --in 10   # carry the file to other machines meanwhile",
    )
)
def rotate(
    path: _PathOption = None,
    ahead: Annotated[
        float, typer.Option("--in", help="分钟 Minutes until the new key signs; it is published at once.", min=0)
    ] = 0,
    kept: Annotated[
        float, typer.Option("--keep", help="小时 Hours that the old one verifies on.", min=0.25, max=24 * 90)
    ] = 24,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """更换令牌密钥 A new key beside the old one; running processes notice within seconds, no token is lost."""
    from registry.api.tokens import token_keys  # noqa: PLC0415

    try:
        keys = token_keys.rotate(
            _path(path), now=datetime.now(UTC), ahead=timedelta(minutes=ahead), kept=timedelta(hours=kept)
        )
    except token_keys.TokenKeyError as error:
        raise _failed(str(error)) from None
    _show(keys, as_json=as_json)


@app.command(epilog=examples("shuqiao keys tokens drop 1bjUPjsMZtNVxQDCyQ7DfV4qEiAhkYbWU8z9wBgkQyE"))
def drop(
    key_id: Annotated[str, typer.Argument(help="密钥编号 The key's id.", metavar="KEY")],
    path: _PathOption = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """去除令牌密钥 Take a key away that others may have: every token that it signed is refused within seconds."""
    from registry.api.tokens import token_keys  # noqa: PLC0415

    try:
        keys = token_keys.drop(_path(path), key_id, now=datetime.now(UTC))
    except token_keys.TokenKeyError as error:
        raise _failed(str(error)) from None
    _show(keys, as_json=as_json)


def _path(given: Path | None) -> Path:
    from shuqiao import settings  # noqa: PLC0415

    named = os.environ.get("SHUQIAO_TOKEN_KEY")
    return given or (Path(named) if named else settings.read().run_dir / "token_key.pem")


def _show(keys: Sequence[TokenKey], *, as_json: bool) -> None:
    from registry.api.tokens import token_keys  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    now = datetime.now(UTC)
    signs = token_keys.signing(keys, now).key_id
    rows: list[dict[str, Any]] = [
        {
            "id": key.key_id,
            "signs": key.key_id == signs,
            "signs_from": key.signs_from,
            "verifies_until": key.verifies_until,
        }
        for key in keys
        if key.verifies(now)
    ]
    if as_json:
        output.json_document(rows)
        return
    output.table(
        "令牌密钥 Token keys",
        ["编号 key", "签发 signs", "起 from", "核验至 verifies until"],
        (tuple(row.values()) for row in rows),
    )


def _failed(text: str) -> Exception:
    from shuqiao.cli.exit_codes import ExitCode  # noqa: PLC0415
    from shuqiao.cli.failures import Failure  # noqa: PLC0415

    return Failure(ExitCode.FAILED, text)
