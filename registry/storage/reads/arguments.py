"""Values of a statement that is put together from parts."""

from __future__ import annotations


class Arguments(list[object]):
    """The values, in order; each one added gives the placeholder to write in its place."""

    def add(self, value: object) -> str:
        """``$1`` for the first value, ``$2`` for the next."""
        self.append(value)
        return f"${len(self)}"
