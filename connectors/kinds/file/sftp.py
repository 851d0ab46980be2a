"""SFTP by paramiko, with the server's key checked before anything is sent."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping
from typing import Any, Final

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from connectors.connection import Connection
from connectors.errors import SourceMisconfigured, SourceUnavailable

PORT: Final = 22
_KEYS: Final[Mapping[str, Any]] = {
    "ssh-ed25519": paramiko.Ed25519Key,
    "ssh-rsa": paramiko.RSAKey,
    "ecdsa-sha2-nistp256": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp384": paramiko.ECDSAKey,
    "ecdsa-sha2-nistp521": paramiko.ECDSAKey,
}


class StrictSFTPFileSystem(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's, but it takes a connected client instead of trusting any server that answers."""

    protocol = ("sftp", "ssh")

    def __init__(self, client: paramiko.SSHClient) -> None:
        self._client = client
        super().__init__("", skip_instance_cache=True, use_listings_cache=False)

    def _connect(self) -> None:
        self.client = self._client
        self.ftp = self.client.open_sftp()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path


def connect(connection: Connection, timeout: float) -> StrictSFTPFileSystem:
    """A connected file system. Raises SourceMisconfigured or SourceUnavailable."""
    client = paramiko.SSHClient()
    name = connection.host if (connection.port or PORT) == PORT else f"[{connection.host}]:{connection.port}"
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    if connection.extra.get("host_key"):
        key = _host_key(connection)
        client.get_host_keys().add(name, key.get_name(), key)
    elif _is_true(connection.extra.get("no_host_key_check")):
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # noqa: S507  (asked for by name)
    else:
        raise SourceMisconfigured(
            f"connection {connection.id}: the server's key is not known; put it into the connection's extra as "
            'host_key ("ssh-ed25519 AAAA..."), or, where that is impossible, say no_host_key_check: true'
        )
    try:
        client.connect(
            connection.host,
            connection.port or PORT,
            connection.login or None,
            connection.password or None,
            pkey=_private_key(connection),
            key_filename=connection.extra.get("key_file"),
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            channel_timeout=timeout,
            allow_agent=False,
            look_for_keys=False,
        )
        system = StrictSFTPFileSystem(client)
        channel = system.ftp.get_channel()
        if channel is not None:
            channel.settimeout(timeout)
    except BaseException as error:
        client.close()
        if isinstance(error, Exception):
            raise _meaning(error, connection) from None
        raise
    return system


def _meaning(error: Exception, connection: Connection) -> Exception:
    where = f"sftp://{connection.host}:{connection.port or PORT}"
    if isinstance(error, paramiko.BadHostKeyException):
        return SourceMisconfigured(
            f"{where}: the server shows another key than connection {connection.id} knows (host_key); either the "
            "server was set up anew (ask the department, then correct it) or somebody stands between"
        )
    if isinstance(error, paramiko.AuthenticationException):
        return SourceMisconfigured(f"{where}: the login is not accepted; check the credentials of {connection.id}")
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return SourceMisconfigured(
            f"{where}: the server shows a key of another type than connection {connection.id} knows (host_key)"
        )
    if isinstance(error, SourceMisconfigured):
        return error
    return SourceUnavailable(f"{where}: no connection ({type(error).__name__})")


def _host_key(connection: Connection) -> paramiko.PKey:
    """The key from ``ssh-ed25519 AAAA...``, also with a host name before it as in known_hosts."""
    words = str(connection.extra["host_key"]).split()
    kinds = [index for index, word in enumerate(words) if word in _KEYS]
    try:
        kind = words[kinds[0]]
        key: paramiko.PKey = _KEYS[kind](data=base64.b64decode(words[kinds[0] + 1], validate=True))
    except (IndexError, binascii.Error, paramiko.SSHException, ValueError, KeyError):
        raise SourceMisconfigured(
            f"connection {connection.id}: host_key cannot be read; expected a line such as "
            f'"ssh-ed25519 AAAA...", of type {", ".join(_KEYS)}'
        ) from None
    return key


def _private_key(connection: Connection) -> paramiko.PKey | None:
    text = connection.extra.get("private_key")
    if not text:
        return None
    passphrase = connection.extra.get("private_key_passphrase")
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(str(text)), passphrase)
        except (paramiko.SSHException, ValueError):
            continue
    raise SourceMisconfigured(f"connection {connection.id}: private_key cannot be read")


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "yes")
