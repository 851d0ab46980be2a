#!/usr/bin/env python3
"""Take the pictures of the README's tour from a hub that runs: ``tools/screenshots.py [FOLDER]``.

Needs Chromium (Debian: ``apt install chromium fonts-noto-cjk``) and a stack started with ``make run``; its address and
login are read from the run folder (``SHUQIAO_RUN_DIR``, else ``.run``). Chromium is driven through its own DevTools
protocol, so nothing is needed that the lock does not hold. Pictures are stored with few colours to stay small if
pngquant is there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1360, 820
SETTLED = 2.0
"""Seconds without a change of the page's text after which it is taken to be complete."""
LONGEST = 60.0
CONNECTOR = "ingest.market-supervision.enterprise"


class Airflow:
    """The address of the stack's Airflow and its administrator's token."""

    def __init__(self, run_dir: Path) -> None:
        environment = json.loads((run_dir / "environment.json").read_text("utf-8"))
        self.base = environment["AIRFLOW__API__BASE_URL"]
        self.password = json.loads((run_dir / "secrets.json").read_text("utf-8"))["airflow_admin"]
        self.token = ""

    async def get(self, session: aiohttp.ClientSession, path: str) -> Any:
        """Ask its API."""
        if not self.token:
            login = {"username": "admin", "password": self.password}
            async with session.post(f"{self.base}/auth/token", json=login) as answer:
                answer.raise_for_status()
                self.token = (await answer.json())["access_token"]
        async with session.get(self.base + path, headers={"Authorization": f"Bearer {self.token}"}) as answer:
            answer.raise_for_status()
            return await answer.json()


class Page:
    """One page of Chromium."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, count(1)

    async def call(self, method: str, **parameters: Any) -> Any:
        """One command of the DevTools protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=LONGEST)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    async def value(self, expression: str) -> Any:
        """What an expression gives in the page."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def open(self, address: str, until: str) -> None:
        """Go there and wait until a text is there and the page has come to rest."""
        await self.call("Page.navigate", url=address)
        before, waited, rested = "", 0.0, 0.0
        while rested < SETTLED:
            await asyncio.sleep(0.5)
            waited += 0.5
            text = str(await self.value("document.body ? document.body.innerText : ''"))
            rested = rested + 0.5 if text == before and until in text and "Loading" not in text else 0.0
            before = text
            if waited > LONGEST:
                raise RuntimeError(f"{address}: {until!r} did not appear; the page says: {text[:300]}")

    async def click(self, text: str) -> None:
        """Click the first button, link or tab with this text or label."""
        wanted = json.dumps(text)
        script = (
            "(() => { const found = [...document.querySelectorAll('button,a,[role=tab],[role=menuitem]')]"
            f".find(e => e.innerText.trim() === {wanted} || e.getAttribute('aria-label') === {wanted});"
            " found && found.click(); return !!found; })()"
        )
        if not await self.value(script):
            raise RuntimeError(f"there is nothing to click that says {text!r}")
        await asyncio.sleep(SETTLED)

    async def press(self, selector: str) -> None:
        """Press the mouse on the first element of a CSS selector: for what listens to no click."""
        script = (
            f"(() => {{ const found = document.querySelector({json.dumps(selector)}); if (!found) return null;"
            " const r = found.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        place = await self.value(script)
        if place is None:
            raise RuntimeError(f"there is no {selector}")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
        await asyncio.sleep(SETTLED)

    async def save(self, path: Path) -> None:
        """Store what is seen."""
        found = await self.call("Page.captureScreenshot", format="png")
        _keep(path, base64.b64decode(found["data"]))


@asynccontextmanager
async def chromium(session: aiohttp.ClientSession) -> AsyncIterator[Page]:
    """A browser without a window, with a profile of its own."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is missing: apt install chromium fonts-noto-cjk")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"]
        options += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", "--no-proxy-server", "--lang=en"]
        process = subprocess.Popen([program, *options, "about:blank"], stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                target = json.loads(await answer.text())
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                await page.call("Page.enable")
                await page.call(
                    "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
                )
                yield page
        finally:
            process.terminate()
            process.wait()


async def _port(file: Path) -> int:
    for _ in range(240):
        if (number := _first_line(file)).isdecimal():
            return int(number)
        await asyncio.sleep(0.25)
    raise SystemExit("Chromium did not start")


def _first_line(file: Path) -> str:
    return file.read_text().partition("\n")[0] if file.exists() else ""


def _keep(path: Path, picture: bytes) -> None:
    """Store a picture with few colours: a user interface has few."""
    path.write_bytes(picture)
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--skip-if-larger", "--output", path, "64", path], check=False)  # noqa: S603
    print(f"{path}  {path.stat().st_size // 1024} KiB")


async def take(folder: Path, run_dir: Path) -> None:
    """All pictures of the tour."""
    airflow = Airflow(run_dir)
    async with aiohttp.ClientSession(trust_env=False) as session:
        runs = await airflow.get(session, f"/api/v2/dags/{CONNECTOR}/dagRuns?limit=20&order_by=run_after&state=success")
        if not runs["dag_runs"]:
            raise SystemExit(f"{CONNECTOR} has not run yet")
        first = runs["dag_runs"][0]["dag_run_id"]
        async with chromium(session) as page:
            await page.call("Network.enable")
            await page.call("Network.setCookie", name="_token", value=airflow.token, url=airflow.base)
            dag = f"{airflow.base}/dags/{CONNECTOR}"
            await page.open(f"{airflow.base}/dags?tags=shuqiao&limit=15", "credit.permits")
            await page.save(folder / "airflow-dags.png")
            await page.open(f"{dag}/runs/{first}", "publish")
            await page.save(folder / "airflow-run.png")
            await page.open(dag, "Created Asset Event")
            await page.press(".codicon-folding-collapsed")
            await page.save(folder / "airflow-dag.png")
            await page.open(dag, "Overview")
            await page.click("Dag Docs")
            await page.save(folder / "airflow-docs.png")
            await page.open(dag, "Trigger")
            await page.click("Trigger")
            await page.save(folder / "airflow-trigger.png")


def main() -> None:
    """Take them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder, Path(os.environ.get("SHUQIAO_RUN_DIR") or ROOT / ".run")))


if __name__ == "__main__":
    main()
