"""Where a source is and who the hub is there: the parts of an Airflow connection, without Airflow.

The application reads them from Airflow's connections (database, environment, secrets backend); outside Airflow the
same ``AIRFLOW_CONN_<ID>`` environment variables serve. Secrets stay in here: they never show in ``repr``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Connection:
    """The address and credentials of one source."""

    id: str
    type: str = ""
    """The Airflow connection type or URI scheme: ``postgres``, ``mysql``, ``http``, ``sftp``, ``file`` ..."""
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    """Database name, or ``https`` for HTTP connections, as Airflow uses it."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, id: str, text: str) -> Connection:  # noqa: A002
        """Read the two forms of ``AIRFLOW_CONN_*``: a URI, or a JSON object. Raises ValueError (without the text)."""
        if text.lstrip().startswith("{"):
            try:
                data = json.loads(text)
            except ValueError:
                raise ValueError(f"connection {id}: the JSON form cannot be read") from None
            extra = data.get("extra") or {}
            return cls(
                id=id,
                type=data.get("conn_type") or "",
                host=data.get("host") or "",
                port=int(data["port"]) if data.get("port") else None,
                login=data.get("login") or "",
                password=data.get("password") or "",
                schema=data.get("schema") or "",
                extra=json.loads(extra) if isinstance(extra, str) else extra,
            )
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError(f"connection {id}: the URI form cannot be read") from None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        extra = json.loads(query["__extra__"]) if "__extra__" in query else query
        return cls(
            id=id,
            type=parts.scheme.replace("-", "_"),
            host=unquote(parts.hostname or ""),
            port=port,
            login=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            schema=unquote(parts.path.lstrip("/")),
            extra=extra,
        )
