"""How integrations stand as a whole: what sync and the watch of webhook subscriptions are told, and tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.integrations import Subscriber
from callout.jobs import BudgetUse, Consumer, Job, Lane, NewJob, Settle, Work, transactional
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.sync import Target
from callout.sync import settings as sync_settings
from callout.sync.rules import accepts
from callout.webhooks.outbound import ORGANIZATION

if TYPE_CHECKING:
    from datetime import datetime

    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.ports.ticketing import Change
    from callout.storage import AccountTx, Tx
    from callout.sync import SyncProblem

WATCH: Final = "integrations.watch"
WATCH_ALL: Final = "integrations.watch_all"
_log = structlog.get_logger(__name__)


def sync_settings_of(core: Core, one: Integration) -> dict[str, Any]:
    """Return an integration's effective sync settings: its connector's defaults, overlaid by its own."""
    own = one.settings.get("sync", {})
    if not isinstance(own, Mapping):
        raise InvalidRequestError("sync must be an object", fields={"/sync": "wrong kind"})
    try:
        defaults = core.integrations.manifest_of(one).mapping_defaults
    except NotFoundError:
        defaults = {}  # made by a newer version beside this one
    return sync_settings.effective(defaults, own)


def target_of(core: Core, one: Integration) -> Target:
    """Return an integration as sync sees it: the one place where it is made. Raises InvalidRequestError for its settings."""
    settings = sync_settings_of(core, one)
    sync_settings.check_selection(settings)
    return Target(
        integration_id=one.id,
        account_id=one.account_id,
        name=one.name,
        title=one.provider_fullname,
        settings=settings,
        default_project=str(one.provider_config.get("default_project") or ""),
        default_issue_type=str(one.provider_config.get("default_issue_type") or ""),
        webhooks=bool((one.webhook_config or {}).get("provider_key")),
        hook_url=f"{core.settings.address}/v1/hooks/{one.id}",
        site=str(one.provider_config.get("url") or "").strip().rstrip("/").casefold(),
    )


class IntegrationStanding:
    """The integrations of the installation, as sync asks for them as a whole (`callout.sync.context.Standing`)."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def accepting(self, tx: Tx) -> Sequence[Target]:
        """Return the enabled integrations, of all accounts, that make incidents of tickets."""
        found: list[Target] = []
        for one in await self._core.integrations.unopened(tx, "ticketing"):
            try:
                target = target_of(self._core, one)
            except InvalidRequestError:
                continue  # said where its tickets are made
            if accepts(target.settings):
                found.append(target)
        return found

    async def listened(self, tx: Tx) -> Mapping[str, str]:
        """Return the enabled integrations whose tickets endpoints of theirs, or of their account, are told of.

        Endpoints of the organization are told of what polls find, but start none: they would have everything polled.
        """
        places = await self._core.outbound.interest.places(tx)
        if not places - {ORGANIZATION}:
            return {}
        return {
            one.id: one.account_id
            for one in await self._core.integrations.placed(tx, enabled_of="ticketing")
            if not places.isdisjoint({one.id, one.account_id})
        }

    async def polled(self, tx: AccountTx, integration_id: str, found: Sequence[Change]) -> None:
        """Have endpoints told of what no webhook told."""
        await self._core.outbound.polled.found(tx, integration_id, found)

    async def heard(self, tx: AccountTx, integration_id: str) -> None:
        """Note that a webhook came in."""
        await self._core.health.webhook_received(tx, integration_id)

    async def last_heard(self, tx: AccountTx, integration_id: str) -> datetime | None:
        """Return when the last webhook came in."""
        try:
            return (await self._core.health.get(tx, integration_id)).last_webhook
        except NotFoundError:
            return None

    async def problem(
        self, tx: AccountTx, integration_id: str, kind: str, problem: SyncProblem | None
    ) -> None:
        """Show a problem on the integration, or take it away; silence has its subscription looked at at once."""
        if problem is None:
            if await self._core.problems.over(tx, integration_id, kind):
                _log.info("integration_recovered", integration_id=integration_id, problem=kind)
            return
        await self._core.problems.tell(
            tx,
            integration_id,
            kind,
            code=problem.code,
            message=problem.message,
            remediation=problem.remediation,
        )
        _log.warning("integration_problem", integration_id=integration_id, problem=problem.message)
        await self._core.queue.enqueue_many(tx.system, [_watch(tx.account_id, integration_id)])


def _watch(account_id: str, integration_id: str) -> NewJob:
    return NewJob(
        WATCH,
        {"integration_id": integration_id},
        key=f"watch:{integration_id}",
        lane=Lane.BACKFILL,
        account_id=account_id,
    )


def watch_consumers(core: Core, connections: Connections) -> tuple[Consumer, ...]:
    """Return the consumers that look after webhook subscriptions."""
    subscriber = subscriber_of(core, connections)

    async def spread(tx: Tx, _jobs: Sequence[Job]) -> None:
        watched = [one for one in (await core.integrations.list_all(tx)).items if Subscriber.watched(one)]
        busy = await core.queue.waiting(tx, [f"watch:{one.id}" for one in watched])
        fresh = [_watch(one.account_id, one.id) for one in watched if f"watch:{one.id}" not in busy]
        await core.queue.enqueue_many(tx, fresh)

    async def look(work: Work) -> Settle | None:
        integration_id = str(work.job.payload["integration_id"])
        try:
            done = await subscriber.look(work.job.account_id or "", integration_id)
        except NotFoundError:
            return None
        if done is not None and (done.subscription.created or done.subscription.healed):
            _log.warning("webhook_subscription", integration_id=integration_id, state=done.state)
        return None

    return (
        Consumer(WATCH_ALL, transactional(spread), batch=32),
        Consumer(
            WATCH,
            look,
            batch=32,
            timeout=timedelta(seconds=120),
            budget=lambda job: BudgetUse(str(job.payload["integration_id"])),
        ),
    )


def subscriber_of(core: Core, connections: Connections) -> Subscriber:
    """Return what makes and keeps webhook subscriptions."""
    return Subscriber(
        core.database,
        core.integrations,
        core.problems,
        provider=connections.provider,
        address=core.settings.address,
    )
