"""What the API needs to know, read from the environment once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from registry.api.clients import options
from registry.api.clients.options import AccessOptions, OptionError
from registry.delivery.settings import DeliverySettingsError, address_rules
from registry.domain import public_address
from registry.domain.delivery.addresses import AddressRules
from registry.signing import master_key
from registry.signing.master_key import MasterKey, MasterKeyError

USUAL_WORKERS = 4
MOST_WORKERS = 64
_SMALLEST_GROUPS = (3, 1000)


class ApiSettingsError(ValueError):
    """A setting is missing or cannot be used."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Every setting of the API."""

    database_url: str = field(repr=False)
    token_key: Path
    """Where the key that signs tokens lies; made, readable by its owner only, if there is none."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0: any free port."""
    workers: int = 1
    """Processes that answer, on one port; from the environment: one for each processor, but no more than 4."""
    token_seconds: int = 900
    """How long a token is good for."""
    client_check_seconds: float = 1.0
    """A revoked client's tokens stop working within this time."""
    catalogue_seconds: float = 1.0
    """Datasets and the age of their data are read again after this time."""
    quality_seconds: float = 300.0
    """What the catalogue says of quality is counted again after this time."""
    pool_size: int = 10
    statement_seconds: float = 10.0
    access_log_seconds: float = 5.0
    """How long an answer waits for its entry in the access log; then it is not given."""
    checkpoint_seconds: float = 60.0
    """How often the access log is signed, if anything was added."""
    feed_poll_seconds: float = 0.5
    """How often a waiting reader of the change feed looks again."""
    most_in_flight: int = 128
    """Requests that one process has under way at once; more are told to come back (503)."""
    most_waiting: int = 5000
    """Readers that wait for changes in one process, beside those."""
    answer_seconds: float = 30.0
    """How long a read may take altogether."""
    body_seconds: float = 20.0
    """How long a request's body may take to arrive."""
    public_url: str = ""
    """Where the world reaches this hub, without a slash at its end: part of everything that is signed."""
    master_key: MasterKey | None = field(default=None, repr=False)
    """Opens the issuers' private keys; without it everything that is stored is served and nothing signed."""
    licence_types: tuple[Path, ...] = ()
    """Further folders of licence types, beside those that the hub brings along."""

    smallest_group: int = 10
    """Counts show no group of fewer records."""
    credit_place: str = "national"
    """By whose rules repairs and objections are handled: a place of ``registry/credit_rules/cases``."""

    receivers: AddressRules = field(default_factory=AddressRules)
    """Where webhooks may be sent to: what the delivery refuses is refused when it is entered."""

    access: AccessOptions = field(default_factory=AccessOptions)
    """How clients prove who they are."""

    @property
    def base(self) -> str:
        """``public_url``, or this process's own address if none is set."""
        return self.public_url or f"http://127.0.0.1:{self.port}"


def from_environment(environ: Mapping[str, str] | None = None, *, port: int | None = None) -> ApiSettings:
    """The settings of this process's environment. Raises ApiSettingsError with what is missing or wrong."""
    given = os.environ if environ is None else environ
    url = given.get("SHUQIAO_DATABASE_URL", "")
    if not url:
        raise ApiSettingsError(
            "SHUQIAO_DATABASE_URL is not set; expected postgresql://user:password@host:port/database"
        )
    run_dir = Path(given.get("SHUQIAO_RUN_DIR") or ".run")
    key = Path(given.get("SHUQIAO_TOKEN_KEY") or run_dir / "token_key.pem")
    return ApiSettings(
        database_url=url,
        token_key=key,
        host=given.get("SHUQIAO_API_HOST") or "127.0.0.1",
        port=_port(given.get("SHUQIAO_API_PORT") or "8000") if port is None else port,
        workers=_workers(given.get("SHUQIAO_API_WORKERS") or ""),
        public_url=_public_url(given.get("SHUQIAO_PUBLIC_URL") or ""),
        master_key=_master_key(given),
        licence_types=_folders("SHUQIAO_LICENCE_TYPES", given.get("SHUQIAO_LICENCE_TYPES", "")),
        credit_place=given.get("SHUQIAO_CREDIT_PLACE") or "national",
        smallest_group=_smallest_group(given.get("SHUQIAO_SMALLEST_GROUP") or "10"),
        receivers=_receivers(given),
        access=_access(given),
    )


def _receivers(given: Mapping[str, str]) -> AddressRules:
    try:
        return address_rules(given)
    except DeliverySettingsError as error:
        raise ApiSettingsError(str(error)) from None


def _access(given: Mapping[str, str]) -> AccessOptions:
    try:
        return options.from_environment(given)
    except OptionError as error:
        raise ApiSettingsError(str(error)) from None


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 1 << 16:
        return int(text)
    raise ApiSettingsError(f"SHUQIAO_API_PORT cannot be {text!r}; expected a port number, 1 to 65535 (0: any free one)")


def _workers(text: str) -> int:
    if not text:
        return min(processors(), USUAL_WORKERS)
    if text.isdecimal() and 1 <= int(text) <= MOST_WORKERS:
        return int(text)
    raise ApiSettingsError(
        f"SHUQIAO_API_WORKERS cannot be {text!r}; expected a number of processes, 1 to {MOST_WORKERS}"
    )


def processors() -> int:
    """How many this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _smallest_group(text: str) -> int:
    if text.isdecimal() and _SMALLEST_GROUPS[0] <= int(text) <= _SMALLEST_GROUPS[1]:
        return int(text)
    lowest, highest = _SMALLEST_GROUPS
    raise ApiSettingsError(f"SHUQIAO_SMALLEST_GROUP cannot be {text!r}; expected a number, {lowest} to {highest}")


def _public_url(text: str) -> str:
    try:
        return public_address.parse(text) if text else ""
    except ValueError as error:
        raise ApiSettingsError(f"SHUQIAO_PUBLIC_URL cannot be {text!r}; {error}") from None


def _folders(name: str, text: str) -> tuple[Path, ...]:
    folders = tuple(Path(each).expanduser() for each in text.split(os.pathsep) if each)
    for folder in folders:
        if not folder.is_dir():
            raise ApiSettingsError(f"{name} names {str(folder)!r}; expected folders that exist, between {os.pathsep!r}")
    return folders


def _master_key(given: Mapping[str, str]) -> MasterKey | None:
    """From the text or the file; none is no error: the API serves what is stored, and signs nothing."""
    try:
        return master_key.from_environment(given)
    except MasterKeyError as error:
        raise ApiSettingsError(str(error)) from None
