"""Ways through a vendor's workflow, found before the first write: from the moves that the connector knows, else from tickets there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callout.ports.errors import ConnectorError, InvalidRequestError, OperationNotSupportedError
from callout.ports.provider import SupportsMoves, SupportsTransitions, TicketingProvider
from callout.ports.ticketing import (
    FieldCatalogue,
    RemoteField,
    StatusCategory,
    Ticket,
    TicketFilter,
    TicketOrder,
    TicketQuery,
    Transition,
)

LONGEST: Final = 5
"""Moves that one change of status may take."""
MOST_ASKED: Final = 15
"""Statuses whose moves are looked up at tickets: each costs two calls of the vendor's budget."""
USUAL: Final = (
    "to do",
    "open",
    "new",
    "in progress",
    "work in progress",
    "done",
    "resolved",
    "closed",
    "completed",
)
CATEGORY: Final = "category:"


def meant(wanted: str, statuses: Sequence[tuple[str, StatusCategory]]) -> list[str]:
    """Return the names of the statuses that `wanted` (a name, or `category:…`) means."""
    if wanted.startswith(CATEGORY):
        category = wanted.removeprefix(CATEGORY).strip().lower()
        return [name for name, kind in statuses if kind.value == category]
    folded = wanted.strip().casefold()
    return [name for name, _ in statuses if name.casefold() == folded]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a status: its moves in turn. Without one, `unread` are the statuses from which nobody could tell what follows."""

    moves: tuple[Transition, ...] | None
    unread: tuple[str, ...] = ()


class Moves:
    """The workflow of one place and type, read bit by bit."""

    def __init__(self, provider: TicketingProvider, catalogue: FieldCatalogue) -> None:
        self._provider = provider
        self._catalogue = catalogue
        self._known: dict[str, Sequence[Transition] | None] = {}
        self._asked = 0
        self._start: str | None = None

    async def start(self) -> str:
        """Return the status that a new ticket has."""
        if self._start is None:
            self._start = await self._find_start()
        return self._start

    async def _find_start(self) -> str:
        """Return the status that a new ticket has: that of one nobody has touched, else the first that means new."""
        for ticket in await self._tickets(limit=20):
            if ticket.created_at is not None and ticket.created_at == ticket.updated_at:
                return ticket.status
        names = [name for name, kind in self._catalogue.statuses if kind is StatusCategory.NEW]
        return names[0] if names else next((name for name, _ in self._catalogue.statuses), "")

    async def way(self, start: str, wanted: str) -> Way:
        """Return the shortest way from `start` to a status that `wanted` means, through nothing that means done where it can."""
        targets = {name.casefold() for name in meant(wanted, self._catalogue.statuses)}
        if start.casefold() in targets:
            return Way(())
        gentle = await self._search(start, targets, _is_done)
        return gentle if gentle.moves is not None else await self._search(start, targets, lambda _: False)

    async def _search(self, start: str, targets: set[str], avoid: Callable[[Transition], bool]) -> Way:
        queue: deque[tuple[str, tuple[Transition, ...]]] = deque([(start, ())])
        seen, unread = {start.casefold()}, list[str]()
        while queue:
            status, way = queue.popleft()
            moves = await self._of(status)
            if moves is None:
                unread.append(status)
                continue
            straight = [move for move in moves if move.to_status.casefold() in targets]
            if straight:
                return Way((*way, min(straight, key=_usual)))
            for move in moves:
                name = move.to_status.casefold()
                if name not in seen and len(way) + 1 < LONGEST and not avoid(move):
                    seen.add(name)
                    queue.append((move.to_status, (*way, move)))
        return Way(None, tuple(unread))

    async def _of(self, status: str) -> Sequence[Transition] | None:
        """Return the moves from a status; None where nobody can tell."""
        key = status.casefold()
        if key not in self._known:
            self._known[key] = await self._look(status)
        return self._known[key]

    async def _look(self, status: str) -> Sequence[Transition] | None:
        place, kind = self._catalogue.project, self._catalogue.issue_type
        if isinstance(self._provider, SupportsMoves):
            known = await self._provider.list_moves(place, kind, status)
            if known:
                return known
        if not isinstance(self._provider, SupportsTransitions) or self._asked >= MOST_ASKED:
            return None
        self._asked += 1
        for ticket in await self._tickets(TicketFilter("status", "eq", (status,)), limit=1):
            if ticket.status.casefold() == status.casefold():
                return await self._provider.list_transitions(ticket.id)
        return None

    async def _tickets(self, *conditions: TicketFilter, limit: int) -> Sequence[Ticket]:
        filters = [*conditions, TicketFilter("project", "eq", (self._catalogue.project,))]
        if not isinstance(self._provider, SupportsMoves):
            # What has its moves by place alone calls the place a type, too, and by another name.
            filters.append(TicketFilter("issue_type", "eq", (self._catalogue.issue_type,)))
        query = TicketQuery(tuple(filters), (TicketOrder("created_at", descending=True),), limit)
        try:
            return (await self._provider.query_tickets(query)).items
        except (InvalidRequestError, OperationNotSupportedError, ConnectorError):
            return ()


def _usual(move: Transition) -> int:
    """Return how usual a status is: of several that mean the same, connectors take the usual one before Canceled or On Hold."""
    name = move.to_status.casefold()
    return USUAL.index(name) if name in USUAL else len(USUAL)


def _is_done(move: Transition) -> bool:
    return move.to_category is StatusCategory.DONE


@dataclass(frozen=True, slots=True)
class Need:
    """A field that a move asks for, and where its value comes from: `settings`, `default`, or nothing."""

    field: RemoteField
    value: str
    given_by: str
    allowed: bool = True

    @property
    def missing(self) -> bool:
        """Whether the move would be refused for want of it."""
        return self.field.required and not self.given_by

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "field": self.field.id,
            "name": self.field.name,
            "required": self.field.required,
            "value": self.value,
            "given_by": self.given_by,
            "allowed": [option.name for option in self.field.options],
        }


def needs(move: Transition, given: Mapping[str, Any]) -> list[Need]:
    """Return what a move asks for: its required fields, and those that `given` has a value for."""
    folded = {str(name).casefold(): value for name, value in given.items()}
    found: list[Need] = []
    for field in move.fields:
        value = folded.get(field.id.casefold(), folded.get(field.name.casefold()))
        if value not in (None, ""):
            text = plain_value(value)
            options = {part.casefold() for one in field.options for part in (one.id, one.name)}
            found.append(Need(field, text, "settings", not options or text.casefold() in options))
        elif field.required:
            found.append(Need(field, field.default, "default" if field.default else ""))
    return found


def plain_value(value: Any) -> str:  # noqa: ANN401  # what an operator wrote: a word, or an object as the vendor has it
    """Return a value of a field in words."""
    if isinstance(value, Mapping):
        return next((str(value[name]) for name in ("name", "value", "id") if name in value), str(dict(value)))
    return str(value)


__all__ = ["CATEGORY", "Moves", "Need", "Way", "meant", "needs", "plain_value"]
