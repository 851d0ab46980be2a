"""What a record's current state means for its licence: pure, no database.

The decision compares what *is*: the record as it stands now and the licence that stands for it. It does not matter
how many changes lie between, or whether the same one is looked at twice: a record and a licence that agree call for
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from registry.domain.licences import content as contents
from registry.domain.licences import states
from registry.domain.licences.identifiers import HIGHEST_VERSION
from registry.domain.licences.licence import Content, ContentRefusal, ContentRefused, Issuer
from registry.domain.licences.loading import LicenceTypes, UnknownLicenceType
from registry.domain.licences.types import LicenceType
from registry.licences.authorities import Authorities
from registry.licences.standing import SourceRecord, Standing

IN_FORCE = frozenset({states.VALID, states.SUSPENDED})
ENDED_FOR_GOOD = frozenset({states.WITHDRAWN, states.CANCELLED, states.EXPIRED, states.REVOKED})
"""States in which a licence stays when its record is no longer there."""
TRANSITION_REFUSED = "transition_refused"
_VERSIONS_EXHAUSTED = ContentRefusal(
    "versions_exhausted",
    "",
    f"证照版本号已至 {HIGHEST_VERSION}，按 GB/T 36904 不能再增加",
    f"the licence is at version {HIGHEST_VERSION}, the last that GB/T 36904 can write",
)
_NOT_IN_FORCE = ContentRefusal(
    "record_not_in_force",
    "",
    "登记库现有记录并非有效证照：请先由数据提供部门更正记录",
    "the record as it is now is of no licence in force: its department has to mend the record first",
)
_DATES = frozenset({"issued_on", "valid_from", "valid_to"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a record makes a licence of a type say."""

    content: Content
    plain: Mapping[str, Any]
    digest: UUID
    issuer: Issuer


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a licence: an operation and the states around it."""

    operation: str
    from_state: str | None
    to_state: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A licence, or a new version of one, is to be made."""

    said: Said
    steps: tuple[Step, ...]
    record: SourceRecord
    predecessor: Standing | None = None


@dataclass(frozen=True, slots=True)
class Enter:
    """A licence's state changes."""

    licence: Standing
    step: Step
    record: SourceRecord | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Record and licence cannot be brought to agree; the licence stays as it is."""

    key: str
    record_version: int
    reasons: tuple[ContentRefusal, ...]


Decision = Agreed | Issue | Enter | Refuse


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides for the records of one type on one day."""

    type: LicenceType
    types: LicenceTypes
    authorities: Authorities
    today: date

    def decide(self, key: str, record: SourceRecord | None, licence: Standing | None) -> Decision:
        """What the record (None: gone) means for the licence (None: there is none)."""
        try:
            if record is None or not contents.applies(self.type, record.body):
                return self._gone(record, licence)
            return self._there(record, licence)
        except ContentRefused as refused:
            reasons = refused.refusals
        except states.TransitionRefused as refused:
            reasons = (ContentRefusal(TRANSITION_REFUSED, self.type.states.field, refused.zh, refused.en),)
        version = record.version if record else licence.record_version if licence else 0
        return Refuse(key, version, reasons)

    def _gone(self, record: SourceRecord | None, licence: Standing | None) -> Decision:
        """Without a record, or with one that is no longer of this type, no licence is in force."""
        if licence is None or licence.state in ENDED_FOR_GOOD:
            return Agreed()
        return self._enter(licence, *contents.target_state(self.type, None), record)

    def _there(self, record: SourceRecord, licence: Standing | None) -> Decision:
        state, text = contents.target_state(self.type, record.body)
        if state not in IN_FORCE:  # whatever else the record says: an end is entered even if its content is refused
            return Agreed() if licence is None else self._enter(licence, state, text, record)
        said = self._said(self.type, record)
        ended = said.content.valid_to is not None and said.content.valid_to < self.today
        if licence is None:
            return Agreed() if ended else Issue(said, self._first_steps(state, text), record)
        if self._same(said, record, licence):
            if ended:
                return self._enter(licence, states.EXPIRED, None, record)
            return self._enter(licence, state, text, record)
        if ended:
            return self._enter(licence, states.EXPIRED, None, record)
        if licence.version == HIGHEST_VERSION:
            raise ContentRefused([_VERSIONS_EXHAUSTED])
        steps = self._next_steps(licence, said, state, text)
        self.authorities.expect_key(licence.issuer_code)
        return Issue(said, steps, record, licence)

    def correct(self, record: SourceRecord, licence: Standing, reason: str) -> Issue | None:
        """A new version from the record as it is now, whatever state the licence is in; None: it says this already.

        Raises ContentRefused where the record makes no licence that is in force.
        """
        state, text = contents.target_state(self.type, record.body)
        said = self._said(self.type, record)
        ended = said.content.valid_to is not None and said.content.valid_to < self.today
        if state not in IN_FORCE or ended or licence.version == HIGHEST_VERSION:
            raise ContentRefused([_VERSIONS_EXHAUSTED if licence.version == HIGHEST_VERSION else _NOT_IN_FORCE])
        if licence.state == state and self._same(said, record, licence):
            return None
        self.authorities.expect_key(licence.issuer_code)
        steps = [Step(states.CHANGE.code, licence.state, states.VALID, reason)]
        if state == states.SUSPENDED:
            steps.append(Step(states.SUSPEND.code, states.VALID, state, text))
        return Issue(said, tuple(steps), record, licence)

    def _said(self, licence_type: LicenceType, record: SourceRecord) -> Said:
        content = contents.content_of(licence_type, record.body)
        issuer = self.authorities.of(licence_type, content)
        plain = contents.as_json(content)
        return Said(content, plain, contents.content_hash(licence_type, plain), issuer)

    def _same(self, said: Said, record: SourceRecord, licence: Standing) -> bool:
        """Whether the licence says this already, in its own edition of the type: a new edition reissues nothing."""
        if said.issuer.code != licence.issuer_code or record.key != licence.key:
            return False
        if licence.type_version == self.type.version:
            return said.plain == licence.content
        try:
            earlier = self.types.one(f"{licence.type}@{licence.type_version}")
            return self._said(earlier, record).plain == licence.content
        except UnknownLicenceType:  # its file is not kept any more
            return said.plain == licence.content
        except ContentRefused:
            return False

    def _enter(self, licence: Standing, state: str, text: str | None, record: SourceRecord | None) -> Decision:
        if licence.state == state and licence.state_text == text:
            return Agreed()
        self.authorities.expect_key(licence.issuer_code)
        operation = states.transition(licence.state, state).code
        return Enter(licence, Step(operation, licence.state, state, text), record)

    @staticmethod
    def _first_steps(state: str, text: str | None) -> tuple[Step, ...]:
        issued = Step(states.transition(None, states.VALID).code, None, states.VALID)
        if state == states.VALID:
            return (issued,)
        return (issued, Step(states.transition(states.VALID, state).code, states.VALID, state, text))

    @staticmethod
    def _next_steps(licence: Standing, said: Said, state: str, text: str | None) -> tuple[Step, ...]:
        """The events of a new version. Raises TransitionRefused where the licence's state does not let one be made."""
        before = licence.state
        renewed = _later(said.plain.get("valid_to"), licence.content.get("valid_to"))
        first_state = states.SUSPENDED if before == states.SUSPENDED else states.VALID
        operation = states.transition(before, first_state, renewed=renewed)
        if before in IN_FORCE:
            operation = (
                states.RENEW if renewed and _differ_in_dates_only(said.plain, licence.content) else states.CHANGE
            )
        first = Step(operation.code, before, first_state, text if state == first_state else None)
        if first_state == state:
            return (first,)
        return (first, Step(states.transition(first_state, state).code, first_state, state, text))


def _differ_in_dates_only(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    return all(new.get(name) == old.get(name) for name in (new.keys() | old.keys()) - _DATES)


def _later(new: str | None, old: str | None) -> bool:
    """Whether a term (ISO days, None: without end) ends later than another."""
    return old is not None and (new is None or new > old)
