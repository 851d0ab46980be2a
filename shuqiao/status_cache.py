"""Signed documents fetched for verification and kept, so that later the same can be verified without a network.

What is kept is replaced only by what is as good: signed, and no older. Whoever answers in the place of the hub, a
hotel's log-in page or an attacker with yesterday's list, is passed over and told of, and what was kept is used.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import orjson
import requests

from registry.credentials.verify.sources import FetchedList

MAX_BYTES = 8 << 20
"""More than any status list or trust list here has."""
_TIMEOUT = (5, 15)
"""Seconds to connect, and between two pieces of the answer."""
_LONGEST = 60
"""Seconds for a whole answer, however steadily it drips."""
_YOUNG = timedelta(seconds=60)
"""What is no older need not be asked for again: status lists are allowed to be that old on their way."""
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


Judge = Callable[[str, bytes], datetime | None]
"""When the edition at an address begins that is to be kept. Raises NotFetched for what is not what it should be."""


def any_document(_: str, body: bytes) -> None:
    """Nothing is known of what is fetched."""
    del body


class StatusCache:
    """A folder of fetched documents; the port through which the verifier gets status lists.

    ``may_fetch`` says which addresses may be asked: those in a document are not to be trusted before it is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        offline: bool,
        may_fetch: Callable[[str], bool] = lambda _: True,
        judge: Judge = any_document,
    ) -> None:
        self._folder, self._offline, self._may_fetch, self._judge = folder, offline, may_fetch, judge
        self.failures: dict[str, str] = {}
        """Why an address did not answer, or not what it should, by address; what was kept of it was used instead."""

    def restricted(self, may_fetch: Callable[[str], bool], judge: Judge) -> StatusCache:
        """The same folder for other addresses; what failed so far stays on record."""
        other = StatusCache(self._folder, offline=self._offline, may_fetch=may_fetch, judge=judge)
        other.failures = self.failures
        return other

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
            fetched = Kept(_fetched(url), datetime.now(UTC))
        except NotFetched as error:
            self.failures[url] = str(error)
            return kept
        try:
            begins = self._judge(url, fetched.body)
            _check_newer(begins, kept)
        except NotFetched as error:
            self.failures[url] = str(error)
            return kept or fetched  # with nothing better the verifier says what is wrong with it
        fetched = replace(fetched, newest_seen=begins)
        self._write(url, fetched)
        return fetched

    def newest_seen(self, name: str) -> datetime | None:
        """When the newest edition began of what :meth:`saw` was told of."""
        kept = self._read(name)
        return None if kept is None else kept.newest_seen

    def saw(self, name: str, begins: datetime) -> None:
        """Remember that this edition of a signed document has been seen, whichever way it came."""
        newest = self.newest_seen(name)
        if newest is None or newest < begins:
            self._write(name, Kept(b"", datetime.now(UTC), begins))

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


def _check_newer(begins: datetime | None, kept: Kept | None) -> None:
    newest = None if kept is None else kept.newest_seen
    if newest is not None and (begins is None or begins < newest):
        raise NotFetched(f"旧版本，已弃用 older than the edition of {newest.isoformat()} seen before, not used")


def _fetched(url: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise NotFetched("地址不是 http(s) not an http(s) address")
    try:
        with _session(url) as session, session.get(url, timeout=_TIMEOUT, stream=True, allow_redirects=False) as answer:
            if answer.status_code != _STATUS_OK:
                raise NotFetched(f"HTTP {answer.status_code}")
            body, begun = b"", monotonic()
            for chunk in answer.iter_content(65536):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise NotFetched(f"超过 more than {MAX_BYTES} bytes")
                if monotonic() - begun > _LONGEST:
                    raise NotFetched(f"超过 more than {_LONGEST} s")
            return body
    except (requests.RequestException, OSError) as error:
        raise NotFetched(f"无法连接 no answer ({type(error).__name__})") from error


def _session(url: str) -> requests.Session:
    """This machine itself is asked directly, whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    return session
