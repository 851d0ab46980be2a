"""The credit office's server: whole lists as NDJSON over HTTP, with ETags; a key in a header lets clients in.

``/v2/permits.ndjson`` and ``/v2/penalties.ndjson`` have the fields of the edition in force, ``/v1/...`` those of 2015;
``/lists/abnormal-operation.ndjson``, ``/lists/serious-dishonesty.ndjson`` and ``/lists/red-list.ndjson`` are what they
say.

    python -m shuqiao.demo.credit --port 8103 --data .run/demo
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import typer
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse

from shuqiao.demo.rosters import City
from shuqiao.demo.rows import all_rows
from shuqiao.demo.serving import replace_file, required, serve

API_KEY = "SHUQIAO_DEMO_CREDIT_API_KEY"
HEADER = "X-API-Key"

LISTS = {
    "v2/permits": "credit.permits",
    "v2/penalties": "credit.penalties",
    "v1/permits": "credit.permits-old-edition",
    "v1/penalties": "credit.penalties-old-edition",
    "lists/abnormal-operation": "credit.abnormal-operation",
    "lists/serious-dishonesty": "credit.serious-dishonesty",
    "lists/red-list": "credit.red-list",
}
"""Address below the server, without its ending -> connector."""


def publish(data: Path, city: City, day: int = 0) -> int:
    """Write every list as it is in the evening of a day; rows written."""
    return sum(_publish(data / "credit" / f"{name}.ndjson", city, LISTS[name], day) for name in LISTS)


def _publish(path: Path, city: City, connector: str, day: int) -> int:
    """Write one list under a name of its own, then point to it: whoever reads gets one edition and its ETag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, digest, count = path.with_suffix(".part"), hashlib.sha256(), 0
    with beside.open("wb") as file:
        for row in all_rows(city, connector, day):
            line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            file.write(line)
            count += 1
    edition = f"{path.stem}.{digest.hexdigest()[:32]}.ndjson"
    before = _edition(path)
    beside.replace(path.with_name(edition))
    replace_file(path.with_suffix(".current"), edition.encode())
    for old in path.parent.glob(f"{path.stem}.*.ndjson"):
        if old.name not in {edition, before}:
            old.unlink()
    return count


def _edition(path: Path) -> str:
    """The name of the file that holds the current edition of a list; empty before the first."""
    pointer = path.with_suffix(".current")
    return pointer.read_text(encoding="ascii") if pointer.exists() else ""


def create_app(data: Path, api_key: str) -> FastAPI:
    """The credit office's application over the lists below ``data``."""
    app = FastAPI(title="公共信用信息服务", openapi_url=None)

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/{folder}/{name}.ndjson")
    def one_list(folder: str, name: str, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), api_key.encode()):
            raise HTTPException(401, f"{HEADER} is missing or wrong")
        if f"{folder}/{name}" not in LISTS:
            raise HTTPException(404, "no such list")
        path = data / "credit" / folder / f"{name}.ndjson"
        edition = _edition(path)
        if not edition:
            raise HTTPException(503, "the list is being made", {"Retry-After": "2"})
        etag = f'"{edition.split(".")[-2]}"'
        if etag in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
            return Response(status_code=304, headers={"ETag": etag})
        return FileResponse(path.with_name(edition), media_type="application/x-ndjson", headers={"ETag": etag})

    return app


def main(port: int = 8103, data: Path = Path(".run/demo")) -> None:
    """Serve the credit office's lists on loopback."""
    serve(create_app(data, required(API_KEY)), port)


if __name__ == "__main__":
    typer.run(main)
