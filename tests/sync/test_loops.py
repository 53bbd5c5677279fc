"""The loop breaker's judgement: what people do, however busy, and what machines do that answer each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callout.sync import loops
from callout.sync.loops import Write, answered, loop_of, pushed_back, tokens, with_write
from callout.sync.merge import Base, LinkState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def writes(
    count: int, every: timedelta, *, hops: int = 1, values: tuple[str, ...] = ("a", "b")
) -> list[Write]:
    """Return writes up to noon, their titles going round `values`."""
    return [
        Write(NOON - every * (count - number), hops, tokens({"title": values[number % len(values)]}))
        for number in range(count)
    ]


def test_so_many_writes_in_minutes_are_no_persons() -> None:
    every = timedelta(seconds=5)
    assert "30 times in 5 minutes" in loop_of(writes(30, every), Write(NOON))
    assert loop_of(writes(29, every), Write(NOON)) == ""
    assert loop_of(writes(60, timedelta(seconds=20)), Write(NOON)) == ""


def test_a_value_that_goes_round_slowly_is_noticed_when_it_came_from_another_ticket() -> None:
    slowly = timedelta(minutes=4)
    again = Write(NOON, 2, tokens({"title": "a"}))
    assert "same title 6 times" in loop_of(writes(12, slowly, hops=2), again)
    assert loop_of(writes(10, slowly, hops=2), again) == ""
    new = Write(NOON, 2, tokens({"title": "never written before"}))
    assert loop_of(writes(12, slowly, hops=2), new) == ""
    # A monitoring system that opens and resolves through the API is no product that answers.
    assert loop_of(writes(12, slowly, hops=1), replace_hops(again, 1)) == ""


def replace_hops(write: Write, hops: int) -> Write:
    return Write(write.at, hops, write.what)


def test_a_chain_of_answers_ends() -> None:
    assert loop_of([], Write(NOON, loops.MAX_HOPS)) == ""
    assert "in a row" in loop_of([], Write(NOON, loops.MAX_HOPS + 1))


def test_what_changes_there_soon_after_a_write_of_the_same_field_answers_it() -> None:
    written = [Write(NOON, 3, tokens({"title": "a"}))]
    soon = NOON + timedelta(seconds=30)
    assert answered(written, {"title", "status"}, soon) == 3
    assert answered(written, {"status"}, soon) == 0
    assert answered(written, {"title"}, NOON + loops.ANSWERS_WITHIN) == 0
    before = LinkState({"title": Base("a", "a")})
    assert pushed_back(before, {"title": "b"}, {"title"}, written, soon) == 5
    assert pushed_back(before, {"title": "a"}, {"title"}, written, soon) == 0


def test_what_is_kept_has_an_end_and_older_versions_rows_are_read() -> None:
    kept: tuple[Write, ...] = ()
    for number in range(200):
        kept = with_write(kept, Write(NOON + timedelta(seconds=number)))
    assert len(kept) == loops.KEPT
    assert with_write(kept, Write(NOON + timedelta(hours=2))) == (Write(NOON + timedelta(hours=2)),)
    write = Write(NOON, 2, tokens({"title": "a"}))
    assert Write.of(write.to_json()) == write
    assert Write.of(NOON.isoformat()) == Write(NOON)
