"""What can be wrong with the keys of personal values, and with what was sealed. None of it tells a value or a key."""

from __future__ import annotations


class PersonalKeysError(Exception):
    """Personal values cannot be sealed or opened; ``zh`` and ``en`` say what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.zh, self.en = zh, en


class PersonalKeysMissing(PersonalKeysError):  # noqa: N818
    """Nobody has said where the keys lie, or they cannot be read."""


class PersonalKeysMalformed(PersonalKeysError):  # noqa: N818
    """The file is no ring of keys, or others can read it."""


class PersonalKeysForeign(PersonalKeysError):  # noqa: N818
    """The ring is another registry's, or was made anew in place of one that is missing."""


class PersonalKeyUnknown(PersonalKeysError):  # noqa: N818
    """Something is sealed with a key that the ring does not have (any more)."""


class PersonalValuesDamaged(PersonalKeysError):  # noqa: N818
    """What was sealed has been changed since, or stood elsewhere."""


class PersonalKeyRefused(PersonalKeysError):  # noqa: N818
    """A key cannot be made active or retired as asked."""
