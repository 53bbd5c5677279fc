"""When traces are asked for, and what is said when that cannot be."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from callout.bootstrap.core import NotReadyError
from callout.bootstrap.telemetry import FLUSH_SECONDS, asked, telemetry
from callout.kit import tracing

NOWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        (NOWHERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**NOWHERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**NOWHERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({**NOWHERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
    ],
)
def test_who_asks(environ: Mapping[str, str], answer: bool) -> None:
    assert asked(environ) is answer


@pytest.mark.parametrize(
    "more",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "1"},
    ],
)
def test_what_we_cannot_do_is_said_at_the_start(
    more: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in more.items():
        monkeypatch.setenv(name, value)  # some are read by the SDK itself
    with pytest.raises(NotReadyError, match=r"OTEL_"), telemetry({**NOWHERE, **more}):
        raise AssertionError
    assert not tracing.is_on()


def test_what_is_missing_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)  # as when it is not there
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk.trace", raising=False)
    with pytest.raises(NotReadyError, match=r"pip install 'callout\[telemetry\]'"), telemetry(NOWHERE):
        raise AssertionError
    with telemetry({}):
        assert not tracing.is_on()


def test_a_collector_that_is_not_there_is_told_of_once_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        **NOWHERE,
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
    }.items():
        monkeypatch.setenv(name, value)  # read by the SDK itself
    slowest = 0.0
    with capture_logs() as logs, telemetry(NOWHERE):
        deadline = time.monotonic() + 60
        while "traces_not_sent" not in [line["event"] for line in logs] and time.monotonic() < deadline:
            for _ in range(200):
                began = time.process_time()
                with tracing.within("x"):
                    pass
                slowest = max(slowest, time.process_time() - began)
            time.sleep(0.02)
        time.sleep(0.5)  # many more batches fail meanwhile
        ending = time.monotonic()
    assert time.monotonic() - ending < FLUSH_SECONDS + 2
    assert not tracing.is_on()
    events = [line["event"] for line in logs]
    assert events.count("traces_not_sent") == 1
    assert slowest < 0.2
