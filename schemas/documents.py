"""A YAML file as plain data, with the line of every key.

YAML 1.2's idea of scalars, so that a file means what it looks like: keys are texts as written (``开业``, ``01``,
``no``), ``no`` and ``on`` are texts, ``01`` is the text of a code, dates stay texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Key = tuple[str | int, ...]

MAX_BYTES = 1 << 20
MAX_NODES = 50_000
"""With aliases counted each time they are used: a small file can otherwise stand for billions of values."""
MAX_DEPTH = 30
LONGEST_INTEGER, LONGEST_FLOAT = 18, 40
"""Characters; longer ones stay texts."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")
_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}


class DocumentError(ValueError):
    """The text cannot be read as YAML data; ``line`` is 1-based."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


@dataclass(slots=True)
class Document:
    """The data and where each key stands."""

    data: Any
    lines: dict[Key, int] = field(default_factory=dict)
    duplicates: list[tuple[Key, int, int]] = field(default_factory=list)
    """Key, line of the second and of the first."""

    def line(self, key: Key) -> int:
        """Where ``key`` stands, or the nearest parent that is there."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read_document(text: str) -> Document:
    """Raises DocumentError."""
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(mark.line + 1 if mark else 0, f"no valid YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise DocumentError(0, f"no valid YAML: {error}") from None
    document = Document(None)
    if node is not None:
        document.data = _Reader(document).value(node, ())
    return document


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0

    def value(self, node: yaml.Node, key: Key) -> Any:
        line = node.start_mark.line + 1
        self.document.lines.setdefault(key, line)
        self.nodes += 1
        if self.nodes > MAX_NODES or len(key) > MAX_DEPTH:
            raise DocumentError(line, "too large or too deeply nested")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*key, number)) for number, item in enumerate(node.value)]
        return scalar(node)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                raise DocumentError(line, "a key must be a text")
            name = str(name_node.value)
            inner = (*key, name)
            if name in data:
                self.document.duplicates.append((inner, line, self.document.lines[inner]))
                continue
            self.document.lines[inner] = line
            data[name] = self.value(value_node, inner)
        return data


def scalar(node: yaml.Node) -> Any:
    """A quoted scalar is a text; a plain one may be a number, a boolean or nothing."""
    text = str(node.value)
    if getattr(node, "style", None):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= LONGEST_INTEGER and _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= LONGEST_FLOAT and _FLOAT.fullmatch(text):
        return float(text)
    return text
