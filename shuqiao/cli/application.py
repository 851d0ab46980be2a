"""The typer application: which commands there are, and what happens around every one of them.

Only the module of the command that was asked for is imported, so that the command line answers at once; the others
stand in the help with the one line that is written here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from shuqiao.cli import failures
from shuqiao.cli.exit_codes import ExitCode, for_help
from shuqiao.cli.on_record import all_recorded
from shuqiao.cli.options import DEBUG, JSON, examples

COMMANDS = {
    "run": ("shuqiao.cli.run:run", "启动整个数桥 Start the hub on this machine with its demo city."),
    "doctor": ("shuqiao.cli.doctor:doctor", "检查本机 Look for what is wrong and say what to do."),
    "migrate": ("shuqiao.cli.migrate:migrate", "升级登记库 Create or upgrade the registry's tables."),
    "datasets": ("shuqiao.cli.datasets:datasets", "资源目录 What the registry holds, and how old it is."),
    "records": ("shuqiao.cli.records:records", "查询记录 Records of a dataset, now or as they were."),
    "entity": ("shuqiao.cli.entity:entity", "市场主体全景 Everything known of one enterprise."),
}
"""Name -> module and function of a plain command, and its line in the help."""
GROUPS = {
    "connectors": ("shuqiao.cli.connectors:app", "连接器 Departments' connectors: look, check, pull, run."),
    "quarantine": ("shuqiao.cli.quarantine:app", "退回数据 Refused records: who has to correct what."),
    "batches": ("shuqiao.cli.batches:app", "批次 What runs brought; decide those that are held."),
    "licence": ("shuqiao.cli.licences:app", "电子证照 E-licences: verify, look, issue, export, copies."),
    "credit": ("shuqiao.cli.credit:app", "公共信用信息 Enterprises' files, credit records, measures, discrepancies."),
    "audit": ("shuqiao.cli.audit:app", "访问日志 The access log: verify it; who read whose data."),
    "grants": ("shuqiao.cli.grants:app", "共享授权 Who may read which dataset, requests for it, what ends."),
    "clients": ("shuqiao.cli.clients:app", "接口客户端 Systems that may read the API."),
    "subscriptions": ("shuqiao.cli.subscriptions:app", "订阅推送 Where changes are delivered, what is wrong there."),
    "issuers": ("shuqiao.cli.issuers:app", "颁发机构 Authorities that issue licences, and their seals."),
    "keys": ("shuqiao.cli.keys:app", "密钥与印章 Keys and seals: look, replace, revoke."),
    "demo": ("shuqiao.demo.commands:app", "示范城市 The demo city and its departments."),
}
"""Name -> module and typer application of a group of commands, and its line in the help."""

HELP = "数桥 Shuqiao: the data-sharing hub of a city."
EXAMPLES = examples(
    "shuqiao run",
    "shuqiao connectors check",
    "shuqiao connectors pull tax.registration --dry-run --limit 100",
    "shuqiao quarantine list --department tax",
    "shuqiao records legal_entity status=active --json",
)


class Hub(TyperGroup):
    """The root of the commands: every error of theirs ends as one message and a documented exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what goes wrong is told on stderr."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except Exception as error:
            if isinstance(error, (typer.Exit, typer.Abort, typer.TyperException)):
                raise
            if ctx.meta.get(DEBUG):
                failures.show_traceback(error)
            failure = failures.explained(error)
            failures.show(failure, as_json=bool(ctx.meta.get(JSON)))
            raise typer.Exit(failure.code) from None


def application(only: str | None = None, *, whole: bool = True) -> typer.Typer:
    """The application with every command; with ``only`` one of them; without ``whole`` just their names and lines."""
    app = typer.Typer(
        name="shuqiao",
        cls=Hub,
        help=HELP,
        epilog=f"{EXAMPLES}\n\n{for_help()}",
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # our own messages; and tracebacks with locals would hold records and secrets
    )
    app.callback()(_root)
    for name, (place, line) in COMMANDS.items():
        if only in {None, name}:
            function = _load(place) if whole else _named_only
            app.command(name, short_help=line, epilog=getattr(function, "examples", None))(function)
    for name, (place, line) in GROUPS.items():
        if only not in {None, name}:
            continue
        if whole:
            app.add_typer(_load(place), name=name, short_help=line)
        else:
            app.command(name, short_help=line)(_named_only)
    all_recorded(app)
    return app


def _root(
    ctx: typer.Context,
    debug: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--debug", envvar="SHUQIAO_DEBUG", help="出错时显示调用栈 Show the traceback of an error."),
    ] = False,
    version: Annotated[  # noqa: FBT002, ARG001  (the option ends the command by itself)
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="版本 Show the version and exit.")
    ] = False,
) -> None:
    ctx.meta[DEBUG] = debug


def _show_version(asked: bool) -> None:  # noqa: FBT001  (typer's own signature)
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  (no other command needs it)

        typer.echo(f"shuqiao {version('shuqiao')}")
        raise typer.Exit


def _named_only() -> None:
    """Stands for a command in the help of all."""


def _load(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
