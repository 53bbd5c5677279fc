"""What a contract needs of the system under test, besides the provider itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from callout.kit.clock import Clock, ManualClock
from callout.ports.provider import TicketingProvider
from callout.ports.values import Person, Priority


class Faults(Protocol):
    """How the other side is made to misbehave; only where there is another side."""

    def add(self, effect: Mapping[str, Any], **match: object) -> object:
        """Add one rule of a fault plan."""
        ...

    def clear(self) -> None:
        """Behave again."""
        ...


@dataclass
class Harness:
    """One provider under test, in a fresh system.

    Args:
        provider: what is tested.
        clock: the provider's clock.
        project: where tickets are made; `other_project` is a second one.
        person: somebody whom tickets can be assigned to.
        statuses: their names of a new, an active and a finished ticket.
        custom: name and value of a mapped custom field.
        exact_priorities: whether every unified priority is read back as it was given.
        customers_read: whether a comment for customers is shown to customers there, not to responders alone.
        files_read_by_customers: whether a file on a ticket may be shown to customers there.
        index_lag: how late the vendor's search is at worst; absent, as late as the connector declares.
        normalised: by field of a ticket, a value sent and what the vendor makes of it: its habits, stated and checked.
        mapping: the `sync` settings of the two-way cases; absent, the defaults of the provider's manifest.
        faults: the other side's fault plan.
        wrong: the same provider with a wrong credential.
        write_path: a regular expression that matches the path of a create; `comment_path` and `comment_method` those of a comment;
            `upload_path` that of a file.
        lag_control: makes search lag behind writes by so many seconds.
        time_control: lets so much time pass for the other side.
        extra: what only some contracts need.
    """

    provider: TicketingProvider
    clock: Clock
    project: str
    other_project: str
    person: Person
    statuses: tuple[str, str, str] = ("To Do", "In Progress", "Done")
    custom: tuple[str, Any] | None = None
    exact_priorities: bool = False
    customers_read: bool = False
    files_read_by_customers: bool = False
    index_lag: timedelta | None = None
    normalised: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    mapping: Mapping[str, Any] | None = None
    faults: Faults | None = None
    wrong: TicketingProvider | None = None
    write_path: str = ""
    comment_path: str = ""
    comment_method: str = "POST"
    upload_path: str = r"/attachments?(/file)?$"
    lag_control: Callable[[float], object] | None = None
    time_control: Callable[[timedelta], object] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def lagging(self, seconds: float) -> AsyncIterator[None]:
        """Make search lag behind writes."""
        assert self.lag_control is not None, "this harness cannot make search lag"
        self.lag_control(seconds)
        try:
            yield
        finally:
            self.lag_control(0.0)

    def pass_time(self, span: timedelta) -> None:
        """Let time pass on both sides."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(span)
        if self.time_control is not None:
            self.time_control(span)


ALL_PRIORITIES = tuple(Priority)
EQUAL_PRIORITIES: Mapping[Priority, frozenset[Priority]] = {
    Priority.URGENT: frozenset({Priority.URGENT, Priority.CRITICAL}),
    Priority.CRITICAL: frozenset({Priority.URGENT, Priority.CRITICAL}),
    Priority.HIGH: frozenset({Priority.HIGH}),
    Priority.MEDIUM: frozenset({Priority.MEDIUM, Priority.MODERATE}),
    Priority.MODERATE: frozenset({Priority.MEDIUM, Priority.MODERATE}),
    Priority.LOW: frozenset({Priority.LOW}),
    Priority.PLANNING: frozenset({Priority.PLANNING, Priority.LOW}),
}
"""What a vendor with fewer priorities may read back for each of ours."""
