"""The bare peer: FastAPI handlers that look a record up by its key through asyncpg's pool, and do nothing else.

No authorisation, no log, no age of the data, no marks, no signature: what any such service would need at the least.

* ``/datasets/...``: as it is written without a second thought: asyncpg's pool with its defaults, a dictionary returned.
* ``/tuned/...``: with what speed there is to be had without writing more: connections are not reset between reads, the
  body passes through as the database wrote it, orjson makes the answer.

Both have uvloop, httptools and asyncpg's prepared statements.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Response

_RECORD = "SELECT key, version, valid_from, body FROM registry.record WHERE dataset_id = $1 AND key = $2"


def application(url: str) -> FastAPI:
    """The two routes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def nothing(_: object) -> None: ...

        async with (
            asyncpg.create_pool(url, min_size=1, max_size=10) as pool,
            asyncpg.create_pool(url, min_size=1, max_size=10, reset=nothing) as tuned_pool,
        ):
            app.state.pool, app.state.tuned_pool = pool, tuned_pool
            app.state.datasets = dict(await pool.fetch("SELECT name, id FROM registry.dataset"))
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.get("/datasets/{dataset}/records/{key}")
    async def plain(dataset: str, key: str) -> dict[str, Any]:
        row = await app.state.pool.fetchrow(_RECORD, app.state.datasets[dataset], key)
        if row is None:
            raise HTTPException(404)
        return {**row, "body": json.loads(row["body"])}

    @app.get("/tuned/{dataset}/records/{key}")
    async def tuned(dataset: str, key: str) -> Response:
        row = await app.state.tuned_pool.fetchrow(_RECORD, app.state.datasets[dataset], key)
        if row is None:
            raise HTTPException(404)
        found = {**row, "body": orjson.Fragment(row["body"])}
        return Response(orjson.dumps(found), media_type="application/json")

    return app


def main() -> None:
    """As many processes as asked for, on one port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--processes", type=int, required=True)
    arguments = parser.parse_args()
    for _ in range(arguments.processes - 1):
        if os.fork() == 0:
            break
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", arguments.port))
    config = uvicorn.Config(
        application(os.environ["BENCH_DATABASE_URL"]),
        access_log=False,
        log_config=None,
        loop="uvloop",
        http="httptools",
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
