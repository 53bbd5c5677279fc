"""What a provider has beside tickets: projects, fields, forms, people, escalation policies and who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from callout.ports.filtering import matches
from callout.ports.ticketing import Ticket, TicketFilter
from callout.ticketing import grammar, shapes
from callout.ticketing.engine import known_id
from callout.ticketing.errors import InvalidFilterError
from callout.ticketing.tickets import inner_cursor, page_out

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

Json = dict[str, Any]
POLICY_FIELDS: Final = frozenset({"id", "name", "description"})
MOST_PAGES: Final = 50


class Directory:
    """The reading operations beside tickets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def projects(self, opened: Opened, *, limit: int, cursor: str) -> Json:
        """Return one page of projects."""
        scope = f"{opened.integration.id} projects"
        async with self._engine.calling(opened) as provider:
            page = await provider.list_projects(
                limit=grammar.limited(limit), cursor=inner_cursor(cursor, scope)
            )
        return page_out(page, shapes.project, scope)

    async def remote_fields(self, opened: Opened) -> list[Json]:
        """Return the fields that a custom field mapping may name."""
        async with self._engine.calling(opened) as provider:
            return [shapes.remote_field(one) for one in await provider.list_remote_fields()]

    async def create_form(self, opened: Opened, *, project: str, issue_type: str) -> Json:
        """Return what a ticket of that project and type needs and offers."""
        default = opened.integration.provider_config.get("default_project")
        kind = issue_type or opened.integration.provider_config.get("default_issue_type") or ""
        async with self._engine.calling(opened) as provider:
            return shapes.create_form(
                await provider.field_catalogue(project or str(default or ""), str(kind))
            )

    async def find_person(self, opened: Opened, *, email: str, name: str) -> list[Json]:
        """Return the one person of that e-mail or name in a list, or an empty one."""
        async with self._engine.calling(opened) as provider:
            found = await provider.find_person(email=email, name=name)
        return [] if found is None else [shapes.person(found)]

    async def people(self, opened: Opened, query: str, *, limit: int, cursor: str) -> Json:
        """Return one page of the provider's people whose name or e-mail holds `query`."""
        scope = f"{opened.integration.id} people {query}"
        async with self._engine.calling(opened) as provider:
            page = await provider.search_people(
                query, limit=grammar.limited(limit), cursor=inner_cursor(cursor, scope)
            )
        return page_out(page, shapes.person, scope)

    async def teams(self, opened: Opened, *, limit: int, cursor: str) -> Json:
        """Return one page of the provider's teams."""
        scope = f"{opened.integration.id} teams"
        async with self._engine.calling(opened) as provider:
            page = await provider.list_teams(limit=grammar.limited(limit), cursor=inner_cursor(cursor, scope))
        return page_out(page, lambda one: {"id": one.id, "name": one.name}, scope)

    async def transitions(self, opened: Opened, ticket: str) -> list[Json]:
        """Return the moves that a ticket can make now, with the fields that they need."""
        async with self._engine.calling(opened) as provider:
            moves = await provider.list_transitions(known_id(ticket, "ticket"))
        return [
            {
                "id": one.id,
                "name": one.name,
                "to_status": one.to_status,
                "to_category": one.to_category.value,
                "fields": [shapes.remote_field(found) for found in one.fields],
            }
            for one in moves
        ]

    async def escalation_policies(
        self, opened: Opened, *, filters: Sequence[str], limit: int, cursor: str
    ) -> Json:
        """Return one page of policies; what the provider cannot select is left out here, and no page before the last is empty."""
        conditions = grammar.parse_filters(filters, fields=POLICY_FIELDS)
        scope = f"{opened.integration.id} policies {conditions}"
        size, position = grammar.limited(limit), inner_cursor(cursor, scope)
        contains = _contained(conditions)
        async with self._engine.calling(opened) as provider:
            for _ in range(MOST_PAGES):
                page = await provider.query_escalation_policies(limit=size, cursor=position, name=contains)
                fitting = [one for one in page.items if all(_fits(one, rule) for rule in conditions)]
                if fitting or not page.cursor:
                    return page_out(type(page)(fitting, page.cursor), shapes.escalation_policy, scope)
                position = page.cursor
        raise InvalidFilterError(
            "none of the first policies fits",
            fields={"filter": "too wide"},
            remediation="Filter by name[like], which the provider can apply itself.",
        )

    async def on_call(self, opened: Opened, policy: str) -> list[Json]:
        """Return who is on call for a policy now, those who are called first before the others."""
        async with self._engine.calling(opened) as provider:
            found = await provider.list_on_call(known_id(policy, "policy"))
        return [shapes.on_call(one) for one in found]


def _contained(conditions: Sequence[TicketFilter]) -> str:
    """Return the part of a name that all wanted policies have: what the provider may select by."""
    for one in conditions:
        if one.field == "name" and one.operator in {"eq", "like"} and "*" not in one.values[0]:
            return one.values[0]
    return ""


def _fits(policy: Any, rule: TicketFilter) -> bool:  # noqa: ANN401  # an EscalationPolicy
    stand_in = Ticket(id=policy.id, key=policy.id, title=policy.name, description=policy.description)
    return matches(stand_in, rule)
