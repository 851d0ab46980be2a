"""``shuqiao demo``: make the demo city, let days of its life happen, and list the faults planted in it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from shuqiao.demo import life
from shuqiao.demo.departments import MARKET_CONNECTION, engine_url
from shuqiao.demo.rosters import DEFAULT_SCALE, DEFAULT_SEED, City

DATA = "SHUQIAO_DEMO_DATA"
MARKET_URL = "SHUQIAO_DEMO_MARKET_URL"
NO_CITY = 3
"""Exit code: there is no demo city (or no database for it) where one was expected."""

app = typer.Typer(help="示范城市 The demo city and its departments.", no_args_is_help=True)

Data = Annotated[
    Path, typer.Option("--data", envvar=DATA, help="数据目录 Folder of the departments' data.", show_default=True)
]
Market = Annotated[
    str,
    typer.Option(
        "--market-url",
        envvar=[MARKET_URL, MARKET_CONNECTION],
        help="市场监管数据库地址 Address of market supervision's database.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")]
Scale = Annotated[int, typer.Option("--scale", envvar=["SHUQIAO_SCALE", "SCALE"], min=1, help="企业数 Enterprises.")]
Seed = Annotated[int, typer.Option("--seed", help="随机种子 Seed.")]
DEFAULT_DATA = Path(".run/demo")


@app.command()
def generate(
    data: Data = DEFAULT_DATA,
    market_url: Market = "",
    scale: Scale = DEFAULT_SCALE,
    seed: Seed = DEFAULT_SEED,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """生成示范城市 Make the demo city (nothing happens if it is there)."""
    city, console = City(seed=seed, scale=scale), Console(stderr=True)
    engine = _engine(market_url)
    with console.status("…") as status:
        made = life.generate(data, engine, city, say=status.update)
    if as_json:
        typer.echo(json.dumps({"seed": seed, "scale": scale, "made": made, "data": str(data)}))
    else:
        done = "已生成 made" if made else "已存在 already there"
        Console().print(f"示范城市 demo city: {scale:,} 户企业 enterprises, {done} ({data})", highlight=False)


@app.command()
def change(
    data: Data = DEFAULT_DATA,
    market_url: Market = "",
    days: Annotated[int, typer.Option(min=1, help="天数 How many days.")] = 1,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """过一天 Let a day of life happen: new enterprises, changes, revocations, deletions, corrections."""
    engine = _engine(market_url)
    try:
        with Console(stderr=True).status("…") as status:
            counts = life.change(data, engine, days=days, say=status.update)
    except FileNotFoundError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_CITY) from None
    _show([asdict(each) for each in counts], as_json=as_json, title="变化 What happened")


@app.command()
def faults(
    scale: Scale = DEFAULT_SCALE,
    seed: Seed = DEFAULT_SEED,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出植入的错误 List the planted faults, with exact numbers."""
    _show(life.fault_table(City(seed=seed, scale=scale)), as_json=as_json, title="植入的错误 Planted faults")


def _engine(market_url: str) -> sa.Engine:
    if not market_url:
        typer.echo(f"set {MARKET_URL} or {MARKET_CONNECTION}, or start the local stack with: shuqiao run", err=True)
        raise typer.Exit(NO_CITY)
    return sa.create_engine(engine_url(market_url), poolclass=sa.NullPool)


def _show(rows: Sequence[dict[str, Any]], *, as_json: bool, title: str) -> None:
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="right" if isinstance(rows[0][name], int) else "left")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
    Console(width=None if os.isatty(1) else 160).print(table)


if __name__ == "__main__":
    app()
