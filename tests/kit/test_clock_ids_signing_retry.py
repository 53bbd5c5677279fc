"""Time, ids, signatures and waits."""

from __future__ import annotations

import random
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.kit.clock import ManualClock, SystemClock
from callout.kit.ids import new_id, random_token, slug
from callout.kit.retry import MAX_RETRY_AFTER, Backoff, parse_retry_after
from callout.kit.signing import equal, hmac_sha256_hex

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
    assert SystemClock().monotonic() <= SystemClock().monotonic()


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    clock.advance(timedelta(seconds=90))
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.monotonic() == 90.0
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001


def test_ids_are_version_7_unique_and_rise_in_the_order_they_were_made() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in ids} == {(7, uuid.RFC_4122)}
    age = SystemClock().now().timestamp() - (uuid.UUID(ids[0]).int >> 80) / 1000
    assert 0 <= age < 60


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Payments API: down!", "payments-api-down"), ("Café_1", "cafe_1"), ("../etc", "etc"), ("火", "")],
)
def test_a_slug_is_safe_in_paths(text: str, expected: str) -> None:
    assert slug(text) == expected


@given(st.text())
def test_any_text_gives_a_clean_slug(text: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]*", slug(text))


def test_tokens_are_url_safe_and_never_short() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", random_token(32))
    with pytest.raises(ValueError, match="16"):
        random_token(8)


def test_hmac_matches_the_published_vector() -> None:
    # RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256_hex(b"Jefe", b"what do ya want for nothing?") == expected


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="empty key"):
        hmac_sha256_hex(b"", b"body")


def test_signatures_compare_by_value_whatever_their_type() -> None:
    assert equal("abc", b"abc")
    assert not equal("abc", "abd")
    assert not equal("abc\udce9", "abc")


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_a_wait_is_never_longer_than_its_bound(attempt: int, rng: random.Random) -> None:
    backoff = Backoff(first=timedelta(seconds=1), factor=2, cap=timedelta(seconds=60))
    assert timedelta(0) <= backoff.delay(attempt, rng) <= backoff.bound(attempt) <= backoff.cap


def test_bounds_grow_by_the_factor_up_to_the_cap() -> None:
    backoff = Backoff(first=timedelta(seconds=1), factor=3, cap=timedelta(seconds=20))
    assert [backoff.bound(n).total_seconds() for n in range(1, 6)] == [1, 3, 9, 20, 20]
    assert backoff.bound(10**9) == backoff.cap


def test_there_is_no_next_attempt_past_the_number_or_the_deadline() -> None:
    backoff = Backoff(first=timedelta(seconds=1), max_attempts=3, deadline=timedelta(seconds=100))
    rng = random.Random(1)  # noqa: S311
    assert backoff.next_delay(2, rng) is not None
    assert backoff.next_delay(3, rng) is None
    assert backoff.next_delay(1, rng, elapsed=timedelta(seconds=101)) is None
    assert backoff.next_delay(1, rng, retry_after=timedelta(seconds=200)) is None


def test_the_wait_never_undercuts_what_the_other_side_asked_for() -> None:
    backoff = Backoff(first=timedelta(seconds=1))
    for seed in range(50):
        wait = backoff.next_delay(1, random.Random(seed), retry_after=timedelta(seconds=30))  # noqa: S311
        assert wait is not None
        assert timedelta(seconds=30) <= wait <= timedelta(seconds=31)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("1.5", 1.5),
        ("999999999999", MAX_RETRY_AFTER.total_seconds()),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("Fri, 02 Jan 2099 03:00:00 GMT", MAX_RETRY_AFTER.total_seconds()),
        ("Friday, 02-Jan-26 03:05:05 GMT", 60),
    ],
)
def test_retry_after_is_read_and_kept_within_a_day(value: str, seconds: float) -> None:
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1e3", "١٢", "9" * 400])
def test_an_unusable_retry_after_says_nothing(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


@given(st.text())
def test_retry_after_never_raises(value: str) -> None:
    wait = parse_retry_after(value, NOW)
    assert wait is None or timedelta(0) <= wait <= MAX_RETRY_AFTER


def test_a_backoff_that_could_not_work_is_refused() -> None:
    with pytest.raises(ValueError, match="first"):
        Backoff(first=timedelta(0))
    with pytest.raises(ValueError, match="factor"):
        Backoff(factor=0.5)
    with pytest.raises(ValueError, match="max_attempts"):
        Backoff(max_attempts=0)
