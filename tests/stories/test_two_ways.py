"""Both sides are edited: what wins, what waits for a person, what never travels, and what makes no noise."""

from __future__ import annotations

import asyncio

import pytest

from callout.sync import loops
from tests.stories.installation import Installation
from tests.stories.people import eventually


async def test_an_internal_note_reaches_neither_jira_nor_slack(installation: Installation) -> None:
    api, jira, slack = installation.api, installation.jira, installation.slack
    key = await api.declare("login fails", description="since noon")
    ticket = await installation.ticket_of(key)
    await slack.said(f"note {key} --internal xyzzy from chat")
    await api.note(key, "xyzzy from the API", audience="internal")
    await api.note(key, "for responders")
    await api.note(key, "for customers", audience="customer")

    async def arrived() -> bool:
        return len(await jira.comments(ticket)) == 2

    await eventually(arrived, what="the two notes that may travel")
    await installation.told("incidents", "for responders")
    await installation.quiet()
    assert "xyzzy" not in str(await jira.state())
    shown = str(await slack.texts("incidents")) + str(await slack.texts(await slack.own_channel(key)))
    assert "for customers" in shown
    assert "xyzzy" not in shown
    assert len(await api.notes(key)) == 4


async def test_comments_go_both_ways_exactly_once(installation: Installation) -> None:
    api, jira, slack = installation.api, installation.jira, installation.slack
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)

    await jira.comment(ticket, "from *Jira*")
    await slack.said(f"note {key} from Slack")
    await api.note(key, "from the **API**")

    async def everywhere() -> bool:
        return len(await jira.comments(ticket)) == 3 and len(await api.notes(key)) == 3

    await eventually(everywhere, what="three comments on both sides")
    await _polled(installation)
    await installation.quiet()
    assert sorted(await api.notes(key)) == ["from **Jira**", "from Slack", "from the **API**"]
    bodies = "\n".join(await jira.comments(ticket))
    for words in ("from *Jira*", "from Slack", "from the *API*"):
        assert bodies.count(words) == 1
    assert len(await jira.effects("comment.create")) == 3
    for words in ("Jira", "from Slack", "API"):
        assert len([text for text in await slack.texts("incidents") if "Note" in text and words in text]) == 1


async def test_edits_of_different_fields_at_the_same_time_both_win(installation: Installation) -> None:
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)

    await asyncio.gather(
        api.patch(key, title="login fails for everybody"), jira.edit(ticket, priority="Highest")
    )

    await installation.incident_when(key, title="login fails for everybody", severity="SEV-1")
    await installation.issue_when(ticket, summary="login fails for everybody", priority="Highest")
    await installation.quiet()
    link = await api.link(key)
    assert (link["conflicts"], link["problem"], link["pending"]) == ([], None, [])


async def test_edits_of_the_same_field_wait_for_a_person_and_other_fields_go_on(
    installation: Installation,
) -> None:
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await installation.pause("integration", installation.integrations["jira"].id)

    await api.patch(key, severity="SEV-1")
    await jira.edit(ticket, priority="Low")

    async def conflict() -> list[object]:
        return list((await api.link(key))["conflicts"])

    assert await eventually(conflict, what="the conflict") == [
        {"field": "severity", "ours": "SEV-1", "theirs": "LOW"}
    ]
    await installation.resume("integration", installation.integrations["jira"].id)
    await api.patch(key, title="login fails for everybody")
    await installation.issue_when(ticket, summary="login fails for everybody")
    assert await jira.field(ticket, "priority") == "Low"
    assert (await api.incident(key))["severity"] == "SEV-1"
    assert "sync_conflict" in [line["kind"] for line in await api.timeline(key)]
    page = await installation.page(f"/incidents/{key}")
    assert "A person has to choose" in page.text

    await jira.edit(ticket, priority="Highest")  # they came to mean the same: nothing is left to choose

    async def settled() -> bool:
        return not (await api.link(key))["conflicts"]

    await eventually(settled, what="the end of the conflict")


async def test_an_echo_makes_no_write(installation: Installation) -> None:
    api, jira, slack = installation.api, installation.jira, installation.slack
    key = await api.declare("login fails", severity="SEV-3", description="*since* noon")
    ticket = await installation.ticket_of(key)
    await api.patch(key, severity="SEV-2", title="login  fails twice", description="a\n\n- b\n- c")
    await api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress", summary="login fails twice")
    await jira.edit(ticket, summary="login fails, says Jira")
    await installation.incident_when(key, title="login fails, says Jira", severity="SEV-2")
    await installation.issue_when(ticket, status="In Progress", priority="High")
    await installation.quiet()
    version = (await api.incident(key))["version"]
    before = await jira.last_seq(), await slack.last_seq()

    await _polled(installation)
    await _polled(installation)
    await installation.quiet()

    assert await jira.our_writes(since=before[0]) == []
    assert await slack.our_writes(since=before[1]) == []
    assert (await api.incident(key))["version"] == version


async def _polled(installation: Installation) -> None:
    """Wait until Jira was asked for changes once more, and what it told was worked on."""
    since = await installation.jira.last_seq()

    async def asked() -> bool:
        return any("/search" in call["path"] for call in await installation.jira.calls(since=since))

    await eventually(asked, what="the next poll")


async def test_two_products_that_answer_each_other_are_stopped(
    jira_only: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write upon write to one ticket: we notice, say so, and stop until a person starts the link again."""
    monkeypatch.setattr(loops, "LOOP_WRITES", 6)  # the real number takes a rate-limited vendor half a minute
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("title 0", severity="SEV-3")
    ticket = await installation.ticket_of(key)

    async def stopped(number: int) -> bool:
        problem = (await api.link(key))["problem"]
        return problem is not None or await jira.field(ticket, "summary") == f"title {number}"

    for number in range(1, 20):
        await api.patch(key, title=f"title {number}")
        await eventually(lambda n=number: stopped(n), what="the next write")  # type: ignore[misc]
        if (await api.link(key))["problem"]:
            break
    problem = (await api.link(key))["problem"]
    assert problem is not None, "nobody noticed"
    assert "times" in problem["message"]
    assert "Find the other product" in problem["remediation"]
    assert f"callout incident link {key} resume --integration jira" in problem["remediation"]
    assert (await api.link(key))["state"] == "stopped"
    assert "something answers every change of ours" in (await installation.page(f"/incidents/{key}")).text

    # Nothing is written, nothing taken in; the incident goes on.
    written = len(await jira.our_writes())
    await jira.comment(ticket, "said meanwhile")
    await api.patch(key, title="title of a person")
    await installation.quiet()
    assert (len(await jira.our_writes()), await api.notes(key)) == (written, [])
    assert (await api.link(key))["problem"] == problem

    # Until a person starts it again: then both sides meet, and nothing was lost.
    link = (await api.link(key))["id"]
    await api("POST", f"/v1/incidents/{key}/links/{link}/actions", {"action": "resume"})
    await installation.issue_when(ticket, summary="title of a person")

    async def noted() -> bool:
        return await api.notes(key) == ["said meanwhile"] and (await api.link(key))["problem"] is None

    await eventually(noted, what="the comment")
