"""What polling sees: what no webhook tells, what shares a second, what happened while it read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from callout.connectors.pagerduty import changes
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.ticketing import PagerDutyTicketing
from callout.kit.clock import SystemClock
from callout.kit.http import VendorHttp
from callout.ports.provider import PollPosition
from callout.ports.ticketing import Change, ChangeKind, CommentDraft, TicketDraft, TicketPatch
from tests.connectors.pagerduty.site import ADMIN, ANN, CHECKOUT, PagerDutySite

OVERLAP = timedelta(minutes=1)
OLD = timedelta(minutes=20)


async def polled(
    site: PagerDutySite, since: datetime, provider: PagerDutyTicketing | None = None
) -> list[Change]:
    asked = (provider or site.provider()).changes_since(PollPosition(since), overlap=OVERLAP)
    return [change async for change in asked]


async def made_long_ago(site: PagerDutySite) -> str:
    ticket = await site.provider().create_ticket(TicketDraft("x", project=CHECKOUT, status="acknowledged"))
    site.pass_time(OLD)
    return ticket.id


@pytest.mark.parametrize(
    ("action", "more", "announced"),
    [
        ("edit_title", {"title": "y"}, False),
        ("set_urgency", {"urgency": "low"}, False),
        ("set_priority", {"priority": "P1"}, True),
        ("snooze", {"seconds": 3600}, False),
        ("resolve", {}, True),
        ("reassign", {"to": ["carol@example.com"]}, True),
        ("move_to_service", {"service": "PSVC002"}, False),
    ],
)
async def test_every_act_of_a_person_is_seen_and_whether_a_webhook_tells_of_it(
    site: PagerDutySite, action: str, more: dict[str, Any], *, announced: bool
) -> None:
    incident = await made_long_ago(site)
    since = site.now()
    assert not await polled(site, since)
    site.act(action, incident=incident, **more)
    (change,) = await polled(site, since)
    assert (change.kind, change.ticket_id) == (ChangeKind.UPDATED, incident)
    assert change.actor is not None
    assert change.actor.id == ANN.id
    assert change.ticket is not None
    assert "description" not in change.known
    assert ("assignee" in change.known) == (action != "resolve")
    assert change.silent is not announced
    assert (change.announced_at is not None) is announced


async def test_our_own_writes_are_seen_too_and_told_as_ours(site: PagerDutySite) -> None:
    incident = await made_long_ago(site)
    since = site.now()
    await site.provider().patch_ticket(incident, TicketPatch({"title": "y"}))
    (change,) = await polled(site, since)
    assert change.actor is not None
    assert change.actor.id == ADMIN.id


async def two_notes(site: PagerDutySite) -> tuple[list[Change], list[Change]]:
    """What a poll finds after the first of two notes, and after the second."""
    incident = await made_long_ago(site)
    since = site.now()
    site.act("note", incident=incident, content="one")
    first = await polled(site, since)
    site.act("note", incident=incident, content="two")
    return first, await polled(site, since)


async def test_two_changes_within_one_second_leave_two_marks(site: PagerDutySite) -> None:
    def marks(found: list[Change]) -> set[tuple[str, str]]:
        return {(change.kind, change.ticket.version) for change in found if change.ticket}

    def seconds(found: list[Change]) -> set[str]:
        return {version.partition(".")[0] for _, version in marks(found)}

    first, second = await two_notes(site)
    for _ in range(50):
        if len(seconds(first) | seconds(second)) == 1:
            break  # none ended in between
        first, second = await two_notes(site)
    assert len(marks(second) - marks(first)) == 2, "the incident's, and the second note's"
    assert [change.comment.content for change in second if change.comment] == ["one", "two"]


async def test_only_new_notes_are_told(site: PagerDutySite) -> None:
    provider = site.provider()
    ticket = await provider.create_ticket(TicketDraft("x", project=CHECKOUT, status="acknowledged"))
    old = await provider.create_comment(ticket.id, CommentDraft("old"))
    site.pass_time(OLD)
    since = site.now()
    site.act("note", incident=ticket.id, content="new")
    assert [c.comment.content for c in await polled(site, since) if c.comment] == ["new"]
    site.pass_time(timedelta(seconds=5))
    edit = {"note": {"content": "edited"}}
    path = f"/incidents/{ticket.id}/notes/{old.id}"
    await provider._rest.send("PUT", path, edit, doing="editing", repeatable=True, sender=ADMIN.email)
    edited = [c for c in await polled(site, since) if c.comment and c.comment.id == old.id]
    assert [(c.kind, c.comment and c.comment.content) for c in edited] == [
        (ChangeKind.COMMENT_UPDATED, "edited")
    ]


async def test_the_mark_of_a_poll_is_good_for_a_write(site: PagerDutySite) -> None:
    incident = await made_long_ago(site)
    since = site.now()
    site.act("edit_title", incident=incident, title="y")
    (change,) = await polled(site, since)
    assert change.ticket is not None
    patch = TicketPatch({"title": "z"}, expected_version=change.ticket.version)
    assert (await site.provider().patch_ticket(incident, patch)).title == "z"


async def test_escalation_by_the_policy_is_seen_without_anybody(site: PagerDutySite) -> None:
    ticket = await site.provider().create_ticket(TicketDraft("x", project=CHECKOUT))
    site.pass_time(timedelta(minutes=29))
    since = site.now()
    site.pass_time(timedelta(minutes=2))
    (change,) = await polled(site, since)
    assert change.ticket_id == ticket.id
    assert change.ticket is not None
    assert change.ticket.assignee is not None
    assert change.ticket.assignee.id == ADMIN.id


class ScriptedPagerDuty:
    """The few endpoints that polling asks, with references only, and a log that grows while it is read."""

    def __init__(self, entries: int, *, reach: int = 10_000) -> None:
        self.reach = reach
        self.log = [self._entry(number) for number in range(entries)]
        self.asked: list[httpx.URL] = []

    @staticmethod
    def _entry(number: int) -> dict[str, Any]:
        at = datetime(2026, 5, 1, 10, 0, tzinfo=UTC) + timedelta(seconds=number // 3)
        return {
            "id": f"R{number}",
            "type": "acknowledge_log_entry",
            "created_at": at.isoformat(),
            "incident": {"id": f"Q{number}", "type": "incident_reference"},
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, request.url.params
        self.asked.append(request.url)
        if path == "/log_entries":
            until = query.get("until")
            offset, limit = int(query["offset"]), int(query["limit"])
            assert offset + limit <= self.reach, "PagerDuty refuses to page further"
            found = [
                entry
                for entry in reversed(self.log)
                if not until or datetime.fromisoformat(entry["created_at"]) <= datetime.fromisoformat(until)
            ]
            self.log.append(self._entry(len(self.log)))
            page = found[offset : offset + limit]
            return httpx.Response(200, json={"log_entries": page, "more": offset + limit < len(found)})
        if path == "/incidents":
            return httpx.Response(200, json={"incidents": [], "more": False})
        if path == "/priorities":
            return httpx.Response(402, json={"error": {"code": 2014, "message": "Missing Account Ability"}})
        incident = path.removeprefix("/incidents/")
        if incident == "Q7":
            return httpx.Response(404, json={"error": {"code": 2100, "message": "Not Found"}})
        body = {"id": incident, "status": "triggered", "created_at": "2026-04-01T10:00:00Z"}
        return httpx.Response(200, json={"incident": body})


def scripted(pagerduty: ScriptedPagerDuty) -> PagerDutyTicketing:
    http = VendorHttp("https://api.pagerduty.com", transport=httpx.MockTransport(pagerduty))
    return PagerDutyTicketing(PagerDutyConfig(), http, SystemClock())


async def test_references_are_read_and_what_is_gone_is_skipped() -> None:
    pagerduty = ScriptedPagerDuty(250)
    asked = scripted(pagerduty).changes_since(PollPosition(datetime(2026, 5, 1, tzinfo=UTC)), overlap=OVERLAP)
    found = [change.ticket_id async for change in asked]
    assert len(found) == len(set(found))
    assert {f"Q{number}" for number in range(250)} - {"Q7"} <= set(found)


async def test_a_log_longer_than_pagerduty_pages_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "REACH", 500)
    pagerduty = ScriptedPagerDuty(1_150, reach=500)
    asked = scripted(pagerduty).changes_since(PollPosition(datetime(2026, 5, 1, tzinfo=UTC)), overlap=OVERLAP)
    found = [change.ticket_id async for change in asked]
    assert {f"Q{number}" for number in range(1_150)} - {"Q7"} <= set(found)
