"""Escalation policies and who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.rest import LARGEST_PAGE
from callout.connectors.pagerduty.wire import (
    EscalationPolicyBean,
    OnCallBean,
    Reference,
    ServiceBean,
    UserBean,
)
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError
from callout.ports.oncall import ActorType, EscalationActor, EscalationPolicy, EscalationRule, OnCall
from callout.ports.ticketing import Page
from callout.ports.values import Person

_KINDS: Final[dict[str, ActorType]] = {"user": "user", "schedule": "schedule", "team": "team"}


def start_of(cursor: str, *, limit: int, scope: str) -> int:
    """Return the offset that a cursor of a plain list stands for. Raises InvalidRequestError."""
    if limit < 1:
        raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
    if not cursor:
        return 0
    try:
        start = int(decode_cursor(cursor, scope=scope)["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(
            "this is not a cursor of this list", fields={"cursor": "not valid"}
        ) from error
    if start < 0:
        raise InvalidRequestError("this is not a cursor of ours", fields={"cursor": "not valid"})
    return start


def cursor_after(start: int, got: int, *, more: bool, scope: str) -> str:
    """Return the cursor of the next page, empty after the last."""
    return encode_cursor({"start": start + got}, scope=scope) if got and more else ""


class Directory:
    """Lists of an account, in our values."""

    def __init__(self, client: DirectoryClient) -> None:
        self._client = client

    async def policies(self, *, limit: int, cursor: str, name: str) -> Page[EscalationPolicy]:
        """Return one page of escalation policies by name."""
        scope = f"pagerduty policies {name}"
        start = start_of(cursor, limit=limit, scope=scope)
        page = await self._client.list_escalation_policies(
            offset=start, limit=min(limit, LARGEST_PAGE), query=name
        )
        beans = page["escalation_policies"]
        following = cursor_after(start, len(beans), more=bool(page.get("more")), scope=scope)
        return Page([_policy(bean) for bean in beans], following)

    async def services(self, *, limit: int, cursor: str) -> Page[ServiceBean]:
        """Return one page of services by name."""
        scope = "pagerduty services"
        start = start_of(cursor, limit=limit, scope=scope)
        page = await self._client.list_services(offset=start, limit=min(limit, LARGEST_PAGE))
        beans = page["services"]
        return Page(beans, cursor_after(start, len(beans), more=bool(page.get("more")), scope=scope))

    async def people(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return one page of users whose name or e-mail holds `query`."""
        scope = f"pagerduty users {query}"
        start = start_of(cursor, limit=limit, scope=scope)
        page = await self._client.list_users(query, offset=start, limit=min(limit, LARGEST_PAGE))
        beans = page["users"]
        following = cursor_after(start, len(beans), more=bool(page.get("more")), scope=scope)
        return Page([one for one in map(mapping.person, beans) if one is not None], following)

    async def teams(self, *, limit: int, cursor: str) -> Page[EscalationActor]:
        """Return one page of teams."""
        scope = "pagerduty teams"
        start = start_of(cursor, limit=limit, scope=scope)
        page = await self._client.list_teams(offset=start, limit=min(limit, LARGEST_PAGE))
        beans = page["teams"]
        following = cursor_after(start, len(beans), more=bool(page.get("more")), scope=scope)
        return Page([actor(bean) for bean in beans], following)

    async def on_call(self, policy_id: str) -> Sequence[OnCall]:
        """Return who is on call now, by level, each once on a level. Raises RecordNotFoundError."""
        policy = await self._client.get_escalation_policy(
            policy_id
        )  # an unknown id would list nobody, without a word
        found: list[OnCall] = []
        offset = 0
        while True:
            page = await self._client.list_on_calls(policies=[policy["id"]], offset=offset)
            beans = page["oncalls"]
            found += [_on_call(bean) for bean in beans]
            offset += len(beans)
            if not beans or not page.get("more"):
                break
        unique = {(one.level, one.user.id): one for one in reversed(found)}
        return sorted(unique.values(), key=lambda one: (one.level, one.user.name))


def actor(bean: UserBean | Reference) -> EscalationActor:
    """Return whom a reference, or a whole user, stands for."""
    kind = bean.get("type", "").removesuffix("_reference")
    return EscalationActor(
        kind=_KINDS.get(kind, "team"),
        id=str(bean.get("id", "")),
        name=str(bean.get("name") or bean.get("summary") or ""),
        email=str(bean.get("email") or ""),
        time_zone=str(bean.get("time_zone") or ""),
        job_title=str(bean.get("job_title") or ""),
        url=str(bean.get("html_url") or ""),
    )


def _policy(bean: EscalationPolicyBean) -> EscalationPolicy:
    rest = {
        "num_loops": bean.get("num_loops"),
        "services": [one.get("id") for one in bean.get("services") or []],
    }
    return EscalationPolicy(
        id=bean["id"],
        name=str(bean.get("name") or bean.get("summary") or ""),
        rules=tuple(
            EscalationRule(
                id=str(rule.get("id", "")),
                delay=timedelta(minutes=rule.get("escalation_delay_in_minutes", 0)),
                actors=tuple(actor(target) for target in rule.get("targets") or []),
            )
            for rule in bean.get("escalation_rules") or []
        ),
        description=str(bean.get("description") or ""),
        unmapped={name: value for name, value in rest.items() if value},
        url=str(bean.get("html_url") or ""),
        teams=tuple(actor(team) for team in bean.get("teams") or []),
    )


def _on_call(bean: OnCallBean) -> OnCall:
    return OnCall(
        policy_id=str((bean.get("escalation_policy") or {}).get("id", "")),
        level=int(bean.get("escalation_level", 1)),
        user=actor(bean["user"]),
        schedule=str((bean.get("schedule") or {}).get("id") or ""),
        start=mapping.moment(bean.get("start")),
        end=mapping.moment(bean.get("end")),
    )
