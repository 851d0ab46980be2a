"""``python -m registry.delivery``: changes to subscribers; several may run. Settings come from the environment."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import sys

from registry.delivery.service import Delivery
from registry.delivery.settings import DeliverySettings, DeliverySettingsError, from_environment


def main() -> int:
    """Deliver until SIGTERM or Ctrl-C; 2 when a setting is wrong."""
    argparse.ArgumentParser(prog="python -m registry.delivery", description=__doc__).parse_args()
    try:
        settings = from_environment()
    except DeliverySettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for every message under way
    _run(settings)
    return 0


def _run(settings: DeliverySettings) -> None:
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415  (not on every system; the loop of the standard library is slower)

        uvloop.run(_deliver(settings))
        return
    asyncio.run(_deliver(settings))


async def _deliver(settings: DeliverySettings) -> None:
    delivery = Delivery(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, delivery.end)
    await delivery.run()


if __name__ == "__main__":
    sys.exit(main())
