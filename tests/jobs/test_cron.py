"""Cron expressions: what they mean, and which are refused. Expected moments are worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callout.jobs.cron import Cron


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("* * * * *", "2026-03-01T10:00:30", "2026-03-01T10:01"),
        ("*/15 * * * *", "2026-03-01T10:45", "2026-03-01T11:00"),
        ("30 2 * * *", "2026-03-01T02:30", "2026-03-02T02:30"),
        ("0 9-17/4 * * *", "2026-03-01T13:00", "2026-03-01T17:00"),
        ("5,35 0 1 1 *", "2026-03-01T00:00", "2027-01-01T00:05"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("0 8 * * 1-5", "2026-03-06T08:00", "2026-03-09T08:00"),  # from a Friday to the Monday
        ("0 8 * * 0", "2026-03-06T08:00", "2026-03-08T08:00"),
        ("0 8 * * 7", "2026-03-06T08:00", "2026-03-08T08:00"),
        ("0 0 13 * 5", "2026-03-07T00:00", "2026-03-13T00:00"),  # the 13th or a Friday, whichever comes first
        ("0 0 20 * 1", "2026-03-07T00:00", "2026-03-09T00:00"),
        ("50/5 * * * *", "2026-12-31T23:55", "2027-01-01T00:50"),
    ],
)
def test_the_next_moment(expression: str, moment: str, expected: str) -> None:
    assert Cron.parse(expression).after(at(moment)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "0 0 31 2 *",
    ],
)
def test_nonsense_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="cron expression"):
        Cron.parse(expression)
