"""Clients of the API together with what they may read, in one call: for tests that are about something else.

``read:<dataset>`` stands for a grant of a dataset, of every field, for any purpose; ``read:*`` for grants of every
dataset whose schema the hub knows, and of those that tests bring along. The other scopes are the client's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry.api.clients import clients
from registry.api.clients.clients import NewClient
from registry.domain.grants.terms import GrantError, Terms
from registry.grants import giving
from registry.grants.giving import HeldGrant
from registry.storage.database import connect
from schemas import catalogue

__all__ = ["SCHEMAS", "GrantError", "enter", "everything", "grant", "revoke"]

SCHEMAS = Path(__file__).parent / "schemas_of_tests"
"""Schemas of the datasets that tests bring along; for the variable SHUQIAO_SCHEMAS."""


def enter(url: str, name: str, scopes: Sequence[str], **more: Any) -> NewClient:
    """A new client with its scopes and grants; ``more`` is for entering the client."""
    read = [scope.removeprefix("read:") for scope in scopes if scope.startswith("read:")]
    client = clients.add(url, name, [scope for scope in scopes if not scope.startswith("read:")], **more)
    for dataset in everything(url) if "*" in read else read:
        grant(url, client.id, dataset)
    return client


def grant(url: str, client_id: str, dataset: str, schema: str | None = None, **terms: Any) -> HeldGrant:
    """Give a client a dataset, which the registry may not hold yet; ``terms`` as :class:`Terms` has them."""
    known = {reference.partition("@")[0]: reference for reference in catalogue.references()}
    with connect(url) as connection:
        held = connection.execute("SELECT schema FROM registry.dataset WHERE name = %s", (dataset,)).fetchone()
        pinned = schema or (held[0] if held else known.get(dataset, f"{dataset}@1"))
        return giving.give(
            connection, client_id, dataset, Terms(**_sets(terms)), given_by="a test", approval="a test", schema=pinned
        )


def everything(url: str) -> list[str]:
    """Every dataset that there may be."""
    names = {reference.partition("@")[0] for reference in catalogue.references()}
    names |= {path.name for path in SCHEMAS.iterdir() if path.is_dir()}
    with connect(url) as connection:
        names |= {row[0] for row in connection.execute("SELECT name FROM registry.dataset")}
    return sorted(names)


def _sets(terms: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(terms)
    for name in ("fields", "purposes"):
        if found.get(name) is not None:
            found[name] = frozenset(found[name])
    if "rows" in found:
        found["rows"] = {name: frozenset(values) for name, values in found["rows"].items()}
    return found


def revoke(url: str, grant_id: int) -> HeldGrant:
    """End a grant."""
    with connect(url) as connection:
        return giving.revoke(connection, grant_id, by="a test", reason="no longer needed")
