"""Webhooks registered by an administrator's REST resource, each for the issues of one project."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from callout.connectors.jira.errors import from_http
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp, path_segment
from callout.kit.http_errors import HttpError
from callout.kit.secrets import Secret
from callout.ports.errors import RecordNotFoundError
from callout.ports.oncall import WebhookSubscription

PATH: Final = "/rest/webhooks/1.0/webhook"
EVENTS: Final = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
)
_SECTION: Final = "issue-related-events-section"


class ProjectWebhooks:
    """The webhooks of a site that send to us. Only administrators with a password or API token may register any."""

    def __init__(self, http: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    async def create(self, project: str, url: str, *, secret: Secret) -> WebhookSubscription:
        """Register a webhook for the issues of a project, signed with `secret`."""
        quoted = project.replace("\\", "\\\\").replace('"', '\\"')
        body = {
            "name": f"Callout {project}",
            "url": url,
            "events": list(EVENTS),
            "filters": {_SECTION: f'project = "{quoted}"'},
            "excludeBody": False,
            "secret": secret,
        }
        return _told(await self._json("POST", PATH, doing="registering the webhook", body=body))

    async def list(self, url: str) -> Sequence[WebhookSubscription]:
        """Return the webhooks that send to `url`."""
        beans = await self._json("GET", PATH, doing="listing the webhooks")
        return [_told(bean) for bean in beans if bean.get("url") == url]

    async def remove(self, webhook: str) -> None:
        """End a webhook; one that is gone already is no error."""
        try:
            await self._json("DELETE", f"{PATH}/{path_segment(webhook)}", doing="removing the webhook")
        except RecordNotFoundError:
            return

    async def _json(self, method: str, path: str, *, doing: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  # any JSON
        try:
            if body is not None:
                return await self._http.request_json(method, path, json=body)
            return await self._http.request_json(method, path)
        except HttpError as error:
            repeatable = method != "POST"
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error


def _told(bean: dict[str, Any]) -> WebhookSubscription:
    updated = bean.get("lastUpdated")
    return WebhookSubscription(
        id=str(bean.get("self", "")).rpartition("/")[2],
        url=str(bean.get("url", "")),
        active=bean.get("enabled") is not False,
        events=tuple(bean.get("events") or ()),
        name=str(bean.get("name", "")),
        creator=str(bean.get("lastUpdatedDisplayName") or bean.get("lastUpdatedUser") or ""),
        # from memory: milliseconds; Jira tells when a webhook was changed last, not when it was made.
        created_at=datetime.fromtimestamp(updated / 1000, UTC) if isinstance(updated, int) else None,
    )
