"""The keys that sign access tokens: one file, in which the next key stands beside those whose tokens are still about.

The file holds PEM blocks (EC P-256), each with lines above it that say when. A key made with ``openssl genpkey`` alone
is such a file. Who rotates writes the file anew in one step; processes that serve look at it every second, and at once
when they meet a key they do not know, so that a new key needs no restart. A key that signs no more is kept as its
public half.

::

    signs-from: 2026-11-23T08:00:00+00:00
    verifies-until: 2026-11-24T08:00:00+00:00
    -----BEGIN PUBLIC KEY-----
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from registry.signing import p256

CHECK_SECONDS = 1.0
"""How often a process looks whether the file has changed."""
KEPT = timedelta(hours=24)
"""How long a key verifies after it signs no more, where nothing else is said; tokens live for minutes."""
_FROM, _UNTIL = "signs-from", "verifies-until"
_log = logging.getLogger(__name__)


class TokenKeyError(Exception):
    """The file with the signing keys cannot be used, or not be changed as asked."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key of the file."""

    public: ec.EllipticCurvePublicKey
    private: ec.EllipticCurvePrivateKey | None
    """None where it signs no more."""
    signs_from: datetime | None = None
    """None: since ever."""
    verifies_until: datetime | None = None
    """None: until it is replaced."""

    @property
    def key_id(self) -> str:
        """The JWK's thumbprint (RFC 7638)."""
        return p256.key_id(self.public)

    @property
    def jwk(self) -> dict[str, str]:
        """The public key (RFC 7517)."""
        return {**p256.public_jwk(self.public), "kid": self.key_id, "use": "sig", "alg": "ES256"}

    def signs(self, at: datetime) -> bool:
        """Whether it may sign: its time has come, and the file has its private half."""
        return self.private is not None and (self.signs_from is None or self.signs_from <= at)

    def verifies(self, at: datetime) -> bool:
        """Whether what it signed is believed."""
        return self.verifies_until is None or at < self.verifies_until


def signing(keys: Sequence[TokenKey], at: datetime) -> TokenKey:
    """The key that signs: the one whose time has come last. Raises TokenKeyError if none does."""
    able = [key for key in keys if key.signs(at) and key.verifies(at)]
    if not able:
        raise TokenKeyError("no key of the file may sign now; make one: shuqiao keys tokens rotate")
    return max(able, key=lambda key: key.signs_from or datetime.min.replace(tzinfo=UTC))


def load(path: Path) -> tuple[TokenKey, ...]:
    """The keys in a file; a first one is made, readable by its owner only, if there is none. Raises TokenKeyError."""
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise TokenKeyError(f"{path} can be read by others (mode {mode:04o}); expected 0600: chmod 600 {path}")
    try:
        keys = tuple(_blocks(path.read_text("ascii")))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TokenKeyError(f"{path} cannot be read: {error}") from None
    if not keys:
        raise TokenKeyError(f"{path} holds no private key in PEM")
    return keys


def rotate(
    path: Path, *, now: datetime, ahead: timedelta = timedelta(0), kept: timedelta = KEPT
) -> tuple[TokenKey, ...]:
    """A new key, which signs from now or ``ahead`` of now; the others verify on for ``kept``. All that there are then.

    ``ahead`` gives time to carry the file to other machines before the key is used. Raises TokenKeyError.
    """
    with _alone(path):
        starts = now + ahead
        fresh = TokenKey(*_pair(ec.generate_private_key(ec.SECP256R1())), signs_from=starts.replace(microsecond=0))
        last = signing(load(path), now)
        left = [
            _retired(key, starts, kept, signs_on=bool(ahead) and key.key_id == last.key_id)
            for key in load(path)
            if key.verifies(now)
        ]
        return _write(path, [*left, fresh])


def drop(path: Path, key_id: str, *, now: datetime) -> tuple[TokenKey, ...]:
    """Take a key away at once, with all tokens that it signed: for one that others may have. Those that are left.

    Raises TokenKeyError for a key that is not there, or the only one that signs.
    """
    with _alone(path):
        keys = load(path)
        left = [key for key in keys if key.key_id != key_id]
        if len(left) == len(keys):
            raise TokenKeyError(f"there is no token key {key_id!r}; list them: shuqiao keys tokens list")
        if not any(key.signs(now) and key.verifies(now) for key in left):
            raise TokenKeyError("this key is the only one that signs; first: shuqiao keys tokens rotate")
        return _write(path, left)


class TokenKeys:
    """The keys of a file as they are now: read again soon after it has changed. Raises TokenKeyError at first."""

    def __init__(self, path: Path, check_seconds: float = CHECK_SECONDS) -> None:
        self._path, self._check_seconds = path, check_seconds
        self._keys = load(path)
        self._seen = _mark(path)
        self._checked = time.monotonic()

    def current(self) -> tuple[TokenKey, ...]:
        """The keys; the same object as long as the file has not changed."""
        if time.monotonic() - self._checked >= self._check_seconds:
            self.look()
        return self._keys

    def look(self) -> tuple[TokenKey, ...]:
        """Look at the file now. A file that cannot be used changes nothing but the log."""
        self._checked = time.monotonic()
        mark = _mark(self._path)
        if mark != self._seen and mark is not None:
            try:
                self._keys = load(self._path)
                _log.info("token keys were read anew: %s", ", ".join(key.key_id for key in self._keys))
            except (TokenKeyError, OSError) as error:
                _log.error("the token keys stay as they were: %s", error)
            self._seen = mark
        return self._keys


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file is written anew; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _retired(key: TokenKey, starts: datetime, kept: timedelta, *, signs_on: bool) -> TokenKey:
    """The key beside its successor; without its private half unless it signs on until the successor's time."""
    until = min(starts + kept, key.verifies_until or datetime.max.replace(tzinfo=UTC))
    return replace(key, private=key.private if signs_on else None, verifies_until=until.replace(microsecond=0))


def _blocks(text: str) -> Iterator[TokenKey]:
    said: dict[str, datetime] = {}
    block: list[str] = []
    for line in text.splitlines():
        if block or line.startswith("-----BEGIN "):
            block.append(line)
            if line.startswith("-----END "):
                yield from _key("\n".join(block), said)
                said, block = {}, []
            continue
        name, _, value = line.partition(":")
        if name.strip() in {_FROM, _UNTIL}:
            said[name.strip()] = _moment(value.strip())


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment


def _key(block: str, said: dict[str, datetime]) -> Iterator[TokenKey]:
    when = (said.get(_FROM), said.get(_UNTIL))
    label = block.partition("\n")[0]
    try:
        if label == "-----BEGIN PUBLIC KEY-----":
            public = load_pem_public_key(block.encode())
            if isinstance(public, ec.EllipticCurvePublicKey):
                yield TokenKey(_expect_p256(public), None, *when)
        elif label.endswith("PRIVATE KEY-----"):
            private = load_pem_private_key(block.encode(), password=None)
            if not isinstance(private, ec.EllipticCurvePrivateKey):
                raise ValueError("a key of another kind; expected EC P-256")
            _expect_p256(private.public_key())
            yield TokenKey(*_pair(private), *when)
    except TypeError:
        raise ValueError("a key with a password; expected one without") from None


def _expect_p256(key: ec.EllipticCurvePublicKey) -> ec.EllipticCurvePublicKey:
    if not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a key of another kind; expected EC P-256")  # noqa: TRY004
    return key


def _pair(private: ec.EllipticCurvePrivateKey) -> tuple[ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey]:
    return private.public_key(), private


def _text(keys: Sequence[TokenKey]) -> str:
    parts = []
    for key in keys:
        parts += [f"{_FROM}: {key.signs_from.isoformat()}\n"] if key.signs_from else []
        parts += [f"{_UNTIL}: {key.verifies_until.isoformat()}\n"] if key.verifies_until else []
        parts.append(_pem(key).decode())
    return "".join(parts)


def _pem(key: TokenKey) -> bytes:
    if key.private is None:
        return key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path, _text([TokenKey(*_pair(ec.generate_private_key(ec.SECP256R1())))]))
    try:
        os.link(fresh, path)  # two processes that start at once end with one key
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _write(path: Path, keys: Sequence[TokenKey]) -> tuple[TokenKey, ...]:
    fresh = _beside(path, _text(keys))
    fresh.replace(path)
    return tuple(keys)


def _beside(path: Path, text: str) -> Path:
    """A new file in the same folder, on disk before it takes the other's place. Raises TokenKeyError."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise TokenKeyError(f"{path.parent} cannot be written to: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return fresh


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two who change the file take turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
