"""How everything here says no: a stable code for programs, and a sentence for people in both languages."""

from __future__ import annotations


class Refused(ValueError):  # noqa: N818
    """Something is not accepted; ``code`` says why, ``zh`` and ``en`` say it to people."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(en)
        self.code = code
        self.zh = zh
        self.en = en
