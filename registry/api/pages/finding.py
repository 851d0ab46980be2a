"""What the verification page says, in the order in which it says it; free of HTML and of where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Tone(StrEnum):
    """How a finding looks; the words say the same, so that nothing rests on a colour."""

    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The one big line."""

    tone: Tone
    symbol: str
    """The id of a drawing in ``symbols.svg.jinja``."""
    text: Text


HEADLINES = {
    "valid": Headline(Tone.GOOD, "tick", Text("真实有效", "Genuine and valid")),
    "not_yet_valid": Headline(Tone.CAUTION, "clock", Text("真实，尚未生效", "Genuine, not yet in force")),
    "expired": Headline(Tone.CAUTION, "clock", Text("真实，但已过有效期", "Genuine, but expired")),
    "suspended": Headline(Tone.CAUTION, "pause", Text("真实，但已被暂扣", "Genuine, but suspended")),
    "superseded": Headline(Tone.CAUTION, "forward", Text("真实，但已有新版本", "Genuine, but superseded")),
    "moved_out": Headline(Tone.CAUTION, "forward", Text("真实，但已办理转出", "Genuine, but moved out")),
    "other": Headline(Tone.CAUTION, "pause", Text("真实，但状态异常", "Genuine, but in a special state")),
    "cancelled": Headline(Tone.BAD, "bar", Text("真实，但已注销", "Genuine, but cancelled")),
    "withdrawn": Headline(Tone.BAD, "bar", Text("真实，但已被撤销", "Genuine, but withdrawn")),
    "revoked": Headline(Tone.BAD, "bar", Text("真实，但已被吊销", "Genuine, but revoked")),
    "status_unknown": Headline(
        Tone.UNKNOWN, "question", Text("签章真实，当前状态未知", "Sealed by its issuer; state unknown")
    ),
    "not_genuine": Headline(Tone.BAD, "cross", Text("未通过核验，不可采信", "Not genuine: do not rely on it")),
}
"""By :class:`registry.credentials.verify.Outcome`."""

WORTH = {
    "valid": Text(
        "由下列机关签章，内容未被改动，目前有效。", "Sealed by the authority below, unchanged since, and in force now."
    ),
    "not_yet_valid": Text(
        "签章真实，内容未被改动，但有效期还没有开始。", "Sealed and unchanged, but its term has not begun."
    ),
    "expired": Text(
        "签章真实，内容未被改动，但有效期已经届满，不能再作为有效证照使用。",
        "Sealed and unchanged, but its term has ended: it no longer counts as a licence in force.",
    ),
    "suspended": Text(
        "颁发机关已暂扣此证照；发还之前，不能作为有效证照使用。",
        "Its authority has suspended it; until that is lifted it does not count as a licence in force.",
    ),
    "superseded": Text(
        "内容变更或延续后，颁发机关已签发新版本，请以新版本为准。",
        "After a change or renewal its authority issued a newer version: rely on that one.",
    ),
    "moved_out": Text(
        "此证照已转往其他地区管理，请向转入地核验。", "It has been moved to another region: verify it there."
    ),
    "other": Text(
        "颁发机关为此证照登记了特殊状态，请向其查询。", "Its authority has entered a special state: ask there."
    ),
    "cancelled": Text("此证照已经注销，不再有效。", "It has been cancelled and is no longer in force."),
    "withdrawn": Text(
        "颁发此证照的决定已被撤销，不再有效。", "The decision behind it was withdrawn; it is not in force."
    ),
    "revoked": Text("颁发机关已吊销此证照，不再有效。", "Its authority has revoked it; it is no longer in force."),
    "status_unknown": Text(
        "签章真实，内容未被改动，但无法得知是否已被暂扣或吊销，请稍后再核验。",
        "Sealed and unchanged, but whether it has been suspended or revoked cannot be told: verify again later.",
    ),
    "not_genuine": Text(
        "未能证明它由颁发机关签发且未被改动。", "It could not be shown to be sealed by its authority and unchanged."
    ),
}
"""What each outcome means to whoever has to rely on the licence."""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One check and its result; ``passed`` is None if it could not be made or does not apply."""

    passed: bool | None
    text: Text
    of_form: bool = False
    """Whether it asks how the document is written, and not whether it can be relied on: experts look at these."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the licence says."""

    label: Text
    value: str
    masked: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of the licence; the chain has the newest first."""

    identifier: str
    number: int
    issued_at: datetime | None
    state: Text
    shown: bool
    """Whether it is the one that the page is about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """All that the page says of one licence or one document."""

    headline: Headline
    reasons: Sequence[Text]
    subject: str
    """The identifier or the file's name, as it was given."""
    checked_at: datetime
    title: Text | None = None
    key_facts: Sequence[Fact] = ()
    facts: Sequence[Fact] = ()
    checks: Sequence[CheckLine] = ()
    ages: Sequence[Fact] = ()
    chain: Sequence[VersionLine] = ()
    newer: str | None = None
    """The identifier of the version that counts instead."""
    use: Sequence[Fact] = ()
    """Of an annotated copy: who asked, why, until when."""

    @property
    def failed(self) -> list[CheckLine]:
        """The checks that did not pass."""
        return [check for check in self.checks if check.passed is False]

    @property
    def passed(self) -> list[CheckLine]:
        """The checks that passed."""
        return [check for check in self.checks if check.passed]

    @property
    def others(self) -> list[CheckLine]:
        """The checks that passed, or could not be made, and say whether the document can be relied on."""
        return [check for check in self.checks if check.passed is not False and not check.of_form]

    @property
    def of_form(self) -> list[CheckLine]:
        """The checks that passed, or could not be made, and ask how the document is written."""
        return [check for check in self.checks if check.passed is not False and check.of_form]

    @property
    def masked(self) -> bool:
        """Whether anything personal is hidden."""
        return any(fact.masked for fact in (*self.key_facts, *self.facts, *self.use))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing could be verified: what was given is no identifier, no licence's file, or nothing is known of it."""

    headline: Headline
    reasons: Sequence[Text]
    subject: str
    advice: Sequence[Text] = field(default=())
