"""Serving the API over HTTP, by one process or several, and ending in good order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import socket
from types import FrameType

import uvicorn

from registry.api import workers
from registry.api.app import create_app
from registry.api.clients.tls import server_settings
from registry.api.settings import ApiSettings
from registry.api.state import ApiState

CLOSING_SECONDS = 4
ACCEPTED_AT_ONCE = 32


class ApiServer(uvicorn.Server):
    """A server that, told to end, first lets those go who wait for changes."""

    def __init__(self, settings: ApiSettings) -> None:
        app = create_app(settings)
        self._app = app
        self._state: ApiState = app.state.api
        self._first_process: int | None = None
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # whose headers are believed: registry/api/clients/presented.py
                lifespan="on",
                log_config=None,
                loop="uvloop",
                timeout_graceful_shutdown=CLOSING_SECONDS,
                timeout_keep_alive=30,
                **server_settings(settings.access),
            )
        )
        # It writes paths and queries, which may hold personal data; the middleware writes its own line.
        logging.getLogger("uvicorn.access").disabled = True

    def work(self, place: workers.Place) -> None:
        """Be one of several processes, until told to end or until the first of them is gone."""
        self._first_process = place.first_process
        self._app.state.signs_the_log = place.number == 0
        self.run(accepting(place.listening))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open what is needed and listen."""
        await super().startup(sockets)
        if self._first_process is not None:
            asyncio.get_running_loop().add_reader(self._first_process, self.end)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or Ctrl-C."""
        self.end()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """Answer what is under way, take nothing new, and return from ``run``."""
        self._state.closing.set()
        self.should_exit = True

    @property
    def bound_port(self) -> int:
        """The port it listens on, once ``started``."""
        return int(self.servers[0].sockets[0].getsockname()[1])


def serve(settings: ApiSettings) -> None:
    """Run until told to end. Raises OSError if the port is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A line for each request, and none of them says these: they are not worth finding out.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    _allow_connections()
    server = ApiServer(settings)
    # Rules, schemas and routes stay as long as the process: looking through them for garbage would halt every reader,
    # and give each worker a copy of its own.
    gc.collect()
    gc.freeze()
    if settings.workers == 1:
        (listening,) = workers.listen(settings.host, settings.port, 1)
        server.run(accepting(listening))
    else:
        workers.run(settings.workers, settings.host, settings.port, server.work)


def accepting(listening: socket.socket) -> list[socket.socket]:
    """A listening socket as often as connections are to be accepted between other work.

    The event loop (libuv) accepts one a turn on each; under load, when turns are long, newcomers waited for seconds.
    """
    return [listening, *(listening.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def _allow_connections() -> None:
    """As many open files as the system lets this user have: each connection is one, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS has a bound of its own below what it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
