"""How everything here says no: a stable code for programs, and a sentence for people in both languages."""

from __future__ import annotations

from schemas.masking import printable


class Refused(ValueError):  # noqa: N818
    """Something is not accepted; ``code`` says why, ``zh`` and ``en`` say it to people.

    What is quoted of a foreign document is written so that it can be shown and stored: no control character, no
    character that turns the direction of writing, no half of a surrogate pair.
    """

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(printable(en))
        self.code = code
        self.zh = printable(zh)
        self.en = printable(en)
