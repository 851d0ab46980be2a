"""What commands do to licences: export a form, make and revoke copies, correct. With the master key's help."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg

from registry.domain.licences.loading import LicenceTypeError
from registry.licences import copies, corrections, forms, reading
from registry.licences.copies import Copy
from registry.licences.desk import CHINA
from registry.licences.errors import LicenceServiceError, LicenceUnknown
from registry.licences.keys import KeyNotActive, KeyRing, KeysError
from registry.signing.master_key import MasterKeyError
from registry.storage.database import connect
from shuqiao import master_key, settings
from shuqiao.cli import registry
from shuqiao.cli.exit_codes import ExitCode
from shuqiao.cli.failures import Failure, usage
from shuqiao.cli.licences import FORMS
from shuqiao.licence_types import licence_types

Result = TypeVar("Result")


@contextmanager
def explained() -> Iterator[None]:
    """Errors of licences, keys and licence types become what a person is told."""
    try:
        yield
    except LicenceUnknown as error:
        raise usage(f"{error.zh} {error.en}", "shuqiao licence list") from error
    except LicenceServiceError as error:
        raise Failure(ExitCode.FAILED, f"{error.zh} {error.en}") from error
    except MasterKeyError as error:
        raise Failure(ExitCode.MISCONFIGURED, str(error)) from error
    except KeysError as error:
        raise Failure(ExitCode.MISCONFIGURED, str(error), "shuqiao keys list") from error
    except LicenceTypeError as error:
        raise Failure(ExitCode.MISCONFIGURED, f"证照类型有误 wrong licence type\n{error}") from error


def exported(identifier: str, form: str) -> bytes:
    """A form of a licence. Raises Failure."""
    if form not in FORMS:
        raise usage(f"没有这种形式 no such form: {form}", f"expected one of {', '.join(FORMS)}", place="--form")
    name = cast("forms.Form", form.replace("-", "_"))

    def work(connection: psycopg.Connection) -> bytes:
        types = licence_types()
        licence = reading.licence(connection, identifier, types)
        return forms.form(connection, licence.id, name, _keys(connection), types, base=_base(), now=datetime.now(UTC))

    return _done(work)


def copied(identifier: str, client: str, requested_by: str, cause: str, until: datetime) -> Copy:
    """A new annotated copy that is good until the end of a day in China. Raises Failure."""
    ends = datetime.combine(until.date(), time(23, 59, 59), CHINA)

    def work(connection: psycopg.Connection) -> Copy:
        if connection.execute("SELECT FROM registry.client WHERE id = %s", (client,)).fetchone() is None:
            raise usage(f"没有客户端 there is no client {client}", "shuqiao clients list", place="--client")
        return copies.make(
            connection,
            identifier,
            client,
            requested_by,
            cause,
            ends,
            keys=_keys(connection),
            types=licence_types(),
            base=_base(),
            now=datetime.now(UTC),
        )

    return _done(work)


def copy_revoked(copy_id: str, by: str) -> Copy:
    """A copy that is revoked now, or was before. Raises Failure."""

    def work(connection: psycopg.Connection) -> Copy:
        copies.revoke(connection, copy_id, by, keys=_keys(connection), base=_base(), now=datetime.now(UTC))
        return copies.one(connection, copy_id)

    return _done(work)


def corrected(identifier: str, reason: str, by: str) -> str:
    """The identifier of the version that supersedes a wrong licence. Raises Failure."""

    def work(connection: psycopg.Connection) -> str:
        return corrections.correct(
            connection,
            identifier,
            reason,
            by,
            keys=_keys(connection),
            types=licence_types(),
            base=_base(),
            now=datetime.now(UTC),
        )

    return _done(work)


def as_document(made: Copy) -> dict[str, Any]:
    """A copy as JSON has it, without its bytes."""
    return {
        "id": made.id,
        "licence": made.identifier,
        "client": made.client_id,
        "requested_by": made.requested_by,
        "cause": made.cause,
        "created_at": made.created_at,
        "valid_until": made.valid_until,
        "revoked_at": made.revoked_at,
        "revoked_by": made.revoked_by,
        "verification": f"{_base()}/verify/copies/{made.id}",
    }


def write(body: bytes, file: Path) -> None:
    """To a file, whole or not at all; to stdout for ``-``. Raises Failure."""
    if str(file) == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.flush()
        return
    unfinished = file.with_name(f".{file.name}.part")
    try:
        unfinished.write_bytes(body)
        unfinished.replace(file)
    except OSError as error:
        raise usage(f"无法写入 cannot write: {error.strerror}", place=str(file)) from error


def _done(work: Callable[[psycopg.Connection], Result]) -> Result:
    """The work on a connection; once more if a key was rotated meanwhile."""
    with explained(), connect(registry.url()) as connection:
        try:
            return work(connection)
        except KeyNotActive:
            return work(connection)


def _keys(connection: psycopg.Connection) -> KeyRing:
    return KeyRing.load(connection, master_key.load())


def _base() -> str:
    return settings.public_url(settings.read())
