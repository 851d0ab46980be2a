"""gzip files and zip archives as plain streams, guarded against bombs before and while they are unpacked."""

from __future__ import annotations

import fnmatch
import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.kinds.file.settings import Limits
from connectors.kinds.measures import readable_size

ENOUGH_TO_JUDGE: Final = 16 << 20
"""Bytes that must have come out before the ratio is looked at."""
GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")


class Counted(io.RawIOBase):
    """A stream that stops at a limit."""

    def __init__(self, inner: Any, too_much: Callable[[int], Exception | None]) -> None:
        super().__init__()
        self._inner, self._too_much = inner, too_much
        self.count = 0

    def readable(self) -> bool:
        """Yes: :class:`io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer (networks give little at a time), count, judge."""
        filled, size = 0, len(buffer)
        while filled < size:
            data = self._inner.read(size - filled)
            if not data:
                break
            buffer[filled : filled + len(data)] = data
            filled += len(data)
            self.count += len(data)
            error = self._too_much(self.count)
            if error is not None:
                raise error
        return filled


def limited_file(stream: IO[bytes], where: str, limits: Limits) -> Counted:
    """The file as it lies at the source, no longer than allowed."""

    def too_much(count: int) -> Exception | None:
        if count <= limits.max_file:
            return None
        return SourceMisconfigured(f"{where}: larger than {readable_size(limits.max_file)} (setting max_file)")

    return Counted(stream, too_much)


def bomb(where: str, out: int, packed: int, limits: Limits) -> SourceMisconfigured | None:
    """Why ``out`` bytes from ``packed`` are too many; None if they are not."""
    if out > limits.max_uncompressed:
        return SourceMisconfigured(
            f"{where}: unpacks to more than {readable_size(limits.max_uncompressed)} (setting max_uncompressed)"
        )
    ratio = out / max(packed, 1)
    if out > ENOUGH_TO_JUDGE and ratio > limits.max_ratio:
        return SourceMisconfigured(
            f"{where}: unpacks to {ratio:.0f} times its size, expected at most {limits.max_ratio:g} times "
            "(setting max_ratio); is it a zip bomb?"
        )
    return None


def gunzipped(stream: IO[bytes], packed: Counted, where: str, limits: Limits) -> IO[bytes]:
    """What a gzip file holds; ``packed`` counts what has been read of it."""
    unpacked = gzip.GzipFile(fileobj=stream, mode="rb")
    return io.BufferedReader(
        Counted(unpacked, lambda count: bomb(where, count, packed.count, limits)),
        1 << 17,
    )


@contextmanager
def seekable(stream: IO[bytes], *, as_it_is: bool) -> Iterator[IO[bytes]]:
    """The stream itself if one can jump about in it cheaply, else a copy on this machine's disk."""
    if as_it_is:
        yield stream
        return
    with tempfile.TemporaryFile(prefix="shuqiao-") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
        yield copy


@contextmanager
def archive(stream: IO[bytes], where: str, limits: Limits, *, names: str, broken: type[Exception]) -> Iterator[Any]:
    """An opened zip archive whose directory promises nothing outrageous; ``broken`` is raised if it cannot be read.

    Python's zipfile never gives more of a member than its directory entry says, so a bound on those is a bound on all.
    """
    try:
        opened = zipfile.ZipFile(stream, metadata_encoding=names)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, OSError, NotImplementedError, UnicodeError) as error:
        raise broken(f"{where}: the file is cut short or damaged: {_said(error)}") from None
    with opened:
        entries = opened.infolist()
        if len(entries) > limits.max_members:
            raise SourceMisconfigured(
                f"{where}: holds {len(entries)} files, expected at most {limits.max_members} (setting max_members)"
            )
        promised = bomb(where, sum(e.file_size for e in entries), sum(e.compress_size for e in entries), limits)
        if promised is not None:
            raise promised
        yield opened


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:100] or type(error).__name__


def members(opened: zipfile.ZipFile, where: str, limits: Limits, pattern: str) -> Iterator[tuple[str, str, IO[bytes]]]:
    """Each matching member's name, place and stream, in the order of names."""
    chosen = sorted(
        (entry for entry in opened.infolist() if not entry.is_dir() and fnmatch.fnmatchcase(entry.filename, pattern)),
        key=lambda entry: entry.filename,
    )
    chosen = [entry for entry in chosen if not entry.filename.startswith("__MACOSX/")]
    if not chosen:
        found = ", ".join(entry.filename for entry in opened.infolist()[:10]) or "nothing"
        raise SourceMisconfigured(f"{where}: holds no file that matches {pattern} (setting members); it has {found}")
    for entry in chosen:
        place = f"{where}!{entry.filename}"
        if entry.flag_bits & 1:
            raise SourceMisconfigured(f"{place}: is protected by a password, which the hub does not know")
        try:
            stream = opened.open(entry)
        except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError) as error:
            raise SourceMisconfigured(f"{place}: cannot be unpacked: {_said(error)}") from None
        with stream:
            counted = Counted(stream, _judge(place, entry.compress_size, limits))
            buffered = io.BufferedReader(counted, 1 << 17)
            if buffered.peek(4)[:4] in ZIP and not entry.filename.lower().endswith((".xlsx", ".xlsm")):
                raise SourceMisconfigured(f"{place}: is an archive inside an archive, which the hub does not unpack")
            yield entry.filename, place, buffered


def _judge(place: str, packed: int, limits: Limits) -> Callable[[int], Exception | None]:
    return lambda count: bomb(place, count, packed, limits)


@contextmanager
def unpacking(where: str) -> Iterator[None]:
    """What the unpackers raise in the midst of reading."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile) as error:
        raise SourceUnavailable(f"{where}: the compressed file ends too soon or is damaged: {_said(error)}") from None
    except (zlib.error, zipfile.BadZipFile) as error:
        raise SourceMisconfigured(f"{where}: the compressed data is damaged: {_said(error)}") from None
