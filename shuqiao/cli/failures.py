"""Errors as a person meets them: one message with place, cause and remedy, an exit code, and never a secret.

Commands let the errors of the hub pass; :func:`explained` knows what each means to the caller. What it does not know is
a fault of ours: it is named without a traceback, which ``--debug`` shows.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from shuqiao.cli.exit_codes import ExitCode

_PASSWORD_IN_ADDRESS = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]+@", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"(?P<name>\b(?:password|passwd|secret|token|api_key|apikey|private_key|client_secret)\b[\"']?\s*[=:]\s*)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&)}]+)",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 4
"""Shorter passwords are not looked for in texts: they would take away half of every sentence."""
_OF_REGISTRY = {
    ExitCode.FAILED: (
        ("registry.intake.errors", "IntakeError"),
        ("registry.api.clients.clients", "ClientError"),
        ("registry.licences.keys", "KeysError"),
        ("registry.licences.errors", "LicenceServiceError"),
        ("registry.domain.credit.cases", "CreditRefused"),
        ("registry.domain.grants.terms", "GrantError"),
        ("registry.audit.archive", "ArchiveRefused"),
        ("registry.audit.checkpoints", "LogAltered"),
        ("registry.audit.notes", "NotSigned"),
    ),
    ExitCode.USAGE: (
        ("registry.licences.issuers", "IssuerError"),
        ("registry.audit.notes", "LogKeyMalformed"),
        ("registry.domain.audit.checkpoint", "CheckpointMalformed"),
        ("registry.domain.audit.export", "ExportMalformed"),
    ),
    ExitCode.MISCONFIGURED: (
        ("registry.signing.master_key", "MasterKeyError"),
        ("registry.sealing.errors", "PersonalKeysError"),
        ("registry.signing.sm2", "Sm2Missing"),
        ("registry.domain.credit.rule_files", "RuleFileError"),
        ("registry.domain.credit.case_rules", "NoCaseRules"),
    ),
}
"""Module and name of errors whose text says what to do, by the code that they end with."""


@dataclass(eq=False)
class Failure(Exception):  # noqa: N818  (what a person is told, not a class of faults)
    """Why a command ends without having done its work."""

    code: ExitCode
    cause: str
    remedy: str = ""
    place: str = ""
    """The file and line, the connector, the server: where it went wrong."""

    def text(self) -> str:
        """For people: the place and the cause, then what to do."""
        head = f"{self.place}: {self.cause}" if self.place else self.cause
        return f"{head}\n    → {self.remedy}" if self.remedy else head


def usage(cause: str, remedy: str = "", *, place: str = "") -> Failure:
    """The person named something that is not there, or in a form that cannot be read."""
    return Failure(ExitCode.USAGE, cause, remedy, place)


def unknown(zh: str, en: str, name: str, known: Iterable[str], look: str) -> tuple[str, str]:
    """Cause and remedy for a name that nobody knows, with the likely slip of the pen."""
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    guess = f"是否指 did you mean {' / '.join(close)}? " if close else ""
    return f"没有{zh} {name} there is no {en} {name!r}", f"{guess}{look}"


def explained(error: BaseException, *, place: str = "") -> Failure:
    """What an error means to the caller of a command."""
    if isinstance(error, Failure):
        return error
    return _known(error, place) or Failure(
        ExitCode.UNEXPECTED,
        f"程序内部错误 unexpected fault: {type(error).__name__}: {_first_line(error)}",
        "加 --debug 查看详情；请附上输出反馈 run it again with `shuqiao --debug …` and report what it prints",
        place,
    )


def show(failure: Failure, *, as_json: bool) -> None:
    """Tell on stderr; with ``--json`` as one line of JSON."""
    if as_json:
        told = {"error": {name: _plain(text) for name, text in asdict(failure).items() if text}}
        sys.stderr.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"✗ {redacted(failure.text())}\n")


def show_traceback(error: BaseException) -> None:
    """For ``--debug``: the whole way to the error, without secrets."""
    sys.stderr.write(redacted("".join(traceback.format_exception(error))))


def redacted(text: str) -> str:
    """The text without the passwords that this process knows of (registry, connections), or that look like one."""
    for secret in _known_secrets():
        text = text.replace(secret, "***")
    text = _PASSWORD_IN_ADDRESS.sub(r"\g<before>:***@", text)
    return _NAMED_SECRET.sub(r"\g<name>***", text)


def _plain(value: object) -> object:
    return redacted(value) if isinstance(value, str) else value


def _known(error: BaseException, place: str) -> Failure | None:
    """By the caller's next move. Each family is looked up only if its module was imported: else nothing raised it."""
    for explain in (_of_connectors, _of_registry, _of_settings, _of_reading):
        found = explain(error, place)
        if found is not None:
            return found
    return None


def _of_connectors(error: BaseException, place: str) -> Failure | None:
    from connectors.errors import (  # noqa: PLC0415
        ConnectorError,
        ManifestError,
        SourceColumnsChanged,
        SourceUnavailable,
    )

    if isinstance(error, ManifestError):
        remedy = "按提示修改清单后运行 correct the manifest, then: shuqiao connectors check"
        return Failure(ExitCode.MISCONFIGURED, f"清单有误 wrong manifest\n{error}", remedy, place)
    if isinstance(error, SourceUnavailable):
        wait = f" {error.retry_after:.0f} s" if error.retry_after else ""
        remedy = f"稍后重试 try again later{wait}; shuqiao connectors check {place}".rstrip()
        return Failure(ExitCode.SOURCE_UNAVAILABLE, f"数据源不可用 source unavailable: {error}", remedy, place)
    if isinstance(error, SourceColumnsChanged):
        cause = f"数据源缺少映射所需的列 {error}"
        return Failure(ExitCode.MISCONFIGURED, cause, f"shuqiao connectors discover {place}".rstrip(), place)
    if isinstance(error, ConnectorError):
        remedy = "修改清单或连接 correct the manifest or the connection, then: shuqiao connectors check"
        return Failure(ExitCode.MISCONFIGURED, f"数据源配置有误 source misconfigured: {error}", remedy, place)
    schema_error = _class_of("schemas.errors", "SchemaError")
    if schema_error is not None and isinstance(error, schema_error):
        return Failure(ExitCode.MISCONFIGURED, f"数据结构有误 schema: {error}", "shuqiao datasets", place)
    return None


def _of_registry(error: BaseException, place: str) -> Failure | None:
    for code, errors in _OF_REGISTRY.items():
        for module, name in errors:
            found = _class_of(module, name)
            if found is not None and isinstance(error, found):
                return Failure(code, str(error), place=place)
    return _of_psycopg(error) or _of_asyncpg(error)


def _of_psycopg(error: BaseException) -> Failure | None:
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    if isinstance(error, (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)):
        return no_tables()
    if isinstance(error, psycopg.OperationalError):
        return unreachable(_first_line(error))
    return None


def _of_asyncpg(error: BaseException) -> Failure | None:
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is not None and isinstance(error, (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)):
        return no_tables()
    return None


def _of_reading(error: BaseException, place: str) -> Failure | None:
    module = "registry.storage.reads.pool"
    slow, lost = _class_of(module, "ReadTookTooLong"), _class_of(module, "ReadError")
    if slow is not None and isinstance(error, slow):
        cause = "查询超时 the read took too long"
        return Failure(ExitCode.FAILED, cause, "缩小范围 ask for less: --limit, or more filters", place)
    if lost is not None and isinstance(error, lost):
        return unreachable(_first_line(error.__cause__ or error))
    return None


def _of_settings(error: BaseException, place: str) -> Failure | None:
    from shuqiao.settings import SettingsError  # noqa: PLC0415

    if isinstance(error, SettingsError):
        return Failure(ExitCode.USAGE, f"设置有误 wrong setting: {error}", "shuqiao doctor", place)
    return None


def unreachable(cause: str) -> Failure:
    """The registry's PostgreSQL does not answer."""
    return Failure(
        ExitCode.REGISTRY_UNREACHABLE,
        f"登记库无法访问 the registry cannot be reached: {cause}",
        "启动它 start it: `make run` or `shuqiao run`; elsewhere: check SHUQIAO_DATABASE_URL. `shuqiao doctor` helps",
        registry_place(),
    )


def no_tables() -> Failure:
    """The database is there, the registry is not."""
    return Failure(
        ExitCode.REGISTRY_UNREACHABLE,
        "数据库中没有登记库 this database holds no registry",
        "`shuqiao run` sets one up; or check SHUQIAO_DATABASE_URL",
        registry_place(),
    )


def registry_place() -> str:
    """Where the registry is said to be: host, port and database, nothing secret."""
    from urllib.parse import urlsplit  # noqa: PLC0415

    try:
        parts = urlsplit(os.environ.get("SHUQIAO_DATABASE_URL", ""))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}{parts.path}" if parts.hostname else ""


def _known_secrets() -> set[str]:
    from connectors.connection import Connection  # noqa: PLC0415

    found = set()
    for name, text in os.environ.items():
        if name.startswith("AIRFLOW_CONN_") or name == "SHUQIAO_DATABASE_URL":
            try:
                connection = Connection.parse(name, text)
            except (ValueError, TypeError):
                continue
            found.add(connection.password)
            found |= {value for value in connection.extra.values() if isinstance(value, str) and _is_secret(value)}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _is_secret(value: str) -> bool:
    """Extras are mostly options; long texts without spaces or slashes may be keys."""
    return len(value) >= 16 and not set(value) & set(" /:")  # noqa: PLR2004


def _class_of(module: str, name: str) -> type[BaseException] | None:
    found = getattr(sys.modules.get(module), name, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else type(error).__name__
