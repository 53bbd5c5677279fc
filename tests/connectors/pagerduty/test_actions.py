"""What only PagerDuty does, and the Events API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.pagerduty.events import EventsClient
from callout.kit.secrets import Secret
from callout.ports import provider as port
from callout.ports.errors import OutcomeUnknownError, RejectedError, UnavailableError
from callout.ports.ticketing import TicketDraft
from tests.connectors.pagerduty.site import ADMIN, ANN, CAROL, CHECKOUT, POLICY, ROUTING_KEY, PagerDutySite


async def test_the_connector_offers_what_the_ports_name(site: PagerDutySite) -> None:
    provider = site.provider()
    assert isinstance(provider, port.SupportsEscalationPolicies)
    assert isinstance(provider, port.SupportsOnCall)
    assert isinstance(provider, port.SupportsPaging)
    assert isinstance(provider, port.SupportsWebhookSubscription)
    assert not isinstance(provider, port.SupportsAttachments)
    assert not isinstance(provider, port.SupportsNotes)


async def test_policies_and_who_is_on_call(site: PagerDutySite) -> None:
    provider = site.provider()
    (policy,) = (await provider.query_escalation_policies(limit=10, cursor="")).items
    assert (policy.id, policy.name) == (POLICY, "Default")
    assert [rule.delay for rule in policy.rules] == [timedelta(minutes=30)] * 2
    assert [(actor.kind, actor.id) for rule in policy.rules for actor in rule.actors] == [
        ("schedule", "PSCHED1"),
        ("user", ADMIN.id),
    ]
    assert policy.rules[1].actors[0].email == ADMIN.email
    assert not (await provider.query_escalation_policies(limit=10, cursor="", name="zzz")).items
    on_call = await provider.list_on_call(POLICY)
    assert [one.level for one in on_call] == [1, 2]
    assert on_call[0].user.id in {ANN.id, CAROL.id}
    assert on_call[0].end is not None
    assert (on_call[1].user.id, on_call[1].user.email, on_call[1].end) == (ADMIN.id, ADMIN.email, None)


async def test_escalation_goes_level_by_level(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("x", project=CHECKOUT))
    assert made.assignee is not None
    assert made.assignee.id in {ANN.id, CAROL.id}
    escalated = await provider.escalate(made.id)
    assert escalated.assignee is not None
    assert escalated.assignee.id == ADMIN.id
    with pytest.raises(RejectedError) as caught:
        await provider.escalate(made.id)
    assert "last level" in caught.value.message
    back = await provider.escalate(made.id, level=1)
    assert back.assignee == made.assignee
    with pytest.raises(RejectedError):
        await provider.escalate(made.id, level=9)
    with pytest.raises(RejectedError) as caught:
        await provider.escalate(made.id, policy_id="PNOSUCH")
    assert "escalation_policy" in caught.value.fields
    again = await provider.escalate(made.id, policy_id=POLICY)
    assert again.unmapped["escalation_policy"] == POLICY


async def test_a_snooze_ends_by_itself(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("x", project=CHECKOUT))
    assert (await provider.snooze(made.id, timedelta(hours=1))).status == "acknowledged"
    site.pass_time(timedelta(hours=1, seconds=1))
    assert (await provider.get_ticket(made.id)).status == "triggered"
    for wrong in (timedelta(), timedelta(days=8)):
        with pytest.raises(RejectedError) as caught:
            await provider.snooze(made.id, wrong)
        assert "duration" in caught.value.fields


async def test_responders_are_asked_and_stakeholders_told(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("x", project=CHECKOUT))
    await provider.request_responders(made.id, people=[CAROL], policies=[POLICY], message="please join")
    (asked,) = site.ledger("responder.request")
    assert asked["actor"] == ADMIN.id
    assert CAROL.id in asked["summary"]["users"]
    await provider.publish_status(made.id, "We are on it")
    assert site.ledger("status_update.create")[0]["summary"]["message"] == "We are on it"
    with pytest.raises(RejectedError):
        await provider.request_responders(made.id, message="nobody")
    with pytest.raises(RejectedError):
        await provider.publish_status(made.id, " ")


async def test_merging_resolves_the_others_and_says_where_they_went(site: PagerDutySite) -> None:
    provider = site.provider()
    target = await provider.create_ticket(TicketDraft("target", project=CHECKOUT))
    source = await provider.create_ticket(TicketDraft("source", project=CHECKOUT))
    await provider.merge_tickets(target.id, [source.id])
    merged = await provider.get_ticket(source.id)
    assert (merged.status, merged.unmapped["merged_into"]) == ("resolved", target.id)


# People are not woken twice


@pytest.mark.parametrize("action", ["snooze", "request_responders", "publish_status"])
async def test_a_lost_answer_is_told_as_unknown(site: PagerDutySite, action: str) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("x", project=CHECKOUT))
    site.faults.add({"kind": "disconnect_after_write"}, method="POST", first=1)
    calls: Mapping[str, Any] = {
        "snooze": lambda: provider.snooze(made.id, timedelta(hours=1)),
        "request_responders": lambda: provider.request_responders(made.id, people=[CAROL], message="m"),
        "publish_status": lambda: provider.publish_status(made.id, "m"),
    }
    with pytest.raises(OutcomeUnknownError):
        await calls[action]()


# The webhook subscription


async def test_a_subscription_is_made_once_watched_and_set_going_again(site: PagerDutySite) -> None:
    provider = site.provider()
    url = "http://127.0.0.1:9/hook"
    made = await provider.ensure_webhook(url)
    assert (made.created, made.healed, made.active) == (True, False, True)
    assert made.secret is not None
    assert len(made.secret.reveal()) > 30
    assert made.secret.reveal() not in repr(made)
    again = await provider.ensure_webhook(url)
    assert (again.id, again.created, again.healed, again.secret) == (made.id, False, False, None)
    await provider._directory_client.update_webhook_subscription(made.id, {"events": ["incident.resolved"]})
    healed = await provider.ensure_webhook(url)
    assert (healed.id, healed.healed) == (made.id, True)
    assert set(healed.events) == set(made.events)
    await provider._directory_client.update_webhook_subscription(made.id, {"active": False})
    assert (await provider.ensure_webhook(url)).healed
    fresh = await provider.ensure_webhook(url, recreate=True)
    assert fresh.id != made.id
    assert fresh.secret is not None
    assert (
        len((await provider._directory_client.list_webhook_subscriptions(offset=0))["webhook_subscriptions"])
        == 1
    )
    await provider.remove_webhook(fresh.id)
    await provider.remove_webhook(fresh.id)
    assert (await provider.ensure_webhook(url)).created


# Events


def events(site: PagerDutySite, key: str = ROUTING_KEY, url: str = "") -> EventsClient:
    return EventsClient(site.http(url or site.url), Secret(key), site.clock)


async def test_an_alert_lives_by_its_key(site: PagerDutySite) -> None:
    client, provider = events(site), site.provider()
    for _ in range(2):
        key = await client.trigger(
            "Checkout latency",
            source="checkout-api",
            severity="critical",
            dedup_key="callout-inc-7",
            at=datetime(2026, 5, 1, tzinfo=UTC),
            component="db",
            details={"p95": "4.1 s"},
            links=[("https://callout.test/incidents/INC-7", "incident")],
        )
        assert key == "callout-inc-7"
    (ticket,) = await provider.find_by_key("callout-inc-7")
    assert (ticket.title, ticket.status, ticket.marks) == ("Checkout latency", "triggered", ())
    await client.acknowledge("callout-inc-7")
    assert (await provider.get_ticket(ticket.id)).status == "acknowledged"
    await client.resolve("callout-inc-7")
    assert (await provider.get_ticket(ticket.id)).status == "resolved"
    await client.change(
        "Deployed 1.2", source="ci", at=datetime(2026, 5, 1, tzinfo=UTC), details={"sha": "abc"}
    )


async def test_events_that_cannot_be_are_refused(site: PagerDutySite) -> None:
    client = events(site)
    for key in ("", "x" * 256):
        with pytest.raises(RejectedError) as caught:
            await client.resolve(key)
        assert "dedup_key" in caught.value.fields
    with pytest.raises(RejectedError) as refused:
        await client.trigger(" ", source="s", severity="info", dedup_key="k")
    assert "payload.summary" in refused.value.message
    secret = "f" * 32
    with pytest.raises(UnavailableError) as caught_dead:
        await events(site, secret, url="http://127.0.0.1:9").resolve("k")
    assert secret not in str(caught_dead.value) + caught_dead.value.detail
