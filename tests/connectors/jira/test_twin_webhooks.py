"""Webhooks that the twin signs, as Jira signs them, arrive at our dialect."""

from __future__ import annotations

import httpx

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.webhook import JiraWebhook
from callout.kit.secrets import Secret
from callout.ports.inbound import Ignored, InboundRequest, Trust, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, CommentDraft, TicketDraft, TicketPatch
from callout.ports.values import Audience, Priority
from tests.connectors.hook_inbox import Inbox
from tests.connectors.jira.site import JiraSite

SECRET = "a-long-webhook-secret"


def dialect(*keys: str, client_secret: str = "") -> JiraWebhook:
    return JiraWebhook(
        JiraConfig(url="https://example.atlassian.net"),
        WebhookSecrets(tuple(map(Secret, keys)), Secret(client_secret) if client_secret else None),
    )


def register(site: JiraSite, inbox: Inbox, *events: str) -> None:
    body = {"name": "callout", "url": inbox.url, "events": list(events), "secret": SECRET}
    answer = httpx.post(
        f"{site.url}/rest/webhooks/1.0/webhook",
        json=body,
        auth=("admin@example.com", "token"),
        verify=False,  # noqa: S501
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["isSigned"] is True


def parsed(hook: JiraWebhook, request: InboundRequest) -> list[Change]:
    assert hook.verify(request).trust is Trust.SIGNED
    assert hook.delivery_id(request)
    result = hook.parse(request)
    assert not isinstance(result, Ignored)
    return list(result)


async def test_a_life_of_a_ticket_is_told_in_signed_webhooks(site: JiraSite, inbox: Inbox) -> None:
    register(site, inbox, "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created")
    provider, hook = site.provider(), dialect("rotated away", SECRET)
    made = await provider.create_ticket(
        TicketDraft("DB is down", "It *is*.", project="HELP", priority=Priority.HIGH, key="callout-inc-1")
    )
    await inbox.wait(1)
    await provider.patch_ticket(made.id, TicketPatch({"status": "In Progress"}))
    await inbox.wait(2)
    await provider.create_comment(made.id, CommentDraft("internal", Audience.RESPONDERS))
    await inbox.wait(3)
    site.act("move_issue", issue=made.key, project="TST")
    await inbox.wait(4)
    site.act("delete_issue", issue=made.id)
    requests = await inbox.wait(5)
    changes = [change for request in requests for change in parsed(hook, request)]
    kinds = [change.kind for change in changes]
    assert kinds == [
        ChangeKind.CREATED,
        ChangeKind.UPDATED,
        ChangeKind.COMMENTED,
        ChangeKind.MOVED,
        ChangeKind.DELETED,
    ]
    assert {change.ticket_id for change in changes} == {made.id}
    created, moved = changes[0].ticket, changes[1].ticket
    assert created is not None
    assert moved is not None
    assert (created.title, created.description, created.priority) == (
        made.title,
        made.description,
        made.priority,
    )
    assert "callout-inc-1" in created.marks
    assert created.version == made.version
    assert not changes[0].partial
    assert moved.status == "In Progress"
    assert changes[2].comment is not None
    assert (changes[2].comment.content, changes[2].comment.audience) == ("internal", Audience.RESPONDERS)
    assert len({hook.delivery_id(request) for request in requests}) == 5


async def test_an_altered_webhook_is_refused(site: JiraSite, inbox: Inbox) -> None:
    register(site, inbox, "jira:issue_created")
    site.faults.add({"kind": "webhook_tamper"})
    site.act("create_issue", fields={"project": "TST", "summary": "x"})
    (request,) = await inbox.wait(1)
    assert dialect(SECRET).verify(request).trust is Trust.REFUSED


async def test_an_oauth_apps_webhook_is_believed_by_its_token(site: JiraSite, inbox: Inbox) -> None:
    seeds = site.control.get("credentials").json()["oauth"]
    origin = site.url.removesuffix("/jira")
    async with httpx.AsyncClient(verify=False) as http:  # noqa: S501  # plain http to loopback
        grant = {
            "grant_type": "refresh_token",
            "client_id": seeds["client_id"],
            "client_secret": seeds["client_secret"],
            "refresh_token": seeds["refresh_token"],
        }
        token = (await http.post(f"{origin}{seeds['token_path']}", json=grant)).json()["access_token"]
        wanted = {"events": ["jira:issue_created"], "jqlFilter": "project = TST"}
        answer = await http.post(
            f"{origin}{seeds['gateway_path']}/rest/api/3/webhook",
            json={"url": inbox.url, "webhooks": [wanted]},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.text
    site.act("create_issue", fields={"project": "TST", "summary": "x"})
    (request,) = await inbox.wait(1)
    (change,) = parsed(dialect(client_secret=seeds["client_secret"]), request)
    assert change.kind is ChangeKind.CREATED
    assert dialect(client_secret="another").verify(request).trust is Trust.REFUSED
    assert dialect(SECRET).verify(request).trust is Trust.REFUSED
