"""From a verdict to what the page says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from registry.api.pages.finding import HEADLINES, WORTH, CheckLine, Fact, Finding, Text, VersionLine
from registry.api.pages.saying import said
from registry.credentials.verify.licence import is_licence
from registry.credentials.verify.verdict import Check, Outcome, Verdict
from registry.domain.licences import states
from registry.domain.licences.loading import LicenceTypes

_ZONE = ZoneInfo("Asia/Shanghai")
_MOST_CREDENTIALS = 10
_RELIED_ON = (
    "signature", "pdf_signature", "pdf_seal", "holder", "challenge", "disclosures", "key", "seal", "term", "revocation",
    "suspension", "message", "status", "latest", "identifier", "schema", "credentials",
)  # fmt: skip
"""The checks that tell people whether to rely on a document, in their order; all others are about its form."""
_UNITS = ((86400, "天", "day"), (3600, "小时", "hour"), (60, "分钟", "minute"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the registry knows of a licence beside its signed form."""

    versions: Sequence[Mapping[str, Any]] = ()
    """Rows of every version, the newest first."""
    read_at: datetime | None = None
    """How recent the data of its source is."""
    stale_since: datetime | None = None
    """Since when its source says something that was refused."""
    state_since: datetime | None = None
    """Since when it has been in its present state, unless that is the one it was issued in."""
    licence: str | None = None
    """The identifier of the licence that the document is, or is a copy of."""


NOTHING_RECORDED = Recorded()
_PERHAPS_A_REPORT = Text(
    "如果这是公共信用信息报告，请按报告编号在 /reports 核对：它不是证照。",
    "If it is a credit report, which is no licence, check it by its number at /reports.",
)
_OF_A_CLIENT = Text("凭证（不是证照）", "Credential, not a licence")


def finding(verdict: Verdict, subject: str, types: LicenceTypes, recorded: Recorded = NOTHING_RECORDED) -> Finding:
    """What to say of a document. What a document says is repeated only if it was found genuine."""
    headline = HEADLINES[verdict.outcome.value]
    document = _document(verdict) if verdict.is_genuine else None
    content = said(document, types) if document is not None and is_licence(document) else None
    return Finding(
        headline=headline,
        reasons=_reasons(verdict),
        subject=subject,
        checked_at=verdict.at,
        title=content.title if content else (_OF_A_CLIENT if document else None),
        key_facts=content.key_facts if content else (_of_client(verdict) if document else ()),
        facts=content.facts if content else (),
        use=content.use if content else (),
        checks=[_line(check) for check in sorted(_checks(verdict), key=_rank)],
        ages=_ages(verdict, recorded) if verdict.is_genuine else (),
        chain=_chain(recorded) if verdict.is_genuine else (),
        newer=_newer(verdict, recorded),
    )


def _of_client(verdict: Verdict) -> list[Fact]:
    """Of what a client had signed only who answers for it: nobody here knows what in it is personal."""
    return [Fact(Text("签发机关", "Issued for"), verdict.issuer_name or "")]


def _document(verdict: Verdict) -> Mapping[str, Any] | None:
    """The credential; of a presentation the one within, if there is just one."""
    if not verdict.credentials:
        return verdict.document
    only, *others = verdict.credentials
    return None if others else only.document


def _checks(verdict: Verdict) -> Iterable[Check]:
    yield from verdict.checks
    for each in verdict.credentials[:_MOST_CREDENTIALS]:
        yield from each.checks


def _line(check: Check) -> CheckLine:
    return CheckLine(check.passed, Text(check.zh, _capital(check.en)), of_form=check.name not in _RELIED_ON)


def _rank(check: Check) -> int:
    return _RELIED_ON.index(check.name) if check.name in _RELIED_ON else len(_RELIED_ON)


def _reasons(verdict: Verdict) -> list[Text]:
    """What it means to whoever has to rely on it, then why."""
    reasons = [WORTH[verdict.outcome.value]]
    if verdict.outcome in {Outcome.NOT_GENUINE, Outcome.STATUS_UNKNOWN, Outcome.OTHER}:
        failed = [check for check in _checks(verdict) if check.passed is False]
        reasons += [Text(f"{check.zh.rstrip('。')}。", f"{_capital(check.en).rstrip('.')}.") for check in failed[:1]]
        reasons += [_PERHAPS_A_REPORT] if any(check.code == "no_attachment" for check in failed) else []
    if verdict.undisclosed:
        count = verdict.undisclosed
        reasons.append(
            Text(f"持证人未出示其中 {count} 项内容。", f"The holder chose not to disclose {count} of its parts.")
        )
    return reasons


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ages(verdict: Verdict, recorded: Recorded) -> list[Fact]:
    facts = [
        ("签章时间", "Sealed", verdict.signed_at, False),
        ("现状态始于", "In its present state since", recorded.state_since, False),
        ("状态清单取得时间", "Status list fetched", verdict.status_as_of, True),
        ("信任列表签发时间", "Trust list made", verdict.trust_as_of, True),
        ("登记数据读取时间", "Source read", recorded.read_at, True),
    ]
    found = [
        Fact(Text(zh, en), moment(at) + (ago(verdict.at - at) if with_age else ""))
        for zh, en, at, with_age in facts
        if at is not None
    ]
    if recorded.stale_since is not None:
        text = f"自 {moment(recorded.stale_since)} 起，来源部门的这条记录有误，尚待更正；证照仍按此前的记录。"
        text += " Its record at the source has been wrong since then; the licence still says what was right before."
        found.append(Fact(Text("来源数据提示", "About the source"), text, wide=True))
    return found


def _chain(recorded: Recorded) -> list[VersionLine]:
    return [
        VersionLine(
            identifier=row["identifier"],
            number=row["version"],
            issued_at=row["issued_at"],
            state=_state(row),
            shown=row["identifier"] == recorded.licence,
        )
        for row in recorded.versions
    ]


def _state(row: Mapping[str, Any]) -> Text:
    zh, en = states.name(states.SUPERSEDED if row["superseded_at"] is not None else row["state"])
    return Text(zh, en)


def _newer(verdict: Verdict, recorded: Recorded) -> str | None:
    """The identifier of the version that counts instead."""
    if verdict.outcome is not Outcome.SUPERSEDED:
        return None
    newest = recorded.versions[0]["identifier"] if recorded.versions else None
    return newest or verdict.superseded_by


def moment(at: datetime) -> str:
    """Beijing time, to the minute."""
    return at.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M")


def ago(age: timedelta) -> str:
    """``（28 分钟前 28 minutes ago）``."""
    seconds = max(0, int(age.total_seconds()))
    for size, zh, en in _UNITS:
        count = seconds // size
        if count:
            return f"（{count} {zh}前 {count} {en}{'' if count == 1 else 's'} ago）"
    return "（刚才 just now）"
