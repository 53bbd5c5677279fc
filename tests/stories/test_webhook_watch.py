"""Webhooks that stop: the vendor gave up, somebody removed the subscription, nobody sends. It is seen, said, and healed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from callout.integrations import HealthState, IntegrationProblem
from callout.kit.secrets import Secret
from callout.sync.silence import AFTER
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import eventually
from tests.stories.vendors import PagerDutyPeople, add_pagerduty, skip, the_incident

HOUR = 3600


@pytest.fixture
async def hub(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product and the PagerDuty twin; no database plays a part."""
    url = f"sqlite:///{sqlite_path}"
    twins = ("jira", "slack", "pagerduty")
    async with running(url, tmp_path / "data", vendors=(), twins=twins) as found:
        yield found


async def problems(hub: Installation, name: str = "pagerduty") -> dict[str, IntegrationProblem]:
    """Return the problems of an integration by kind."""
    one = hub.integrations[name]
    health = await hub.in_account(lambda tx: hub.core.health.get(tx, one.id))
    if health.problems:
        assert health.state is not HealthState.OK
    return {problem.kind: problem for problem in health.problems}


async def put_key(hub: Installation, key: str) -> None:
    """Let an operator set the signing key."""
    one = hub.integrations["pagerduty"]
    config = {"provider_key": key, "items": []}
    await hub.in_account(
        lambda tx: hub.core.integrations.update(
            tx, one.id, changes={"webhook_config": config}, actor=OPERATOR
        )
    )
    hub.wired.connections.forget()  # as by itself within seconds


async def stored_key(hub: Installation) -> str:
    one = hub.integrations["pagerduty"]
    found = await hub.in_account(lambda tx: hub.core.integrations.get(tx, one.id))
    key = (found.webhook_config or {})["provider_key"]
    assert isinstance(key, Secret)
    return key.reveal()


async def given_up(pagerduty: PagerDutyPeople) -> bool:
    [one] = await pagerduty.subscriptions()
    return bool(one["delivery_method"]["temporarily_disabled"])


async def heard(hub: Installation) -> str:
    one = hub.integrations["pagerduty"]
    health = await hub.in_account(lambda tx: hub.core.health.get(tx, one.id))
    return "" if health.last_webhook is None else health.last_webhook.isoformat()


async def note_until_silent(hub: Installation, pagerduty: PagerDutyPeople, theirs: str, key: str) -> None:
    """Let people work on an incident while no webhook comes, until it is said.

    Three times, or once more: a webhook of before that is late tells of the first.
    """
    number = 0

    async def polled() -> bool:
        return f"silent {number}" in await hub.api.notes(key)

    async def said() -> bool:
        return "silence" in await problems(hub)

    for number in range(6):
        await pagerduty.act("note", incident=theirs, content=f"silent {number}")
        await pagerduty.drain()
        await eventually(polled, what="polling brings what no webhook told")
        await skip(hub, 70, pagerduty)
        if number >= AFTER - 1 and await seen(said):
            return
    msg = "silence is not said"
    raise AssertionError(msg)


async def seen(look: Callable[[], Awaitable[bool]]) -> bool:
    """Return whether something is there soon."""
    try:
        return await eventually(look, within=10)
    except AssertionError:
        return False


async def test_silence_is_said_and_a_subscription_that_pagerduty_gave_up_is_set_going_again(
    hub: Installation,
) -> None:
    _, pagerduty = await add_pagerduty(hub)
    theirs = await pagerduty.trigger("checkout is down")
    key = await the_incident(hub, "checkout is down")
    await eventually(lambda: heard(hub), what="the first webhook")
    await skip(hub, 70, pagerduty)
    assert await problems(hub) == {}
    signing = await stored_key(hub)

    await put_key(hub, "")  # somebody breaks it: PagerDuty is refused, and gives up after three times
    await note_until_silent(hub, pagerduty, theirs, key)
    problem = (await problems(hub))["silence"]
    assert problem.code == "WEBHOOKS_SILENT"
    assert "the last webhook came at" in problem.message
    assert hub.integrations["pagerduty"].id in problem.remediation
    assert await given_up(pagerduty)

    await put_key(hub, signing)
    await skip(hub, HOUR, pagerduty)

    async def going_again() -> bool:
        return not await given_up(pagerduty)

    await eventually(going_again, what="the subscription is set going again")
    await pagerduty.act("acknowledge", incident=theirs)
    await hub.incident_when(key, status="acknowledged")

    async def over() -> bool:
        return await problems(hub) == {}

    await eventually(over, what="the end of the problem")
    assert len(await pagerduty.subscriptions()) == 1


async def test_a_subscription_that_was_removed_is_made_again_and_its_key_kept(hub: Installation) -> None:
    _, pagerduty = await add_pagerduty(hub)
    before = await stored_key(hub)
    [subscription] = await pagerduty.subscriptions()
    await pagerduty.request("DELETE", f"/webhook_subscriptions/{subscription['id']}")
    await skip(hub, HOUR, pagerduty)

    async def made_again() -> bool:
        return await stored_key(hub) != before

    await eventually(made_again, what="a new subscription with a new key")
    [now] = await pagerduty.subscriptions()
    assert now["delivery_method"]["url"] == subscription["delivery_method"]["url"]
    await pagerduty.trigger("told by the new one")
    await the_incident(hub, "told by the new one")
    assert await eventually(lambda: heard(hub), what="its webhook, which is believed")


async def test_what_keeps_a_subscription_from_being_looked_at_is_said_until_it_is_over(
    hub: Installation,
) -> None:
    _, pagerduty = await add_pagerduty(hub)
    refused = {"kind": "status", "status": 403, "body": json.dumps({"error": {"message": "Forbidden"}})}
    await pagerduty.fault({"match": {"path": "/webhook_subscriptions"}, "effect": refused})
    await skip(hub, HOUR, pagerduty)

    async def said() -> IntegrationProblem | None:
        return (await problems(hub)).get("subscription")

    problem = await eventually(said, what="the problem")
    assert problem is not None
    assert problem.code == "PERMISSION_DENIED"
    assert problem.remediation
    await pagerduty.fault()
    await skip(hub, HOUR, pagerduty)

    async def over() -> bool:
        return await problems(hub) == {}

    await eventually(over, what="the end of the problem")


async def test_who_has_no_webhooks_is_not_told_that_none_come(hub: Installation) -> None:
    _, pagerduty = await add_pagerduty(hub, subscribe=False)
    theirs = await pagerduty.trigger("only polled")
    key = await the_incident(hub, "only polled")
    for number in range(4):
        await pagerduty.act("note", incident=theirs, content=f"note {number}")

        async def polled(number: int = number) -> bool:
            return f"note {number}" in await hub.api.notes(key)

        await eventually(polled, what="the note")
        await skip(hub, 70, pagerduty)
    assert await problems(hub) == {}


async def test_what_pagerduty_has_no_webhook_for_is_not_missed(hub: Installation) -> None:
    _, pagerduty = await add_pagerduty(hub)
    theirs = await pagerduty.trigger("checkout is down")
    key = await the_incident(hub, "checkout is down")
    await eventually(lambda: heard(hub), what="the first webhook")
    await skip(hub, 70, pagerduty)
    for number in range(4):
        title = f"checkout is down, version {number}"
        await pagerduty.act("edit_title", incident=theirs, title=title)
        await hub.incident_when(key, title=title)
        await skip(hub, 70, pagerduty)
    assert await problems(hub) == {}
