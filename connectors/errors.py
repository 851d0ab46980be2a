"""The errors of connectors, sorted by what the caller does next.

::

    ConnectorError
    ├── ManifestError            the manifest is wrong: file, line, key, what was expected   -> fix the file
    ├── SourceUnavailable        the source does not answer now                              -> try again later
    ├── SourceMisconfigured      the source answers, but not as the manifest says            -> stop, tell the owner
    │   └── SourceColumnsChanged     columns that the mapping reads are missing              -> gate: held for a person
    └── RowRefused               one row cannot be read or mapped                            -> quarantine

No message holds a secret, nor the whole value of a personal field.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path


class ConnectorError(Exception):
    """Something between the hub and a department's system went wrong."""


@dataclass(frozen=True, slots=True)
class ManifestProblem:
    """One thing wrong in a manifest: where it stands and what was expected there."""

    path: Path
    line: int
    """1-based; 0 when the whole file is meant."""
    key: str
    """Dotted path of the key, for example ``source.cursor.column``; empty for the whole file."""
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ManifestError(ConnectorError):
    """A manifest is wrong; ``problems`` has every fault found, with file, line and key."""

    def __init__(self, problems: list[ManifestProblem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SourceUnavailable(ConnectorError):  # noqa: N818  (named for what the caller meets, as in the design)
    """The source does not answer, or says "later": trying again may help.

    ``retry_after`` is what the source asked for, in seconds, if it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SourceMisconfigured(ConnectorError):  # noqa: N818
    """The source answers, but not as the manifest says: trying again cannot help, the owner must act."""


class SourceColumnsChanged(SourceMisconfigured):
    """Columns that the manifest reads are not there any more."""

    def __init__(self, where: str, missing: list[str], present: list[str]) -> None:
        self.where, self.missing, self.present = where, missing, present
        self.guesses = _renamed(missing, present)
        """Missing column to the one that it may be called now."""
        guesses = "".join(f' Perhaps "{old}" is "{new}" now.' for old, new in self.guesses.items())
        super().__init__(
            f"{where}: column(s) {', '.join(missing)} missing; the source has {', '.join(present)}.{guesses} "
            "Was a column renamed? Correct the mapping in the manifest, or ask the department."
        )


def _renamed(missing: list[str], present: list[str]) -> dict[str, str]:
    plain = {name.casefold(): name for name in present}
    close = {name: difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.6) for name in missing}
    return {name: plain[found[0]] for name, found in close.items() if found}


class RowRefused(ConnectorError):  # noqa: N818
    """One row cannot be read or mapped; it goes to quarantine, the others go on."""

    def __init__(self, rule: str, zh: str, en: str, pointer: str = "") -> None:
        self.rule, self.zh, self.en, self.pointer = rule, zh, en, pointer
        super().__init__(en)
