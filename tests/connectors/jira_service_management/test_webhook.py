"""Signed webhooks of a service project: audiences are kept, our marks in texts are no text."""

from __future__ import annotations

from callout.connectors.jira.service_management.config import ServiceManagementConfig
from callout.connectors.jira.service_management.manifest import MANIFEST
from callout.connectors.jira.service_management.webhook import UNFINISHED, ServiceManagementWebhook
from callout.kit.secrets import Secret
from callout.ports.inbound import Ignored, Trust, WebhookSecrets
from callout.ports.ticketing import ChangeKind, Comment, CommentDraft, TicketDraft
from callout.ports.values import Audience
from tests.connectors.hook_inbox import Inbox
from tests.connectors.jira.site import JiraSite
from tests.connectors.jira.test_twin_webhooks import SECRET, register
from tests.connectors.jira_service_management.desk import provider_of


def dialect() -> ServiceManagementWebhook:
    config = ServiceManagementConfig(url="https://example.atlassian.net")
    assert MANIFEST.inbound is ServiceManagementWebhook
    return ServiceManagementWebhook(config, WebhookSecrets((Secret(SECRET),)))


async def test_comments_are_told_with_their_audience_and_without_our_mark(
    site: JiraSite, inbox: Inbox
) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    register(site, inbox, "comment_created")
    site.act("create_customer", email="cleo@customer.example", name="Cleo Customer")
    await provider.create_comment(made.id, CommentDraft("among us", key="note-1"))
    await provider.create_comment(made.id, CommentDraft("for you", Audience.CUSTOMER, key="note-2"))
    site.act("comment", issue=made.key, body="thanks", **{"as": "cleo@customer.example"})
    said: list[Comment] = []
    for request in await inbox.wait(3):
        assert dialect().verify(request).trust is Trust.SIGNED
        found = dialect().parse(request)
        assert not isinstance(found, Ignored)
        said += [change.comment for change in found if change.comment is not None]
    told = {comment.content: (comment.audience, comment.mark) for comment in said}
    assert told == {
        "among us": (Audience.RESPONDERS, "note-1"),
        "for you": (Audience.CUSTOMER, ""),
        "thanks": (Audience.CUSTOMER, ""),
    }


async def test_a_request_that_we_are_just_making_is_told_when_it_has_its_label(
    site: JiraSite, inbox: Inbox
) -> None:
    register(site, inbox, "jira:issue_created", "jira:issue_updated")
    provider = provider_of(site, default_request_type="10")
    await provider.create_ticket(TicketDraft("DB is down", "Text.", key="callout-inc-1"))
    found = [dialect().parse(request) for request in await inbox.wait(2)]
    ignored = [entry for entry in found if isinstance(entry, Ignored)]
    assert [(entry.event, entry.reason) for entry in ignored] == [("jira:issue_created", UNFINISHED)]
    (changes,) = [entry for entry in found if not isinstance(entry, Ignored)]
    assert changes[0].kind is ChangeKind.UPDATED
    assert changes[0].ticket is not None
    assert "callout-inc-1" in changes[0].ticket.marks
    assert changes[0].ticket.description == "Text."
