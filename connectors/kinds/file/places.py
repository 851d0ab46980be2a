"""Where files lie: this machine, SFTP, HTTP, S3. Lists them, tells whether they changed, opens them."""

from __future__ import annotations

import base64
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import fsspec

from connectors.connection import Connection
from connectors.errors import ConnectorError, SourceMisconfigured, SourceUnavailable

LOCAL_TYPES: Final = ("", "file", "fs", "local")
S3_TYPES: Final = ("s3", "aws")
_LATER_STATUS: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Found:
    """A file as the listing shows it."""

    path: str
    size: int | None
    modified: float | None
    """Seconds since 1970."""
    fingerprint: Mapping[str, Any]
    """Size, time and tag: what is different once the file has changed."""

    @property
    def name(self) -> str:
        """Its last part."""
        return posixpath.basename(urlsplit(self.path).path if "://" in self.path else self.path)


class Place:
    """One file system and what the manifest says to look for there."""

    def __init__(self, system: Any, pattern: str, label: str) -> None:
        self._system, self.pattern, self.label = system, pattern, label

    def listing(self) -> list[Found]:
        """The files that match, in the order of their names."""
        self._system.invalidate_cache()
        if not has_magic(self.pattern):
            try:
                return [self.look(self.pattern)]
            except FileNotFoundError as error:
                if not is_missing(error):
                    raise
                return []
        self._require_folder()
        found = self._system.glob(self.pattern, detail=True)
        return [self._found(path, found[path]) for path in sorted(found) if found[path]["type"] != "directory"]

    def _require_folder(self) -> None:
        """A missing folder is not an empty one. Raises FileNotFoundError."""
        folder = posixpath.dirname(self.pattern[: first_magic(self.pattern)])
        if "://" in folder:
            self._system.ls(folder)  # says why it cannot, where exists() would say no
        elif folder and not self._system.exists(folder):
            raise FileNotFoundError(folder)

    def names_beside(self, files: list[Found], pattern: str) -> frozenset[str]:
        """The paths of all files in the folders of these that match the pattern, for markers."""
        names: set[str] = set()
        for folder in {posixpath.dirname(file.path) for file in files}:
            entries = self._system.ls(folder, detail=False)
            names |= {entry for entry in entries if fnmatch.fnmatchcase(posixpath.basename(entry), pattern)}
        return frozenset(name.lstrip("/") for name in names)

    def look(self, path: str) -> Found:
        """One file as it is now. Raises FileNotFoundError."""
        self._system.invalidate_cache()
        return self._found(path, self._system.info(path))

    def _found(self, path: str, info: Mapping[str, Any]) -> Found:
        if info.get("size") is None and "mtime" not in info:
            info = self._system.info(path)
        modified = _moment(info)
        tag = info.get("ETag") or info.get("etag") or info.get("Content-MD5")
        fingerprint = {"size": info.get("size"), "modified": modified, "etag": tag}
        return Found(
            path, info.get("size"), modified, {name: value for name, value in fingerprint.items() if value is not None}
        )

    def open(self, path: str) -> IO[bytes]:
        """The file, to be read from its beginning on."""
        options = {"block_size": 0} if "://" in path else {}
        stream: IO[bytes] = self._system.open(path, "rb", **options)
        return stream

    @property
    def is_local(self) -> bool:
        """Whether jumping about in a file costs nothing."""
        return "file" in self._system.protocol

    def where(self, path: str) -> str:
        """The file's place for people; holds neither login nor query."""
        parts = urlsplit(path)
        if parts.scheme in ("http", "https"):
            return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        return f"{self.label}{path}"

    def close(self) -> None:
        """Give back the connection."""
        for name in ("ftp", "client"):
            with suppress(Exception):
                getattr(self._system, name).close()
        session = getattr(self._system, "_session", None)
        if session is not None:
            with suppress(Exception):
                self._system.close_session(self._system.loop, session)


def has_magic(path: str) -> bool:
    """Whether the path is a pattern."""
    return first_magic(path) < len(path)


def first_magic(path: str) -> int:
    """Where the pattern's first special character stands."""
    return min((index for index, each in enumerate(path) if each in "*?["), default=len(path))


def _moment(info: Mapping[str, Any]) -> float | None:
    value = info.get("mtime", info.get("LastModified", info.get("Last-Modified")))
    if isinstance(value, str):
        try:
            value = parsedate_to_datetime(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None


def place(connection: Connection | None, path: str, timeout: float) -> Place:
    """The place that a connection and a path name; connects where the protocol needs it."""
    kind = connection.type if connection is not None else ""
    if connection is None or kind in LOCAL_TYPES:
        base = str(connection.extra.get("path", "")) if connection is not None else ""
        return Place(_system("file"), posixpath.join(base, path), "")
    if kind in ("sftp", "ssh"):
        from connectors.kinds.file.sftp import connect  # noqa: PLC0415  (paramiko takes a while to import)

        return Place(connect(connection, timeout), path, f"sftp://{connection.host}/")
    if kind in ("http", "https"):
        return _http(connection, path, timeout)
    if kind in S3_TYPES:
        return _s3(connection, path, timeout)
    known = ", ".join(("file", "sftp", "http", "https", *S3_TYPES))
    raise SourceMisconfigured(f"connection {connection.id}: got type {kind!r}, expected one of {known}")


def _system(protocol: str, **options: Any) -> Any:
    return fsspec.filesystem(protocol, skip_instance_cache=True, use_listings_cache=False, **options)


def _http(connection: Connection, path: str, timeout: float) -> Place:
    import aiohttp  # noqa: PLC0415  (takes a while to import)

    from connectors.kinds.rest import base_address  # noqa: PLC0415

    options: dict[str, Any] = {
        "timeout": aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
        "raise_for_status": _require_success,
    }
    if connection.login or connection.password:
        login = base64.b64encode(f"{connection.login}:{connection.password}".encode()).decode()
        options["headers"] = {"Authorization": f"Basic {login}"}
    address = base_address(connection).rstrip("/") + "/" + quote(path.lstrip("/"), safe="/*?[]!%=&~")
    redirects = aiohttp.TraceConfig()
    redirects.on_request_redirect.append(_require_same_host)
    options["trace_configs"] = [redirects]
    return Place(_system("http", client_kwargs=options, encoded=True), address, "")


async def _require_same_host(_session: Any, _context: Any, params: Any) -> None:
    """Look at a redirect before it is followed."""
    target = params.url.join(type(params.url)(params.response.headers.get("Location", "")))
    if target.origin() != params.url.origin():
        raise SourceMisconfigured(
            f"{params.url.with_query(None).with_user(None)}: the server redirects to another host ({target.host}); the "
            "hub does not follow. If the files have moved, correct the connection"
        )


async def _require_success(response: Any) -> None:
    """Sort a server's refusals here, as fsspec would take every one of them for a missing file."""
    status, where = response.status, str(response.url.with_query(None).with_user(None))
    if status >= 500 or status in _LATER_STATUS:  # noqa: PLR2004
        raise SourceUnavailable(f"{where}: HTTP {status}, the server cannot answer now")
    if status >= 400 and status != 404:  # noqa: PLR2004
        raise SourceMisconfigured(f"{where}: HTTP {status}; check the path and the credentials")


def _s3(connection: Connection, path: str, timeout: float) -> Place:
    extra = connection.extra
    options: dict[str, Any] = {
        "key": connection.login or None,
        "secret": connection.password or None,
        "endpoint_url": extra.get("endpoint_url") or extra.get("host"),
        "client_kwargs": {"region_name": extra["region_name"]} if extra.get("region_name") else {},
        "config_kwargs": {"connect_timeout": timeout, "read_timeout": timeout},
        "default_cache_type": "readahead",
        "default_block_size": 8 << 20,
    }
    if extra.get("anonymous"):
        options |= {"anon": True, "key": None, "secret": None}
    return Place(_system("s3", **options), path.removeprefix("s3://"), "s3://")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn what file systems raise into the port's errors; the words of theirs may hold secrets and are left out."""
    try:
        yield
    except ConnectorError:
        raise
    except FileNotFoundError as error:
        if not is_missing(error):
            cause = error.__cause__
            raise cause if isinstance(cause, ConnectorError) else _foreign(where, cause) from None
        raise SourceMisconfigured(f"{where}: there is no such file or folder") from None
    except PermissionError:
        raise SourceMisconfigured(f"{where}: access is refused; check the login and the file's permissions") from None
    except (TimeoutError, ConnectionError, EOFError) as error:
        raise SourceUnavailable(f"{where}: {_words(error)}") from None
    except Exception as error:  # noqa: BLE001  (the libraries of four protocols share no base class)
        raise _foreign(where, error) from None


def is_missing(error: FileNotFoundError) -> bool:
    """Whether the file is not there, as opposed to a server that fsspec could not ask."""
    cause = error.__cause__
    names = {each.__name__ for each in type(cause).__mro__}
    return not names & {"ConnectorError", "ClientConnectionError", "ClientPayloadError", "TimeoutError"}


def _foreign(where: str, error: BaseException | None) -> ConnectorError:
    """Errors of paramiko, aiohttp and botocore, known by name so that none of them need be imported."""
    names = {each.__name__ for each in type(error).__mro__}
    status = getattr(error, "status", None)
    if isinstance(status, int):
        if status >= 500 or status in _LATER_STATUS:  # noqa: PLR2004
            return SourceUnavailable(f"{where}: HTTP {status}")
        return SourceMisconfigured(f"{where}: HTTP {status}; check the path and the credentials")
    if names & {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "InvalidRegionError"}:
        return SourceMisconfigured(f"{where}: {type(error).__name__}; check the connection's login, password and extra")
    if names & {
        "SSHException",
        "ClientError",
        "BotoCoreError",
        "FSTimeoutError",
        "OSError",
        "HTTPClientError",
        "TimeoutError",
    }:
        return SourceUnavailable(f"{where}: {_words(error)}")
    return SourceMisconfigured(f"{where}: cannot be read ({type(error).__name__})")


def _words(error: BaseException | None) -> str:
    words = getattr(error, "strerror", None)
    return f"{type(error).__name__}: {words}" if isinstance(words, str) and words else type(error).__name__
