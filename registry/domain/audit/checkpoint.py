"""A checkpoint: the whole log in three lines, as https://c2sp.org/tlog-checkpoint has them, signed as a note.

::

    hub.example.cn/access-log
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — hub.example.cn/access-log Az3grl...

The text that is signed ends with the line end of its third line. What signs and verifies is not here.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from registry.domain.audit.merkle import HASH_BYTES

MAX_BYTES = 1 << 16
_KEY_ID_BYTES = 4
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<value>[A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointMalformed(ValueError):  # noqa: N818  (named for what was met)
    """A text is no checkpoint."""

    def __init__(self, why: str) -> None:
        super().__init__(f"不是检查点 no checkpoint: {why}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log as it was: its first ``size`` entries have this root."""

    origin: str
    """Which log it is; also the name of its key."""
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below a note."""

    name: str
    key_id: bytes
    """Four bytes that tell which key; no proof of anything."""
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"— {self.name} {_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the signatures below it, which nobody has verified yet."""

    checkpoint: Checkpoint
    text: str
    """What the signatures are over: the checkpoint's text, with lines of extension where there are any."""
    signatures: tuple[NoteSignature, ...]


def note(checkpoint: Checkpoint, *signatures: NoteSignature) -> str:
    """The signed note."""
    return checkpoint.text + "\n" + "".join(signature.line for signature in signatures)


def parse(note: str) -> SignedCheckpoint:
    """Read a signed note. Raises CheckpointMalformed."""
    if len(note) > MAX_BYTES:
        raise CheckpointMalformed(f"longer than {MAX_BYTES} characters")
    text, blank, below = note.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise CheckpointMalformed("expected a text, an empty line and lines of signatures, each with its line end")
    if any(letter < " " and letter != "\n" for letter in note):
        raise CheckpointMalformed("a control character stands in it")
    signatures = tuple(_signature(line) for line in below.removesuffix("\n").split("\n"))
    return SignedCheckpoint(_checkpoint(text), text + "\n", signatures)


def _checkpoint(text: str) -> Checkpoint:
    origin, *lines = text.split("\n")
    if len(lines) < 2 or not origin or not all(lines):  # noqa: PLR2004  (size and root)
        raise CheckpointMalformed("expected three lines: origin, size, root")
    if not _SIZE.fullmatch(lines[0]):
        raise CheckpointMalformed(f"the second line is to be the size of the log, got {lines[0][:40]!r}")
    root = _bytes(lines[1])
    if len(root) != HASH_BYTES:
        raise CheckpointMalformed(f"the third line is to be the base64 of {HASH_BYTES} bytes")
    return Checkpoint(origin, int(lines[0]), root)


def _signature(line: str) -> NoteSignature:
    found = _SIGNATURE.fullmatch(line)
    value = _bytes(found["value"]) if found else b""
    if found is None or len(value) <= _KEY_ID_BYTES:
        raise CheckpointMalformed("a line below the empty line is no signature")
    return NoteSignature(found["name"], value[:_KEY_ID_BYTES], value[_KEY_ID_BYTES:])


def _bytes(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CheckpointMalformed(f"no base64: {text[:80]!r}") from None
    if _base64(value) != text:
        raise CheckpointMalformed(f"base64 in another spelling: {text[:80]!r}")
    return value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
