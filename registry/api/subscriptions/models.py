"""The shapes of subscriptions, for the OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from registry.api.models import Answer, with_example

_ID = "sub_0a1b2c3d4e5f60718293a4b5"
_SUBSCRIPTION: dict[str, Any] = {
    "id": _ID,
    "dataset": "legal_entity",
    "url": "https://bank.example.com/shuqiao/events",
    "mode": "single",
    "purpose": None,
    "case_number": None,
    "state": "active",
    "reason": None,
    "created_at": "2026-11-23T05:36:52Z",
    "verified_at": "2026-11-23T05:36:53Z",
    "cursor": "WyJmZWVkIiw4MTIsMTAyNF0",
    "delivered": 1024,
    "delivered_at": "2026-11-23T06:10:11Z",
    "attempts": 0,
    "failing_since": None,
    "next_attempt_at": None,
    "last_error": None,
    "dead_letters": 0,
    "previous_secret_until": None,
    "test": None,
}
_LETTER: dict[str, Any] = {
    "id": 7,
    "change": "812-1024",
    "key": "91310000MA1FL00A0Q",
    "attempts": 5,
    "reason": "422",
    "died_at": "2026-11-23T06:10:11Z",
    "redeliver_at": None,
    "redelivered_at": None,
}
Cursor = Annotated[str, StringConstraints(max_length=200)]


class SubscriptionWanted(BaseModel):
    """Where changes are to be delivered."""

    model_config = with_example(
        dataset="legal_entity", url="https://bank.example.com/shuqiao/events", mode="single", after="end"
    )

    dataset: str = Field(max_length=63, description="Of which dataset; it has to be granted 数据集")
    url: str = Field(max_length=1000, description="https, at a port that the hub allows, not in a private network 地址")
    mode: Literal["single", "batch"] = Field(
        default="single", description="One CloudEvent in a message, or up to 100 单条或批量"
    )
    after: Cursor | None = Field(
        default="end", description="A cursor of the feed; `end`: from now on; null: from the beginning 起点"
    )


class Replay(BaseModel):
    """From where to deliver once more."""

    model_config = with_example(after="WyJmZWVkIiw4MTIsMTAyNF0")

    after: Cursor | None = Field(description="A cursor of the feed; `end`; null: everything that is kept 起点")


class Redelivery(BaseModel):
    """Which dead letters to send once more."""

    model_config = with_example(ids=[7])

    ids: list[Annotated[int, Field(ge=1, lt=1 << 63)]] | None = Field(
        default=None, max_length=1000, description="Left out: all that were not delivered since 死信编号"
    )


class PauseReason(Answer):
    """Why it rests."""

    code: str = Field(description="Stable")
    zh: str
    en: str


class TestResult(Answer):
    """What came of the last test."""

    at: datetime
    result: str = Field(description="The receiver's status, or why there was none")


class Subscription(Answer):
    """A subscription as it stands."""

    model_config = with_example(**_SUBSCRIPTION)

    id: str
    dataset: str
    url: str
    mode: Literal["single", "batch"]
    purpose: str | None = Field(description="As the subscribing request stated it 用途")
    case_number: str | None = Field(description="Likewise 业务编号")
    state: Literal["pending", "active", "paused"] = Field(
        description="pending: the receiver is being asked whether it agrees (OPTIONS) 待确认"
    )
    reason: PauseReason | None
    created_at: datetime
    verified_at: datetime | None
    cursor: str = Field(description="Up to here everything was delivered or is among the dead letters")
    delivered: int = Field(description="Events so far, those that were delivered again counted again")
    delivered_at: datetime | None
    attempts: int = Field(description="Of the message that is being tried again")
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_error: str | None
    dead_letters: int = Field(description="That were not delivered since 死信数")
    previous_secret_until: datetime | None = Field(description="Until then messages bear two signatures")
    test: TestResult | None


class NewSubscription(Subscription):
    """A subscription with its secret, which is shown this once."""

    model_config = with_example(
        **_SUBSCRIPTION | {"state": "pending", "verified_at": None, "delivered": 0, "delivered_at": None},
        secret="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",  # noqa: S106  (an example)
    )

    secret: str = Field(description="Signatures are verified with it (Standard Webhooks); shown this once 签名密钥")


class SubscriptionList(Answer):
    """The client's subscriptions, the oldest first."""

    model_config = with_example(subscriptions=[_SUBSCRIPTION])

    subscriptions: list[Subscription]


class DeadLetter(Answer):
    """A change that the receiver did not take. What was in it is kept nowhere but in the feed."""

    id: int
    change: str = Field(description="The event's id")
    key: str
    attempts: int
    reason: str = Field(description="What came of the last attempt")
    died_at: datetime
    redeliver_at: datetime | None = Field(description="It is about to be sent once more")
    redelivered_at: datetime | None


class DeadLetterPage(Answer):
    """Dead letters in the order in which they were given up."""

    model_config = with_example(dead_letters=[_LETTER], next=None)

    dead_letters: list[DeadLetter]
    next: str | None


class RedeliveryBegun(Answer):
    """How many dead letters are about to be sent once more."""

    model_config = with_example(redelivering=7)

    redelivering: int
