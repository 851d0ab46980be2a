"""Subscriptions 订阅: changes delivered to a client's own address. Each client sees and changes its own only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar

import psycopg
from fastapi import APIRouter, Path, Request, Response

from registry.api.access.security import Caller, Granted, KnownClient, expect_purpose, expect_stated, granted
from registry.api.grants.purpose import AccessPurpose, CaseNumber, given
from registry.api.grants.versions import announce
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
from registry.delivery import feed, subscriptions
from registry.delivery.subscriptions import DeadLetter, NoSubscription, Subscription, SubscriptionError
from registry.domain.delivery import addresses
from registry.domain.delivery.addresses import AddressRefused
from registry.domain.delivery.states import WORDS
from registry.signing.master_key import MasterKey
from registry.storage.reads import changes
from registry.storage.reads.changes import Position, PositionLost
from registry.storage.reads.datasets import DatasetState

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
    known = await _dataset(request, wanted.dataset)
    announce(request, known, grant)
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
    found = await _one(request, caller, made)
    headers = {"Location": f"{request.url.path}/{made}"}
    return answer({**_shown(found), "secret": secret}, status=201, headers=headers)


@router.get("", response_model=models.SubscriptionList)
async def listed(request: Request, caller: KnownClient) -> Response:
    """The client's subscriptions. 订阅列表."""
    found = await _on_database(request, lambda it: subscriptions.listed(it, caller.client_id))
    return answer({"subscriptions": [_shown(each) for each in found if caller.manages(each.dataset)]})


@router.get("/{subscription}", response_model=models.Subscription)
async def shown(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """One subscription: how far it is, and what is wrong. 单个订阅."""
    return answer(_shown(await _one(request, caller, subscription)))


@router.delete("/{subscription}", status_code=204, response_class=Response)
async def end(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """End it for good. 取消订阅."""
    await _on_own(request, caller, subscription, subscriptions.end)
    return Response(status_code=204)


@router.post("/{subscription}/pause", response_model=models.Subscription)
async def pause(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Deliver nothing until it is resumed; nothing is lost meanwhile. 暂停."""
    await _on_own(request, caller, subscription, subscriptions.pause)
    return answer(_shown(await _one(request, caller, subscription)))


@router.post("/{subscription}/resume", response_model=models.Subscription)
async def resume(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Go on where it stopped; the receiver is asked again whether it agrees. 恢复."""
    await _on_own(request, caller, subscription, subscriptions.resume)
    return answer(_shown(await _one(request, caller, subscription)))


@router.post("/{subscription}/replay", response_model=models.Subscription)
async def replay(request: Request, caller: KnownClient, subscription: Id, wanted: models.Replay) -> Response:
    """Deliver once more from a place in the feed; ids are those of the first time. 重放."""
    await _expect_grant(request, caller, subscription)
    start = await _start(request, wanted.after)
    await _on_own(request, caller, subscription, partial(subscriptions.replay, position=start))
    return answer(_shown(await _one(request, caller, subscription)))


@router.post("/{subscription}/test", response_model=models.Subscription, status_code=202)
async def test(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """Send an event that tells nothing (`shuqiao.subscription.test`); `test` says in a moment what came of it. 测试."""
    await _on_own(request, caller, subscription, subscriptions.request_test)
    return answer(_shown(await _one(request, caller, subscription)), status=202)


@router.post("/{subscription}/secret", response_model=models.NewSubscription)
async def new_secret(request: Request, caller: KnownClient, subscription: Id) -> Response:
    """A new secret, shown once. For 24 hours messages are signed with the old one too. 更换签名密钥."""
    key = _master_key(request)
    secret = await _on_own(request, caller, subscription, partial(subscriptions.new_secret, master_key=key))
    return answer({**_shown(await _one(request, caller, subscription)), "secret": secret})


@router.get("/{subscription}/dead-letters", response_model=models.DeadLetterPage)
async def dead_letters(
    request: Request, caller: KnownClient, subscription: Id, after: After = None, limit: Limit = 100
) -> Response:
    """What the receiver did not take, as far as the present grant shows it. 死信."""
    by = await _expect_grant(request, caller, subscription)
    query = digest("dead letters", subscription)
    start = 0 if after is None else page_position(after, query, int)[0]
    found = await _on_own(
        request, caller, subscription, partial(subscriptions.dead_letters, after=start, limit=limit + 1)
    )
    more = page_cursor(query, [found[limit - 1].id]) if len(found) > limit else None
    told = await _told(request, by, found[:limit])
    return answer({"dead_letters": [asdict(each) for each in told], "next": more})


@router.post("/{subscription}/dead-letters/redeliver", response_model=models.RedeliveryBegun, status_code=202)
async def redeliver(request: Request, caller: KnownClient, subscription: Id, wanted: models.Redelivery) -> Response:
    """Send dead letters once more, as the present grant shows them. 重投死信."""
    await _expect_grant(request, caller, subscription)
    count = await _on_own(request, caller, subscription, partial(subscriptions.redeliver, letters=wanted.ids))
    return answer({"redelivering": count}, status=202)


async def _one(request: Request, caller: Caller, subscription: str) -> Subscription:
    return await _on_own(request, caller, subscription, subscriptions.one)


async def _on_own(request: Request, caller: Caller, subscription: str, work: Callable[..., Result]) -> Result:
    """``work(connection, subscription=, owner=)``, for one that the token manages: any other looks as if not there."""

    def checked(connection: psycopg.Connection) -> Result:
        found = subscriptions.one(connection, subscription, caller.client_id)
        if not caller.manages(found.dataset):
            raise NoSubscription(subscription)
        return work(connection, subscription=subscription, owner=caller.client_id)

    return await _on_database(request, checked)


async def _expect_grant(request: Request, caller: Caller, subscription: str) -> Granted:
    """By what changes may be told or sent once more to a subscription now. Raises Problem."""
    found = await _one(request, caller, subscription)
    grant = granted(caller, found.dataset)
    expect_stated(grant, found.purpose, found.case_number)
    dataset = await _dataset(request, found.dataset)
    announce(request, dataset, grant)
    return Granted.of(dataset, grant)


async def _dataset(request: Request, name: str) -> DatasetState:
    found = (await state_of(request).datasets()).get(name)
    if found is None:
        raise Problem(NOT_FOUND, f"没有数据集 {name}。", f"There is no dataset {name}.")
    return found


async def _told(request: Request, by: Granted, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
    """Those of dead letters whose changes a grant tells of."""
    if not by.grant.rows or not letters:
        return letters
    state, number = state_of(request), by.dataset.id
    by.view(state)  # rows of another version are known only where there are both schemas
    places = [Position(*map(int, each.change.split("-"))) for each in letters]
    rows = await changes.chosen(state.pool, places, [number], partly=[number])
    told = {f"{row['xid']}-{row['seq']}" for row in rows if feed.tells(row, by.grant)}
    return [each for each in letters if each.change in told]


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
