"""Webhooks that the twin signs, as PagerDuty signs them, arrive at our dialect."""

from __future__ import annotations

import asyncio

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.webhook import PagerDutyWebhook
from callout.kit.secrets import Secret
from callout.ports.inbound import Ignored, InboundRequest, Trust, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, CommentDraft, TicketDraft, TicketPatch
from callout.ports.values import Priority
from tests.connectors.hook_inbox import Inbox
from tests.connectors.pagerduty.site import BATCH, CHECKOUT, PagerDutySite


def dialect(*keys: str) -> PagerDutyWebhook:
    return PagerDutyWebhook(PagerDutyConfig(), WebhookSecrets(tuple(map(Secret, keys))))


def parsed(hook: PagerDutyWebhook, request: InboundRequest) -> Change:
    assert hook.verify(request).trust is Trust.SIGNED
    assert hook.delivery_id(request)
    result = hook.parse(request)
    assert not isinstance(result, Ignored)
    (change,) = result
    return change


async def test_a_life_of_an_incident_is_told_in_signed_webhooks(site: PagerDutySite, inbox: Inbox) -> None:
    provider = site.provider()
    secret = (await provider.ensure_webhook(inbox.url)).secret
    assert secret is not None
    made = await provider.create_ticket(
        TicketDraft("DB is down 支払い", project=CHECKOUT, priority=Priority.HIGH, key="callout-inc-1")
    )
    await inbox.wait(1)
    steps: list[dict[str, object]] = [
        {"status": "acknowledged"},
        {"priority": Priority.URGENT},
        {"project": BATCH},
        {"status": "resolved"},
    ]
    for number, values in enumerate(steps, start=2):
        await provider.patch_ticket(made.id, TicketPatch(values))
        await inbox.wait(number)
    comment = await provider.create_comment(made.id, CommentDraft("It is **back**", key="note-1"))
    requests = await inbox.wait(6)
    hook = dialect(secret.reveal())
    changes = [parsed(hook, request) for request in requests]
    assert [change.kind for change in changes] == [
        ChangeKind.CREATED,
        ChangeKind.UPDATED,
        ChangeKind.UPDATED,
        ChangeKind.MOVED,
        ChangeKind.UPDATED,
        ChangeKind.COMMENTED,
    ]
    assert {change.ticket_id for change in changes} == {made.id}
    tickets = [change.ticket for change in changes[:5] if change.ticket]
    assert [ticket.status for ticket in tickets] == [
        "triggered",
        "acknowledged",
        "acknowledged",
        "acknowledged",
        "resolved",
    ]
    first = tickets[0]
    assert (first.title, first.priority, first.marks, first.key) == (
        made.title,
        Priority.HIGH,
        made.marks,
        made.key,
    )
    assert tickets[2].priority is Priority.URGENT
    assert tickets[3].project == BATCH
    assert "assignee" not in changes[4].known
    told = changes[5].comment
    assert told is not None
    assert (told.id, told.content, told.mark) == (comment.id, "It is **back**", "note-1")
    assert len({hook.delivery_id(request) for request in requests}) == 6


async def test_old_and_new_secret_verify_while_one_is_being_replaced(
    site: PagerDutySite, inbox: Inbox
) -> None:
    provider = site.provider()
    made = await provider.ensure_webhook(inbox.url)
    assert made.secret is not None
    old = made.secret.reveal()
    new = site.act("rotate_secret", subscription=made.id)["secret"]
    site.act("trigger", title="during the rotation")
    (request,) = await inbox.wait(1)
    for key in (old, new):
        assert dialect(key).verify(request).trust is Trust.SIGNED
    site.act("end_rotation", subscription=made.id)
    site.act("trigger", title="after it")
    request = (await inbox.wait(2))[1]
    assert dialect(new).verify(request).trust is Trust.SIGNED
    assert dialect(old).verify(request).trust is Trust.REFUSED
    assert dialect(new, old).verify(request).trust is Trust.SIGNED


async def test_an_altered_webhook_is_refused(site: PagerDutySite, inbox: Inbox) -> None:
    secret = (await site.provider().ensure_webhook(inbox.url)).secret
    assert secret is not None
    site.faults.add({"kind": "webhook_tamper"})
    site.act("trigger", title="x")
    (request,) = await inbox.wait(1)
    assert dialect(secret.reveal()).verify(request).trust is Trust.REFUSED


async def test_the_test_event_is_signed_and_ignored(site: PagerDutySite, inbox: Inbox) -> None:
    provider = site.provider()
    made = await provider.ensure_webhook(inbox.url)
    assert made.secret is not None
    await provider.ping_webhook(made.id)
    (request,) = await inbox.wait(1)
    hook = dialect(made.secret.reveal())
    assert hook.verify(request).trust is Trust.SIGNED
    result = hook.parse(request)
    assert isinstance(result, Ignored)
    assert result.event == "pagey.ping"


async def test_a_subscription_that_pagerduty_gave_up_on_is_set_going_again(
    site: PagerDutySite, inbox: Inbox
) -> None:
    provider = site.provider()
    made = await provider.ensure_webhook(inbox.url)
    inbox.status = 400
    for number in range(3):
        site.act("trigger", title=f"dropped {number}")
        await inbox.wait(number + 1)
    for _ in range(6_000):
        if site.ledger("subscription.disable"):
            break
        await asyncio.sleep(0.01)
    inbox.status = 202
    site.act("trigger", title="thrown away")
    healed = await provider.ensure_webhook(inbox.url)
    assert (healed.id, healed.healed, healed.created) == (made.id, True, False)
    site.act("trigger", title="told again")
    requests = await inbox.wait(4)
    assert "told again" in requests[3].body.decode()
    assert not (await provider.ensure_webhook(inbox.url)).healed
