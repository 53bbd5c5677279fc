"""Spans on the OpenTelemetry API. Imported only where traces were asked for: it takes longer than all it is told here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from callout.kit.redaction import redact_text

if TYPE_CHECKING:
    from callout.kit.tracing import Attributes, Kind, Span

_KINDS: Final = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_VERSION: Final = "00"
_LENGTHS: Final = (2, 32, 16, 2)
_FLAGS: Final = 0x03
"""Those that W3C has given a meaning: sampled, and that the trace's id is random."""


class OtelSpan:
    """A span of the OpenTelemetry API, as `kit.tracing` describes it."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        if self._span.is_recording():
            self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_safe(attributes))

    def failed(self, why: str) -> None:
        if self._span.is_recording():
            self._span.set_attribute("error.type", why)
            self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()


class OtelTracer:
    """Makes spans with a tracer of the OpenTelemetry API."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(self, name: str, *, kind: Kind, attributes: Attributes, causes: Sequence[str] | None) -> Span:
        return OtelSpan(self._start(name, kind, attributes, causes))

    def within(
        self, name: str, *, kind: Kind, attributes: Attributes, causes: Sequence[str] | None
    ) -> AbstractContextManager[Span]:
        return self._within(self._start(name, kind, attributes, causes))

    def current(self) -> str | None:
        found = trace.get_current_span().get_span_context()
        return traceparent(found) if found.is_valid else None

    @contextmanager
    def _within(self, span: trace.Span) -> Iterator[Span]:
        ours = OtelSpan(span)
        # The words of an exception may quote a customer or a secret: its kind is all that is told.
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                yield ours
            except BaseException as error:
                ours.failed(type(error).__name__)
                raise
            finally:
                ours.end()

    def _start(
        self, name: str, kind: Kind, attributes: Attributes, causes: Sequence[str] | None
    ) -> trace.Span:
        context: Context | None = None
        links: list[Link] = []
        if causes is not None:
            context = Context()
            found = [one for one in map(parse, causes) if one is not None]
            if found:
                # The first has waited longest. One that is not recorded would hide all that is done for the others.
                parent = next((one for one in found if one.trace_flags.sampled), found[0])
                context = trace.set_span_in_context(NonRecordingSpan(parent), context)
                links = [Link(one) for one in found if one is not parent]
        return self._tracer.start_span(
            name,
            context,
            kind=_KINDS[kind],
            attributes=_safe(attributes),
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        )


def traceparent(found: SpanContext) -> str:
    """Return the W3C form of a span's identity."""
    return f"{_VERSION}-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def parse(text: str) -> SpanContext | None:
    """Read a `traceparent`; None when it is none. Fields that later versions add are passed over, as W3C has it."""
    parts = text.strip().split("-")
    if (
        len(parts) < len(_LENGTHS)
        or parts[0] == "ff"
        or (parts[0] == _VERSION and len(parts) > len(_LENGTHS))
    ):
        return None
    if any(
        len(part) != length or not set(part) <= set("0123456789abcdef")
        for part, length in zip(parts, _LENGTHS, strict=False)
    ):
        return None
    _, trace_id, span_id, flags = (int(part, 16) for part in parts[: len(_LENGTHS)])
    found = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags & _FLAGS))
    return found if found.is_valid else None


def _safe(attributes: Attributes) -> Attributes:
    """Return the attributes without secrets, should one have come among them: what is exported leaves the house."""
    return {
        name: redact_text(value) if isinstance(value, str) else value for name, value in attributes.items()
    }
