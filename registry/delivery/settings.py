"""What the delivery needs to know, read from the environment once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from registry.domain import public_address
from registry.domain.delivery.addresses import DEFAULT_PORTS, AddressRules
from registry.domain.delivery.retrying import Schedule
from registry.signing import master_key
from registry.signing.master_key import MasterKey, MasterKeyError


class DeliverySettingsError(ValueError):
    """A setting is missing or cannot be used."""


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Every setting of the delivery service."""

    database_url: str = field(repr=False)
    master_key: MasterKey = field(repr=False)
    """Opens the subscriptions' secrets."""
    public_url: str
    addresses: AddressRules = field(default_factory=AddressRules)
    ca_file: Path | None = None
    """Certificates of those who certify receivers, beside what the system trusts."""
    poll_seconds: float = 0.2
    """How often the feed is looked at."""
    sync_seconds: float = 0.5
    """How often progress is written down, and subscriptions and grants are looked at: a revoked grant stops events
    within this time."""
    schedule: Schedule = field(default_factory=Schedule)
    slow_seconds: float = 1.0
    """A receiver that takes longer waits among the slow ones from then on."""
    at_once: int = 2_000
    """Messages under way to receivers that answer in time."""
    slow_at_once: int = 500
    """Messages under way to the others."""


def from_environment(environ: Mapping[str, str] | None = None) -> DeliverySettings:
    """The settings of this process's environment. Raises DeliverySettingsError with what is missing or wrong."""
    given = os.environ if environ is None else environ
    for name in ("SHUQIAO_DATABASE_URL", "SHUQIAO_PUBLIC_URL"):
        if not given.get(name):
            raise DeliverySettingsError(f"{name} is not set")
    try:
        key = master_key.from_environment(given)
        public_url = public_address.parse(given["SHUQIAO_PUBLIC_URL"])
    except (MasterKeyError, ValueError) as error:
        raise DeliverySettingsError(str(error)) from None
    if key is None:
        raise DeliverySettingsError("SHUQIAO_MASTER_KEY or SHUQIAO_MASTER_KEY_FILE is not set: messages are signed")
    ca_file = given.get("SHUQIAO_WEBHOOK_CA_FILE")
    return DeliverySettings(
        database_url=given["SHUQIAO_DATABASE_URL"],
        master_key=key,
        public_url=public_url,
        addresses=address_rules(given),
        ca_file=Path(ca_file) if ca_file else None,
    )


def address_rules(given: Mapping[str, str]) -> AddressRules:
    """Which receivers the operator allows; the API refuses others when somebody names one.

    Raises DeliverySettingsError.
    """
    http = given.get("SHUQIAO_WEBHOOK_HTTP") or "no"
    if http not in {"yes", "no"}:
        raise DeliverySettingsError(f"SHUQIAO_WEBHOOK_HTTP cannot be {http!r}; expected yes or no")
    try:
        networks = tuple(ip_network(each.strip()) for each in _parts(given.get("SHUQIAO_WEBHOOK_NETWORKS") or ""))
    except ValueError as error:
        expected = "expected networks such as 10.20.0.0/16, with commas between"
        raise DeliverySettingsError(f"SHUQIAO_WEBHOOK_NETWORKS: {error}; {expected}") from None
    text = given.get("SHUQIAO_WEBHOOK_PORTS") or ",".join(map(str, sorted(DEFAULT_PORTS)))
    if text == "any":
        return AddressRules(http == "yes", networks, None)
    if not all(each.isdecimal() and 0 < int(each) < 1 << 16 for each in _parts(text)):
        raise DeliverySettingsError(f"SHUQIAO_WEBHOOK_PORTS cannot be {text!r}; expected ports with commas, or any")
    return AddressRules(http == "yes", networks, frozenset(map(int, _parts(text))))


def _parts(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
