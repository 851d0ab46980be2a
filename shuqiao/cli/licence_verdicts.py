"""What ``shuqiao licence verify`` finds out, and how it tells: the verifier's verdict as text, JSON and exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from registry.api.pages.finding import HEADLINES, WORTH
from registry.credentials.trust_list import TrustList, TrustListRefused, load
from registry.credentials.verify import verify
from registry.credentials.verify.status import edition_of
from registry.credentials.verify.verdict import CheckFailed, Outcome, Verdict
from schemas.masking import mask
from shuqiao.cli import output
from shuqiao.cli.exit_codes import ExitCode
from shuqiao.cli.failures import Failure, usage
from shuqiao.status_cache import NotFetched, StatusCache

MAX_BYTES = 64 << 20
"""Of what is read from a file or stdin; the verifier has limits of its own, each with its reason."""

_EXIT = {
    Outcome.VALID: ExitCode.DONE,
    Outcome.NOT_GENUINE: ExitCode.NOT_GENUINE,
    Outcome.STATUS_UNKNOWN: ExitCode.STATUS_UNKNOWN,
}
_ORGANISATION = "0"


def exit_code(verdict: Verdict) -> ExitCode:
    """What the command ends with: 0 only for a licence that may be relied on now."""
    return _EXIT.get(verdict.outcome, ExitCode.NOT_IN_FORCE)


def verdict_on(body: bytes, trust: TrustList, cache: StatusCache) -> tuple[Verdict, StatusCache]:
    """Verify a document; and the cache as it was used. Asks for status lists only where the trusted issuers are."""
    hosts = {host_of(did) for did in trust.issuers}

    def begin_of(url: str, list_body: bytes) -> datetime | None:
        try:
            return edition_of(url, list_body, trust, datetime.now(UTC))
        except CheckFailed as failure:
            raise NotFetched(f"{failure.zh} {failure.en}") from failure

    used = cache.restricted(lambda url: urlsplit(url).netloc in hosts, begin_of)
    return verify(body, trust, used, datetime.now(UTC)), used


def host_of(did: str) -> str:
    """``did:web:hub.example%3A8000:issuers:1`` -> ``hub.example:8000``."""
    return unquote(did.removeprefix("did:web:").partition(":")[0])


def trust_list(path: Path | None, root: Path | None, hub: str, cache: StatusCache) -> TrustList:
    """The trust list from a file, else from the hub, else as it was kept.

    One that is older than another of the same hub seen before is not used: it may not say yet which key was stolen.
    Raises Failure.
    """
    given = None if root is None else _certificate(root)
    if path is not None:
        body, place = _read(path), str(path)
    else:
        place = f"{hub}/trust-list.json"
        kept = cache.restricted(lambda url: url == place, partial(_issued_at, root=given)).document(place)
        if kept is None:
            why = cache.failures.get(place, "没有保存过 none was kept")
            remedy = "指定文件 give the file: --trust trust-list.json; or the hub's address: --hub https://…"
            raise usage(f"没有信任列表 no trust list: {why}", remedy, place=place)
        body = kept.body
    now = datetime.now(UTC)
    try:
        found = load(body, root=given, at=now)
        name = f"trust list of {found.hub} under {fingerprint(found.root)}"
        found = load(body, root=given, at=now, newest_seen=cache.newest_seen(name))
    except TrustListRefused as error:
        remedy = "从平台重新取得 fetch a new one from the hub: <hub>/trust-list.json"
        raise Failure(ExitCode.MISCONFIGURED, f"信任列表不可信 {error.zh}: {error.en}", remedy, place) from error
    cache.saw(name, found.issued_at)
    return found


def _issued_at(url: str, body: bytes, *, root: x509.Certificate | None) -> datetime:
    del url
    try:
        return load(body, root=root, at=datetime.now(UTC)).issued_at
    except TrustListRefused as error:
        raise NotFetched(f"信任列表不可信 {error.zh}: {error.en}") from error


def as_document(verdict: Verdict, trust: TrustList, cache: StatusCache, *, unmasked: bool) -> dict[str, Any]:
    """The verdict for programs; a natural person's name masked unless ``unmasked``."""
    found = verdict.as_dict()
    found["exitCode"] = int(exit_code(verdict))
    found["root"] = {"fingerprint": fingerprint(trust.root), "given": trust.root_was_given}
    if cache.failures:
        found["notFetched"] = cache.failures
    if not unmasked:
        _mask_names(found, verdict)
    return found


def show(verdict: Verdict, trust: TrustList, cache: StatusCache, *, unmasked: bool) -> None:
    """For people: the big line, what the licence is, every check, and how old the grounds are."""
    headline, worth = HEADLINES[verdict.outcome.value].text, WORTH[verdict.outcome.value]
    console = output.console()
    console.print(f"{_mark(verdict)} {headline.zh} {headline.en}", style="bold", markup=False)
    console.print(f"  {worth.zh}\n  {worth.en}\n", markup=False)
    if verdict.is_genuine:
        output.pairs("证照 Licence", dict(_facts(verdict, unmasked=unmasked)))
    checks = [check for each in (verdict, *verdict.credentials) for check in each.checks]
    output.table(
        "核验项目 Checks",
        ["", "项目 check", "结果 result"],
        (({True: "✓", False: "✗", None: "–"}[check.passed], check.name, f"{check.zh}\n{check.en}") for check in checks),
    )
    _notes(verdict, trust, cache)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as ``openssl x509 -fingerprint -sha256`` writes it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _mark(verdict: Verdict) -> str:
    return {ExitCode.DONE: "✓", ExitCode.NOT_GENUINE: "✗"}.get(exit_code(verdict), "!")


def _facts(verdict: Verdict, *, unmasked: bool) -> Iterator[tuple[str, Any]]:
    name = verdict.holder_name
    yield "证照 title", verdict.title
    yield "证照编号 number", verdict.number
    yield "证照标识 identifier", verdict.identifier
    yield "持证主体 holder", mask(name) if name and not unmasked and _of_a_person(verdict) else name
    yield "颁发机关 issuer", verdict.issuer_name
    yield "有效期 term", _term(verdict.valid_from, verdict.valid_until)
    yield "签章 sealed", verdict.signed_at
    if verdict.superseded_by:
        yield "新版本 newer version", verdict.superseded_by


def _term(begin: datetime | None, end: datetime | None) -> str:
    last = "长期 without end" if end is None else end.date().isoformat()
    return f"{begin.date().isoformat() if begin else '–'} – {last}"


def _notes(verdict: Verdict, trust: TrustList, cache: StatusCache) -> None:
    if verdict.status_age is not None:
        output.note(f"状态清单取得于 status list as of {_age(verdict.status_age)} ({verdict.status_as_of})")
    if verdict.trust_age is not None:
        output.note(f"信任列表签发于 trust list made {_age(verdict.trust_age)} ({verdict.trust_as_of})")
    if not trust.root_was_given:
        output.note(f"根证书未指定，请核对其指纹 no --root given: compare its SHA-256 {fingerprint(trust.root)}")
    for url, why in cache.failures.items():
        output.note(f"未能取得 not fetched: {url}: {why}")


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, zh, en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= size:
            return f"{seconds // size} {zh}前 {seconds // size} {en} ago"
    return f"{seconds} 秒前 {seconds} s ago"


def _mask_names(found: dict[str, Any], verdict: Verdict) -> None:
    if found["holderName"] and _of_a_person(verdict):
        found["holderName"] = mask(found["holderName"])
    for said, inner in zip(found.get("credentials", ()), verdict.credentials, strict=True):
        _mask_names(said, inner)


def _of_a_person(verdict: Verdict) -> bool:
    """Whether the holder is, or may be, a natural person."""
    try:
        holders = (verdict.document or {})["credentialSubject"]["holder"]
        return not all(str(holder["codeType"]).startswith(_ORGANISATION) for holder in holders)
    except (KeyError, TypeError):
        return True


def document(path: Path) -> bytes:
    """What is to be verified: a file, or stdin for ``-``. Raises Failure."""
    if str(path) == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise usage(f"无法读取文件 cannot read the file: {error.strerror}", place=str(path)) from error


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise usage("不是 PEM 证书 this is no PEM certificate", "<hub>/root.pem", place=str(path)) from error
