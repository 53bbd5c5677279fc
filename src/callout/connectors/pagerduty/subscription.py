"""The webhook subscription: made once, watched, set going again after PagerDuty gave up on us."""

from __future__ import annotations

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.webhook import SUBSCRIBED
from callout.connectors.pagerduty.wire import SubscriptionBean
from callout.kit.secrets import Secret
from callout.ports.errors import RecordNotFoundError
from callout.ports.oncall import WebhookSubscription


class Subscriptions:
    """The webhook subscriptions of one account."""

    def __init__(self, config: PagerDutyConfig, client: DirectoryClient) -> None:
        self._config = config
        self._client = client

    async def ensure(self, url: str, *, recreate: bool) -> WebhookSubscription:
        """Return the subscription that sends to `url`, made or set going again where needed."""
        found = await self._to(url)
        if recreate:
            for one in found:
                await self.remove(one["id"])
            found = []
        if not found:
            made = await self._client.create_webhook_subscription(
                {
                    "description": "Callout",
                    "delivery_method": {"type": "http_delivery_method", "url": url},
                    "events": list(SUBSCRIBED),
                    # An incident may move from service to service: the whole account is listened to.
                    "filter": {"type": "account_reference"},
                }
            )
            secret = (made.get("delivery_method") or {}).get("secret")
            return _told(made, created=True, secret=Secret(secret) if secret else None)
        kept = found[0]
        healed = False
        if (kept.get("delivery_method") or {}).get("temporarily_disabled"):
            await self._client.enable_webhook_subscription(kept["id"])
            healed = True
        missing = set(SUBSCRIBED) - set(kept.get("events") or [])
        if missing or kept.get("active") is False:
            changes = {"events": [*(kept.get("events") or []), *sorted(missing)], "active": True}
            kept = await self._client.update_webhook_subscription(kept["id"], changes)
            healed = True
        return _told(kept, healed=healed)

    async def sending_to(self, url: str) -> list[WebhookSubscription]:
        """Return the subscriptions that send to `url`."""
        return [_told(one) for one in await self._to(url)]

    async def _to(self, url: str) -> list[SubscriptionBean]:
        found: list[SubscriptionBean] = []
        offset = 0
        while True:
            page = await self._client.list_webhook_subscriptions(offset=offset)
            beans = page["webhook_subscriptions"]
            found += [one for one in beans if (one.get("delivery_method") or {}).get("url") == url]
            offset += len(beans)
            if not beans or not page.get("more"):
                return found

    async def ping(self, subscription: str) -> None:
        """Have the test event sent."""
        await self._client.test_webhook_subscription(subscription)

    async def remove(self, subscription: str) -> None:
        """End a subscription; one that is gone already is no error."""
        try:
            await self._client.delete_webhook_subscription(subscription)
        except RecordNotFoundError:
            return


def _told(
    bean: SubscriptionBean, *, created: bool = False, healed: bool = False, secret: Secret | None = None
) -> WebhookSubscription:
    return WebhookSubscription(
        id=bean["id"],
        url=(bean.get("delivery_method") or {}).get("url", ""),
        active=bean.get("active", True),
        created=created,
        healed=healed,
        secret=secret,
        events=tuple(bean.get("events") or ()),
        name=str(bean.get("description") or bean.get("summary") or "Callout"),
    )
