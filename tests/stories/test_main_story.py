from __future__ import annotations

from tests.stories.installation import Installation
from tests.stories.people import eventually


async def test_declared_in_slack_ticket_in_jira_resolved_in_jira_told_in_slack(
    installation: Installation,
) -> None:
    api, jira, slack = installation.api, installation.jira, installation.slack

    answer = await slack.said("declare sev1 checkout is down --service checkout")
    assert "INC-1" in answer

    incident = await api.incident("INC-1")
    assert (incident["title"], incident["severity"], incident["service"]) == (
        "checkout is down",
        "SEV-1",
        "checkout",
    )
    assert incident["status"] == "open"
    ticket = await installation.ticket_of("INC-1")
    issue = (await jira.issue(ticket))["fields"]
    assert (issue["summary"], issue["priority"]["name"]) == ("checkout is down", "Highest")
    await installation.told("critical-incidents", "SEV-1", "INC-1", "checkout is down")
    own = await eventually(lambda: slack.own_channel("INC-1"), what="the incident's own channel")
    await installation.told(own, "INC-1")
    await eventually(lambda: _member(installation, own, "U0ANN"), what="Ann in the channel")

    await jira.edit(ticket, priority="High")
    await jira.comment(ticket, "the *database* is slow")
    await installation.incident_when("INC-1", severity="SEV-2")
    await eventually(lambda: api.notes("INC-1"), what="the comment")
    assert await api.notes("INC-1") == ["the **database** is slow"]
    await installation.told("critical-incidents", "SEV-1 → SEV-2")
    await installation.told("critical-incidents", "is slow")

    assert "acknowledged" in await slack.said("ack INC-1")
    await installation.issue_when(ticket, status="In Progress")

    await jira.transition(ticket, "Done")
    resolved = await installation.incident_when("INC-1", status="resolved")
    assert resolved["resolved_at"]
    await installation.told("critical-incidents", "acknowledged → resolved")

    await installation.quiet()
    kinds = [line["kind"] for line in await api.timeline("INC-1")]
    assert kinds[0] == "declared"
    assert kinds.count("ticket_created") == 1
    assert "sync_problem" not in kinds
    assert len(await jira.effects("issue.create")) == 1
    assert len(await slack.effects("conversations.create")) == 1


async def _member(installation: Installation, channel: str, user: str) -> bool:
    return user in (await installation.slack.channels())[channel]["members"]
