"""``shuqiao subscriptions``: where changes are delivered, what is wrong there, and an operator's hand on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shuqiao.cli.options import AsJson, examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.delivery.subscriptions import Subscription

app = typer.Typer(
    help="订阅推送 Where changes are delivered by webhook. Clients enter them: docs/subscriptions.md.",
    no_args_is_help=True,
)
Id = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="订阅编号 The subscription's id.")]


@app.command("list", epilog=examples("shuqiao subscriptions list", "shuqiao subscriptions list --paused --json"))
def list_(
    client: Annotated[str | None, typer.Option("--client", help="客户端编号 Of this client only.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="仅暂停的 Only those that are paused.")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出订阅 Every subscription: how far it is, what is wrong."""
    from registry.delivery import subscriptions  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    found = [each for each in _on_registry(subscriptions.listed, client) if not paused or each.state == "paused"]
    if as_json:
        output.json_document([_content(each) for each in found])
        return
    output.table(
        "订阅 Subscriptions",
        ["订阅 subscription", "客户端 client", "资源 of", "状态 state", "已推送 delivered", "死信 dead"],
        ((each.id, each.client, each.dataset, each.state, each.delivered, each.dead_letters) for each in found),
        right=("已推送 delivered", "死信 dead"),
        empty="没有订阅 no subscription",
    )
    for each in found:
        if wrong := _wrong(each):
            output.note(f"{each.id}: {wrong}")


@app.command(epilog=examples("shuqiao subscriptions show sub_0a1b2c3d4e5f60718293a4b5"))
def show(subscription: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """查看订阅 One subscription."""
    from registry.delivery import subscriptions  # noqa: PLC0415

    _show(_on_registry(subscriptions.one, subscription), as_json=as_json)


@app.command(epilog=examples("shuqiao subscriptions pause sub_0a1b2c3d4e5f60718293a4b5"))
def pause(subscription: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """暂停推送 Deliver nothing until an operator resumes it; nothing is lost meanwhile."""
    from registry.delivery import subscriptions  # noqa: PLC0415

    _on_registry(subscriptions.pause, subscription)
    _show(_on_registry(subscriptions.one, subscription), as_json=as_json)


@app.command(epilog=examples("shuqiao subscriptions resume sub_0a1b2c3d4e5f60718293a4b5"))
def resume(subscription: Id, as_json: AsJson = False) -> None:  # noqa: FBT002
    """恢复推送 Go on where it stopped; the receiver is asked again whether it agrees."""
    from registry.delivery import subscriptions  # noqa: PLC0415

    _on_registry(subscriptions.resume, subscription)
    _show(_on_registry(subscriptions.one, subscription), as_json=as_json)


@app.command("dead-letters", epilog=examples("shuqiao subscriptions dead-letters sub_0a1b2c3d4e5f60718293a4b5"))
def dead_letters(
    subscription: Id,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="最多 At most so many.")] = 100,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """列出死信 What the receiver did not take: which changes, never what was in them."""
    from registry.delivery import subscriptions  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    found = _on_registry(subscriptions.dead_letters, subscription, 0, limit)
    if as_json:
        output.json_document([asdict(each) for each in found])
        return
    output.table(
        "死信 Dead letters",
        ["编号 id", "变更 change", "主键 key", "次数 times", "原因 reason", "时间 since", "已重投 redelivered"],
        (
            (each.id, each.change, each.key, each.attempts, each.reason, each.died_at, each.redelivered_at)
            for each in found
        ),
        empty="没有死信 no dead letter",
    )


@app.command(epilog=examples("shuqiao subscriptions redeliver sub_0a1b2c3d4e5f60718293a4b5"))
def redeliver(
    subscription: Id,
    letters: Annotated[list[int] | None, typer.Option("--id", help="死信编号 Only this one; repeat for more.")] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """重投死信 Send dead letters once more, as the client's present grant shows them."""
    from registry.delivery import subscriptions  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    count = _on_registry(subscriptions.redeliver, subscription, letters)
    if as_json:
        output.json_document({"redelivering": count})
    else:
        output.console().print(f"将重投 to be sent once more: {count}")


def _on_registry(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something with subscriptions as the operator. Raises Failure for what cannot be done."""
    from registry.delivery.subscriptions import SubscriptionError  # noqa: PLC0415
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415
    from shuqiao.cli.failures import usage  # noqa: PLC0415

    try:
        with connect(registry.url()) as connection:
            return work(connection, *arguments)
    except SubscriptionError as error:
        raise usage(f"{error.zh} {error.en}", "shuqiao subscriptions list") from None


def _wrong(found: Subscription) -> str | None:
    """Why it is paused, else what went wrong last."""
    from registry.domain.delivery.states import WORDS  # noqa: PLC0415

    return " ".join(WORDS[found.reason]) if found.reason else found.last_error


def _content(found: Subscription) -> dict[str, Any]:
    content = asdict(found)
    content["position"] = f"{found.position.xid}-{found.position.seq}"
    return content


def _show(found: Subscription, *, as_json: bool) -> None:
    from registry.domain.delivery.states import WORDS  # noqa: PLC0415
    from shuqiao.cli import output  # noqa: PLC0415

    if as_json:
        output.json_document(_content(found))
        return
    output.pairs(
        f"订阅 Subscription {found.id}",
        {
            "客户端 client": found.client,
            "资源 dataset": found.dataset,
            "地址 url": found.url,
            "状态 state": found.state,
            "原因 reason": found.reason and " ".join(WORDS[found.reason]),
            "已推送 delivered": found.delivered,
            "最近推送 last": found.delivered_at,
            "重试次数 attempts": found.attempts,
            "失败起于 failing since": found.failing_since,
            "下次重试 next attempt": found.next_attempt_at,
            "最近错误 last error": found.last_error,
            "死信 dead letters": found.dead_letters,
        },
    )
