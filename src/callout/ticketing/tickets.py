"""Tickets over the unified API: found, read, created and changed, with nothing of it touching incidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import RejectedError
from callout.ports.ticketing import Page, TicketDraft, TicketQuery
from callout.ticketing import drafts, grammar, json_patch, shapes
from callout.ticketing.engine import known_id
from callout.ticketing.errors import InvalidCursorError
from callout.ticketing.once import Creation, Made, Once

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

Json = dict[str, Any]


class Tickets:
    """The four operations on tickets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._once = Once(engine)

    async def query(
        self, opened: Opened, *, filters: Sequence[str], order: Sequence[str], limit: int, cursor: str
    ) -> Json:
        """Return one page with its cursor. Raises InvalidFilterError, InvalidCursorError."""
        conditions, keys = grammar.parse_filters(filters), grammar.parse_orders(order)
        scope = f"{opened.integration.id} tickets {conditions} {keys}"
        query = TicketQuery(conditions, keys, grammar.limited(limit), inner_cursor(cursor, scope))
        async with self._engine.calling(opened) as provider:
            page = await provider.query_tickets(query)
        return page_out(page, shapes.ticket, scope)

    async def get(self, opened: Opened, ticket: str) -> Json:
        """Return one ticket, by the provider's id or key. Raises RecordNotFoundError."""
        async with self._engine.calling(opened) as provider:
            return shapes.ticket(await provider.get_ticket(known_id(ticket, "ticket")))

    async def create(self, opened: Opened, body: Mapping[str, Any], *, digest: str, key: str | None) -> Made:
        """Create a ticket, once per Idempotency-Key. Raises InvalidRequestError, ConflictError."""
        drafts.draft(body)  # what is wrong with the request is said before anything is claimed

        async def create(reference: str) -> Json:
            async with self._engine.calling(opened, writing=True) as provider:
                return shapes.ticket(
                    await _created(provider, drafts.draft(body, key=reference), bare=key is None)
                )

        async def find(reference: str) -> Json | None:
            async with self._engine.calling(opened) as provider:
                if not hasattr(provider, "find_by_key"):
                    return None
                found = await provider.find_by_key(reference)
                return shapes.ticket(found[0]) if found else None

        return await self._once.make(
            opened, Creation("create_ticket", digest, key, create, find, "ticket.created")
        )

    async def patch(self, opened: Opened, ticket: str, body: object) -> Json:
        """Change a ticket by a JSON Patch, all of it or nothing. Raises InvalidPatchError, ConflictError."""
        operations = json_patch.read(body, writable=drafts.WRITABLE, readable=drafts.READABLE)
        ticket = known_id(ticket, "ticket")
        async with self._engine.calling(opened, writing=True) as provider:
            before = None
            if not operations or any(one.needs_present_state for one in operations):
                before = await provider.get_ticket(ticket)
            patch = drafts.patch(operations, before)
            if not patch.values and before is not None:
                return shapes.ticket(before)
            after = await provider.patch_ticket(ticket, patch)
        await self._engine.written(opened, "ticket.updated", after.id, fields=sorted(patch.values))
        return shapes.ticket(after)


async def _created(provider: Any, draft: TicketDraft, *, bare: bool) -> Any:  # noqa: ANN401  # a TicketingProvider
    """Create with our key on the ticket; where there is no place for it, without: unless the caller asked for it with a key."""
    try:
        return await provider.create_ticket(draft)
    except RejectedError as error:
        if not (bare and draft.key and set(error.fields) == {"tags"} and not draft.tags):
            raise
    return await provider.create_ticket(replace(draft, key=""))


def inner_cursor(cursor: str, scope: str) -> str:
    """Return the connector's own cursor inside of one of ours, which is bound to integration, filters and order.

    Raises InvalidCursorError.
    """
    if not cursor:
        return ""
    try:
        inner = decode_cursor(cursor, scope=scope).get("c")
    except ValueError as error:
        raise InvalidCursorError(str(error), fields={"cursor": "not valid for this query"}) from error
    if not isinstance(inner, str) or not inner:
        raise InvalidCursorError("this is not a cursor of ours", fields={"cursor": "not valid"})
    return inner


def page_out(page: Page[Any], shape: Callable[[Any], Json], scope: str) -> Json:
    """Return a page as the contract has it: the cursor is a text, empty on the last one."""
    cursor = encode_cursor({"c": page.cursor}, scope=scope) if page.cursor else ""
    return {"result": [shape(one) for one in page.items], "cursor": cursor}
