"""The rules of delivery, whatever is given to them: addresses, retries, signatures."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from registry.delivery.settings import DeliverySettingsError, address_rules, from_environment
from registry.domain.delivery import retrying, signatures
from registry.domain.delivery.addresses import AddressRefused, AddressRules, may_reach, parse
from registry.domain.delivery.retrying import Next, Schedule, after_attempt, delay
from registry.signing import master_key

RULES = AddressRules()
PRIVATE = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8",
    "192.0.2.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
]  # fmt: skip


@given(st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(v=4, network=network)))
def test_no_machine_of_a_private_network_is_reached_however_it_is_written(address: IPv4Address) -> None:
    number = int(address)
    for written in (
        address,
        IPv6Address(number | 0xFFFF << 32),  # ::ffff:a.b.c.d
        IPv6Address((0x0064FF9B << 96) | number),  # 64:ff9b::a.b.c.d
        IPv6Address((0x2002 << 112) | (number << 80)),  # 6to4
        IPv6Address(number) if number > 1 else address,  # ::a.b.c.d
    ):
        assert not may_reach(written, RULES), written


@pytest.mark.parametrize(
    "address", ["::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"]
)
def test_no_private_machine_is_reached_by_ipv6(address: str) -> None:
    assert not may_reach(ip_address(address), RULES)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "114.114.114.114", "2400:3200::1"])
def test_public_machines_are_reached(address: str) -> None:
    assert may_reach(ip_address(address), RULES)


@given(st.ip_addresses(v=4, network="10.20.0.0/16"))
def test_a_network_that_the_operator_allows_is_reached(address: IPv4Address) -> None:
    allowed = AddressRules(networks=(ip_network("10.20.0.0/16"),))

    assert may_reach(address, allowed)
    assert not may_reach(IPv4Address(int(address) + (1 << 16)), allowed)


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "https://user@", "https://bank.example.com"]))
def test_an_address_is_taken_apart_or_refused_and_never_holds_a_line_end(text: str, before: str) -> None:
    try:
        target = parse(before + text, RULES)
    except AddressRefused:
        return
    assert target.tls
    assert target.port in {443, 8443}
    assert "@" not in target.authority
    for part in (target.path, target.authority, target.host):
        assert part.isprintable()
        assert part.isascii()
        assert " " not in part


@given(
    st.one_of(st.none(), st.integers(100, 599)),
    st.integers(1, 1000),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_is_answered_a_message_is_delivered_given_up_or_tried_again_within_an_hour(
    status: int | None, attempts: int, failing_for: float, asked: float, chance: float
) -> None:
    then, wait = after_attempt(Schedule(), status, attempts, failing_for, asked_to_wait=asked)

    assert (then is Next.DELIVERED) == (status is not None and 200 <= status < 300)
    if then is Next.AGAIN:
        assert 0 < delay(wait, chance) <= 3600
        assert failing_for < Schedule().give_up or retrying.refuses(status)
    if then is Next.DEAD_LETTER:
        assert retrying.refuses(status)
        assert attempts >= retrying.REFUSALS


def test_a_receiver_that_does_not_answer_is_tried_for_a_day_less_and_less_often() -> None:
    at = 0.0
    waits: list[float] = []
    while True:
        then, wait = after_attempt(Schedule(), None, len(waits) + 1, at)
        if then is not Next.AGAIN:
            break
        waits.append(wait)
        at += wait

    assert then is Next.PAUSE
    assert waits == sorted(waits)
    assert waits[:4] == [1, 2, 4, 8]
    assert 86_400 <= at < 90_001


@given(st.binary(max_size=200), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60))
def test_any_message_is_verified_by_the_standards_own_library(body: bytes, message_id: str) -> None:
    key = signatures.new_secret()
    headers = signatures.headers(message_id, int(datetime.now(UTC).timestamp()), body, [signatures.new_secret(), key])

    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    webhook = Webhook(signatures.shown(key))
    timestamp = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert webhook.sign(message_id, timestamp, text) in headers["webhook-signature"].split(" ")


def test_settings_that_cannot_be_used_are_named() -> None:
    with pytest.raises(DeliverySettingsError, match="SHUQIAO_DATABASE_URL is not set"):
        from_environment({})
    good = {"SHUQIAO_DATABASE_URL": "postgresql://x", "SHUQIAO_PUBLIC_URL": "https://hub.example.gov.cn"}
    with pytest.raises(DeliverySettingsError, match="SHUQIAO_MASTER_KEY"):
        from_environment(good)
    assert from_environment(good | {"SHUQIAO_MASTER_KEY": master_key.generate()}).addresses == RULES
    for name, value in (
        ("SHUQIAO_WEBHOOK_HTTP", "perhaps"),
        ("SHUQIAO_WEBHOOK_NETWORKS", "10.0.0.1/8"),
        ("SHUQIAO_WEBHOOK_PORTS", "443,https"),
    ):
        with pytest.raises(DeliverySettingsError, match=name):
            address_rules({name: value})
    rules = address_rules({"SHUQIAO_WEBHOOK_NETWORKS": "10.20.0.0/16, fd12::/16", "SHUQIAO_WEBHOOK_PORTS": "443,9443"})
    assert rules == AddressRules(
        networks=(ip_network("10.20.0.0/16"), ip_network("fd12::/16")), ports=frozenset({443, 9443})
    )
