"""What the person who starts the stack sees: steps, runs on their way, the summary. Plain lines when nobody watches."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from registry.domain.batches import BatchReport
from registry.licences.progress import TypeCount
from shuqiao.stack.credit import Example, Kept

_MARKS = {"success": ("✓", "green"), "failed": ("✗", "red")}
_COUNTED = ("pulled", "accepted", "refused", "new", "changed", "unchanged", "deleted")
_COUNTED_ZH = ("读取", "合格", "退回", "新增", "变更", "未变", "删除")


@dataclass(frozen=True, slots=True)
class RunState:
    """One connector's run, as far as it is."""

    connector: str
    state: str
    done: int
    tasks: int
    seconds: float


class Show:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, zh: str, en: str) -> Iterator[None]:
        """One step: a spinner while it lasts, then a line with the seconds it took."""
        began = time.monotonic()
        title = f"{zh} / {en}"
        if self.console.is_terminal:
            with self.console.status(title):
                yield
        else:
            self.console.print(f"· {title}", highlight=False)
            yield
        seconds = time.monotonic() - began
        if self.console.is_terminal or seconds >= 1:
            self.console.print(f"[green]✓[/green] {title}  [dim]{seconds:.1f} s[/dim]", highlight=False)

    def line(self, text: str, style: str = "") -> None:
        """One line."""
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def runs(self) -> Iterator[Runs]:
        """The connectors' runs, side by side."""
        if self.console.is_terminal:
            with Live(console=self.console, refresh_per_second=8, transient=True) as live:
                yield Runs(self.console, live)
        else:
            yield Runs(self.console, None)

    def summary(self, reports: Mapping[str, BatchReport | None]) -> None:
        """The table: what each connector brought."""
        table = Table(title="各连接器 / connectors", title_justify="left")
        table.add_column("连接器\nconnector", no_wrap=True)
        for zh, en in zip(_COUNTED_ZH, _COUNTED, strict=True):
            table.add_column(f"{zh}\n{en}", justify="right", no_wrap=True)
        table.add_column("秒\nseconds", justify="right", no_wrap=True)
        table.add_column("状态\nstate", no_wrap=True)
        for connector, report in reports.items():
            table.add_row(connector, *_cells(report))
        self.console.print(table)

    def licences(self, counts: Sequence[TypeCount]) -> None:
        """The table: how many e-licences of each type there are."""
        table = Table(title="电子证照 / e-licences", title_justify="left")
        table.add_column("证照类型\ntype", no_wrap=True)
        for zh, en in (("有效", "valid"), ("暂扣", "suspended"), ("已失效", "ended"), ("未签发", "refused")):
            table.add_column(f"{zh}\n{en}", justify="right", no_wrap=True)
        for each in counts:
            numbers = (each.valid, each.suspended, each.ended, each.refused)
            table.add_row(f"{each.title_zh} {each.type}", *(f"{number:,}" for number in numbers))
        self.console.print(table)

    def credit(self, kept: Kept, example: Example | None) -> None:
        """What is kept of enterprises, and the table: one of them, with its report and its grade."""
        counts = (
            (kept.discrepancies, "部门间不一致 discrepancies"),
            (kept.findings, "双公示问题 findings"),
            (kept.matched, "按规则归集 matched"),
            (kept.candidates, "待人工确认 candidates"),
            (kept.evaluated, "已评价企业 evaluated"),
        )
        self.line("公共信用 / public credit: " + "，".join(f"{title} {number:,}" for number, title in counts))
        if example is not None:
            self.console.print(_credit_table(example))


class Runs:
    """Redraws the runs where somebody watches; elsewhere says a line when one ends."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self._console = console
        self._live = live
        self._said: set[str] = set()
        self._spinner = Spinner("dots")

    def update(self, states: Sequence[RunState]) -> None:
        """Show the states of now."""
        if self._live is not None:
            self._live.update(self._grid(states))
        for each in states:
            if each.state in _MARKS and each.connector not in self._said:
                self._said.add(each.connector)
                mark, colour = _MARKS[each.state]
                line = f"  [{colour}]{mark}[/{colour}] {each.connector}  [dim]{each.seconds:.1f} s[/dim]"
                self._console.print(line, highlight=False)

    def _grid(self, states: Sequence[RunState]) -> Table:
        grid = Table.grid(padding=(0, 1))
        for each in states:
            if each.state not in _MARKS:
                steps = f"{each.done}/{each.tasks}" if each.tasks else each.state
                grid.add_row(self._spinner, each.connector, Text(f"{steps}  {each.seconds:.0f} s", style="dim"))
        return grid


def _credit_table(example: Example) -> Table:
    table = Table(title="企业信用档案 / an enterprise's credit file", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("企业 enterprise", f"{example.name}  {example.uscc}  {example.status}")
    table.add_row("评价 grade", "\n".join(example.evaluations) or "-")
    for each in example.classes:
        shown = f"{each.departments} 条 records，公示 public {each.public}"
        table.add_row(f"{each.title_zh} {each.title_en}", shown)
    table.add_row("措施 measures", "\n".join(example.measures) or "-")
    table.add_row("数据差异 discrepancies", "\n".join(example.discrepancies) or "-")
    return table


def _cells(report: BatchReport | None) -> list[str]:
    if report is None:
        return ["-"] * (len(_COUNTED) + 1) + ["[red]没有批次 no batch[/red]"]
    colour = "green" if report.state == "published" else "red"
    counts = [f"{getattr(report.counts, name):,}" for name in _COUNTED]
    return [*counts, f"{report.seconds:.1f}", f"[{colour}]{report.state}[/{colour}]"]
