"""Subscriptions 订阅: changes delivered to a client's own address. Each client sees and changes its own only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar

import psycopg
from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import KnownClient, expect_purpose, granted
from registry.api.grants.purpose import AccessPurpose, CaseNumber, given
from registry.api.paging import cursor as page_cursor
from registry.api.paging import digest
from registry.api.paging import position as page_position
from registry.api.parameters import After, Limit
from registry.api.problems import (
    CURSOR_TOO_OLD,
    INVALID_BODY,
    NOT_FOUND,
    SIGNING_UNAVAILABLE,
    SUBSCRIPTION_REFUSED,
    Problem,
    parameter_error,
)
from registry.api.representations import answer
from registry.api.routes.changes import cursor, position
from registry.api.state import state_of
from registry.api.subscriptions import models
from registry.delivery import subscriptions
from registry.delivery.subscriptions import NoSubscription, Subscription, SubscriptionError
from registry.domain.delivery import addresses
from registry.domain.delivery.addresses import AddressRefused
from registry.domain.delivery.states import WORDS
from registry.signing.master_key import MasterKey
from registry.storage.reads import changes
from registry.storage.reads.changes import Position, PositionLost

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])

Result = TypeVar("Result")
Id = Annotated[str, Path(max_length=100, description="订阅编号", examples=["sub_0a1b2c3d4e5f60718293a4b5"])]


@router.post("", response_model=models.NewSubscription, status_code=201)
async def subscribe(
    request: Request,
    caller: KnownClient,
    wanted: models.SubscriptionWanted,
    access_purpose: AccessPurpose = None,
    case_number: CaseNumber = None,
) -> Response:
    """Subscribe to a granted dataset. The receiver is asked (OPTIONS) whether it agrees; the secret is shown once.

    Where the grant wants a purpose or a case number, this request states them for everything that is delivered. 订阅.
    """
    del access_purpose, case_number  # read where they are checked
    grant = granted(caller, wanted.dataset)
    expect_purpose(request, grant)
    purpose, number = given(request.headers)
    known = (await state_of(request).datasets()).get(wanted.dataset)
    if known is None:
        raise Problem(NOT_FOUND, f"没有数据集 {wanted.dataset}。", f"There is no dataset {wanted.dataset}.")
    _expect_address(request, wanted.url)
    start = await _start(request, wanted.after)
    made, secret = await _on_database(
        request,
        partial(
            subscriptions.enter,
            master_key=_master_key(request),
            client=caller.client_id,
            dataset_id=known.id,
            url=wanted.url,
            position=start,
            batch=wanted.mode == "batch",
            purpose=purpose,
            case_number=number,
        ),
    )
    found = await _one(request, made, caller.client_id)
    headers = {"Location": f"{request.url.path}/{made}"}
    return answer({**_shown(found), "secret": secret}, status=201, headers=headers)


@router.get("", response_model=models.SubscriptionList)
async def listed(request: Request, caller: KnownClient) -> Response:
    """The client's subscriptions. 订阅列表."""
    found = await _on_database(request, lambda it: subscriptions.listed(it, caller.client_id))
    return answer({"subscriptions": [_shown(each) for each in found]})


@router.get("/{subscription}", response_model=models.Subscription)
async def shown(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """One subscription: how far it is, and what is wrong. 单个订阅."""
    return answer(_shown(await _one(request, subscription, caller.client_id)))


@router.delete("/{subscription}", status_code=204, response_class=Response)
async def end(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """End it for good. 取消订阅."""
    await _on_database(request, lambda it: subscriptions.end(it, subscription, caller.client_id))
    return Response(status_code=204)


@router.post("/{subscription}/pause", response_model=models.Subscription)
async def pause(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Deliver nothing until it is resumed; nothing is lost meanwhile. 暂停."""
    await _on_database(request, lambda it: subscriptions.pause(it, subscription, caller.client_id))
    return answer(_shown(await _one(request, subscription, caller.client_id)))


@router.post("/{subscription}/resume", response_model=models.Subscription)
async def resume(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Go on where it stopped; the receiver is asked again whether it agrees. 恢复."""
    await _on_database(request, lambda it: subscriptions.resume(it, subscription, caller.client_id))
    return answer(_shown(await _one(request, subscription, caller.client_id)))


@router.post("/{subscription}/replay", response_model=models.Subscription)
async def replay(request: Request, caller: KnownClient, subscription: Id, wanted: models.Replay) -> Response:
    """Deliver once more from a place in the feed; ids are those of the first time. 重放."""
    start = await _start(request, wanted.after)
    await _on_database(request, lambda it: subscriptions.replay(it, subscription, start, caller.client_id))
    return answer(_shown(await _one(request, subscription, caller.client_id)))


@router.post("/{subscription}/test", response_model=models.Subscription, status_code=202)
async def test(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Send an event that tells nothing (`shuqiao.subscription.test`); `test` says in a moment what came of it. 测试."""
    await _on_database(request, lambda it: subscriptions.request_test(it, subscription, caller.client_id))
    return answer(_shown(await _one(request, subscription, caller.client_id)), status=202)


@router.post("/{subscription}/secret", response_model=models.NewSubscription)
async def new_secret(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """A new secret, shown once. For 24 hours messages are signed with the old one too. 更换签名密钥."""
    key = _master_key(request)
    secret = await _on_database(request, lambda it: subscriptions.new_secret(it, key, subscription, caller.client_id))
    return answer({**_shown(await _one(request, subscription, caller.client_id)), "secret": secret})


@router.get("/{subscription}/dead-letters", response_model=models.DeadLetterPage)
async def dead_letters(
    request: Request, caller: KnownClient, subscription: Id, after: After = None, limit: Limit = 100
) -> Response:
    """What the receiver did not take. 死信."""
    query = digest("dead letters", subscription)
    start = 0 if after is None else page_position(after, query, int)[0]
    found = await _on_database(
        request, lambda it: subscriptions.dead_letters(it, subscription, start, limit + 1, caller.client_id)
    )
    more = page_cursor(query, [found[limit - 1].id]) if len(found) > limit else None
    return answer({"dead_letters": [asdict(each) for each in found[:limit]], "next": more})


@router.post("/{subscription}/dead-letters/redeliver", response_model=models.RedeliveryBegun, status_code=202)
async def redeliver(request: Request, caller: KnownClient, subscription: Id, wanted: models.Redelivery) -> Response:
    """Send dead letters once more, as the present grant shows them. 重投死信."""
    count = await _on_database(
        request, lambda it: subscriptions.redeliver(it, subscription, wanted.ids, caller.client_id)
    )
    return answer({"redelivering": count}, status=202)


async def _one(request: Request, subscription: str, owner: str) -> Subscription:
    return await _on_database(request, lambda it: subscriptions.one(it, subscription, owner))


async def _on_database(request: Request, work: Callable[[psycopg.Connection], Result]) -> Result:
    """Raises Problem for what cannot be done."""
    try:
        return await state_of(request).licensing.write(work)
    except NoSubscription as error:
        raise Problem(NOT_FOUND, f"{error.zh}。", f"{error.en[0].upper()}{error.en[1:]}.") from error
    except SubscriptionError as error:
        members = {"reason": error.code}
        raise Problem(
            SUBSCRIPTION_REFUSED, f"{error.zh}。", f"{error.en[0].upper()}{error.en[1:]}.", members=members
        ) from error


async def _start(request: Request, after: str | None) -> Position | None:
    """The place in the feed that a client names. Raises Problem where nobody can go on from there."""
    start = position(after)
    if start is not None:
        try:
            await changes.after(state_of(request).pool, start, [], 0)
        except PositionLost as error:
            raise Problem(CURSOR_TOO_OLD) from error
    return start


def _expect_address(request: Request, url: str) -> None:
    try:
        addresses.parse(url, state_of(request).settings.receivers)
    except AddressRefused as error:
        errors = [parameter_error("url", f"{error.zh}。", error.en, where="body")]
        raise Problem(
            INVALID_BODY, f"{error.zh}。", f"The address cannot be used: {error.en}.", errors=errors
        ) from error


def _master_key(request: Request) -> MasterKey:
    found = state_of(request).settings.master_key
    if found is None:
        raise Problem(SIGNING_UNAVAILABLE)
    return found


def _shown(found: Subscription) -> dict[str, Any]:
    content = {
        name: getattr(found, name)
        for name in (
            "id", "dataset", "url", "purpose", "case_number", "state", "created_at", "verified_at", "delivered",
            "delivered_at", "attempts", "failing_since", "next_attempt_at", "last_error", "dead_letters",
            "previous_secret_until",
        )
    }  # fmt: skip
    reason = found.reason and dict(zip(("code", "zh", "en"), (found.reason, *WORDS[found.reason]), strict=True))
    test = None if found.tested_at is None else {"at": found.tested_at, "result": found.test_result}
    mode = "batch" if found.batch else "single"
    return {**content, "mode": mode, "reason": reason, "cursor": cursor(found.position), "test": test}
