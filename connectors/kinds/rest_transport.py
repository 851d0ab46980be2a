"""Requests that wait when asked to, stop when it is enough, follow nobody to another host, and never tell a secret."""

from __future__ import annotations

import email.utils
import io
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import requests
import urllib3

from connectors.errors import SourceMisconfigured, SourceUnavailable
from connectors.kinds.measures import readable_size

CHUNK: Final = 1 << 16
MAX_REDIRECTS: Final = 5
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
Taken = TypeVar("Taken")
_SECRET_NAME: Final = re.compile(r"token|key|secret|passw|pwd|sign|auth|credential|session|^sid$|^code$", re.IGNORECASE)
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the hub bears with a slow or busy server."""

    timeout: float
    """Seconds to connect, and between two pieces of an answer."""
    answer_time: float
    """Seconds that one whole answer may take."""
    max_wait: float
    """Seconds spent waiting between the attempts of one request, all together."""
    attempts: int
    max_response: int
    """Bytes of one answer, unpacked."""
    interval: float
    """Seconds between two requests at the least (the rate limit)."""


def masked_address(url: str, secret_names: frozenset[str] = frozenset()) -> str:
    """The address for people and logs: no user, no password, no value of a secret parameter."""
    parts = urlsplit(url)
    query = urlencode(
        [
            (name, "***" if name in secret_names or _SECRET_NAME.search(name) else value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
        safe="*:/,",
    )
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises SourceMisconfigured for what is no HTTP address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SourceMisconfigured("the address of the source cannot be read: no valid host and port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceMisconfigured(f"{masked_address(url)}: got no http or https address")
    return parts.scheme, parts.hostname.lower(), port or (443 if parts.scheme == "https" else 80)


def same_origin(base: str, url: str) -> bool:
    """Whether ``url`` may be sent the credentials meant for ``base``; http may turn into https on the same host."""
    ours, theirs = origin(base), origin(url)
    if ours == theirs:
        return True
    upgraded = (ours[0], theirs[0]) == ("http", "https") and ours[1] == theirs[1]
    return upgraded and (ours[2], theirs[2]) == (80, 443)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """What the server asked for, in seconds: a number, or a date compared with the server's own clock."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, then - (server_time(headers) or time.time()))


def server_time(headers: Mapping[str, str]) -> float | None:
    """The server's clock, from the Date header, in seconds since 1970."""
    try:
        return email.utils.parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None


class Answer(io.RawIOBase):
    """One answer's body as a stream, unpacked, bounded in size and time; its errors are the port's."""

    def __init__(self, response: requests.Response, where: str, patience: Patience) -> None:
        super().__init__()
        self.response, self.where = response, where
        self.headers: Mapping[str, str] = response.headers
        self.status = response.status_code
        self.complete = False
        self._patience = patience
        self._chunks: Iterator[bytes] = response.iter_content(CHUNK)
        self._rest = b""
        self._count = 0
        self._deadline = time.monotonic() + patience.answer_time

    def readable(self) -> bool:
        """Yes: :class:`io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what has come."""
        if not self._rest:
            self._rest = self._next()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> bytes:
        with translated(self.where, self._patience):
            chunk = next(self._chunks, b"")
        self._count += len(chunk)
        if not chunk:
            self.complete = True
        if self._count > self._patience.max_response:
            limit = readable_size(self._patience.max_response)
            raise SourceMisconfigured(
                f"{self.where}: the answer is larger than {limit} (setting max_response); "
                "ask for smaller pages or raise the limit"
            )
        if time.monotonic() > self._deadline:
            raise SourceUnavailable(
                f"{self.where}: the answer was not finished after {self._patience.answer_time:g} s "
                f"({readable_size(self._count)} had come; setting answer_time)"
            )
        return chunk

    def close(self) -> None:
        """Give the connection back."""
        self.response.close()
        super().close()


@contextmanager
def translated(where: str, patience: Patience) -> Iterator[None]:
    """Turn what requests and urllib3 raise into the port's errors, without the words of theirs that hold addresses."""
    try:
        yield
    except requests.exceptions.SSLError:
        raise SourceMisconfigured(
            f"{where}: the server's TLS certificate is not trusted; check the address or the connection's ca_file"
        ) from None
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, requests.exceptions.MissingSchema):
        raise SourceMisconfigured(f"{where}: the address or a header of the request is not valid") from None
    except requests.exceptions.ConnectTimeout:
        raise SourceUnavailable(f"{where}: no connection within {patience.timeout:g} s") from None
    except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        raise SourceUnavailable(f"{where}: nothing came for {patience.timeout:g} s (setting timeout)") from None
    except requests.exceptions.ConnectionError as error:
        slow = "timed out" in str(error).lower()
        reason = f"nothing came for {patience.timeout:g} s (setting timeout)" if slow else _reason(error)
        raise SourceUnavailable(f"{where}: {reason}") from None
    except requests.exceptions.ChunkedEncodingError:
        raise SourceUnavailable(f"{where}: the answer broke off before its end") from None
    except requests.exceptions.ContentDecodingError:
        raise SourceUnavailable(f"{where}: the answer's compression is broken") from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise SourceUnavailable(f"{where}: {type(error).__name__}") from None


def _reason(error: Exception) -> str:
    text = str(error)
    for sign, meaning in (
        ("Name or service not known", "the host's name is not known"),
        ("NameResolution", "the host's name is not known"),
        ("refused", "connection refused"),
        ("RemoteDisconnected", "the server closed the connection without an answer"),
        ("reset", "connection reset by the server"),
        ("unreachable", "network unreachable"),
    ):
        if sign in text:
            return meaning
    return "the connection failed"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the server."""

    url: str
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    data: Mapping[str, str] = field(default_factory=dict)


class Transport:
    """GET and POST on one server, as patient as the settings say."""

    def __init__(
        self,
        base: str,
        patience: Patience,
        *,
        authorise: Callable[[requests.PreparedRequest], requests.PreparedRequest],
        renew: Callable[[], bool] = lambda: False,
        secret_names: frozenset[str] = frozenset(),
        verify: bool | str = True,
    ) -> None:
        self.base, self.patience = base, patience
        self._authorise, self._renew = authorise, renew
        self._secret_names = secret_names
        self._session = requests.Session()
        self._session.verify = verify
        self._next_at = 0.0

    def close(self) -> None:
        """Close the connections; harmless when called twice."""
        self._session.close()

    def address(self, path: str) -> str:
        """The address of a path below the base, or of a link that the server gave."""
        return urljoin(self.base.rstrip("/") + "/", path.lstrip("/") if not urlsplit(path).scheme else path)

    def place(self, url: str, params: Mapping[str, Any] | None = None) -> str:
        """A request's address for people, without its secrets."""
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(params, doseq=True)}"
        return masked_address(url, self._secret_names)

    def fetch(self, request: Request, consume: Callable[[Answer], Taken]) -> Taken:
        """What ``consume`` makes of the answer (of status 200 or 304; everything else is an error of the port).

        Sent again, after a pause, when the server is busy, the connection fails or ``consume`` finds the answer broken
        off, until the attempts are used up or the wait would be too long.
        """
        waited, renewed, attempt = 0.0, False, 0
        while True:
            attempt += 1
            try:
                answer = self._once(request)
                if answer.status == 401 and not renewed and self._renew():  # noqa: PLR2004
                    renewed = True
                    answer.close()
                    answer = self._once(request)
                return consume(_accepted(answer))
            except SourceUnavailable as error:
                waited += self._pause(error, attempt, waited)

    def _pause(self, error: SourceUnavailable, attempt: int, waited: float) -> float:
        """Sleep before the next attempt, or raise the error if there is none."""
        asked = error.retry_after
        backoff = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1))
        pause = asked if asked is not None else backoff * (0.5 + secrets.SystemRandom().random() / 2)
        if attempt >= self.patience.attempts or waited + pause > self.patience.max_wait:
            tried = "once" if attempt == 1 else f"{attempt} times"
            raise SourceUnavailable(f"{error} (tried {tried}, waited {waited:.1f} s)", retry_after=asked) from None
        time.sleep(pause)
        return pause

    def _once(self, request: Request) -> Answer:
        where = self.place(request.url, request.params)
        url, params = request.url, dict(request.params)
        for _ in range(MAX_REDIRECTS + 1):
            self._keep_rate()
            with translated(where, self.patience):
                response = self._session.request(
                    request.method,
                    url,
                    params=params,
                    headers={"Accept-Encoding": "gzip", **request.headers},
                    data=dict(request.data) or None,
                    auth=self._authorise,  # always given: else requests would look into ~/.netrc
                    timeout=self.patience.timeout,
                    stream=True,
                    allow_redirects=False,
                )
            if response.status_code not in (301, 302, 303, 307, 308):
                return Answer(response, where, self.patience)
            url, params = self._redirected(response, where), {}
        raise SourceMisconfigured(f"{where}: redirected more than {MAX_REDIRECTS} times")

    def _redirected(self, response: requests.Response, where: str) -> str:
        target = urljoin(response.url, response.headers.get("Location", ""))
        response.close()
        if not same_origin(self.base, target):
            raise SourceMisconfigured(
                f"{where}: the server redirects to another host ({self._host(target)}); the hub does not follow, "
                "as it would hand its credentials to that host. If the service has moved, correct the connection."
            )
        if response.request.method != "GET":
            raise SourceMisconfigured(f"{where}: the server redirects a {response.request.method} request")
        return target

    @staticmethod
    def _host(url: str) -> str:
        scheme, host, port = origin(url)
        return f"{scheme}://{host}:{port}"

    def require_same_host(self, url: str, where: str) -> None:
        """Refuse a link to another host. Raises SourceMisconfigured."""
        if not same_origin(self.base, url):
            raise SourceMisconfigured(
                f"{where}: the next page's link leads to another host ({self._host(url)}); the hub does not follow, "
                "as it would hand its credentials to that host"
            )

    def _keep_rate(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + self.patience.interval


def _busy(answer: Answer) -> str:
    meaning = "too many requests" if answer.status == 429 else "the server cannot answer now"  # noqa: PLR2004
    asked = retry_after(answer.headers)
    later = f", asks to come back in {asked:g} s" if asked is not None else ""
    return f"{answer.where}: HTTP {answer.status}, {meaning}{later}"


_MEANINGS: Final = {
    400: "the request is not what the server expects; check path, params and paging",
    401: "the credentials are not accepted; check the connection's login and password, and auth",
    403: "access is refused; ask the department to grant it to the hub",
    404: "there is nothing at this address; check path",
    405: "the server does not take this method",
    410: "the service has been withdrawn",
}


def _accepted(answer: Answer) -> Answer:
    if answer.status in (200, 304):
        return answer
    answer.close()
    if answer.status in _LATER:
        raise SourceUnavailable(_busy(answer), retry_after=retry_after(answer.headers))
    if answer.status >= 500:  # noqa: PLR2004
        raise SourceUnavailable(f"{answer.where}: HTTP {answer.status}, the server failed")
    meaning = _MEANINGS.get(answer.status, "expected 200")
    raise SourceMisconfigured(f"{answer.where}: HTTP {answer.status}: {meaning}")


def whole(answer: Answer) -> bytes:
    """The whole body, which is bounded."""
    parts = []
    try:
        while chunk := answer.read(CHUNK):
            parts.append(chunk)
    finally:
        with suppress(Exception):
            answer.close()
    return b"".join(parts)
