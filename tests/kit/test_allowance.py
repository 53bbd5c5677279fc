"""What vendors' headers say of their limits, in neutral values: by their own clock, never for longer than an hour, whatever they send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.connectors.jira.limits import JiraLimits
from callout.connectors.pagerduty.limits import PagerDutyLimits
from callout.connectors.servicenow.limits import ServiceNowLimits
from callout.connectors.slack.limits import SlackLimits
from callout.kit.allowance import (
    LARGEST_LIMIT,
    LONGEST_WAIT,
    Allowance,
    Answer,
    PlainLimits,
    VendorLimits,
    clock_time,
    refusal_words,
)

NOW = datetime(2026, 5, 1, 14, 0, 5, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ISSUE = "https://acme.example/rest/api/3/issue/OPS-31/transitions"
ALL: tuple[VendorLimits, ...] = (
    JiraLimits(),
    PagerDutyLimits(),
    ServiceNowLimits(),
    SlackLimits(),
    PlainLimits("Freshdesk"),
)


def answer(
    status: int = 200, method: str = "GET", path: str = "/x", part: str = "", **headers: Any
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, NOW, method, path, part)


def epoch(moment: datetime) -> str:
    return str(int(moment.timestamp()))


# ServiceNow


def test_servicenow_tells_its_limit_its_rule_and_when_the_hour_ends() -> None:
    said = ServiceNowLimits().read(
        answer(
            X_RateLimit_Limit="500",
            X_RateLimit_Reset=epoch(NOW + timedelta(minutes=20)),
            X_RateLimit_Rule="a1b2c3",
        )
    )
    assert said == Allowance(
        "ServiceNow's limit of 500 calls per hour (rule a1b2c3)",
        limit=500,
        window=HOUR,
        ends_in=timedelta(minutes=20),
    )


def test_servicenow_without_a_rule_says_nothing() -> None:
    assert ServiceNowLimits().read(answer(Content_Type="application/json")) is None


def test_a_refusal_is_told_with_its_end() -> None:
    said = ServiceNowLimits().read(
        answer(429, X_RateLimit_Limit="500", X_RateLimit_Rule="a1b2c3", Retry_After="1200")
    )
    assert said is not None
    assert said.asked_wait == timedelta(minutes=20)
    assert refusal_words(said, NOW) == (
        "ServiceNow's limit of 500 calls per hour (rule a1b2c3) is used up until 14:20:05Z"
    )


@pytest.mark.parametrize("skew", [timedelta(minutes=-50), timedelta(), timedelta(hours=7)])
def test_a_reset_is_judged_by_the_vendors_own_clock(skew: timedelta) -> None:
    theirs = NOW + skew
    said = ServiceNowLimits().read(
        answer(
            X_RateLimit_Limit="500",
            X_RateLimit_Reset=epoch(theirs + timedelta(minutes=5)),
            Date=format_datetime(theirs, usegmt=True),
        )
    )
    assert said is not None
    assert said.ends_in == timedelta(minutes=5)


def test_a_retry_date_is_judged_by_the_vendors_own_clock() -> None:
    theirs = NOW + timedelta(days=3)
    until = format_datetime(theirs + timedelta(seconds=90), usegmt=True)
    said = PlainLimits("X").read(answer(429, Retry_After=until, Date=format_datetime(theirs, usegmt=True)))
    assert said is not None
    assert said.wait == timedelta(seconds=90)


# PagerDuty


def test_pagerduty_tells_what_is_left_of_the_minute() -> None:
    told: dict[str, Any] = {"ratelimit_limit": "960", "ratelimit_remaining": "17", "ratelimit_reset": "42"}
    said = PagerDutyLimits().read(answer(path="/pagerduty/incidents", **told))
    assert said == Allowance(
        "PagerDuty's limit of 960 calls per minute",
        limit=960,
        window=MINUTE,
        remaining=17,
        ends_in=timedelta(seconds=42),
    )


@pytest.mark.parametrize(
    ("method", "path", "part"),
    [
        ("GET", "/oncalls", "reading who is on call"),
        ("POST", "/incidents", "creating incidents"),
        ("PUT", "/incidents", "changing many incidents"),
        ("GET", "/incidents", ""),
        ("PUT", "/incidents/PABC123", ""),
    ],
)
def test_operations_with_a_tighter_limit_say_nothing_of_the_others(method: str, path: str, part: str) -> None:
    limits = PagerDutyLimits()
    told: dict[str, Any] = {"ratelimit_limit": "30", "ratelimit_remaining": "0", "ratelimit_reset": "5"}
    said = limits.read(answer(method=method, path=path, **told))
    assert said is not None
    assert said.part == part
    assert limits.parts(method=method, path=path, part="") == ((part,) if part else ())


def test_a_refusal_without_headers_is_one_all_the_same() -> None:
    for limits in ALL:
        said = limits.read(answer(429))
        assert said is not None
        assert said.refused
        assert said.asked_wait is None
        assert "until" not in refusal_words(said, NOW)


# Slack


def test_slack_closes_one_method_and_one_channel() -> None:
    limits = SlackLimits()
    said = limits.read(answer(429, "POST", "/api/chat.postMessage", "C1", Retry_After="3"))
    assert said is not None
    assert (said.part, said.wait) == ("chat.postMessage in C1", timedelta(seconds=3))
    assert limits.parts(method="POST", path="/api/chat.postMessage", part="C2") != (said.part,)
    assert limits.parts(method="POST", path="/api/users.info", part="") == ("users.info",)
    assert limits.read(answer(200, "POST", "/api/users.info")) is None


# Jira


def test_jira_says_which_of_its_three_limits_it_was() -> None:
    limits = JiraLimits()
    burst = limits.read(
        answer(
            429, "POST", ISSUE, RateLimit_Reason="jira-burst-based", Retry_After="2", X_RateLimit_Limit="9"
        )
    )
    issue = limits.read(
        answer(429, "POST", ISSUE, RateLimit_Reason="jira-per-issue-on-write", Retry_After="7")
    )
    quota = limits.read(
        answer(
            429,
            "GET",
            ISSUE,
            RateLimit_Reason="jira-quota-tenant-based",
            X_RateLimit_Limit="65000",
            X_RateLimit_Remaining="0",
            X_RateLimit_Reset="2026-05-01T14:30Z",
        )
    )
    assert burst is not None
    assert (burst.part, burst.asked_wait) == ("POST /issue/…/transitions", timedelta(seconds=2))
    assert burst.limit is None
    assert issue is not None
    assert (issue.part, issue.asked_wait) == ("writes to OPS-31", timedelta(seconds=7))
    assert set(limits.parts(method="POST", path=ISSUE, part="")) == {burst.part, issue.part}
    assert limits.parts(method="GET", path=ISSUE, part="") == ("GET /issue/…/transitions",)
    assert quota is not None
    assert (quota.part, quota.window, quota.asked_wait) == ("", HOUR, timedelta(minutes=29, seconds=55))
    assert quota.name == "Jira's limit of 65000 points per hour for this site"


def test_the_points_that_are_left_are_learned_from_every_answer_and_bursts_are_not() -> None:
    told: dict[str, Any] = {"X_RateLimit_Limit": "65000", "X_RateLimit_Remaining": "64100"}
    said = JiraLimits().read(answer(X_RateLimit_Reset="2026-05-01T14:30Z", **told))
    assert said is not None
    assert (said.limit, said.remaining, said.windowed) == (65000, 64100, True)
    assert JiraLimits().read(answer(X_RateLimit_Reset="2026-05-01T14:01Z", **told)) is None
    assert JiraLimits().read(answer()) is None


# Whatever they send

GARBAGE = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["-1", "0", "9" * 400, "1e9", " 5 ", "NaN", "٣", "5;w=60", "0x10", "2026-05-01T14:30Z"]),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.just(UTC)).map(lambda moment: format_datetime(moment, usegmt=True)),
    st.datetimes().map(str),
)
NAMES = (
    "Retry-After",
    "Date",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Rule",
    "RateLimit-Reason",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
)


@given(
    headers=st.dictionaries(st.sampled_from(NAMES), GARBAGE),
    status=st.sampled_from([200, 204, 429, 503]),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=st.one_of(st.text(max_size=30), st.sampled_from(["/oncalls", "/incidents", ISSUE])),
)
def test_no_header_crashes_us_or_keeps_us_away_for_more_than_an_hour(
    headers: dict[str, str], status: int, method: str, path: str
) -> None:
    for limits in ALL:
        said = limits.read(Answer(status, headers, NOW, method, path, "C1"))
        limits.parts(method=method, path=path, part="C1")
        if said is None:
            continue
        for wait in (said.wait, said.ends_in, said.asked_wait):
            assert wait is None or timedelta() <= wait <= LONGEST_WAIT
        assert said.limit is None or 0 <= said.limit <= LARGEST_LIMIT
        assert said.remaining is None or 0 <= said.remaining <= LARGEST_LIMIT
        assert refusal_words(said, NOW).startswith(said.name)


def test_a_time_is_told_so_that_it_has_passed_when_it_is_read() -> None:
    assert clock_time(NOW) == "14:00:05Z"
    assert clock_time(NOW + timedelta(milliseconds=1)) == "14:00:06Z"
