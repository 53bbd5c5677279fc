"""What an import switches off so that nothing goes out by itself, and switching it on again.

Whoever moves an installation may have the old one running still. So integrations and endpoints come in off; what was under way there
is ended here, or noted as perhaps done; every secret that must be there is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, update

from callout.bootstrap.portability import IMPORTED_WHY
from callout.chatops.store import ChannelState, MessageState
from callout.chatops.tables import chat_channel, chat_message
from callout.incidents import timers
from callout.incidents.escalation.pages import PageState
from callout.incidents.escalation.runs import RunState
from callout.incidents.response_tables import incident_clock, incident_escalation, incident_page
from callout.integrations.problems import IMPORTED
from callout.integrations.service import HOOK_PREFIX
from callout.integrations.tables import integration_problem, integrations
from callout.kit.ids import random_token
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ConflictError
from callout.ports.values import Actor
from callout.storage.schema import micros
from callout.sync import LinkStatus
from callout.sync.tables import sync_link
from callout.webhooks.outbound.signing import new_secret
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.bootstrap.core import Core
    from callout.storage import Tx

_OPERATOR: Final = Actor.system("callout import")
_LEFT: Final = "it was under way when the installation moved, and was left behind"


async def quiet(core: Core, tx: Tx) -> dict[str, int]:
    """Switch off what would go out, give new secrets where there must be some, and end what nobody works on here."""
    found = {"integrations": 0, "endpoints": 0}
    keys: dict[tuple[str, str], Secret] = {}
    for row in await tx.all(select(integrations).order_by(integrations.c.id)):
        await _renew(core, tx, row, keys)
        found["integrations"] += row["enabled"]
    for row in await tx.all(select(webhook_endpoint).order_by(webhook_endpoint.c.id)):
        own = row["source"] == "config"
        key = keys.get((row["integration_id"], row["url"])) if own else None
        await _renew_endpoint(core, tx, row, key or new_secret())
        found["endpoints"] += row["state"] == "enabled"
    now = core.clock.now()
    found["escalations"] = await tx.execute(
        update(incident_escalation)
        .where(incident_escalation.c.state == RunState.RUNNING.value)
        .values(state=RunState.STOPPED.value, reason="the installation moved", next_at=None, updated_at=now)
    )
    await tx.execute(
        update(incident_page)
        .where(incident_page.c.state == PageState.PENDING.value)
        .values(state=PageState.FAILED.value, why=_LEFT, ended_at=now)
    )
    found["messages"] = await tx.execute(
        update(chat_message)
        .where(chat_message.c.state == MessageState.PENDING.value)
        .values(state=MessageState.PERHAPS_SENT.value, error=_LEFT)
    )
    found["channels"] = await tx.execute(
        update(chat_channel)
        .where(chat_channel.c.state == ChannelState.CREATING.value)
        .values(state=ChannelState.FAILED.value, error=_LEFT)
    )
    # A ticket that was being made may be there: it is searched for by its mark before one is made.
    found["tickets"] = await tx.execute(
        update(sync_link)
        .where(sync_link.c.state == LinkStatus.CREATING.value, sync_link.c.create_begun_at.is_(None))
        .values(create_begun_at=now)
    )
    running = select(incident_clock.c.account_id, incident_clock.c.incident_id).where(
        incident_clock.c.ended_at.is_(None), incident_clock.c.due_at.is_not(None)
    )
    for row in await tx.all(running.distinct()):
        payload = {"incident_id": row["incident_id"], "at": micros(now)}
        await core.queue.enqueue(tx, timers.CLOCK, payload, run_at=now, account_id=row["account_id"])
    return found


async def _renew(core: Core, tx: Tx, row: RowMapping, keys: dict[tuple[str, str], Secret]) -> None:
    """Give an integration tokens of its own, and its receivers `keys`, and switch it off."""
    scoped, place = tx.account(row["account_id"]), (row["account_id"], row["id"])
    token = await core.tokens.create_for_integration(
        tx, account_id=row["account_id"], integration_id=row["id"], actor=_OPERATOR
    )
    hook = Secret(HOOK_PREFIX + random_token(32))
    config = row["webhook_config"]
    if config is not None:
        items = []
        for item in config.get("items") or ():
            key = keys.setdefault((row["id"], str(item["webhook_url"])), Secret(random_token(32)))
            sealed = core.keys.seal(key, context=(*place, "webhook_config/integrator_key"))
            items.append({**item, "integrator_key": sealed})
        config = {**config, "items": items}
    await tx.execute(
        update(integrations)
        .where(integrations.c.id == row["id"])
        .values(
            refresh_token_id=token.id,
            hook_token_hash=hash_token(hook),
            hook_token_sealed=core.keys.seal(hook, context=(*place, "hook_token")),
            webhook_config=config,
            enabled=False,
        )
    )
    if row["enabled"]:
        await core.problems.tell(
            scoped,
            row["id"],
            IMPORTED,
            code="IMPORTED",
            message="it came with an import and is off: nothing is read from there or written to it",
            remediation="Enter its credentials again, then `callout resume`.",
        )


async def _renew_endpoint(core: Core, tx: Tx, row: RowMapping, secret: Secret) -> None:
    """Give an endpoint a secret of its own, and switch it off."""
    sealed = core.keys.seal(secret, context=(row["account_id"], row["id"], "webhook/secret"))
    values: dict[str, Any] = {"secret_sealed": sealed}
    if row["state"] == "enabled":
        values |= {"state": "disabled", "disabled_why": IMPORTED_WHY, "disabled_at": core.clock.now()}
    await tx.execute(update(webhook_endpoint).where(webhook_endpoint.c.id == row["id"]).values(**values))


# ------------------------------------------------------------------------------------------------ going on again


@dataclass(frozen=True, slots=True)
class Resumed:
    """Which integrations are on again, and which stay off since they lack something: by name, with what."""

    on: tuple[str, ...]
    off: Mapping[str, str]


async def resume(core: Core, tx: Tx) -> Resumed:
    """Switch on the integrations that an import switched off, those whose credentials are all there."""
    held = await tx.all(
        select(integrations.c.account_id, integrations.c.id, integrations.c.name)
        .join(integration_problem, integration_problem.c.integration_id == integrations.c.id)
        .where(integration_problem.c.kind == IMPORTED)
        .order_by(integrations.c.name)
    )
    on: list[str] = []
    off: dict[str, str] = {}
    actor = Actor.system("callout resume")
    for row in held:
        scoped = tx.account(row["account_id"])
        try:
            await core.integrations.update(scoped, row["id"], changes={"enabled": True}, actor=actor)
        except ConflictError as error:
            off[row["name"]] = error.message
        else:
            on.append(row["name"])
    return Resumed(tuple(on), off)


__all__ = ["Resumed", "quiet", "resume"]
