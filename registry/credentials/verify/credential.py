"""The checks of one credential, whichever form its signature has, and the outcome they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.credentials import data_integrity
from registry.credentials.refusal import Refused
from registry.credentials.trust_list import TrustedIssuer, TrustedKey, TrustList
from registry.credentials.verify import licence, model, resources, signing, status
from registry.credentials.verify.findings import Findings
from registry.credentials.verify.resources import NotAtHand
from registry.credentials.verify.sources import StatusSource
from registry.credentials.verify.verdict import Form, Outcome, Verdict
from registry.domain.licences import states

Latest = Callable[[str], str | None]
"""The identifier of a licence's newest version, or None when it is not known or is the one asked for."""

_STATES = {
    states.SUSPENDED: Outcome.SUSPENDED,
    states.WITHDRAWN: Outcome.WITHDRAWN,
    states.CANCELLED: Outcome.CANCELLED,
    states.EXPIRED: Outcome.EXPIRED,
    states.MOVED_OUT: Outcome.MOVED_OUT,
    states.REVOKED: Outcome.REVOKED,
    states.OTHER: Outcome.OTHER,
    states.SUPERSEDED: Outcome.SUPERSEDED,
}
_PLAIN = {"revocation": Outcome.REVOKED, "suspension": Outcome.SUSPENDED}
SEVERITY = (
    Outcome.NOT_GENUINE,
    Outcome.WITHDRAWN,
    Outcome.CANCELLED,
    Outcome.SUPERSEDED,
    Outcome.REVOKED,
    Outcome.EXPIRED,
    Outcome.SUSPENDED,
    Outcome.MOVED_OUT,
    Outcome.OTHER,
    Outcome.NOT_YET_VALID,
    Outcome.STATUS_UNKNOWN,
    Outcome.VALID,
)
"""Where several hold, the first of these is the answer; what says why a licence ended goes before that it ended."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a verification is made with."""

    trust: TrustList
    statuses: StatusSource
    at: datetime
    latest: Latest | None = None
    challenge: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed, as far as it was found out."""

    issuer: TrustedIssuer | None = None
    key: TrustedKey | None = None
    signed_at: datetime | None = None


def verify_credential(document: Mapping[str, Any], inquiry: Inquiry, findings: Findings) -> Verdict:
    """A credential with Data Integrity proofs; each of several must hold."""
    check_model(document, findings)
    signer = check_proofs(document, inquiry, findings)
    return conclude(document, signer, inquiry, findings, Form.CREDENTIAL)


def check_model(document: Mapping[str, Any], findings: Findings) -> None:
    """The data model, before anybody's signature is looked at."""
    findings.ask("context", model.check_context, document)
    findings.ask("type", model.check_types, document, model.CREDENTIAL)
    findings.ask("id", model.check_id, document)
    findings.ask("issuer", model.check_issuer, document)
    findings.ask("texts", model.check_texts, document)
    findings.ask("subject", model.check_subject, document)
    findings.ask("members", model.check_members, document)


def check_proofs(document: Mapping[str, Any], inquiry: Inquiry, findings: Findings) -> Signer:
    """Every proof of the document; the first one's signer."""
    try:
        proofs = signing.proofs_of(document)
    except Refused as failure:
        findings.fail("proof", failure.code, failure.zh, failure.en)
        return Signer()
    first = None
    for proof in proofs:
        signer = _check_proof(document, proof, inquiry, findings)
        first = first or signer
        if findings.failed:  # one that does not hold decides: the others, however many, are not worth reading
            break
    return first or Signer()


def _check_proof(document: Mapping[str, Any], proof: Any, inquiry: Inquiry, findings: Findings) -> Signer:
    signature = findings.ask("proof", signing.read_proof, proof, data_integrity.ASSERTION)
    if signature is None:
        return Signer()
    findings.ask("signed_at", signing.check_time, signature, inquiry.at)
    signer = check_key(document.get("issuer"), signature.method, signature.created, inquiry, findings)
    if signer.key is not None:
        findings.ask("signature", data_integrity.check_proof, document, signer.key.public_key, signature.proof)
    return signer


def check_key(issuer: object, method: str, signed_at: datetime | None, inquiry: Inquiry, findings: Findings) -> Signer:
    """Whose key it is, and whether it might sign then."""
    owner = findings.ask("key", signing.check_owner, inquiry.trust, issuer, method)
    if owner is None:
        return Signer(signed_at=signed_at)
    trusted, key = owner
    if signed_at is not None:
        findings.ask("seal", inquiry.trust.check_key, key, trusted, signed_at)
    return Signer(trusted, key, signed_at)


def conclude(
    document: Mapping[str, Any],
    signer: Signer,
    inquiry: Inquiry,
    findings: Findings,
    form: Form,
    *,
    undisclosed: int = 0,
) -> Verdict:
    """The checks that do not depend on the form of the signature, and the outcome of all."""
    dates = findings.ask("dates", model.check_dates, document)
    _check_resources(document, inquiry.trust, findings, undisclosed)
    is_licence = licence.is_licence(document)
    if is_licence and signer.issuer is not None:
        findings.ask("identifier", licence.check_identifier, document, signer.issuer)
    entries = findings.ask("status_entries", status.entries_of, document) or []
    outcomes = {Outcome.NOT_GENUINE} if findings.failed else set()
    valid_from, valid_until = dates or (None, None)
    as_of = None
    superseded_by = None
    if not outcomes:  # of what is not genuine nothing more is to be said
        outcomes |= _check_term(valid_from, valid_until, inquiry.at, findings)
        found, as_of = _check_status(document, entries, inquiry, findings, is_licence=is_licence)
        outcomes |= found
        superseded_by = _check_latest(document, inquiry, findings, known=Outcome.SUPERSEDED in outcomes)
        outcomes |= {Outcome.SUPERSEDED} if superseded_by is not None else set()
    return Verdict(
        outcome=next((one for one in SEVERITY if one in outcomes), Outcome.VALID),
        form=form,
        checks=tuple(findings.checks),
        at=inquiry.at,
        valid_from=valid_from,
        valid_until=valid_until,
        signed_at=signer.signed_at,
        status_as_of=as_of,
        trust_as_of=inquiry.trust.issued_at,
        superseded_by=superseded_by,
        undisclosed=undisclosed,
        **_facts(document, signer),
    )


def _facts(document: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """Of a licence what it is; a client's credential has no say in which licence it might be taken for."""
    subject = licence.subject_of(document) if licence.is_licence(document) else {}
    holders = [one.get("holderName") for one in model.many(subject.get("holder")) if isinstance(one, dict)]
    named = [one for one in holders if isinstance(one, str)]
    trusted = signer.issuer
    return {
        "document": document,
        "issuer": model.id_of(document.get("issuer")),
        "issuer_name": trusted.name if trusted is not None else None,
        "issuer_code": trusted.code if trusted is not None else None,
        "identifier": _text(subject.get("identifier")),
        "number": _text(subject.get("number")),
        "title": _text(document.get("name")),
        "holder_name": "、".join(named) or None,
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _check_resources(document: Mapping[str, Any], trust: TrustList, findings: Findings, undisclosed: int) -> None:
    missing = findings.ask("resources", resources.check_digests, document, trust)
    if missing:
        where = missing[0]
        findings.skip(
            "resources", "not_at_hand", f"引用的文件不在手边，未比对：{where}", f"not at hand, not compared: {where}"
        )
    if findings.failed:  # anyone can make content that takes long to find fault with
        findings.skip("schema", "not_genuine", "不可采信，未核对内容", "not genuine, so its content is not looked at")
        return
    if "credentialSchema" not in document and not licence.is_licence(document):
        findings.skip(
            "schema", "no_schema", "凭证没有指明内容规定（credentialSchema）", "the credential names no schema"
        )
        return
    try:
        findings.ask("schema", _check_schema, document, trust, undisclosed=undisclosed)
    except NotAtHand as error:
        findings.skip(
            "schema", "not_at_hand", f"内容规定不在手边，未核对：{error}", f"the schema is not at hand: {error}"
        )


def _check_schema(document: Mapping[str, Any], trust: TrustList, *, undisclosed: int) -> None:
    if licence.is_licence(document):
        licence.check_schema_named(document, trust)
    resources.check_schema(document, trust, undisclosed=undisclosed)


def _check_term(
    valid_from: datetime | None, valid_until: datetime | None, at: datetime, findings: Findings
) -> set[Outcome]:
    if valid_until is not None and at > valid_until:
        when = valid_until.isoformat()
        findings.fail("term", "expired", f"有效期已于 {when} 届满", f"its term ended at {when}")
        return {Outcome.EXPIRED}
    if valid_from is not None and at < valid_from:
        when = valid_from.isoformat()
        findings.fail("term", "not_yet_valid", f"自 {when} 起才有效", f"it holds only from {when}")
        return {Outcome.NOT_YET_VALID}
    findings.passed("term")
    return set()


def _check_status(
    document: Mapping[str, Any], entries: list[status.Entry], inquiry: Inquiry, findings: Findings, *, is_licence: bool
) -> tuple[set[Outcome], datetime | None]:
    """What the lists say; the fetching time of the oldest that was used."""
    if not entries:
        findings.skip("revocation", "no_status", "凭证没有状态信息，无法吊销", "the credential has no status")
        return set(), None
    issuer = model.id_of(document.get("issuer")) or ""
    outcomes: set[Outcome] = set()
    oldest: datetime | None = None
    for entry in entries:
        named = entry.purpose in {"revocation", "suspension"} or (entry.purpose == "message" and is_licence)
        if not named:
            zh, en = (
                f"状态用途 {entry.purpose[:40]} 不影响有效性",
                f"status of purpose {entry.purpose[:40]!r} decides nothing",
            )
            findings.skip("status", "purpose_without_effect", zh, en)
            continue
        try:
            reading = status.read(entry, issuer, inquiry.trust, inquiry.statuses, inquiry.at)
        except Refused as failure:
            findings.fail(entry.purpose, failure.code, failure.zh, failure.en)
            outcomes.add(Outcome.STATUS_UNKNOWN)
            continue
        oldest = reading.as_of if oldest is None else min(oldest, reading.as_of)
        outcomes |= _meaning(entry.purpose, reading.value, findings)
    return _reconcile(outcomes), oldest


def _meaning(purpose: str, value: int, findings: Findings) -> set[Outcome]:
    if value == 0:
        findings.passed(purpose)
        return set()
    if purpose != "message":
        zh, en = {"revocation": ("已作废", "revoked"), "suspension": ("已暂停效力", "suspended")}[purpose]
        findings.fail(purpose, _PLAIN[purpose].value, f"状态列表：{zh}", f"the status list says: {en}")
        return {_PLAIN[purpose]}
    try:
        state = states.state_of_message(value)
        zh, en = states.name(state)
    except states.TransitionRefused:
        findings.fail(
            purpose, "state_unknown", f"状态列表给出未知状态 {value}", f"the list gives an unknown state: {value}"
        )
        return {Outcome.OTHER}
    findings.fail(purpose, _STATES[state].value, f"状态：{zh}", f"state: {en}")
    return {_STATES[state]}


def _reconcile(outcomes: set[Outcome]) -> set[Outcome]:
    """The state explains the bits: a revoked bit beside 'expired', a suspended bit beside 'moved out' say no more."""
    explained = {Outcome.WITHDRAWN, Outcome.CANCELLED, Outcome.EXPIRED, Outcome.SUPERSEDED}
    if outcomes & explained:
        outcomes = outcomes - {Outcome.REVOKED}
    if outcomes & {Outcome.MOVED_OUT, Outcome.OTHER}:
        outcomes = outcomes - {Outcome.SUSPENDED}
    return outcomes


def _check_latest(document: Mapping[str, Any], inquiry: Inquiry, findings: Findings, *, known: bool) -> str | None:
    identifier = licence.subject_of(document).get("identifier")
    if inquiry.latest is None or not isinstance(identifier, str) or not licence.is_licence(document):
        return None
    newest = inquiry.latest(identifier)
    if newest is None or newest == identifier:
        if not known:
            findings.passed("latest")
        return None
    findings.fail("latest", Outcome.SUPERSEDED.value, f"已有新版本 {newest}", f"superseded by {newest}")
    return newest
