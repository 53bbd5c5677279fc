"""Channels and notifications, told over the twin: who hears of what at which hour, what people do to channels, and what happens when
one refuses.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.stories.installation import Installation
from tests.stories.people import Json, eventually


def _hours(now: datetime, *, ours: bool) -> str:
    """Return hours of the day that hold now and the next two hours; or the others."""
    first, last = now - timedelta(hours=1), now + timedelta(hours=3)
    return f"{first:%H}:00-{last:%H}:00" if ours else f"{last:%H}:00-{first:%H}:00"


async def test_a_channel_of_people_and_of_rules(jira_only: Installation) -> None:
    installation, slack, api = jira_only, jira_only.slack, jira_only.api
    now = installation.clock.now()
    await installation.add_slack(
        routes=[
            {"when": {"hours": _hours(now, ours=False)}, "to": ["general"]},
            {"when": {"hours": _hours(now, ours=True), "severity": "SEV-2"}, "to": ["#critical-incidents"]},
        ],
        fallback={"channel": "random", "after_minutes": 2},
        archive_on_close=True,
    )
    # By the hour and the severity it goes to one channel; what no rule holds for goes where it always went.
    await slack.said("declare sev2 search is slow")
    await slack.said("declare sev3 a lamp is out")
    await installation.told("critical-incidents", "search is slow")
    await installation.told("incidents", "a lamp is out")
    assert await slack.texts("general") == []

    # The people of the channel give it another name: it stays, and the card says so.
    own = await eventually(lambda: slack.own_channel("INC-1"), what="the channel")
    channel = (await slack.channels())[own]["id"]
    await slack.act("rename_channel", user="U0BOB", channel=channel, name="search-war-room")
    await installation.told("critical-incidents", "#search-war-room")
    await slack.said("title INC-1 search is down")
    await installation.told("search-war-room", "search is down")

    # Closed, it is archived; reopened, it is there again.
    for command in ("resolve INC-1", "close INC-1"):
        await slack.said(command)

    async def archived() -> bool:
        return bool((await slack.channels())["search-war-room"]["is_archived"])

    async def opened() -> bool:
        return not await archived()

    await eventually(archived, what="archived")
    await slack.said("reopen INC-1")
    await eventually(opened, what="opened again")
    await installation.quiet()

    # A channel that refuses: important news is told elsewhere after a while, once, with a word why.
    await slack.act("archive_channel", user="U0ANN", channel="C0CRITICAL")
    await slack.said("declare sev2 payments --description 'login with password: hunter2canary'")
    await installation.quiet()

    async def failed() -> Json:
        shown = await api("GET", "/v1/incidents/INC-3/notifications")
        found: list[Json] = [one for one in shown if one["where"] == "#critical-incidents"]
        assert [one["state"] for one in found] == ["failed"]
        return found[0]

    refused: Json = await eventually(failed, what="a card that was refused")
    assert "archived" in refused["why"]
    await installation.skip(121)
    told = await installation.told("random", "payments")
    assert "could not be told" in told
    assert "hunter2canary" not in str(await slack.state())

    # The channel is back: a person has the card sent again, and it is there once.
    await slack.act("unarchive_channel", user="U0ANN", channel="C0CRITICAL")
    await api("POST", f"/v1/incidents/INC-3/notifications/{refused['id']}/repost")
    await installation.told("critical-incidents", "payments")
    await installation.quiet()
    assert len([text for text in await slack.texts("random") if "payments" in text]) == 1
    assert len([text for text in await slack.texts("critical-incidents") if "INC-3" in text]) == 1
