"""Spans that are kept in memory: for tests of what makes them, within one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from callout.kit import tracing
from callout.kit.spans import OtelTracer, traceparent


class Recorded:
    """What has been traced."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that ended, in that order."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Return those of that name."""
        return [span for span in self.spans if span.name == name]


def own(span: ReadableSpan) -> str:
    """Return a span as a `traceparent`."""
    assert span.context is not None
    return traceparent(span.context)


def above(span: ReadableSpan) -> str | None:
    """Return what a span is below, as a `traceparent`; None where it begins its trace."""
    return None if span.parent is None else traceparent(span.parent)


def linked(span: ReadableSpan) -> list[str]:
    """Return what a span is linked to, as `traceparent`s."""
    return [traceparent(link.context) for link in span.links]


def said(span: ReadableSpan, name: str) -> Any:
    """Return an attribute; None when it was not said."""
    return (span.attributes or {}).get(name)


@contextlib.contextmanager
def recording() -> Iterator[Recorded]:
    """Have traces on for the time of the block."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.switch(OtelTracer(provider.get_tracer("tests")))
    try:
        yield Recorded(exporter)
    finally:
        tracing.switch(None)
        provider.shutdown()
