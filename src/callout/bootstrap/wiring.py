"""Binds features to each other: who reacts to which event, who does which job, what runs on a schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from callout.access import RETENTION
from callout.access.oidc_logouts import OidcLogouts
from callout.audit import AuditTamperedError
from callout.bootstrap.connections import Connections
from callout.bootstrap.intake import build_intake
from callout.bootstrap.learning import LEARN_ALL, LEARN_EVERY, learning_consumers
from callout.bootstrap.outbound import outbound_consumers
from callout.bootstrap.standing import WATCH_ALL, IntegrationStanding, target_of, watch_consumers
from callout.chatops import jobs as chat_jobs
from callout.chatops import paging as chat_paging
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.context import Pause as ChatPause
from callout.chatops.forms import FormTokens
from callout.chatops.notifications import HANDLERS as CHAT_HANDLERS
from callout.chatops.store import forget_invocations
from callout.incidents import timers
from callout.integrations import History
from callout.jobs import Consumer, Consumers, Job, JobAdmin, Lane, Limits, transactional
from callout.jobs.outbox import EventWork, Sequencer, Subscription
from callout.jobs.outbox import purge_events as purge_feed
from callout.jobs.schedules import Schedule, Schedules
from callout.jobs.worker import Loop, Worker, WorkerSettings
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.events import EventEnvelope
from callout.sync import PauseState, SyncContext, Target
from callout.sync import accept as sync_accept
from callout.sync import backfill as sync_backfill
from callout.sync import changes as sync_changes
from callout.sync import files as sync_files
from callout.sync import learning as sync_learning
from callout.sync import paging as sync_paging
from callout.sync import poll as sync_poll
from callout.sync import shadow as sync_shadow
from callout.sync import visit as sync_visit
from callout.sync.attach import TicketLinks
from callout.sync.conflicts import Conflicts
from callout.sync.needs import Needs
from callout.sync.reactions import HANDLERS as SYNC_HANDLERS
from callout.webhooks import Intake, purge_events
from callout.webhooks.outbound import ANY_ENDPOINT, OutboundContext
from callout.webhooks.outbound import HANDLERS as OUTBOUND_HANDLERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.jobs import Settle
    from callout.storage import AccountTx, Tx

INVOCATIONS_KEPT = timedelta(days=2)
"""Longer than any platform repeats a request."""
_log = structlog.get_logger(__name__)
SEAL = "audit.seal"
PURGE = "retention.purge"
PURGE_AT_ONCE = 5_000
Reaction = Callable[[Any, "AccountTx", EventEnvelope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wired:
    """The features bound together, over one core."""

    core: Core
    connections: Connections
    sync: SyncContext
    chat: ChatContext
    intake: Intake
    consumers: Consumers
    schedules: Sequence[Schedule]

    def worker(self) -> Worker:
        """Return a worker that does every kind of job."""
        core = self.core
        return Worker(
            core.database,
            core.engine,
            self.consumers,
            core.budgets,
            settings=WorkerSettings(
                concurrency=core.settings.concurrency,
                takeover=timedelta(seconds=core.settings.takeover_seconds),
            ),
            loops=(
                Loop(
                    "schedules", Schedules(core.database, core.queue, self.schedules, clock=core.clock).turn
                ),
                Loop("sequencer", Sequencer(core.database).turn, hint=core.outbox.published),
            ),
            clock=core.clock,
        )


def wire(core: Core) -> Wired:
    """Bind everything once. Raises ValueError when two features claim the same name."""
    connections = Connections(core)
    sync_context = _sync_context(core, connections)
    chat_context = _chat_context(core, connections, sync_context)
    escalations = core.responding.escalations
    calls = sync_paging.PagingContext(sync_context, escalations)
    paging = chat_paging.PagingContext(chat_context, escalations)
    reactions = {**SYNC_HANDLERS, **sync_files.HANDLERS, **sync_paging.handlers(escalations)}
    _react(core, "sync", sync_context, reactions)
    _react(core, "chat", chat_context, CHAT_HANDLERS)
    _react(core, "chat.paging", paging, chat_paging.HANDLERS)
    outbound = OutboundContext(core.outbound.router, core.incidents)
    _react(core, "webhooks", outbound, OUTBOUND_HANDLERS, only_where=ANY_ENDPOINT)
    consumers = Consumers(
        [
            *core.subscriptions.consumers(),
            *sync_changes.consumers(sync_context),
            *sync_visit.consumers(sync_context),
            *sync_files.consumers(sync_context),
            *sync_poll.consumers(sync_context),
            *sync_accept.consumers(sync_context),
            *sync_backfill.consumers(sync_context),
            *watch_consumers(core, connections),
            *sync_learning.consumers(sync_context),
            *learning_consumers(core),
            *sync_shadow.consumers(sync_context),
            *sync_paging.consumers(calls),
            *chat_jobs.consumers(chat_context),
            *chat_paging.consumers(paging),
            *outbound_consumers(core, connections),
            *timers.consumers(core.clock, core.responding.levels, core.responding.escalations),
            *_housekeeping(core),
        ]
    )
    schedules = (
        Schedule("audit.seal", SEAL, every=timedelta(seconds=1)),
        Schedule("retention.purge", PURGE, every=timedelta(hours=1)),
        Schedule(LEARN_ALL, LEARN_ALL, every=LEARN_EVERY),
        Schedule(WATCH_ALL, WATCH_ALL, every=timedelta(seconds=core.settings.watch_seconds)),
        Schedule("sync.poll_all", sync_poll.POLL_ALL, every=timedelta(seconds=core.settings.poll_seconds)),
        Schedule("sync.shadow_ended", sync_shadow.ENDED, every=timedelta(seconds=core.settings.poll_seconds)),
    )
    intake = build_intake(core, sync_changes.INBOUND)
    return Wired(core, connections, sync_context, chat_context, intake, consumers, schedules)


def _react(
    core: Core,
    feature: str,
    context: Any,  # noqa: ANN401  # the feature's own
    handlers: Mapping[str, Any],
    *,
    only_where: str = "",
) -> None:
    """Bind all reactions of a feature as one subscription, so that it hears of one record's events in their order."""

    async def react(context: Any, tx: AccountTx, event: EventEnvelope) -> None:  # noqa: ANN401  # the feature's own
        await handlers[event.kind](context, tx, event)

    core.subscriptions.bind(
        Subscription(
            feature,
            "*",
            _in_completion(context, react),
            wanted=lambda event: event.kind in handlers,
            only_where=only_where,
        )
    )


def _in_completion(
    context: Any,  # noqa: ANN401  # the feature's own
    reaction: Reaction,
) -> Callable[[EventEnvelope, EventWork], Awaitable[Settle | None]]:
    async def handle(event: EventEnvelope, _work: EventWork) -> Settle:
        async def settle(tx: Tx) -> None:
            await reaction(context, tx.account(event.account_id), event)

        return settle

    return handle


def _sync_context(core: Core, connections: Connections) -> SyncContext:
    async def targets(tx: AccountTx) -> list[Target]:
        usable: list[Target] = []
        for one in await core.integrations.of_category(tx, "ticketing"):
            try:
                usable.append(target_of(core, one))
            except InvalidRequestError as error:
                # One integration's bad settings must not keep the others from their tickets.
                _log.error("sync_settings_invalid", integration=one.name, error=error.message)
        return usable

    async def target(tx: AccountTx, integration_id: str) -> Target | None:
        one = await _enabled(core, tx, integration_id, "ticketing")
        return None if one is None else target_of(core, one)

    async def paused(tx: AccountTx, integration_id: str, link_id: str) -> PauseState | None:
        pause = await core.pauses.is_paused(tx, integration_id, link_id)
        return None if pause is None else PauseState(pause.reason, pause.until)

    async def slow_down(tx: Tx, integration_id: str, wait: timedelta) -> None:
        # The gate heard what the vendor said, and knows for whom it holds: its own reserves do not keep urgent work away.
        if not await connections.remember_limits(tx, integration_id):
            await core.budgets.penalise(tx, integration_id, wait)

    return SyncContext(
        clock=core.clock,
        database=core.database,
        incidents=core.incidents,
        queue=core.queue,
        public_url=core.settings.address,
        targets=targets,
        target=target,
        paused=paused,
        provider=connections.provider,
        inbound=connections.inbound,
        slow_down=slow_down,
        poll_every=timedelta(seconds=core.settings.poll_seconds),
        standing=IntegrationStanding(core),
    )


def _chat_context(core: Core, connections: Connections, sync_context: SyncContext) -> ChatContext:
    def workspace_of(one: Integration) -> Workspace:
        config = core.integrations.config_of(one)
        return Workspace(one.id, one.account_id, one.provider_type, one.name, one.provider_fullname, config)

    async def workspaces(tx: AccountTx) -> list[Workspace]:
        return [workspace_of(one) for one in await core.integrations.of_category(tx, "chat")]

    async def workspace(tx: AccountTx, integration_id: str) -> Workspace | None:
        one = await _enabled(core, tx, integration_id, "chat")
        return None if one is None else workspace_of(one)

    async def paused(tx: AccountTx, integration_id: str) -> ChatPause | None:
        pause = await core.pauses.is_paused(tx, integration_id)
        return None if pause is None else ChatPause(pause.reason, pause.until)

    return ChatContext(
        clock=core.clock,
        database=core.database,
        incidents=core.incidents,
        identities=core.identities,
        members=core.members,
        queue=core.queue,
        conflicts=Conflicts(sync_context),
        tickets=TicketLinks(sync_context),
        tokens=FormTokens(core.keys, core.clock),
        public_url=core.settings.address,
        workspaces=workspaces,
        workspace=workspace,
        paused=paused,
        provider=connections.provider,
        catalogue=core.responding.catalogue,
        escalations=core.responding.escalations,
        needs=Needs(sync_context),
    )


async def _enabled(core: Core, tx: AccountTx, integration_id: str, category: str) -> Integration | None:
    try:
        one = await core.integrations.get(tx, integration_id)
    except NotFoundError:
        return None
    return one if one.enabled and one.category == category else None


def _housekeeping(core: Core) -> tuple[Consumer, ...]:
    sealer = core.sealer
    revived = JobAdmin(core.engine, clock=core.clock)

    async def seal(tx: Tx, _jobs: Sequence[Job]) -> None:
        try:
            await sealer.seal(tx)
        except AuditTamperedError as error:
            # Trying again cannot help, and a dead letter a second would bury everything else.
            _log.critical("audit_tampered", error=str(error), remediation="Run `callout audit verify`.")

    async def purge(tx: Tx, _jobs: Sequence[Job]) -> None:
        await core.idempotency.purge(tx)
        await core.pauses.purge(tx)
        await core.budgets.quotas.purge(tx)
        now = core.clock.now()
        purged = [
            await purge_events(
                tx, before=now - timedelta(days=core.settings.keep_webhooks_days), limit=PURGE_AT_ONCE
            ),
            await purge_feed(
                tx, before=now - timedelta(days=core.settings.keep_events_days), limit=PURGE_AT_ONCE
            ),
        ]
        old = now - timedelta(days=core.settings.keep_deliveries_days)
        purged.append(await core.outbound.deliveries.purge(tx, before=old))
        await core.outbound.deliveries.wake_forgotten(tx)
        await core.outbound.settings_events.follow_all(tx)
        try:
            purged.append(await sealer.purge(tx, before=now - RETENTION["audit_log"], limit=PURGE_AT_ONCE))
        except AuditTamperedError as error:
            _log.critical("audit_tampered", error=str(error), remediation="Run `callout audit verify`.")
        await forget_invocations(tx, now - INVOCATIONS_KEPT)
        await revived.replay_kinds(tx, timers.KINDS, before=now - timers.REVIVED_AFTER)
        await core.identities.codes.purge(tx)
        await core.sessions.purge(tx)
        await core.setup_links.purge(tx)
        await core.sign_in_tries.purge(tx)
        await OidcLogouts(core.clock, core.sessions).purge(tx)
        await History(core.clock).purge(tx)
        await core.tokens.purge(tx, before=now - RETENTION["token_secrets"])
        if max(purged) >= PURGE_AT_ONCE:
            # More is left than one transaction should remove, and it may come in faster than once an hour would do.
            await core.queue.enqueue(tx, PURGE, {}, key=f"schedule:{PURGE}", lane=Lane.BACKFILL)

    return Consumer(SEAL, transactional(seal), batch=64), Consumer(PURGE, transactional(purge), batch=64)


async def define_budgets(core: Core, known: set[str]) -> None:
    """Give every integration that is not `known` yet the budget of its provider; what vendors told since start is kept."""

    async def unit(tx: Tx) -> list[str]:
        fresh = [one for one in await core.integrations.placed(tx) if one.id not in known]
        wanted: dict[str, Limits] = {}
        for one in fresh:
            try:
                rate, burst, concurrent = core.integrations.manifest_of(one).default_budget
            except NotFoundError:
                continue  # made by a newer version beside this one
            wanted[one.id] = Limits(concurrency=concurrent, capacity=burst, refill_per_second=rate)
        await core.budgets.define_many(tx, wanted)
        return [one.id for one in fresh]

    known.update(await core.database.transaction(unit))


__all__ = ["Wired", "define_budgets", "wire"]
