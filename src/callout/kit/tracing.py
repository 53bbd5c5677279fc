"""Traces: what one cause led to, from process to process. Off unless an operator asks for them.

While they are off nothing is imported, no span is made, and what is asked here answers at once. Bootstrap switches them on with a tracer
(`kit.spans` on the OpenTelemetry API). What is to be done later carries its cause with it: a W3C `traceparent` in its row.

Names and attributes are ours (kinds of work, ids, statuses): never a body, a query string, or a path that may hold a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["server", "client", "consumer", "internal"]
Value: TypeAlias = str | int | float | bool
Attributes: TypeAlias = Mapping[str, Value]

MOST_CAUSES: Final = 32
"""So many causes of one piece of work are remembered; the SDKs take 128 links to a span."""


class Span(Protocol):
    """One piece of work, from its beginning to `end`."""

    def rename(self, name: str) -> None:
        """Give it the name that is known by now."""

    def note(self, attributes: Attributes) -> None:
        """Add what is known by now."""

    def failed(self, why: str) -> None:
        """Mark it as failed; `why` is a kind of error, never its words, which may quote a customer."""

    def end(self) -> None:
        """It is over. A second time nothing happens."""


class Tracer(Protocol):
    """What makes spans while traces are on."""

    def begin(self, name: str, *, kind: Kind, attributes: Attributes, causes: Sequence[str] | None) -> Span:
        """Begin a span: below the current one, or (with `causes`) below the first of these, linked to the others."""
        ...

    def within(
        self, name: str, *, kind: Kind, attributes: Attributes, causes: Sequence[str] | None
    ) -> AbstractContextManager[Span]:
        """The same, as the current span of what is done inside."""
        ...

    def current(self) -> str | None:
        """Return the current span as a `traceparent`; None outside of spans."""
        ...


class _Nothing:
    """The span of whoever is not traced."""

    __slots__ = ()

    def rename(self, name: str) -> None:
        pass

    def note(self, attributes: Attributes) -> None:
        pass

    def failed(self, why: str) -> None:
        pass

    def end(self) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


NOTHING: Final = _Nothing()
_NONE: Final[Attributes] = {}
_tracer: Tracer | None = None


def switch(tracer: Tracer | None) -> None:
    """Trace with `tracer` from now on; None: no more."""
    global _tracer  # noqa: PLW0603  # one per process, as the logs have one way out
    _tracer = tracer


def is_on() -> bool:
    """Return whether there are traces: for those who would else put attributes together for nobody."""
    return _tracer is not None


def begin(
    name: str,
    *,
    kind: Kind = "internal",
    attributes: Attributes = _NONE,
    causes: Sequence[str] | None = None,
) -> Span:
    """Begin a span that its maker ends.

    Args:
        name: of few kinds: no ids in it.
        kind: which side of a call it is.
        attributes: what is known.
        causes: `traceparent`s of rows; without them it stands below the current span, with none in it it begins a trace.
    """
    if _tracer is None:
        return NOTHING
    return _tracer.begin(name, kind=kind, attributes=attributes, causes=causes)


def within(
    name: str,
    *,
    kind: Kind = "internal",
    attributes: Attributes = _NONE,
    causes: Sequence[str] | None = None,
) -> AbstractContextManager[Span]:
    """Let what is done inside be one span, described as for :func:`begin`; what it raises marks it as failed."""
    if _tracer is None:
        return NOTHING
    return _tracer.within(name, kind=kind, attributes=attributes, causes=causes)


def current() -> str | None:
    """Return what a row says of its origin: the current span as a W3C `traceparent`; None when there is none."""
    return None if _tracer is None else _tracer.current()


def joined(causes: Sequence[str | None]) -> str | None:
    """Return the causes of one piece of work as its row holds them: several where it does what several asked for."""
    found = dict.fromkeys(one for some in causes if some for one in some.split())
    return " ".join(list(found)[:MOST_CAUSES]) or None


def split(causes: Sequence[str | None]) -> tuple[str, ...]:
    """Return the causes that rows hold, each once, in order."""
    return tuple((joined(causes) or "").split())


def log_fields(_logger: Any, _method: str, event: Any) -> Any:  # noqa: ANN401  # structlog's signature
    """Add `trace_id` and `span_id` of the current span to a line of the log."""
    now = current()
    if now is not None:
        _, trace_id, span_id, _ = now.split("-")
        event.setdefault("trace_id", trace_id)
        event.setdefault("span_id", span_id)
    return event
