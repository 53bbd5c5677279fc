"""Traces to a collector, where the operator names one by the variables that OpenTelemetry has for it.

Spans leave from a thread of their own, some seconds later and many at a time. A collector that is slow or gone costs traces, never work.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog

import callout
from callout.bootstrap.core import NotReadyError
from callout.kit import tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Either of them asks for traces."""
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL: Final = "http/protobuf"
FLUSH_SECONDS: Final = 3.0
"""For so long the last spans are waited for at the end, unless the collector has not answered for a while already."""
GONE_SECONDS: Final = 0.2
_TALKATIVE: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.sdk.trace.export",
)
"""They say the same with every batch that does not get through; we say it once."""
_log = structlog.get_logger(__name__)


def asked(environ: Mapping[str, str]) -> bool:
    """Return whether the environment asks for traces. Raises NotReadyError for a way of sending that we do not have."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter == "none":
        return False
    if exporter not in {"", "otlp"}:
        raise NotReadyError(
            f"OTEL_TRACES_EXPORTER={exporter}: traces are sent by OTLP only; leave it out, or set it to otlp or none"
        )
    named = next((name for name in ENDPOINTS if environ.get(name, "").strip()), "")
    if not exporter and not named:
        return False
    if named and not environ[named].strip().startswith(("http://", "https://")):
        raise NotReadyError(f"{named} must begin with http:// or https://")  # it may hold a password
    protocol = next((environ[name].strip() for name in PROTOCOLS if environ.get(name, "").strip()), PROTOCOL)
    if protocol != PROTOCOL:
        raise NotReadyError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol}: traces are sent as {PROTOCOL} only, which collectors take on port 4318;"
            " leave it out, or set OTEL_SDK_DISABLED=true for no traces"
        )
    return True


@contextlib.contextmanager
def telemetry(environ: Mapping[str, str], *, role: str = "all") -> Iterator[None]:
    """Send traces while this lasts, where `environ` asks for them. Raises NotReadyError when that cannot be done."""
    if not asked(environ):
        yield
        return
    if not _installed():
        raise NotReadyError(
            "traces are asked for (OTEL_…) and what sends them is not installed: `pip install 'callout[telemetry]'`,"
            " or set OTEL_SDK_DISABLED=true for no traces"
        )
    try:
        provider, exporter = _provider(role)
    except ValueError as error:
        raise NotReadyError(f"traces cannot be sent as the variables OTEL_… ask for: {error}") from error
    from callout.kit.spans import OtelTracer  # noqa: PLC0415  # it imports OpenTelemetry

    tracing.switch(OtelTracer(provider.get_tracer("callout", callout.__version__)))
    _log.info("traces_on", role=role)
    try:
        yield
    finally:
        tracing.switch(None)
        # Beside us: nobody waits for a collector that does not answer.
        ending = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(GONE_SECONDS if exporter.failing else FLUSH_SECONDS)
        exporter.close()


def _installed() -> bool:
    try:
        return all(
            importlib.util.find_spec(name) is not None
            for name in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
        )
    except (ImportError, ValueError):
        return False


def _provider(role: str) -> tuple[Any, _Exporter]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # an optional extra, and slow
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create({"service.version": callout.__version__, "callout.role": role})
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "callout"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = _Exporter(OTLPSpanExporter())
    provider.add_span_processor(BatchSpanProcessor(exporter))  # type: ignore[arg-type]  # it is one in all but its base
    return provider, exporter


class _Exporter:
    """Sends batches of spans; says once that it cannot, and once that it can again."""

    def __init__(self, inner: Any) -> None:  # noqa: ANN401  # of an optional extra
        self._inner = inner
        self.failing = False
        self._words = _Words()
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(self._words)

    def export(self, spans: Sequence[ReadableSpan]) -> Any:  # noqa: ANN401  # the SDK's own result
        result = self._inner.export(spans)
        failed = result.name != "SUCCESS"
        if failed and not self.failing:
            _log.warning("traces_not_sent", spans=len(spans), error=self._words.last[:500])
        elif self.failing and not failed:
            _log.info("traces_sent_again")
        self.failing = failed
        if self._words.full:
            self._words.full = False
            _log.warning(
                "traces_dropped",
                remediation="Sample (OTEL_TRACES_SAMPLER), or raise OTEL_BSP_MAX_QUEUE_SIZE.",
            )
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._inner.force_flush(timeout_millis))

    def close(self) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).removeFilter(self._words)


class _Words(logging.Filter):
    """Keeps the last line of a logger to itself."""

    last = ""
    full = False
    """Whether spans came faster than they could be sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        self.last = record.getMessage()
        self.full |= self.last.startswith("Queue full")
        return False
