"""Entries and checkpoints as bytes and texts that others can make and read."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.audit import checkpoint as checkpoints
from registry.domain.audit import entry as entries
from registry.domain.audit import export
from registry.domain.audit.checkpoint import Checkpoint, CheckpointMalformed, NoteSignature
from registry.domain.audit.entry import Entry
from registry.domain.audit.export import ExportMalformed
from registry.domain.audit.merkle import Frontier, leaf_hash

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = st.none() | TEXT
ENTRIES = st.builds(
    Entry,
    at=st.datetimes(timezones=st.just(UTC)),
    action=TEXT,
    status=st.integers(200, 599),
    request_digest=st.binary(min_size=32, max_size=32),
    trace_id=TEXT,
    process=TEXT,
    client=SOME,
    dataset=SOME,
    entity=SOME,
    entities=st.none() | st.lists(TEXT, min_size=2, max_size=4).map(tuple),
    fields=st.none() | st.lists(TEXT, min_size=1, max_size=4).map(tuple),
    purpose=SOME,
    case_number=SOME,
)


def an_entry(number: int = 0) -> Entry:
    return Entry(
        at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        action="GET /api/v1/entities/{entity}",
        status=200,
        request_digest=sha256(b"%d" % number).digest(),
        trace_id=f"trace-{number}",
        process="p1",
        client="client-1",
        entity="91310000MA1FL00A0Q",
        purpose="信贷审批",
    )


@given(ENTRIES, st.integers(0, 1 << 40))
def test_the_bytes_of_an_entry_are_canonical_json(entry: Entry, index: int) -> None:
    made = entries.canonical(entry, index)

    assert made == rfc8785.dumps(orjson.loads(made))
    assert entries.parsed(made) == (index, entry)


def test_the_bytes_of_an_entry_are_these() -> None:
    assert entries.canonical(an_entry(), 7).decode() == (
        '{"action":"GET /api/v1/entities/{entity}","at":"2026-01-02T03:04:05.000678Z","client":"client-1",'
        '"entity":"91310000MA1FL00A0Q","index":7,"process":"p1","purpose":"信贷审批","request_digest":'
        '"5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9","status":200,"trace_id":"trace-0","v":1}'
    )


@given(ENTRIES, ENTRIES, st.integers(0, 9), st.integers(0, 9))
def test_two_entries_have_the_same_bytes_only_if_they_are_the_same(one: Entry, other: Entry, at: int, to: int) -> None:
    same = entries.canonical(one, at) == entries.canonical(other, to)

    assert same == ((one, at) == (other, to))


SIGNATURE = NoteSignature("hub.example.cn/access-log", b"abcd", b"signature")


@given(st.integers(0, 1 << 60), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_read_as_it_was_written(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("hub.example.cn/access-log", size, root)
    found = checkpoints.parse(checkpoints.note(checkpoint, SIGNATURE, SIGNATURE))

    assert found.checkpoint == checkpoint
    assert found.text == checkpoint.text
    assert found.signatures == (SIGNATURE, SIGNATURE)


def test_the_example_of_the_standard_is_read() -> None:
    found = checkpoints.parse(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+z"
        "yWE+xeMcTOAYQ8=\n"
    )

    assert (found.checkpoint.origin, found.checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert (found.signatures[0].key_id.hex(), len(found.signatures[0].signature)) == ("033de0ae", 64)


GOOD = checkpoints.note(Checkpoint("log", 3, bytes(32)), SIGNATURE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("log\n3\n", "log\n03\n", id="a size with a zero before it"),
        pytest.param("log\n3\n", "log\n-3\n", id="a size below nothing"),
        pytest.param("log\n3\n", "log\n", id="two lines"),
        pytest.param("log\n3\n", "\n3\n", id="no origin"),
        pytest.param("\n\n", "\n", id="no empty line"),
        pytest.param("AAAA=", "AAA=", id="a short root"),
        pytest.param("AAA=\n\n", "AAB=\n\n", id="a root in another spelling of base64"),
        pytest.param("— hub", "- hub", id="a hyphen for the dash"),
        pytest.param("log\n3", "log\r\n3", id="a line end of another kind"),
        pytest.param(GOOD[-2:], GOOD[-2:-1], id="no line end at the end"),
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(old: str, new: str) -> None:
    with pytest.raises(CheckpointMalformed):
        checkpoints.parse(GOOD.replace(old, new))


# -- exports ----------------------------------------------------------------------------------------------------------


def export_of(size: int, start: int = 0) -> list[bytes]:
    return [export.head(edge(start)), *(entries.canonical(an_entry(number), number) for number in range(start, size))]


def edge(size: int) -> Frontier:
    return Frontier().extended(leaf_hash(entries.canonical(an_entry(n), n)) for n in range(size))[0]


def at(size: int) -> Checkpoint:
    return Checkpoint("log", size, edge(size).root)


@given(st.integers(0, 12), st.integers(0, 12))
def test_an_export_is_proven_by_checkpoints_at_its_beginning_and_end(start: int, more: int) -> None:
    found = export.check(export_of(start + more, start), [at(start), at(start + more)])

    assert (found.findings, found.proven, found.end) == ((), more, start + more)


def test_an_export_without_checkpoint_proves_nothing() -> None:
    assert export.check(export_of(5), []).proven == 0
    assert [one.kind for one in export.check(export_of(5, 2), [at(5)]).findings] == ["checkpoint"]


@given(st.data(), st.sampled_from(["changed", "removed", "twice", "exchanged", "foreign"]))
def test_whatever_is_done_to_an_export_is_found_and_located(data: st.DataObject, what: str) -> None:
    lines = export_of(20)
    place = data.draw(st.integers(1, 19))
    if what == "changed":
        lines[place] = lines[place].replace("信贷".encode(), "信用".encode())
    elif what == "removed":
        del lines[place]
    elif what == "twice":
        lines.insert(place, lines[place])
    elif what == "exchanged":
        lines[place], lines[place + 1] = lines[place + 1], lines[place]
    else:
        lines[place] = entries.canonical(an_entry(99), place - 1)
    found = export.check(lines, [at(size) for size in range(0, 21, 5)])

    assert found.proven == 0
    assert len(found.findings) == 1
    assert found.findings[0].first <= place <= found.findings[0].last + 2


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"form":"other","first":0,"peaks":[]}', b"\xff"])
def test_a_file_that_is_no_export_is_refused(line: bytes) -> None:
    with pytest.raises(ExportMalformed):
        export.check([line], [])
