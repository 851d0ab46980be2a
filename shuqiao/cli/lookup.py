"""Connectors by name, as a person writes them."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.manifest import Manifest
from shuqiao import manifests
from shuqiao.cli.failures import unknown, usage


def connector(name: str) -> Manifest:
    """The manifest of a connector. Raises Failure that says which there are, ManifestError when its file is wrong."""
    try:
        return manifests.one(name)
    except KeyError:
        known = [each.connector for each in manifests.everything()[0]]
        raise usage(*unknown("连接器", "connector", name, known, "shuqiao connectors list")) from None


def connectors(names: Sequence[str], *, everything: bool) -> list[Manifest]:
    """The manifests that were asked for. Raises Failure when none was named."""
    if everything and names:
        raise usage("请用名称或 --all 之一 give names, or --all, not both")
    if everything:
        return list(manifests.everything()[0])
    if not names:
        raise usage("请指定连接器 name a connector, or give --all", "shuqiao connectors list")
    return [connector(name) for name in dict.fromkeys(names)]
