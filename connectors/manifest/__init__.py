"""Manifests: one YAML file per connector, checked so that a wrong one says file, line, key and what was expected."""

from connectors.errors import ManifestError, ManifestProblem
from connectors.manifest.loading import DEPARTMENTS, load, load_all, manifest_files
from connectors.manifest.model import (
    Bilingual,
    Limits,
    Manifest,
    Operation,
    Owner,
    SourceSection,
    Tombstone,
)
from connectors.manifest.structure import manifest_schema

__all__ = [
    "DEPARTMENTS",
    "Bilingual",
    "Limits",
    "Manifest",
    "ManifestError",
    "ManifestProblem",
    "Operation",
    "Owner",
    "SourceSection",
    "Tombstone",
    "load",
    "load_all",
    "manifest_files",
    "manifest_schema",
]
