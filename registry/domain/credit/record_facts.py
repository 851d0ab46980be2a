"""From a dataset's record to the facts that publicity asks for, by rules as data (``records/<edition>.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from registry.domain.credit.publicity import GradeInputs, HolderKind, Procedure
from registry.domain.credit.rule_files import RULES, RuleFile, read_rule_file, rule_file
from registry.domain.credit.visibility import Facts, UseScope

RECORDS = RULES / "records" / "1.yaml"
SCHEMA = RULES / "records" / "records.schema.json"

_HOLDER_KINDS: dict[str, HolderKind] = {kind: kind for kind in get_args(HolderKind)}
_SCOPES: dict[str, UseScope] = {scope: scope for scope in get_args(UseScope)}
_INDIVIDUAL_BUSINESS = "92"
"""How the unified social credit code of an individual business 个体工商户 begins."""
_ORGANISATION_CODE_TYPES = "0"
"""How the code types of organisations begin in annex A of GB/T 36903."""
_YUAN = {"元": Decimal(1), "万元": Decimal(10_000)}
_CNY = "CNY"
_MOST_TEXTS = 10_000

Record = Mapping[str, Any]


class NoFacts(LookupError):  # noqa: N818  (named for what the caller meets)
    """A dataset has no rules that say where its records have their facts, or a record lacks its day."""


@dataclass(frozen=True, slots=True)
class AmountRule:
    """An amount that the text of the decision states too."""

    field: str
    text: str
    """The field with the text."""
    role: Literal["fine", "confiscated"]


@dataclass(frozen=True, slots=True)
class RecordRule:
    """Where the records of one dataset say what the publicity rules ask for; None: they do not say it."""

    kind: str
    decided_on: str
    stated_until: str | None
    unlimited: frozenset[str]
    ended_on: str | None
    use_scope: str | None
    holder_kind: str | None
    holder_code_type: str | None
    entity_code: str | None
    penalty_kinds: str | None
    fine: str | None
    sector_texts: tuple[str, ...]
    procedure_texts: tuple[str, ...]
    status: str | None
    withdrawn: frozenset[str]
    disputed: frozenset[str]
    amounts: tuple[AmountRule, ...]
    publish_within: int | None
    """Working days after the decision within which the record must be public; None: no such rule."""
    stated_grade: str | None = None
    source_unit: str | None = None
    source_unit_code: str | None = None
    """The unit the record comes from 数据来源单位, and its code, without which nobody can be asked to mend it."""


@dataclass(frozen=True, slots=True)
class RecordRules:
    """One edition of the rules."""

    edition: str
    sectors: Mapping[str, tuple[str, ...]]
    """Per sector 领域 the words that put a record in it."""
    summary_procedure: tuple[str, ...]
    records: Mapping[str, RecordRule]
    """By dataset."""
    digest: str
    _sectors_of: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def sectors_of(self, text: str) -> frozenset[str]:
        """The sectors whose words stand in a text. Remembered: decisions cite the same articles over and over."""
        found = self._sectors_of.get(text)
        if found is None:
            found = frozenset(name for name, words in self.sectors.items() if any(word in text for word in words))
            if len(self._sectors_of) >= _MOST_TEXTS:
                self._sectors_of.clear()
            self._sectors_of[text] = found
        return found

    def of(self, dataset: str) -> RecordRule:
        """The rule of a dataset. Raises NoFacts."""
        found = self.records.get(dataset)
        if found is None:
            raise NoFacts(f"no publicity rules for records of {dataset!r}; there are for {', '.join(self.records)}")
        return found


def facts_of(dataset: str, record: Record, rules: RecordRules | None = None) -> Facts:
    """What a record itself says; repair, objections and changes that the hub knows of are the caller's to add.

    (``dataclasses.replace(facts, repaired_on=...)``.) Raises NoFacts.
    """
    rules = rules or default_record_rules()
    rule = rules.of(dataset)
    decided_on = _day(record, rule.decided_on)
    if decided_on is None:
        raise NoFacts(f"a record of {dataset} has no {rule.decided_on}: its publicity cannot be judged")
    stated = _text(record, rule.stated_until)
    status = _text(record, rule.status)
    scope = _text(record, rule.use_scope)
    facts = Facts(
        kind=rule.kind,
        decided_on=decided_on,
        inputs=GradeInputs(
            holder=holder_kind(rule, record),
            penalty_kinds=_kinds(tuple(record.get(rule.penalty_kinds) or ())) if rule.penalty_kinds else frozenset(),
            fine=in_yuan(record.get(rule.fine)) if rule.fine else None,
            procedure=_procedure(rules, rule, record),
            sectors=_sectors(rules, rule, record),
            stated_grade=_text(record, rule.stated_grade),
        ),
        use_scope=_SCOPES.get(scope, "internal") if scope else "public",
        stated_until=None if stated is None or stated in rule.unlimited else _parsed(stated),
        ended_on=_day(record, rule.ended_on),
        withdrawn=status in rule.withdrawn,
    )
    return replace(facts, disputed_since=decided_on) if status in rule.disputed else facts


def holder_kind(rule: RecordRule, record: Record) -> HolderKind:
    """Whom a record is about. Without any sign of an organisation it is taken for a natural person: that hides it."""
    said = _text(record, rule.holder_kind)
    code = _text(record, rule.entity_code)
    code_type = _text(record, rule.holder_code_type)
    if code is None and not (code_type or "").startswith(_ORGANISATION_CODE_TYPES):
        return "natural_person"
    if said is not None:
        return _HOLDER_KINDS.get(said, "natural_person")
    return "individual_business" if (code or "").startswith(_INDIVIDUAL_BUSINESS) else "legal_person"


def in_yuan(money: Any) -> Decimal | None:
    """An amount of money of a record (``{amount, unit, currency}``) in yuan; None where it is none or not in yuan."""
    if not isinstance(money, Mapping) or money.get("currency") != _CNY:
        return None
    unit = _YUAN.get(money.get("unit", ""))
    return None if unit is None else _decimal(str(money["amount"])) * unit


def load_record_rules(path: Path = RECORDS) -> RecordRules:
    """One edition of the rules. Raises RuleFileError with every problem of the file."""
    return _record_rules(read_rule_file(rule_file(path), SCHEMA))


@cache
def default_record_rules() -> RecordRules:
    """The rules that come with the hub, read once."""
    return load_record_rules()


def _record_rules(file: RuleFile) -> RecordRules:
    data = file.data
    return RecordRules(
        edition=data["edition"],
        sectors={name: tuple(words) for name, words in data["sectors"].items()},
        summary_procedure=tuple(data["summary_procedure"]),
        records={dataset: _rule(rule) for dataset, rule in data["records"].items()},
        digest=file.digest,
    )


def _rule(data: Mapping[str, Any]) -> RecordRule:
    return RecordRule(
        kind=data["kind"],
        decided_on=data["decided_on"],
        stated_until=data.get("stated_until"),
        unlimited=frozenset(data.get("unlimited", ())),
        ended_on=data.get("ended_on"),
        use_scope=data.get("use_scope"),
        holder_kind=data.get("holder_kind"),
        holder_code_type=data.get("holder_code_type"),
        entity_code=data.get("entity_code"),
        penalty_kinds=data.get("penalty_kinds"),
        fine=data.get("fine"),
        sector_texts=tuple(data.get("sector_texts", ())),
        procedure_texts=tuple(data.get("procedure_texts", ())),
        status=data.get("status"),
        withdrawn=frozenset(data.get("withdrawn", ())),
        disputed=frozenset(data.get("disputed", ())),
        amounts=tuple(AmountRule(**amount) for amount in data.get("amounts", ())),
        publish_within=data.get("publish_within_working_days"),
        stated_grade=data.get("stated_grade"),
        source_unit=data.get("source_unit"),
        source_unit_code=data.get("source_unit_code"),
    )


def _sectors(rules: RecordRules, rule: RecordRule, record: Record) -> frozenset[str]:
    texts = [text for name in rule.sector_texts if (text := record.get(name))]
    return rules.sectors_of(texts[0] if len(texts) == 1 else "\n".join(texts)) if texts else frozenset()


def _procedure(rules: RecordRules, rule: RecordRule, record: Record) -> Procedure:
    for name in rule.procedure_texts:
        text = record.get(name)
        if text:
            for word in rules.summary_procedure:
                if word in text:
                    return "summary"
    return "ordinary"


def _text(record: Record, name: str | None) -> str | None:
    value = None if name is None else record.get(name)
    return value if isinstance(value, str) and value else None


def _day(record: Record, name: str | None) -> date | None:
    text = _text(record, name)
    return None if text is None else _parsed(text)


@lru_cache(maxsize=1 << 16)
def _parsed(text: str) -> date:
    """Remembered: a city's records share their days."""
    return date.fromisoformat(text)


@lru_cache(maxsize=1 << 14)
def _decimal(text: str) -> Decimal:
    return Decimal(text)


@lru_cache(maxsize=1 << 12)
def _kinds(codes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(codes)
