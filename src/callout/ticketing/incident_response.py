"""The contract's incident response: escalation policies and who is on call, in a model of its own (`uid`, milliseconds)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from callout.ports.oncall import EscalationActor, EscalationPolicy
from callout.ticketing import grammar
from callout.ticketing.engine import known_id
from callout.ticketing.shapes import told
from callout.ticketing.tickets import inner_cursor, page_out

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

CATEGORY: Final = "incidentresponse"
Json = dict[str, Any]


class IncidentResponse:
    """The two operations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def policies(self, opened: Opened, *, limit: int, cursor: str) -> Json:
        """Return one page of escalation policies."""
        scope = f"{opened.integration.id} incident response policies"
        async with self._engine.calling(opened) as provider:
            page = await provider.query_escalation_policies(
                limit=grammar.limited(limit), cursor=inner_cursor(cursor, scope)
            )
        return page_out(page, policy, scope)

    async def on_call(self, opened: Opened, policy_id: str) -> list[Json]:
        """Return who is on call for a policy now, everybody once, those called first before the others."""
        async with self._engine.calling(opened) as provider:
            found = await provider.list_on_call(known_id(policy_id, "policy"))
        people = {one.user.id: one for one in reversed(found)}
        ordered = sorted(people.values(), key=lambda one: (one.level, one.user.name))
        return [{**target(one.user), "level": one.level} for one in ordered]


def policy(one: EscalationPolicy) -> Json:
    """Return a policy."""
    return {
        "uid": one.id,
        "escalation_rules": [
            {
                "uid": rule.id or str(number),
                "escalation_delay": int(rule.delay.total_seconds() * 1000),
                "targets": [target(actor) for actor in rule.actors],
            }
            for number, rule in enumerate(one.rules, start=1)
        ],
        "teams": [target(team) for team in one.teams],
        **told(
            {
                "name": one.name,
                "desc": one.description,
                "src_url": one.url,
                "unmapped": dict(one.unmapped),
            }
        ),
    }


def target(one: EscalationActor) -> Json:
    """Return whom a rule calls: whole where the provider told more than a reference."""
    base = {"uid": one.id, **told({"name": one.name, "src_url": one.url})}
    if one.kind == "user" and one.email:
        more = told({"email_addr": one.email, "timezone": one.time_zone, "job_title": one.job_title})
        return {"type": "incident_response_user", **base, **more}
    return {"type": f"incident_response_{one.kind}_reference", **base}
