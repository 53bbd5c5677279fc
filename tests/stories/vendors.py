"""PagerDuty and ServiceNow beside Jira: their people, and how an operator connects them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.bootstrap.standing import subscriber_of
from callout.ports.values import Channel, Origin
from tests.stories.installation import OPERATOR
from tests.stories.people import Json, TwinUser, eventually

if TYPE_CHECKING:
    import httpx

    from callout.integrations import Integration
    from tests.stories.installation import Installation

PAGERDUTY_KEY = "pd-key-0000000000000"
CHECKOUT, BATCH = "PSVC001", "PSVC002"
SERVICENOW_SECRET = "servicenow-rule-secret"


class PagerDutyPeople(TwinUser):
    """PagerDuty, with what stories ask of it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str) -> None:
        super().__init__(http, base_url, "pagerduty")

    async def request(self, method: str, path: str, **options: Any) -> Json:
        headers = {"authorization": f"Token token={PAGERDUTY_KEY}", "from": "admin@example.com"}
        answer = await self._http.request(method, f"{self.url}{path}", headers=headers, **options)
        assert answer.is_success, answer.text
        found: Json = answer.json() if answer.content else {}
        return found

    async def trigger(self, title: str, **more: Any) -> str:
        """Trigger an incident by hand; returns its id."""
        return str((await self.act("trigger", title=title, **more))["id"])

    async def incident(self, incident: str) -> Json:
        found: Json = (await self.request("GET", f"/incidents/{incident}"))["incident"]
        return found

    async def incidents(self) -> list[Json]:
        listed = await self.request("GET", "/incidents", params={"date_range": "all", "limit": "100"})
        found: list[Json] = listed["incidents"]
        return found

    async def subscriptions(self) -> list[Json]:
        """Return the webhook subscriptions as the API shows them."""
        found: list[Json] = (await self.request("GET", "/webhook_subscriptions"))["webhook_subscriptions"]
        return found


class ServiceNowPeople(TwinUser):
    """ServiceNow, with what stories ask of it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str) -> None:
        super().__init__(http, base_url, "servicenow")

    async def create(self, title: str, **fields: Any) -> Json:
        """Let somebody open a record; returns it."""
        return await self.act("create_record", fields={"short_description": title, **fields})

    async def record(self, sys_id: str) -> Json:
        answer = await self._http.get(
            f"{self.url}/api/now/table/incident/{sys_id}",
            params={"sysparm_display_value": "true"},
            auth=("admin", "admin"),
        )
        assert answer.is_success, answer.text
        found: Json = answer.json()["result"]
        return found


async def add_pagerduty(
    installation: Installation, *, name: str = "pagerduty", sync: Json | None = None, subscribe: bool = True
) -> tuple[Integration, PagerDutyPeople]:
    """Connect the PagerDuty twin and, as `callout integration subscribe` does, have it send its webhooks."""
    people = PagerDutyPeople(installation.http, installation.sandbox.base_url)
    one = await installation.add(
        name,
        {
            "type": "ticketing_pagerduty",
            "url": people.url,
            "credential": {"type": "token", "secret": PAGERDUTY_KEY},
            "default_project": CHECKOUT,
            "default_creator": "admin@example.com",
        },
        sync=sync,
    )
    if subscribe:
        subscriber = subscriber_of(installation.core, installation.wired.connections)
        done = await subscriber.subscribe(one, recreate=False, origin=Origin(Channel.CLI, OPERATOR))
        assert done.key_stored
    return one, people


async def add_servicenow(
    installation: Installation, *, name: str = "servicenow", sync: Json | None = None
) -> tuple[Integration, ServiceNowPeople]:
    """Connect the ServiceNow twin and put our business rule into it."""
    people = ServiceNowPeople(installation.http, installation.sandbox.base_url)
    one = await installation.add(
        name,
        {
            "type": "ticketing_servicenow",
            "url": people.url,
            "credential": {"type": "basic", "username": "admin", "secret": "admin"},
            "default_project": "incident",
        },
        secret=SERVICENOW_SECRET,
        sync=sync,
    )
    rule = {
        "url": f"{installation.url}/v1/hooks/{one.id}",
        "secret": SERVICENOW_SECRET,
        "table": "incident",
    }
    await people.configure(business_rules=[rule])
    return one, people


async def incidents(installation: Installation) -> list[Json]:
    """Return all incidents, the oldest first."""
    found: list[Json] = await installation.api("GET", "/v1/incidents", params={"limit": "100"})
    return sorted(found, key=lambda one: int(one["number"]))


async def the_incident(installation: Installation, title: str) -> str:
    """Return the key of the only incident of that title, once it is there."""

    async def there() -> str:
        found = [one["key"] for one in await incidents(installation) if one["title"] == title]
        assert len(found) == 1, found
        return str(found[0])

    return await eventually(there, what=f"an incident {title!r}")


async def settled(installation: Installation, *people: TwinUser) -> None:
    """Wait until nothing is under way anywhere."""
    for _ in range(2):
        for one in people:
            await one.drain()
        await installation.quiet()


async def skip(installation: Installation, seconds: float, *people: TwinUser) -> None:
    """Let time pass, for us and for these vendors."""
    await installation.skip(seconds)
    for one in people:
        await one.configure(clock_offset=installation.clock.ahead.total_seconds())
