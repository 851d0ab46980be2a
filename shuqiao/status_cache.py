"""Signed documents fetched for verification and kept, so that later the same can be verified without a network."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import requests

from registry.credentials.verify.sources import FetchedList

MAX_BYTES = 8 << 20
"""More than any status list or trust list here has."""
_TIMEOUT = (5, 15)
"""Seconds to connect, and between two pieces of the answer."""
_YOUNG = timedelta(seconds=60)
"""What is no older need not be asked for again: status lists are allowed to be that old on their way."""
_CLOCKS_DIFFER = timedelta(minutes=5)
_STATUS_OK = 200


class NotFetched(Exception):  # noqa: N818  (what became of a request)
    """A document could not be fetched; the message says why, without anything secret."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A document as it was fetched."""

    body: bytes
    fetched_at: datetime
    newest_seen: datetime | None = None
    """When the newest edition that was ever fetched from there begins: an older one is a replay."""


class StatusCache:
    """A folder of fetched documents; the port through which the verifier gets status lists.

    ``may_fetch`` says which addresses may be asked: those in a document are not to be trusted before it is.
    """

    def __init__(self, folder: Path, *, offline: bool, may_fetch: Callable[[str], bool] = lambda _: True) -> None:
        self._folder, self._offline, self._may_fetch = folder, offline, may_fetch
        self.failures: dict[str, str] = {}
        """Why an address did not answer, by address; what was kept of it was used instead."""

    def restricted(self, may_fetch: Callable[[str], bool]) -> StatusCache:
        """The same folder for other addresses."""
        return StatusCache(self._folder, offline=self._offline, may_fetch=may_fetch)

    def status_list(self, url: str) -> FetchedList | None:
        """The list at an address, fetched now or kept; None if there is neither."""
        found = self.document(url)
        return None if found is None else FetchedList(found.body, found.fetched_at, found.newest_seen)

    def document(self, url: str) -> Kept | None:
        """Whatever is at an address, fetched now or kept; None if there is neither."""
        kept = self._read(url)
        if self._offline or (kept is not None and datetime.now(UTC) - kept.fetched_at < _YOUNG):
            return kept
        if not self._may_fetch(url):
            self.failures[url] = "不属于信任列表中的机构 not an address of an issuer on the trust list"
            return kept
        try:
            fetched = _newest(Kept(_fetched(url), datetime.now(UTC)), kept)
        except NotFetched as error:
            self.failures[url] = str(error)
            return kept
        self._write(url, fetched)
        return fetched

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()}.kept"

    def _read(self, url: str) -> Kept | None:
        """Nothing if the file is not there, or is not what was written: it can be fetched again."""
        try:
            head, _, body = self._path(url).read_bytes().partition(b"\n")
            said = orjson.loads(head)
            fetched_at = datetime.fromisoformat(said["fetched_at"])
            newest_seen = datetime.fromisoformat(said["newest_seen"]) if said.get("newest_seen") else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        known = said.get("url") == url and said.get("bytes") == len(body) and fetched_at.tzinfo is not None
        return Kept(body, fetched_at, newest_seen) if known else None

    def _write(self, url: str, kept: Kept) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        newest = kept.newest_seen.isoformat() if kept.newest_seen else None
        said = {"url": url, "fetched_at": kept.fetched_at.isoformat(), "newest_seen": newest, "bytes": len(kept.body)}
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            file.write(orjson.dumps(said) + b"\n" + kept.body)
        Path(file.name).replace(self._path(url))


def default_folder() -> Path:
    """Where a person's caches lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shuqiao" / "status"


def _newest(fetched: Kept, kept: Kept | None) -> Kept:
    """The fetched document with the begin of the newest edition known.

    A begin that is yet to come is not remembered: whoever sends one must not make every later edition look old.
    """
    begins = [kept.newest_seen] if kept is not None and kept.newest_seen is not None else []
    try:
        begin = datetime.fromisoformat(orjson.loads(fetched.body)["validFrom"])
        begins += [begin] if begin <= fetched.fetched_at + _CLOCKS_DIFFER else []
    except (ValueError, KeyError, TypeError):
        pass
    return replace(fetched, newest_seen=max(begins, default=None))


def _fetched(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise NotFetched("地址不是 http(s) not an http(s) address")
    try:
        with _session(url) as session, session.get(url, timeout=_TIMEOUT, stream=True, allow_redirects=False) as answer:
            if answer.status_code != _STATUS_OK:
                raise NotFetched(f"HTTP {answer.status_code}")
            body = b""
            for chunk in answer.iter_content(65536):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise NotFetched(f"超过 more than {MAX_BYTES} bytes")
            return body
    except (requests.RequestException, OSError) as error:
        raise NotFetched(f"无法连接 no answer ({type(error).__name__})") from error


def _session(url: str) -> requests.Session:
    """This machine itself is asked directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    return session
