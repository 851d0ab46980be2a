"""The manifests of this hub: the demo departments' and those of the folders that the settings name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from connectors.errors import ManifestError
from connectors.manifest import DEPARTMENTS, Manifest, load, load_all, manifest_files
from shuqiao import settings
from shuqiao.settings import Settings

_NAME = re.compile(r"^connector:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


def folders(given: Settings | None = None) -> tuple[Path, ...]:
    """Where manifests are looked for, in this order; by default as this process's environment says."""
    given = given or settings.read()
    return (*([DEPARTMENTS] if given.demo_connectors else []), *given.manifests)


def everything() -> tuple[Sequence[Manifest], Sequence[ManifestError]]:
    """Every manifest that is right, and what is wrong with the others."""
    return load_all(folders())


def one(connector: str) -> Manifest:
    """The manifest of one connector, without loading the others.

    Raises KeyError (with a sentence) when no file names it, ManifestError when its file is wrong.
    """
    known = []
    for path in manifest_files(folders()):
        named = _NAME.search(path.read_text("utf-8", "replace"))
        if named is None:
            continue
        if named[1] == connector:
            return load(path)
        known.append(named[1])
    raise KeyError(f"there is no connector {connector!r}; there are {', '.join(sorted(known)) or 'none'}")
