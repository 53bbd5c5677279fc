"""PagerDuty's endpoints about the account: services, people, policies, webhook subscriptions. No mapping, no policy.

Every method raises ConnectorError and its kinds (see `errors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from callout.connectors.pagerduty.rest import LARGEST_PAGE, Params, Rest, inner, segment
from callout.connectors.pagerduty.wire import (
    CustomFieldBean,
    EscalationPolicyBean,
    EscalationPolicyList,
    IncidentTypeBean,
    OnCallList,
    PriorityBean,
    PriorityList,
    ServiceBean,
    ServiceList,
    SubscriptionBean,
    SubscriptionList,
    TeamList,
    UserBean,
    UserList,
)


class DirectoryClient:
    """The thin client of what an account has besides incidents."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def list_abilities(self) -> list[str]:
        doing = "asking what the account can do"
        answer = await self._rest.get("/abilities", doing=doing)
        return cast("list[str]", inner(answer, "abilities", doing=doing))

    async def get_current_user(self) -> UserBean:
        """Return whose credential it is; refused (400) to a key that is the account's."""
        doing = "asking who we are"
        return cast("UserBean", inner(await self._rest.get("/users/me", doing=doing), "user", doing=doing))

    async def list_teams(self, *, offset: int, limit: int) -> TeamList:
        doing = "listing teams"
        answer = await self._rest.get("/teams", {"offset": offset, "limit": limit}, doing=doing)
        inner(answer, "teams", doing=doing)
        return cast("TeamList", answer)

    async def list_users(self, query: str, *, offset: int = 0, limit: int = LARGEST_PAGE) -> UserList:
        params: Params = {"query": query, "offset": offset, "limit": limit}
        doing = "looking a person up"
        answer = await self._rest.get("/users", params, doing=doing)
        inner(answer, "users", doing=doing)
        return cast("UserList", answer)

    async def get_user(self, user: str) -> UserBean:
        doing = "looking a person up"
        return cast(
            "UserBean",
            inner(await self._rest.get(f"/users/{segment(user)}", doing=doing), "user", doing=doing),
        )

    async def list_services(self, *, offset: int, limit: int, name: str = "") -> ServiceList:
        params: dict[str, str | int] = {"offset": offset, "limit": limit, "sort_by": "name:asc"}
        if name:
            params["name"] = name
        doing = "listing services"
        answer = await self._rest.get("/services", params, doing=doing)
        inner(answer, "services", doing=doing)
        return cast("ServiceList", answer)

    async def get_service(self, service: str) -> ServiceBean:
        doing = f"reading service {service}"
        answer = await self._rest.get(f"/services/{segment(service)}", doing=doing)
        return cast("ServiceBean", inner(answer, "service", doing=doing))

    async def list_priorities(self) -> list[PriorityBean]:
        """Return all, most severe first. Raises PermissionDeniedError (402) where the account has none."""
        doing = "listing priorities"
        found: list[PriorityBean] = []
        while True:
            params: Params = {"offset": len(found), "limit": LARGEST_PAGE}
            answer = cast("PriorityList", await self._rest.get("/priorities", params, doing=doing))
            page = inner(answer, "priorities", doing=doing)
            found += page
            if not page or not answer.get("more"):
                return found

    async def list_incident_types(self) -> list[IncidentTypeBean]:
        doing = "listing types of incidents"
        answer = await self._rest.get("/incidents/types", doing=doing)
        return cast("list[IncidentTypeBean]", inner(answer, "incident_types", doing=doing))

    async def list_incident_type_custom_fields(self, incident_type: str) -> list[CustomFieldBean]:
        doing = f"reading the custom fields of {incident_type}"
        path = f"/incidents/types/{segment(incident_type)}/custom_fields"
        answer = await self._rest.get(path, {"include[]": ("field_options",)}, doing=doing)
        return cast("list[CustomFieldBean]", inner(answer, "fields", doing=doing))

    async def list_escalation_policies(self, *, offset: int, limit: int, query: str) -> EscalationPolicyList:
        params: dict[str, str | int | Sequence[str]] = {
            "offset": offset,
            "limit": limit,
            "include[]": ("targets",),
            "sort_by": "name:asc",
        }
        if query:
            params["query"] = query
        doing = "listing escalation policies"
        answer = await self._rest.get("/escalation_policies", params, doing=doing)
        inner(answer, "escalation_policies", doing=doing)
        return cast("EscalationPolicyList", answer)

    async def get_escalation_policy(self, policy: str) -> EscalationPolicyBean:
        doing = f"reading escalation policy {policy}"
        path = f"/escalation_policies/{segment(policy)}"
        answer = await self._rest.get(path, {"include[]": ("targets",)}, doing=doing)
        return cast("EscalationPolicyBean", inner(answer, "escalation_policy", doing=doing))

    async def list_on_calls(self, *, policies: Sequence[str], offset: int) -> OnCallList:
        params: Params = {
            "escalation_policy_ids[]": tuple(policies),
            "include[]": ("users",),
            "offset": offset,
            "limit": LARGEST_PAGE,
            "earliest": True,
        }
        doing = "asking who is on call"
        answer = await self._rest.get("/oncalls", params, doing=doing)
        inner(answer, "oncalls", doing=doing)
        return cast("OnCallList", answer)

    # Webhook subscriptions

    async def list_webhook_subscriptions(self, *, offset: int, limit: int = LARGEST_PAGE) -> SubscriptionList:
        doing = "listing webhook subscriptions"
        answer = await self._rest.get(
            "/webhook_subscriptions", {"offset": offset, "limit": limit}, doing=doing
        )
        inner(answer, "webhook_subscriptions", doing=doing)
        return cast("SubscriptionList", answer)

    async def create_webhook_subscription(self, subscription: Mapping[str, Any]) -> SubscriptionBean:
        """Create; the answer alone holds the signing secret."""
        doing = "subscribing to webhooks"
        body = {"webhook_subscription": {"type": "webhook_subscription", **subscription}}
        answer = await self._rest.send("POST", "/webhook_subscriptions", body, doing=doing, repeatable=False)
        return cast("SubscriptionBean", inner(answer, "webhook_subscription", doing=doing))

    async def update_webhook_subscription(
        self, subscription: str, changes: Mapping[str, Any]
    ) -> SubscriptionBean:
        doing = "changing the webhook subscription"
        path = f"/webhook_subscriptions/{segment(subscription)}"
        body = {"webhook_subscription": {"type": "webhook_subscription", **changes}}
        answer = await self._rest.send("PUT", path, body, doing=doing, repeatable=True)
        return cast("SubscriptionBean", inner(answer, "webhook_subscription", doing=doing))

    async def delete_webhook_subscription(self, subscription: str) -> None:
        path = f"/webhook_subscriptions/{segment(subscription)}"
        await self._rest.send("DELETE", path, None, doing="unsubscribing from webhooks", repeatable=True)

    async def enable_webhook_subscription(self, subscription: str) -> None:
        path = f"/webhook_subscriptions/{segment(subscription)}/enable"
        await self._rest.send("POST", path, None, doing="enabling the webhook subscription", repeatable=True)

    async def test_webhook_subscription(self, subscription: str) -> None:
        path = f"/webhook_subscriptions/{segment(subscription)}/ping"
        await self._rest.send("POST", path, None, doing="asking for a test webhook", repeatable=True)
