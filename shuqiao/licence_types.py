"""The licence types of this hub: its own and those in the folders that the settings name."""

from __future__ import annotations

from registry.domain.licences.loading import LicenceTypes, load_types
from shuqiao import settings


def licence_types() -> LicenceTypes:
    """Every licence type. Raises LicenceTypeError with every fault of every file, SettingsError."""
    return load_types(settings.read().licence_types)
