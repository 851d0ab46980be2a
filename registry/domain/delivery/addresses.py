"""Where the hub may send to: what a subscriber's address must look like, and which machines it may lead to.

A receiver's address is given by somebody else, so the hub must not become their way into its own network. Two checks:
the address as it is written (:func:`parse`), and the machine that its name leads to at the moment of each connection
(:func:`may_reach`), which is then the one that is connected to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

LONGEST = 1000
"""Characters of an address."""
DEFAULT_PORTS = frozenset({443, 8443})

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/96"))
"""IPv6 networks whose last 32 bits are an IPv4 address, to which a translator leads (RFC 6052, RFC 8215)."""


class AddressRefused(ValueError):  # noqa: N818  (named for what was done)
    """The hub does not send there; ``zh`` and ``en`` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the operator allows beyond https to the public internet."""

    http: bool = False
    """Addresses without TLS too."""
    networks: tuple[Network, ...] = ()
    """Networks that are not public and may be reached all the same, such as the government's own."""
    ports: frozenset[int] | None = DEFAULT_PORTS
    """Ports that may be named; None: every port. 80 is allowed with ``http``."""


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver's address, taken apart."""

    url: str
    tls: bool
    host: str
    """A name in ASCII (IDNA), or an address without brackets."""
    port: int
    path: str
    """Path and query as they are sent."""
    literal: Address | None
    """The machine, where the host is a number and no name; it may be reached."""

    @property
    def authority(self) -> str:
        """The value of ``Host``."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (443 if self.tls else 80) else f"{shown}:{self.port}"


def parse(url: str, rules: AddressRules) -> Target:
    """A receiver's address as it is written. Raises AddressRefused with the first thing that is wrong."""
    _expect(len(url) <= LONGEST, f"地址超过 {LONGEST} 个字符", f"the address has more than {LONGEST} characters")
    printable = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    _expect(printable, "地址只能含可见的 ASCII 字符", "an address is written in visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("地址无法解析", "the address cannot be read") from None
    _expect(
        parts.scheme == "https" or (rules.http and parts.scheme == "http"),
        "地址须以 https:// 开头",
        "an address begins with https://",
    )
    _expect("@" not in parts.netloc, "地址中不得含用户名或口令", "an address holds no user name or password")
    _expect(not parts.fragment and not url.endswith("#"), "地址中不得含片段 #", "an address holds no fragment (#)")
    _expect(bool(host) and "%" not in host, "地址中没有主机名", "the address names no host")
    tls = parts.scheme == "https"
    port = (443 if tls else 80) if port is None else port
    allowed = rules.ports is None or port in rules.ports or (port == 80 and rules.http)  # noqa: PLR2004
    named = "" if rules.ports is None else ", ".join(map(str, sorted(rules.ports)))
    _expect(allowed and port > 0, f"端口 {port} 不在允许之列：{named}", f"port {port} is not allowed; expected {named}")
    literal = _literal(host)
    if literal is not None:
        expect_reachable([literal], rules)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url, tls, host, port, path, literal)


def expect_reachable(found: Iterable[Address], rules: AddressRules) -> None:
    """Every machine that a name leads to. Raises AddressRefused if one of them may not be reached, or there is none."""
    addresses = list(found)
    _expect(bool(addresses), "主机名没有对应的地址", "the host's name leads nowhere")
    for address in addresses:
        _expect(
            may_reach(address, rules),
            "主机位于内部网络，不允许推送",
            "the host is in a network that is not public, and not one that the operator allows",
        )


def may_reach(address: Address, rules: AddressRules) -> bool:
    """Whether the hub may connect to a machine: a public one, or one of the networks that the operator allows.

    An IPv6 address that stands for an IPv4 address counts as that one.
    """
    meant = _meant(address)
    if any(each in network for each in meant for network in rules.networks):
        return True
    return all(_is_public(each) for each in meant)


def _is_public(address: Address) -> bool:
    """Neither private, loopback, link-local (metadata services), shared, for documentation, nor a group's."""
    if isinstance(address, IPv6Address) and address.is_site_local:  # fec0::/10, which Python holds to be global
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def _meant(address: Address) -> list[Address]:
    """The machines that an address leads to: itself, or the IPv4 addresses that it stands for."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    if address.teredo is not None:
        return list(address.teredo)
    if any(address in network for network in _TRANSLATED):
        return [IPv4Address(int(address) & 0xFFFFFFFF)]
    return [address]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _expect(holds: bool, zh: str, en: str) -> None:  # noqa: FBT001
    if not holds:
        raise AddressRefused(zh, en)
