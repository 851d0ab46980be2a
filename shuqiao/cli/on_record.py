"""What is done from a terminal is in the access log before it begins: who did it, on which machine, about whom.

Every command is on record but those that :data:`UNRECORDED` names, each with the reason. So a new command is on record
without its author thinking of it; a test holds the list against the commands that there are.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from registry.domain.audit.entry import Entry

_CHANGES_NOTHING = "不改动任何内容，不显示任何主体的记录 Changes nothing, shows nobody's records"
_TRUST = "公开的证书与公钥 Certificates and keys that are public"
_STARTS = "启动或检查本机，不涉及登记库的内容 Starts or looks at this machine, at nothing in the registry"
_DEPARTMENT = "示范部门自身的数据，不在平台内 The demo departments' own data, outside the hub"
_SOURCE = "只看清单与部门的数据源，样本已脱敏 Looks at manifests and departments' sources only; samples are masked"
UNRECORDED: Mapping[str, str] = {
    "audit archives": _CHANGES_NOTHING,
    "audit checkpoint": _CHANGES_NOTHING,
    "audit keys": _TRUST,
    "audit verify": _CHANGES_NOTHING,
    "batches list": _CHANGES_NOTHING,
    "batches show": _CHANGES_NOTHING,
    "clients list": _CHANGES_NOTHING,
    "clients show": _CHANGES_NOTHING,
    "connectors check": _SOURCE,
    "connectors discover": _SOURCE,
    "connectors list": _SOURCE,
    "connectors show": _SOURCE,
    "credit quality": _CHANGES_NOTHING,
    "datasets": _CHANGES_NOTHING,
    "demo change": _DEPARTMENT,
    "demo faults": _DEPARTMENT,
    "demo generate": _DEPARTMENT,
    "doctor": _STARTS,
    "grants list": _CHANGES_NOTHING,
    "grants report": _CHANGES_NOTHING,
    "grants requests": _CHANGES_NOTHING,
    "grants show": _CHANGES_NOTHING,
    "issuers list": _TRUST,
    "keys check": _CHANGES_NOTHING,
    "keys list": _TRUST,
    "keys show": _TRUST,
    "keys tokens list": _TRUST,
    "licence types": _CHANGES_NOTHING,
    "licence verify": "任何人可核验所持证照 Anyone may verify a licence that they hold; it may run without the hub",
    "migrate": "日志表由它建立 It makes the log's own tables; alembic_version says what it did",
    "run": _STARTS,
    "subscriptions list": _CHANGES_NOTHING,
    "subscriptions show": _CHANGES_NOTHING,
}
"""Commands that are not on record, and why."""
REHEARSAL = "dry_run"
"""A command that is asked only what it would do (``--dry-run``) is not on record: it changes and gives out nothing."""
ASKED = 202
"""The status of an entry from a terminal: taken up. What came of it is in the tables."""
_CODE = re.compile(r"[0-9A-Z]{18}")
_NAME = re.compile(r"[a-z0-9_]{1,63}")


class Recorded(TyperCommand):
    """A command that is on record before it begins; where that cannot be written, it does not begin."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Write the entry, then run the command."""
        name = _name(ctx)
        if name not in UNRECORDED and not ctx.params.get(REHEARSAL):
            _write(name, ctx.params)
        return super().invoke(ctx)


def all_recorded(app: typer.Typer) -> None:
    """Put every command of an application, and of its groups, on record."""
    for command in app.registered_commands:
        command.cls = Recorded
    for group in app.registered_groups:
        if group.typer_instance is not None:
            all_recorded(group.typer_instance)


def who() -> str:
    """The person at the terminal: ``terminal:<user>@<machine>``; who became root by sudo is named beside it."""
    user = _user()
    by = os.environ.get("SUDO_USER", "")
    through = f"({by})" if os.getuid() == 0 and by not in {"", user} else ""
    return f"terminal:{user}{through}@{socket.gethostname()}"


def _write(name: str, parameters: Mapping[str, Any]) -> None:
    from registry.audit import log  # noqa: PLC0415  (help needs none of it)
    from registry.storage.database import connect  # noqa: PLC0415
    from shuqiao.cli import registry  # noqa: PLC0415

    with connect(registry.url(), application="shuqiao-access-log") as connection:
        log.append(connection, [_entry(name, parameters)])


def _entry(name: str, parameters: Mapping[str, Any]) -> Entry:
    import secrets  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415
    from hashlib import sha256  # noqa: PLC0415

    import orjson  # noqa: PLC0415

    from registry.domain.audit.entry import Entry  # noqa: PLC0415

    said = orjson.dumps(dict(parameters), default=str, option=orjson.OPT_SORT_KEYS)
    entities = sorted(set(_enterprises(parameters.values())))
    dataset = parameters.get("dataset")
    return Entry(
        at=datetime.now(UTC),
        action=f"shuqiao {name}",
        status=ASKED,
        client=who(),
        dataset=dataset if isinstance(dataset, str) and _NAME.fullmatch(dataset) else None,
        entity=entities[0] if len(entities) == 1 else None,
        entities=tuple(entities) if len(entities) > 1 else None,
        request_digest=sha256(f"shuqiao {name}\n".encode() + said).digest(),
        trace_id=secrets.token_hex(8),
        process=f"terminal-{os.getpid()}",
    )


def _enterprises(values: Iterable[Any]) -> Iterator[str]:
    """Codes of enterprises among what was asked; those of people do not go into the log."""
    from schemas.identifiers import is_uscc  # noqa: PLC0415

    for value in values:
        if isinstance(value, str):
            yield from filter(is_uscc, _CODE.findall(value))
        elif isinstance(value, (list, tuple)):
            yield from _enterprises(value)


def _name(ctx: typer.Context) -> str:
    names: list[str] = []
    at: Any = ctx
    while at.parent is not None:
        names.append(str(at.info_name))
        at = at.parent
    return " ".join(reversed(names))


def _user() -> str:
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
