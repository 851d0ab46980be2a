"""The consumers' documentation as this hub serves it: Markdown in both languages, made into pages once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
PAGES = ("start", "authentication", "grants", "reading", "feed", "webhooks", "bulk", "errors", "limits", "versions")
"""In the order of the table of contents; the first one is what ``/docs`` shows."""
_FOLDER = Path(__file__).parent
_LOCAL = re.compile(r'(href=")(/)')


@dataclass(frozen=True, slots=True)
class Page:
    """One page in one language."""

    name: str
    language: Language
    title: str
    html: str
    """Its text; addresses of this hub begin with ``/``."""

    def below(self, root: str) -> str:
        """Its text for a hub that lives below a path."""
        return _LOCAL.sub(rf"\g<1>{root}\g<2>", self.html)


@cache
def page(name: str, language: Language) -> Page:
    """A page that there is."""
    source = text(name, language)
    title = source.partition("\n")[0].removeprefix("# ")
    made = _markdown().render(source).replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return Page(name, language, title, made.replace("</table>", "</table></div>"))


@cache
def contents(language: Language) -> Sequence[Page]:
    """Every page, in order."""
    return [page(name, language) for name in PAGES]


def text(name: str, language: Language) -> str:
    """The Markdown of a page that there is."""
    return (_FOLDER / f"{name}.{language}.md").read_text("utf-8")


def _markdown() -> MarkdownIt:
    """CommonMark with tables, without HTML of its own."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")
