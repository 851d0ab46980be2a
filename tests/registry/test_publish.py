"""Nothing is lost, doubled or let in that should not be: the intake's promises, on a real PostgreSQL."""

from __future__ import annotations

import threading

import psycopg
import pytest

from registry.domain.batches import Counts, Limits, Mode, State
from registry.intake import batches
from registry.intake.errors import BatchNotOpen, IntakeError, StagingMissing
from registry.intake.publish import publish
from registry.intake.staging import Staging
from registry.storage.database import connect
from tests.registry.feeding import Feeder, bad, bodies, gone, good, stage_rows


@pytest.fixture
def feeder(registry_url: str) -> Feeder:
    return Feeder(registry_url)


def test_a_first_batch_is_published_whole(feeder: Feeder) -> None:
    report = feeder.feed([good("a", n=1), good("b", n=2)], [good("c", n=3)])

    assert report.state is State.PUBLISHED
    assert report.counts == Counts(pulled=3, accepted=3, new=3)
    assert feeder.records() == bodies(good("a", n=1), good("b", n=2), good("c", n=3))
    assert sorted(feeder.changes()) == [("n", "a"), ("n", "b"), ("n", "c")]


def test_unchanged_rows_write_nothing(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1), good("b", n=2)])
    before = feeder.query("SELECT key, version, valid_from, xmin::text FROM registry.record ORDER BY key")

    report = feeder.feed([good("b", n=2), good("a", n=1)])

    assert report.counts == Counts(pulled=2, accepted=2, unchanged=2)
    assert feeder.query("SELECT key, version, valid_from, xmin::text FROM registry.record ORDER BY key") == before
    assert len(feeder.changes()) == 2


def test_a_changed_row_keeps_its_past(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)])
    report = feeder.feed([good("a", n=2)])

    assert report.counts == Counts(pulled=1, accepted=1, changed=1)
    assert feeder.records() == bodies(good("a", n=2))
    assert feeder.changes() == [("n", "a"), ("c", "a")]
    history = feeder.query(
        "SELECT h.body->>'n', h.valid_to = r.valid_from, h.version < r.version"
        " FROM registry.record_history h JOIN registry.record r USING (key)"
    )
    assert history == [("1", True, True)]


def test_a_delete_flag_ends_the_record_by_key_or_by_row(feeder: Feeder) -> None:
    feeder.feed([good("a", "row-1"), good("b", "row-2"), good("c", "row-3")])
    report = feeder.feed([gone("a", "row-1"), gone(None, "row-2")])

    assert report.counts == Counts(pulled=2, delete_flags=2, deleted=2)
    assert list(feeder.records()) == ["c"]
    assert sorted(feeder.changes()[3:]) == [("d", "a"), ("d", "b")]


def test_deleting_what_is_not_there_changes_nothing(feeder: Feeder) -> None:
    feeder.feed([good("a")])
    assert feeder.feed([gone("z")]).counts == Counts(pulled=1, delete_flags=1)
    assert len(feeder.changes()) == 1


def test_a_record_deleted_and_brought_back_is_new_again(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)])
    feeder.feed([gone("a")])
    feeder.feed([good("a", n=1)])

    assert feeder.changes() == [("n", "a"), ("d", "a"), ("n", "a")]
    assert feeder.records() == bodies(good("a", n=1))


def test_a_snapshot_deletes_what_it_lacks(feeder: Feeder) -> None:
    feeder.feed([good("a"), good("b"), good("c")], snapshot=True)
    report = feeder.feed([good("b"), good("d")], snapshot=True)

    assert report.counts == Counts(pulled=2, accepted=2, new=1, unchanged=1, deleted=2)
    assert sorted(feeder.records()) == ["b", "d"]


def test_a_snapshot_that_says_unchanged_deletes_nothing(feeder: Feeder) -> None:
    feeder.feed([good("a"), good("b")], snapshot=True)
    batch_id = feeder.plan()
    feeder.stage(batch_id, [], unchanged=True)

    assert feeder.publish(batch_id, snapshot=True).counts == Counts()
    assert sorted(feeder.records()) == ["a", "b"]


def test_a_row_that_turned_bad_keeps_its_last_good_version_also_in_a_snapshot(feeder: Feeder) -> None:
    feeder.feed([good("a", "row-1", n=1), good("b", "row-2")], snapshot=True)
    report = feeder.feed([bad(None, row_id="row-1"), good("b", "row-2")], snapshot=True)

    assert report.counts == Counts(pulled=2, accepted=1, refused=1, unchanged=1)
    assert feeder.records()["a"] == {"id": "a", "n": 1}
    assert [ticket["row_id"] for ticket in feeder.tickets()] == ["row-1"]


def test_a_full_read_deletes_too(feeder: Feeder) -> None:
    feeder.feed([good("a"), good("b")])
    assert feeder.feed([good("a")], mode=Mode.FULL).counts.deleted == 1


def test_identical_rows_in_one_batch_count_as_duplicates(feeder: Feeder) -> None:
    report = feeder.feed([good("a", n=1), good("a", n=1), good("b", n=1)], [good("a", n=1)])

    assert report.counts == Counts(pulled=4, accepted=4, duplicates=2, new=2)
    assert len(feeder.changes()) == 2


def test_contradicting_rows_of_one_key_are_all_refused(feeder: Feeder) -> None:
    report = feeder.feed([good("a", n=1), good("a", n=2), good("b", n=1)])

    assert report.counts == Counts(pulled=3, accepted=1, refused=2, new=1)
    assert list(feeder.records()) == ["b"]
    assert {ticket["reasons"][0]["rule"] for ticket in feeder.tickets()} == {"key.contradiction"}
    assert len(feeder.tickets()) == 2


def test_contradicting_rows_are_ticketed_once_however_often_they_come(feeder: Feeder) -> None:
    for _ in range(3):
        feeder.feed([good("a", n=1), good("a", n=2)])
    assert [ticket["times_seen"] for ticket in feeder.tickets()] == [3, 3]

    feeder.feed([good("a", n=2)])
    assert {ticket["closed_because"] for ticket in feeder.tickets()} == {"corrected"}


def test_of_operations_in_order_the_last_one_holds(feeder: Feeder) -> None:
    report = feeder.feed(
        [good("a", n=1), good("a", n=2), good("b"), gone("b"), gone("c"), good("c", n=9)], ordered=True
    )

    assert report.counts.new == 2
    assert report.counts.accounted
    assert feeder.records() == bodies(good("a", n=2), good("c", n=9))


def test_a_later_part_overtakes_an_earlier_one(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)], [good("a", n=2)])
    assert feeder.records() == bodies(good("a", n=2))


def test_a_row_whose_key_was_corrected_takes_its_old_record_along(feeder: Feeder) -> None:
    feeder.feed([good("old", "row-1", n=1), good("x", "row-2")])
    report = feeder.feed([good("new", "row-1", n=1)])

    assert report.counts == Counts(pulled=1, accepted=1, new=1, deleted=1)
    assert sorted(feeder.records()) == ["new", "x"]


def test_two_rows_that_swap_keys_lose_nothing(feeder: Feeder) -> None:
    feeder.feed([good("a", "row-1", n=1), good("b", "row-2", n=2)])
    feeder.feed([good("b", "row-1", n=1), good("a", "row-2", n=2)])

    assert feeder.records() == bodies(good("b", n=1), good("a", n=2))


def test_a_refused_record_is_ticketed_once_and_closes_when_corrected(feeder: Feeder) -> None:
    feeder.feed([bad("a", row_id="row-1"), good("b")])
    feeder.feed([bad("a", "minLength", row_id="row-1")])
    ticket = feeder.tickets()
    assert [(t["row_id"], t["times_seen"], t["reasons"][0]["rule"], t["closed_because"]) for t in ticket] == [
        ("row-1", 2, "minLength", None)
    ]

    feeder.feed([good("a", "row-1")])
    assert [t["closed_because"] for t in feeder.tickets()] == ["corrected"]
    assert sorted(feeder.records()) == ["a", "b"]


def test_a_ticket_closes_when_the_row_is_deleted_or_gone_from_the_source(feeder: Feeder) -> None:
    feeder.feed([bad("a", row_id="1"), bad("b", row_id="2"), good("c", "3")])
    feeder.feed([gone("a", "1")])
    assert [t["closed_because"] for t in feeder.tickets()] == ["deleted", None]
    feeder.feed([good("c", "3")], mode=Mode.FULL)
    assert [t["closed_because"] for t in feeder.tickets()] == ["deleted", "gone"]


def test_a_row_bad_and_then_corrected_in_one_batch_opens_no_ticket(feeder: Feeder) -> None:
    report = feeder.feed([bad("a", row_id="1"), good("a", "1")], ordered=True)
    assert report.counts == Counts(pulled=2, accepted=1, refused=1, new=1)
    assert feeder.tickets() == []


def test_another_connectors_record_is_not_overwritten(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)])
    other = Feeder(feeder.url, name="other.things")
    report = other.feed([good("a", n=2), good("b")])

    assert report.counts == Counts(pulled=2, accepted=1, refused=1, new=1)
    assert feeder.records()["a"] == {"id": "a", "n": 1}
    assert [ticket["reasons"][0]["rule"] for ticket in feeder.tickets()] == ["key.owned"]
    assert feeder.feed([good("a", n=1)], snapshot=True).counts.deleted == 0
    assert sorted(feeder.records()) == ["a", "b"]


def test_too_many_refused_rows_hold_the_batch_and_a_person_may_approve_it(feeder: Feeder) -> None:
    feeder.limits = Limits(max_refused=0.05)
    rows = [good(f"g{n}") for n in range(70)] + [bad(f"b{n}") for n in range(30)]
    report = feeder.feed(rows)

    assert report.state is State.HELD
    assert [reason.code for reason in report.held_reasons] == ["too_many_refused"]
    assert "30 of 100" in report.held_reasons[0].en
    assert feeder.records() == {}
    assert feeder.tickets() == []
    assert feeder.publish(report.batch_id).state is State.HELD

    approved = feeder.publish(report.batch_id, approved_by="operator")
    assert approved.state is State.PUBLISHED
    assert (approved.counts.new, len(feeder.tickets())) == (70, 30)


def test_a_held_batch_is_superseded_by_the_next_one_that_publishes(feeder: Feeder) -> None:
    feeder.limits = Limits(max_refused=0.05)
    held = feeder.feed([bad(f"b{n}") for n in range(30)])
    later = feeder.feed([good("a")])

    assert (held.state, later.state) == (State.HELD, State.PUBLISHED)
    approved = feeder.publish(held.batch_id, approved_by="operator")
    assert (approved.state, approved.superseded_by) == (State.SUPERSEDED, later.batch_id)
    assert feeder.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == [(0,)]


def test_a_collapsed_snapshot_is_held(feeder: Feeder) -> None:
    feeder.limits = Limits(max_shrink=0.2)
    feeder.feed([good(f"g{n}") for n in range(100)], snapshot=True)
    report = feeder.feed([good(f"g{n}") for n in range(50)], snapshot=True)

    assert report.state is State.HELD
    assert [reason.code for reason in report.held_reasons] == ["volume_collapsed"]
    assert len(feeder.records()) == 100


def test_an_empty_source_that_was_full_is_held(feeder: Feeder) -> None:
    feeder.limits = Limits()
    feeder.feed([good(f"g{n}") for n in range(100)], snapshot=True)
    assert feeder.feed([], snapshot=True).state is State.HELD
    assert feeder.feed(mode=Mode.FULL).state is State.HELD


def test_missing_columns_hold_the_batch(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    with connect(feeder.url) as connection:
        staging = Staging(connection, batch_id, 0)
        staging.finish(None, missing_columns=["reg_no"])
    report = feeder.publish(batch_id)
    assert report.state is State.HELD
    assert "reg_no" in report.held_reasons[0].zh
    assert feeder.publish(batch_id, approved_by="operator").state is State.HELD


def test_publishing_twice_gives_the_same_report_and_changes_nothing(feeder: Feeder) -> None:
    report = feeder.feed([good("a")])
    assert feeder.publish(report.batch_id) == report
    assert len(feeder.changes()) == 1


def test_of_two_batches_from_one_cursor_the_second_is_superseded(feeder: Feeder) -> None:
    slow, quick = feeder.plan(), feeder.plan()
    feeder.stage(slow, [good("a", n=1)])
    feeder.stage(quick, [good("a", n=2)])
    feeder.publish(quick)
    report = feeder.publish(slow)

    assert (report.state, report.superseded_by) == (State.SUPERSEDED, quick)
    assert feeder.records() == bodies(good("a", n=2))
    assert feeder.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == [(0,)]


def test_a_part_retried_ten_times_counts_once(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    for _ in range(10):
        feeder.stage(batch_id, [good("a"), bad("b")])
    report = feeder.publish(batch_id)

    assert report.counts == Counts(pulled=2, accepted=1, refused=1, new=1)
    assert feeder.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == [(0,)]
    assert feeder.query("SELECT count(*) FROM registry.staged_refusal") == [(0,)]


def test_a_half_staged_part_is_not_published(feeder: Feeder) -> None:
    batch_id = feeder.plan(2)
    feeder.stage(batch_id, [good("a")], 0)
    with connect(feeder.url) as connection:
        stage_rows(Staging(connection, batch_id, 1), [good("b")])  # killed before finish

    with pytest.raises(StagingMissing) as missing:
        feeder.publish(batch_id)
    assert missing.value.parts == (1,)
    assert feeder.records() == {}

    feeder.stage(batch_id, [good("b")], 1)
    assert feeder.publish(batch_id).counts.new == 2


def test_staged_rows_lost_in_a_crash_are_asked_for_again(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    feeder.stage(batch_id, [good("a")])
    with connect(feeder.url) as connection:
        connection.execute(f"TRUNCATE staging.b{batch_id}_p0_a1".encode())  # what recovery does to unlogged tables
    with pytest.raises(StagingMissing):
        feeder.publish(batch_id)


def test_a_late_attempt_cannot_stage_into_a_published_batch(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    with connect(feeder.url) as late:
        zombie = Staging(late, batch_id, 0)
        stage_rows(zombie, [good("zombie")])
        feeder.stage(batch_id, [good("a")])
        feeder.publish(batch_id)
        with pytest.raises(BatchNotOpen):
            zombie.finish(None)
    assert list(feeder.records()) == ["a"]


def test_an_attempt_whose_batch_was_discarded_is_told_so_at_its_next_rows(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    with connect(feeder.url) as late, connect(feeder.url) as other:
        zombie = Staging(late, batch_id, 0)
        batches.discard(other, batch_id)
        with pytest.raises(BatchNotOpen):
            stage_rows(zombie, [good("a")])


def test_the_same_airflow_run_plans_one_batch(feeder: Feeder) -> None:
    assert feeder.plan(run_id="scheduled__1") == feeder.plan(run_id="scheduled__1")
    assert feeder.plan(run_id="scheduled__1") != feeder.plan(run_id="scheduled__2")


def test_a_dry_run_counts_and_leaves_no_trace(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1), good("b")])
    batch_id = feeder.plan(dry_run=True)
    feeder.stage(batch_id, [good("a", n=2), good("c"), bad("d"), gone("b")])
    report = feeder.publish(batch_id)

    assert report.state is State.DRY_RUN
    assert report.counts == Counts(pulled=4, accepted=2, refused=1, delete_flags=1, new=1, changed=1, deleted=1)
    assert feeder.records() == bodies(good("a", n=1), good("b"))
    assert (len(feeder.changes()), feeder.tickets()) == (2, [])


def test_time_goes_on_even_when_the_clock_is_set_back(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)])
    with connect(feeder.url) as connection:
        connection.execute("UPDATE registry.connector SET published_at = now() + interval '1 hour'")
        connection.execute("UPDATE registry.record SET valid_from = c.published_at FROM registry.connector c")
    feeder.feed([good("a", n=2)])
    assert feeder.query("SELECT bool_and(valid_from < valid_to) FROM registry.record_history") == [(True,)]


def test_discarded_batches_take_nothing_more(feeder: Feeder) -> None:
    batch_id = feeder.plan()
    feeder.stage(batch_id, [good("a")])
    with connect(feeder.url) as connection:
        batches.discard(connection, batch_id)
    assert feeder.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'staging'::regnamespace") == [(0,)]
    with pytest.raises(BatchNotOpen):
        feeder.publish(batch_id)
    with pytest.raises(BatchNotOpen):
        feeder.stage(batch_id, [good("a")])


def test_the_awkward_texts_of_keys_survive_copy(feeder: Feeder) -> None:
    keys = ["tab\tkey", "back\\slash", "line\nbreak", "〔2026〕第1号", "\\N", "'; --"]
    feeder.feed([good(key, f"row {key}", text=key, uscc=key) for key in keys])
    assert feeder.records() == bodies(*[good(key, text=key, uscc=key) for key in keys])
    assert sorted(row[0] for row in feeder.query("SELECT entity FROM registry.record")) == sorted(keys)


def test_a_dataset_cannot_change_its_key_silently(feeder: Feeder) -> None:
    feeder.feed([good("a")])
    with connect(feeder.url) as connection:
        connection.execute("UPDATE registry.dataset SET key = '{other}'")
    with pytest.raises(IntakeError, match="keyed by other"):
        feeder.plan()


def test_eight_connectors_publish_at_once_into_one_new_dataset(registry_url: str) -> None:
    feeders = [Feeder(registry_url, name=f"office.part-{number}") for number in range(8)]
    ready = threading.Barrier(8)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            batch_id = feeders[number].plan()
            feeders[number].stage(batch_id, [good(f"{number}-{n}") for n in range(200)])
            ready.wait(30)
            feeders[number].publish(batch_id)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(feeders[0].records()) == 1600
    assert len(set(feeders[0].changes())) == 1600


def test_a_publisher_cut_off_in_the_middle_leaves_nothing(feeder: Feeder) -> None:
    feeder.feed([good("a", n=1)])
    batch_id = feeder.plan()
    feeder.stage(batch_id, [good("a", n=2), good("b")])
    with connect(feeder.url) as connection, connect(feeder.url) as other:
        other.execute(
            "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
        )
        other.execute("CREATE TRIGGER cut AFTER UPDATE ON registry.connector EXECUTE FUNCTION cut()")
        with pytest.raises(psycopg.OperationalError):
            publish(connection, batch_id, {}, feeder.limits)
        other.execute("DROP TRIGGER cut ON registry.connector")
    assert feeder.records() == bodies(good("a", n=1))

    feeder.publish(batch_id)
    assert feeder.records() == bodies(good("a", n=2), good("b"))
    assert feeder.changes() == [("n", "a"), ("c", "a"), ("n", "b")]
