"""Slack through Socket Mode: no address of ours is called, connections come and go, and nothing is lost or done twice."""

from __future__ import annotations

from typing import Any

from tests.stories.installation import OPERATOR, Installation
from tests.stories.people import Json, eventually

APP: dict[str, Any] = {"app_credential": {"type": "token", "secret": "xapp-acc"}}


async def _connected(installation: Installation, *, links: int = 1) -> list[Json]:
    async def there() -> list[Json]:
        state = await installation.slack.state()
        found = [one for one in state["sockets"] if one["open"]]
        assert len(found) >= links
        return found

    return await eventually(there, what="a socket")


async def _open(installation: Installation) -> None:
    """Switch Socket Mode on, without any address where the app could be reached."""
    await installation.slack.configure(socket_mode=True)
    await installation.add_slack(**APP)
    await installation.slack.configure(command_url="", interactivity_url="", events_url="")
    await _connected(installation)


async def test_a_whole_incident_without_an_address_of_ours(no_chat: Installation) -> None:
    installation, slack = no_chat, no_chat.slack
    await _open(installation)
    assert "INC-1" in await slack.said("declare sev2 search is slow")
    assert "acknowledged" in await slack.said("ack INC-1")
    await installation.quiet()
    own = await slack.own_channel("INC-1")
    mentioned = await slack.act("message", user="U0ANN", channel=own, text="<@U0BOTACC> status")
    assert mentioned["app_mention"]
    await installation.told(own, "search is slow", "acknowledged")
    await installation.quiet()


async def test_connections_come_and_go(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await _open(installation)
    # Slack asks for another connection while this one goes on: there is always one.
    await slack.act("socket_disconnect", reason="warning")
    await _connected(installation, links=4)
    assert "INC-1" in await slack.said("declare one")
    await slack.configure(
        webhook_speed=60
    )  # what was not acknowledged is sent again after a second instead of a minute
    # The connections break without a word, with a mention under way.
    for number in range(2, 5):
        await slack.act("socket_cut")
        await slack.act(
            "message", user="U0BOB", channel="incidents", text=f"<@U0BOTACC> declare sev3 number {number}"
        )
        await installation.incident_when(f"INC-{number}", title=f"number {number}")
    await installation.quiet()
    assert await installation.rows("incident") == 4


async def test_what_slack_sends_again_acts_once(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await _open(installation)
    await slack.fault({"match": {"event": "app_mention"}, "effect": {"kind": "webhook_repeat", "times": 2}})
    await slack.act(
        "message", user="U0BOB", channel="incidents", text="<@U0BOTACC> declare sev3 checkout is slow"
    )
    await installation.incident_when("INC-1", title="checkout is slow")
    await installation.quiet()
    assert await installation.rows("incident") == 1


async def test_a_refused_app_token_is_said_and_tried_again_later(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await slack.configure(socket_mode=True)
    one = await installation.add_slack(app_credential={"type": "token", "secret": "xapp-wrong"})

    async def refused() -> bool:
        asked = [call for call in await slack.calls() if "apps.connections.open" in str(call)]
        return len(asked) > 0

    await eventually(refused, what="a refusal")

    async def told() -> bool:
        query = "SELECT message FROM integration_problem"
        rows = await installation.core.database.read(lambda tx: tx.driver_all(query, query))
        return [row[0] for row in rows] == ["Slack does not accept the app-level token"]

    await eventually(told, what="the problem")
    assert await installation.metric("callout_chat_connections", provider="chat_slack") == 0
    changed = {**one.provider_config, **APP}
    await installation.in_account(
        lambda tx: installation.core.integrations.update(
            tx, one.id, changes={"provider_config": changed}, actor=OPERATOR
        )
    )
    await _connected(installation)

    async def over() -> bool:
        return await installation.rows("integration_problem") == 0

    await eventually(over, what="the end of the problem")
