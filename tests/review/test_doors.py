"""Who may put a webhook into the inbox, and who may read what came in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.mapping import comment_audience
from callout.connectors.jira.webhook import JiraWebhook
from callout.jobs import Queue, open_engine
from callout.kit.secrets import Secret
from callout.ports.inbound import InboundRequest, WebhookSecrets
from callout.ports.values import Audience
from callout.webhooks import HookBinding, Intake

if TYPE_CHECKING:
    from callout.connectors.jira.wire import CommentBean
    from callout.storage import Database


def _binding(*keys: str) -> HookBinding:
    config = JiraConfig(url="https://acme.atlassian.net")
    secrets = WebhookSecrets(tuple(Secret(key) for key in keys))
    return HookBinding("default", "one", "ticketing_jira", JiraWebhook(config, secrets))


@pytest.mark.parametrize(("admitted", "status"), [(False, 401), (True, 202)])
async def test_without_a_signing_key_the_hook_token_is_what_admits(
    database: Database, *, admitted: bool, status: int
) -> None:
    request = InboundRequest("POST", "", {}, b'{"webhookEvent": "x"}', datetime.now(UTC))
    intake = Intake(database, Queue(open_engine(database)), subscribers=("sync.inbound",))
    accepted = await intake.accept(_binding(), request, admitted=admitted)
    assert accepted.status == status
    count = "SELECT count(*) FROM inbound_event"
    stored = await database.read(lambda tx: tx.driver_all(count, count))
    assert stored[0][0] == int(admitted)


@pytest.mark.parametrize("service_desk", [True, False])
def test_a_comment_kept_for_a_role_there_goes_no_further_here(*, service_desk: bool) -> None:
    bean: CommentBean = {"id": "1", "visibility": {"type": "role", "value": "Administrators"}}
    assert comment_audience(bean, service_desk=service_desk) is Audience.INTERNAL
