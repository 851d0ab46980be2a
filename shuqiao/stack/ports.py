"""Whether the ports that the stack needs are free, asked before anything starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

import psutil

HOST = "127.0.0.1"


def taken(wanted: Mapping[str, int]) -> list[str]:
    """One sentence per taken port, with the setting (the key) that moves it."""
    return [_sentence(setting, port) for setting, port in wanted.items() if not is_free(port)]


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def accepts(port: int) -> bool:
    """Whether somebody listens there and takes connections."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _sentence(setting: str, port: int) -> str:
    who = _holder(port)
    return f"端口 {port} 已被占用{who} / port {port} is taken{who}: free it, or set {setting} to another port"


def _holder(port: int) -> str:
    """Which process listens there, where the system tells us."""
    try:
        for connection in psutil.net_connections("tcp"):
            at = getattr(connection.laddr, "port", None)
            if connection.status == psutil.CONN_LISTEN and at == port and connection.pid:
                return f" ({psutil.Process(connection.pid).name()}, pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
