"""The licensing office's server: SFTP, read-only, on the folder of its daily files.

    python -m shuqiao.demo.licensing --port 8102 --data .run/demo

The host key is made once, beside the files; ``host_key.pub`` there is for those who check it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
from pathlib import Path
from typing import Any

import asyncssh
import typer

from shuqiao.demo.licensing_files import outbox
from shuqiao.demo.serving import replace_file, required, say_ready

USER = "shuqiao"
PASSWORD = "SHUQIAO_DEMO_LICENSING_PASSWORD"  # noqa: S105  (the name of a variable)
AUTHORISED_KEYS = "SHUQIAO_DEMO_LICENSING_AUTHORISED_KEYS"
"""Optional: a file with public keys that may log in, in OpenSSH's form."""


class Door(asyncssh.SSHServer):
    """Who may log in."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()

    def password_auth_supported(self) -> bool:
        """Passwords are accepted, besides the keys given in a file."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """One user, one password."""
        return (username == USER) & hmac.compare_digest(password.encode(), self._password)


class Outbox(asyncssh.SFTPServer):
    """The folder of daily files, for reading only."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], folder: Path) -> None:
        super().__init__(channel, chroot=os.fsencode(folder))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Open for reading."""
        if pflags & ~asyncssh.FXF_READ:
            raise asyncssh.SFTPPermissionDenied("the outbox is read-only")
        return super().open(path, pflags, attrs)

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise asyncssh.SFTPPermissionDenied("the outbox is read-only")

    open56 = _refuse  # the newer form of opening, which could write
    setstat = lsetstat = remove = mkdir = rmdir = rename = posix_rename = symlink = link = _refuse


def host_key(data: Path) -> Path:
    """The server's private key; made when missing, readable by its owner alone."""
    path = data / "licensing" / "host_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        key = asyncssh.generate_private_key("ssh-ed25519")
        replace_file(path, key.export_private_key(), mode=0o600)
        replace_file(path.with_suffix(".pub"), key.export_public_key())
    return path


async def start(data: Path, port: int, password: str, authorised_keys: str = "") -> asyncssh.SSHAcceptor:
    """Listen on loopback."""
    folder = outbox(data)
    folder.mkdir(parents=True, exist_ok=True)
    return await asyncssh.create_server(
        lambda: Door(password),
        "127.0.0.1",
        port,
        server_host_keys=[str(host_key(data))],
        authorized_client_keys=authorised_keys or None,
        sftp_factory=lambda channel: Outbox(channel, folder),
        allow_scp=False,
        process_factory=None,
    )


async def _serve(data: Path, port: int, password: str, authorised_keys: str) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    server = await start(data, port, password, authorised_keys)
    say_ready("sftp", server.get_port())
    await stopped.wait()
    server.close()


def main(port: int = 8102, data: Path = Path(".run/demo")) -> None:
    """Serve the licensing office's files on loopback."""
    asyncio.run(_serve(data, port, required(PASSWORD), os.environ.get(AUTHORISED_KEYS, "")))


if __name__ == "__main__":
    typer.run(main)
