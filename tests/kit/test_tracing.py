"""Spans: none while traces are off; below the right one, linked to the others, and without anybody's words while they are on."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind, StatusCode

from callout.kit import tracing
from callout.kit.http import HttpStatusError, TransportError, VendorHttp
from callout.kit.http_watch import calls_total, outcome_of, template
from callout.kit.log import configure
from callout.kit.spans import parse, traceparent
from tests.recorded import above, linked, own, recording, said

FIRST = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECOND = "00-5bf92f3577b34da6a3ce929d0e0e4736-10f067aa0ba902b7-01"
HIDDEN = "00-6bf92f3577b34da6a3ce929d0e0e4736-20f067aa0ba902b7-00"
"""Of a trace that is not recorded."""
SECRET = "xoxb-1234567890-Canary2SlackBotToken"


def test_off_there_is_one_span_for_all_and_nothing_is_imported() -> None:
    assert not tracing.is_on()
    assert tracing.begin("x") is tracing.NOTHING
    assert tracing.within("x", causes=[FIRST]) is tracing.NOTHING
    with tracing.within("x") as span:
        assert tracing.current() is None
        span.note({"a": 1})
        span.failed("E")
    code = (
        "import callout.jobs.worker, callout.kit.http, callout.kit.log, callout.webhooks, sys;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150
    )
    assert done.stdout.strip() == "[]"


def test_work_stands_below_the_first_that_asked_for_it_and_is_linked_to_the_others() -> None:
    with recording() as recorded, tracing.within("job", causes=[HIDDEN, FIRST, SECOND, "nonsense"]):
        assert (tracing.current() or "").startswith(FIRST[:35])
        with tracing.within("inside", kind="client"):
            pass
    inside, job = recorded.spans
    # The first that is recorded: below one that is not nothing of all this would be seen.
    assert above(job) == FIRST
    assert linked(job) == [HIDDEN, SECOND]
    assert above(inside) == own(job)
    assert inside.kind is SpanKind.CLIENT


def test_what_is_not_recorded_stays_so() -> None:
    with recording() as recorded, tracing.within("job", causes=[HIDDEN]):
        assert (tracing.current() or "").endswith("-00")
    assert recorded.spans == ()


def test_without_a_cause_a_trace_begins_though_another_is_at_hand() -> None:
    with recording() as recorded, tracing.within("outer"), tracing.within("root", causes=()):
        pass
    assert recorded.named("root")[0].parent is None


def test_an_exception_leaves_its_kind_and_none_of_its_words() -> None:
    with recording() as recorded:
        with pytest.raises(ValueError, match="Canary"), tracing.within("x", attributes={"said": SECRET}):
            raise ValueError(SECRET)
        span = tracing.begin("y")
        span.failed("404")
        span.end()
        span.end()
        span.note({"late": 1})
        span.rename("late")
    broken, failed = recorded.spans
    assert broken.status.status_code is StatusCode.ERROR
    assert said(broken, "error.type") == "ValueError"
    assert not broken.events
    assert "Canary2" not in broken.to_json()
    assert (failed.name, said(failed, "error.type")) == ("y", "404")


def test_a_row_holds_so_many_causes_each_once() -> None:
    assert tracing.joined([None, ""]) is None
    assert tracing.joined([FIRST, None, f"{SECOND} {FIRST}"]) == f"{FIRST} {SECOND}"
    assert tracing.split([f"{FIRST} {SECOND}", SECOND]) == (FIRST, SECOND)
    assert len(tracing.split([f"{FIRST[:-2]}{number:02x}" for number in range(200)])) == tracing.MOST_CAUSES


@given(st.text(max_size=80))
def test_whatever_a_row_or_a_header_says_is_read_or_passed_over(text: str) -> None:
    found = parse(text)
    assert found is None or found.is_valid


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (FIRST, FIRST),
        (HIDDEN, HIDDEN),
        (f"cc{FIRST[2:]}-what-comes-later", FIRST),
        (f"{FIRST}-more", None),
        (f"ff{FIRST[2:]}", None),
        (FIRST.upper(), None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", None),
        ("", None),
    ],
)
def test_the_form_of_w3c(text: str, read: str | None) -> None:
    found = parse(text)
    assert (None if found is None else traceparent(found)) == read


def test_lines_of_the_log_name_the_trace_they_belong_to() -> None:
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    configure("json", "INFO", stream=out)
    try:
        log = structlog.get_logger("tests")
        log.info("outside")
        with recording(), tracing.within("x", causes=[FIRST]):
            now = tracing.current() or ""
            log.info("inside")
            logging.getLogger("a.library").warning("inside, too")
    finally:
        root.handlers, root.level = handlers, level
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
    outside, *inside = [json.loads(line) for line in out.getvalue().splitlines()]
    assert "trace_id" not in outside
    assert [(line["trace_id"], line["span_id"]) for line in inside] == [(now[3:35], now[36:52])] * 2


@pytest.mark.parametrize(
    ("route", "name"),
    [
        ("/rest/api/3/issue/TST-1/comment/10001", "/rest/api/3/issue/{}/comment/{}"),
        ("/rest/api/2/issue/createmeta", "/rest/api/2/issue/createmeta"),
        ("/rest/api/3/myself", "/rest/api/3/myself"),
        ("/rest/servicedeskapi/serviceDesk/4", "/rest/servicedeskapi/serviceDesk/4"),
        ("/api/now/table/incident/9d385017c611228701d22104cc95c371", "/api/now/table/incident/{}"),
        ("/api/now/v2/table/sys_user", "/api/now/v2/table/sys_user"),
        ("/api/chat.postMessage", "/api/chat.postMessage"),
        ("/incidents/Q1ABCDEF/notes", "/incidents/{}/notes"),
        ("/users/ann@example.com", "/users/{}"),
        ("files.slack.com/…", "files.slack.com/{}"),
        ("/services/T000/B000/XXXXXXXXXXXXXXXXXXXXXXXX", "/services/{}/{}/{}"),
        ("/" + "a" * 40, "/{}"),
    ],
)
def test_ids_are_no_part_of_a_name(route: str, name: str) -> None:
    assert template(route) == name


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *[(200, "ok"), (302, "ok"), (400, "rejected"), (404, "rejected"), (401, "unauthorised")],
        *[(403, "unauthorised"), (429, "rate_limited"), (500, "failed"), (503, "failed")],
    ],
)
def test_outcomes(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
    assert outcome_of(404, accepted=True) == "ok"


def counted(provider: str) -> dict[str, float]:
    """How many calls to a provider ended how."""
    [family] = calls_total.collect()
    return {
        one.labels["outcome"]: one.value
        for one in family.samples
        if one.labels.get("provider") == provider and one.name.endswith("_total")
    }


async def test_each_attempt_is_a_span_and_counted_whatever_comes_of_it() -> None:
    answers = iter([503, 200, 404, 404, None])

    def vendor(request: httpx.Request) -> httpx.Response:
        status = next(answers)
        if status is None:
            raise httpx.ConnectError(f"no route {SECRET}", request=request)
        return httpx.Response(status, json={"said": SECRET})

    async def at_once(_seconds: float) -> None:
        pass

    http = VendorHttp(
        "https://vendor.example.com/base",
        transport=httpx.MockTransport(vendor),
        provider="of_this_test",
        sleep=at_once,
    )
    with recording() as recorded, tracing.within("job"):
        await http.request("GET", "/issue/TST-1", params={"token": SECRET})
        await http.request("POST", "/issue", json={"text": SECRET}, accept=[404])
        with pytest.raises(HttpStatusError):
            await http.request("POST", "/issue", json={})
        with pytest.raises(TransportError):
            await http.request("POST", f"https://hooks.example.com/{SECRET}", json={})
    *calls, job = recorded.spans
    assert [(one.name, said(one, "http.response.status_code")) for one in calls] == [
        ("GET /base/issue/{}", 503),
        ("GET /base/issue/{}", 200),
        ("POST /base/issue", 404),
        ("POST /base/issue", 404),
        ("POST hooks.example.com/{}", None),
    ]
    failed = [one.status.status_code is StatusCode.ERROR for one in calls]
    assert failed == [True, False, False, True, True]
    assert [said(one, "http.request.resend_count") for one in calls] == [0, 1, 0, 0, 0]
    assert said(calls[-1], "error.type") == "ConnectError"
    assert {above(one) for one in calls} == {own(job)}
    assert SECRET not in "".join(one.to_json() for one in recorded.spans)
    assert counted("of_this_test") == {"failed": 1, "ok": 2, "rejected": 1, "no_answer": 1}
