"""In which states a subscription is, and for which reasons it rests."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a subscription stands."""

    PENDING = "pending"
    """The receiver has not said yet that it wants to be sent to."""
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class Reason(StrEnum):
    """Why a subscription is paused."""

    OWNER = "owner"
    OPERATOR = "operator"
    CLIENT_REVOKED = "client_revoked"
    GRANT_ENDED = "grant_ended"
    GRANT_NEEDS_PURPOSE = "grant_needs_purpose"
    VERSION_ENDED = "version_ended"
    NOT_VERIFIED = "not_verified"
    RECEIVER_FAILING = "receiver_failing"
    RECEIVER_GONE = "receiver_gone"
    POSITION_LOST = "position_lost"
    SECRET_SEALED = "secret_sealed"  # noqa: S105  (a word)


WORDS: Mapping[Reason, tuple[str, str]] = {
    Reason.OWNER: ("由订阅方暂停", "paused by its owner"),
    Reason.OPERATOR: ("由运营方暂停", "paused by the hub's operator"),
    Reason.CLIENT_REVOKED: ("客户端已被撤销", "the client has been revoked"),
    Reason.GRANT_ENDED: ("授权已撤销或到期", "the grant was revoked or has run out"),
    Reason.GRANT_NEEDS_PURPOSE: (
        "授权要求说明用途或案号，订阅没有", "the grant wants a purpose or case that the subscription does not state",
    ),
    Reason.VERSION_ENDED: (
        "授权所定的数据规范版本已停止提供，须改为现行版本",
        "the grant's version of the schema is not served any more: it has to be moved to the present one",
    ),
    Reason.NOT_VERIFIED: ("接收方没有确认", "the receiver did not agree to be sent to"),
    Reason.RECEIVER_FAILING: ("接收方长时间无法送达", "the receiver could not be reached until the time was up"),
    Reason.RECEIVER_GONE: ("接收方答复 410，不再接收", "the receiver answered 410: it wants no more"),
    Reason.POSITION_LOST: ("位置早于保留的变更，须重新开始", "its position is older than what is kept: begin anew"),
    Reason.SECRET_SEALED: ("签名密钥无法解开", "the secret cannot be unsealed with the hub's master key"),
}  # fmt: skip
