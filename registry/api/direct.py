"""Hot addresses, answered without FastAPI's search for what a handler needs, which takes longer than their work.

The route stays what it is: its parameters, rule and answers are declared and described as for any other, and a request
with a query takes the usual way. For all others a function beside the handler names the same steps one by one; where it
meets something that FastAPI would refuse, it leaves the request to it. A test sends the same requests both ways.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response
from starlette.types import Receive, Scope, Send


class NotUsual(Exception):  # noqa: N818  (named for what was met)
    """The request is to take the usual way."""


class Direct(APIRoute):
    """Made by :func:`directly`."""

    steps: Callable[[Request], Awaitable[Response]]

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        usual, direct = self.app, request_response(type(self).steps)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["query_string"]:
                try:
                    await direct(scope, receive, send)
                except NotUsual:
                    pass
                else:
                    return
            await usual(scope, receive, send)

        self.app = app


def directly(steps: Callable[[Request], Awaitable[Response]]) -> type[Direct]:
    """For ``route_class_override``: a route whose requests without a query are answered by these steps.

    They raise NotUsual, before anything is done, for what they cannot judge.
    """
    return type("DirectRoute", (Direct,), {"steps": staticmethod(steps)})
