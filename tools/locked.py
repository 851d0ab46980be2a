#!/usr/bin/env python3
"""Print what the given groups need, as pip requirements with hashes, out of the one lock: ``locked.py GROUP...``.

``constraints.txt`` locks everything (running, tests, checks, benchmarks). pip's ``--require-hashes`` takes a file in
which every line is pinned, and installs all of that file; so each group's share is cut out here. The share is found by
walking the lock's "# via" notes from a group's direct dependencies in pyproject.toml. Groups: ``run`` (the project's
own dependencies), the extras, and the dependency groups. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def main() -> int:
    """Print the share of the groups named on the command line."""
    groups = sys.argv[1:] or ["run"]
    try:
        wanted = direct_dependencies(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")), groups)
        print("\n".join(share((ROOT / "constraints.txt").read_text("utf-8"), wanted)))
    except (LookupError, OSError) as error:
        print(f"locked.py: {error.args[0] if isinstance(error, LookupError) else error}", file=sys.stderr)
        return 2
    return 0


def direct_dependencies(project: dict[str, Any], groups: Iterable[str]) -> set[str]:
    """The normalised names that pyproject.toml asks for in these groups."""
    known: dict[str, list[Any]] = {"run": project["project"].get("dependencies", [])}
    known |= project["project"].get("optional-dependencies", {})
    known |= project.get("dependency-groups", {})
    names: set[str] = set()
    for group in groups:
        if group not in known:
            raise LookupError(f"no group {group!r} in pyproject.toml; there are {', '.join(sorted(known))}")
        for entry in known[group]:
            if isinstance(entry, dict):
                names |= direct_dependencies(project, [entry["include-group"]])
            elif match := NAME.match(str(entry)):
                names.add(normalised(match[0]))
    return names


def share(lock: str, wanted: set[str]) -> list[str]:
    """The lock's blocks for ``wanted`` and all that they need. LookupError if the lock does not know one of them."""
    found = list(blocks(lock))
    missing = wanted - {name for name, _, _ in found}
    if missing:
        raise LookupError(f"constraints.txt does not lock {', '.join(sorted(missing))}: run `make lock`")
    needed = set(wanted)
    while more := {name for name, asked_by, _ in found if name not in needed and asked_by & needed}:
        needed |= more
    return [line for name, _, lines in found if name in needed for line in lines]


def blocks(lock: str) -> Iterator[tuple[str, set[str], list[str]]]:
    """Each pinned package: its name, who asks for it, and its lines."""
    name, asked_by, lines = "", set[str](), list[str]()
    for line in lock.splitlines():
        if match := PINNED.match(line):
            if name:
                yield name, asked_by, lines
            name, asked_by, lines = normalised(match[1]), set(), [line]
        elif name and line.startswith(" "):
            note = line.strip()
            if note.startswith("#"):
                asked = note.lstrip("# ").removeprefix("via").split(",")
                asked_by |= {normalised(part.strip()) for part in asked if part.strip()}
            else:
                lines.append(line)
    if name:
        yield name, asked_by, lines


def normalised(name: str) -> str:
    """PEP 503's spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
