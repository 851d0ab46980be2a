"""The file of the ring of keys: made, read, rotated. ``SHUQIAO_PERSONAL_KEYS`` names it; only its owner reads it.

A process that uses the ring looks at the file's time each time, so a rotation needs no restart. The file is replaced as
a whole: nobody reads half of it.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from registry.sealing.errors import PersonalKeyRefused, PersonalKeysMalformed, PersonalKeysMissing
from registry.sealing.ring import LENGTH, Ring

VARIABLE = "SHUQIAO_PERSONAL_KEYS"
MOST_KEYS = (1 << 16) - 1
_FORMAT = 1
_OWNER_ONLY = 0o600
_FOR_OTHERS = stat.S_IRWXO | stat.S_IWGRP

State = Literal["waiting", "active", "replaced", "retired"]
"""``waiting``: made, opens, does not seal yet. ``replaced``: opens only. ``retired``: gone, only its number is kept."""


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """One key, as the file has it."""

    number: int
    state: State
    made_at: str
    replaced_at: str | None
    """Since when it seals no more."""
    key: str | None = field(repr=False)
    """Base64; None once it is retired."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What the file says."""

    keys: tuple[PersonalKey, ...]
    content_key: str = field(repr=False)
    index_key: str = field(repr=False)

    @property
    def active(self) -> PersonalKey:
        """The key that seals."""
        return next(key for key in self.keys if key.state == "active")

    def ring(self) -> Ring:
        """The keys, ready for use."""
        return Ring(
            {key.number: base64.b64decode(key.key) for key in self.keys if key.key is not None},
            self.active.number,
            content_key=base64.b64decode(self.content_key),
            index_key=base64.b64decode(self.index_key),
        )


def place() -> Path:
    """Where the ring lies. Raises PersonalKeysMissing."""
    named = os.environ.get(VARIABLE, "").strip()
    if not named:
        raise PersonalKeysMissing(
            f"没有个人信息密钥：请把 {VARIABLE} 设为密钥环文件的路径（由 `shuqiao keys personal new` 生成）。",
            f"There are no keys for personal values: set {VARIABLE} to a ring of keys, made with "
            "`shuqiao keys personal new`.",
        )
    return Path(named).expanduser()


_known: dict[Path, tuple[tuple[int, int, int], Ring]] = {}


def ring() -> Ring:
    """The ring as its file is now. Raises PersonalKeysMissing, PersonalKeysMalformed."""
    path = place()
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    mark = (found.st_mtime_ns, found.st_size, found.st_ino)
    known = _known.get(path)
    if known is None or known[0] != mark:
        known = _known[path] = (mark, read(path).ring())
    return known[1]


def read(path: Path) -> KeyFile:
    """The file. Raises PersonalKeysMissing, PersonalKeysMalformed."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None
    if mode & _FOR_OTHERS:
        raise PersonalKeysMalformed(
            f"密钥环文件 {path} 可被他人读取（权限 {mode:o}），请执行 chmod 600。",
            f"The ring of keys {path} can be read or changed by others (mode {mode:o}): chmod 600.",
        )
    try:
        said = json.loads(text)
        file = KeyFile(
            tuple(
                PersonalKey(each["number"], each["state"], each["made_at"], each["replaced_at"], each["key"])
                for each in said["keys"]
            ),
            said["content_key"],
            said["index_key"],
        )
        _check(file, said["format"])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise PersonalKeysMalformed(
            f"{path} 不是有效的密钥环文件，请从备份恢复。",
            f"{path} is no ring of keys for personal values: restore it from its backup.",
        ) from None
    return file


def make(path: Path) -> KeyFile:
    """A ring with its first key, active. Raises PersonalKeyRefused if there is one."""
    if path.exists():
        raise PersonalKeyRefused(f"{path} 已存在。", f"{path} is there already.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        if not path.exists():
            _write(path, KeyFile((PersonalKey(1, "active", _now(), None, _new()),), _new(), _new()))
    return read(path)


def add(path: Path) -> KeyFile:
    """A further key, waiting: hand the file to every machine, then :func:`activate` it."""

    def added(file: KeyFile) -> KeyFile:
        if any(key.state == "waiting" for key in file.keys):
            raise PersonalKeyRefused(
                "已有一个待启用的密钥，请先执行 rotate。", "There is a key waiting already: rotate to it first."
            )
        number = max(key.number for key in file.keys) + 1
        if number > MOST_KEYS:
            raise PersonalKeyRefused("密钥编号已用尽。", "There are no more numbers for keys.")
        return replace(file, keys=(*file.keys, PersonalKey(number, "waiting", _now(), None, _new())))

    return _changed(path, added)


def activate(path: Path) -> KeyFile:
    """The waiting key seals from now on; what the one before sealed still opens. Raises PersonalKeyRefused."""

    def activated(file: KeyFile) -> KeyFile:
        if not any(key.state == "waiting" for key in file.keys):
            raise PersonalKeyRefused(
                "没有待启用的密钥，请先执行 `shuqiao keys personal new`。",
                "No key is waiting: make one with `shuqiao keys personal new`.",
            )
        return replace(file, keys=tuple(map(_moved_on, file.keys)))

    return _changed(path, activated)


def _moved_on(key: PersonalKey) -> PersonalKey:
    if key.state == "waiting":
        return replace(key, state="active")
    return replace(key, state="replaced", replaced_at=_now()) if key.state == "active" else key


def retire(path: Path, number: int) -> KeyFile:
    """Take a replaced key out of the ring for good; its number stays taken. Raises PersonalKeyRefused.

    Whether anything is still sealed with it is the caller's to look at.
    """

    def retired(file: KeyFile) -> KeyFile:
        found = next((key for key in file.keys if key.number == number), None)
        if found is None or found.state != "replaced":
            state = "没有该密钥" if found is None else f"状态为 {found.state}"
            raise PersonalKeyRefused(
                f"密钥 {number} 不能停用：{state}；只能停用已被替换的密钥。",
                f"Key {number} cannot be retired: only a key that was replaced can.",
            )
        gone = replace(found, state="retired", key=None)
        return replace(file, keys=tuple(gone if key is found else key for key in file.keys))

    return _changed(path, retired)


def _changed(path: Path, change: Callable[[KeyFile], KeyFile]) -> KeyFile:
    with _alone(path):
        after = change(read(path))
        _write(path, after)
    return after


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the only one to change the file."""
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, _OWNER_ONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, file: KeyFile) -> None:
    """Whole or not at all, never readable for others on the way, and the owner kept."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(json.dumps({"format": _FORMAT, **asdict(file)}, indent=2) + "\n")
        output.flush()
        os.fsync(output.fileno())
    if path.exists() and os.geteuid() == 0:
        before = path.stat()
        os.chown(draft, before.st_uid, before.st_gid)
    draft.replace(path)


def _check(file: KeyFile, format_: int) -> None:
    """Raises ValueError."""
    if format_ != _FORMAT:
        raise ValueError("format")
    numbers = [key.number for key in file.keys]
    if len(set(numbers)) != len(numbers) or not all(0 < number <= MOST_KEYS for number in numbers):
        raise ValueError("numbers")
    if [key.state for key in file.keys].count("active") != 1:
        raise ValueError("active")
    for text in (file.content_key, file.index_key, *(key.key for key in file.keys if key.state != "retired")):
        if text is None or len(base64.b64decode(text, validate=True)) != LENGTH:
            raise ValueError("length")


def _unreadable(path: Path, error: Exception) -> PersonalKeysMissing:
    why = error.strerror if isinstance(error, OSError) else "no text"
    return PersonalKeysMissing(
        f"密钥环文件 {path} 无法读取（{why}），请检查 {VARIABLE} 和文件权限，或用 `shuqiao keys personal new` 生成。",
        f"The ring of keys {path} cannot be read ({why}): check {VARIABLE} and the file's owner, or make one with "
        "`shuqiao keys personal new`.",
    )


def _new() -> str:
    return base64.b64encode(secrets.token_bytes(LENGTH)).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat()
