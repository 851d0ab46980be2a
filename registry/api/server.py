"""Serving the API over HTTP, and ending in good order."""

from __future__ import annotations

import gc
import logging
from types import FrameType

import uvicorn

from registry.api.app import create_app
from registry.api.settings import ApiSettings
from registry.api.state import ApiState

CLOSING_SECONDS = 4


class ApiServer(uvicorn.Server):
    """A server that, told to end, first lets those go who wait for changes."""

    def __init__(self, settings: ApiSettings) -> None:
        app = create_app(settings)
        self._state: ApiState = app.state.api
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                access_log=False,
                server_header=False,
                lifespan="on",
                log_config=None,
                timeout_graceful_shutdown=CLOSING_SECONDS,
                timeout_keep_alive=30,
                h11_max_incomplete_event_size=32768,
            )
        )
        # It writes paths and queries, which may hold personal data; the middleware writes its own line.
        logging.getLogger("uvicorn.access").disabled = True

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
    """Run until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    server = ApiServer(settings)
    # Rules, schemas and routes stay as long as the process: looking through them for garbage would halt every reader.
    gc.collect()
    gc.freeze()
    server.run()
