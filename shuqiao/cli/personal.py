"""What a connector's rows are known by, where that is a personal value: shown masked."""

from __future__ import annotations


def personal_identity(connector: str) -> tuple[bool, bool]:
    """Whether the row id and the key of a connector's records are personal values; both, if nobody knows it."""
    from connectors.errors import ManifestError  # noqa: PLC0415
    from schemas import catalogue  # noqa: PLC0415
    from shuqiao import manifests  # noqa: PLC0415
    from shuqiao.personal_columns import columns_of  # noqa: PLC0415

    try:
        manifest = manifests.one(connector)
    except (KeyError, ManifestError):
        return True, True
    pointers = catalogue.personal_fields(manifest.schema)
    return (
        not columns_of(manifest).personal.isdisjoint(manifest.source.row_id),
        any(f"/{catalogue.escape(name)}" in pointers for name in manifest.key),
    )
