"""Where deliveries are killed: two ticketing systems whose webhooks come in, an account with incidents, and endpoints that are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.crashing.sink import DEAD
from callout.cli.bench.crashing.stage import JIRA_SECRET, WEBHOOK_SPEED, jira_hook
from callout.cli.bench.crashing.story import call
from callout.cli.bench.installation import Installation

if TYPE_CHECKING:
    from callout.integrations import Saved
    from callout.storage import Tx

OPS: Final = "ops"
"""The account of the incidents: without integrations, so that nothing but webhooks comes of them."""
JIRA_PATH, ACCOUNT_PATH, OPS_PATH = "/jira", "/account", "/ops"
LIVING: Final = (JIRA_PATH, ACCOUNT_PATH, OPS_PATH)


@dataclass(frozen=True, slots=True)
class Vendor:
    """An integration: its id, the token of the unified API, and the token of its webhooks."""

    name: str
    id: str
    token: str
    hook_token: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What the clients need to know."""

    jira: Vendor
    servicenow: Vendor
    token: str


def set_up(one: Installation, twins: str, sink: str) -> Scene:
    """Add integrations and endpoints, and have Jira send its webhooks."""
    found = asyncio.run(_add(one, twins, sink))
    jira_hook(twins, f"{one.address}/v1/hooks/{found.jira.id}")
    reply = call("PUT", f"{twins}/jira/_twin/config", {"webhook_speed": WEBHOOK_SPEED})
    if reply.status != 200:  # noqa: PLR2004
        raise NotMeasuredError(f"the Jira twin refused its settings: {reply.body}")
    return found


async def _add(one: Installation, twins: str, sink: str) -> Scene:
    from callout.access import DEFAULT_ACCOUNT, SYSTEM
    from callout.bootstrap.core import open_core
    from callout.ports.values import Actor

    actor = Actor.system("bench")
    async with open_core(one.settings()) as core:

        async def unit(tx: Tx) -> Scene:
            account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
            ops = tx.account((await core.accounts.create(tx, actor=actor, name=OPS)).id)
            jira = await core.integrations.create(
                account,
                provider_config={
                    "type": "ticketing_jira",
                    "url": f"{twins}/jira",
                    "credential": {"type": "basic", "username": "admin@example.com", "secret": "token"},
                    "default_project": "TST",
                    "default_issue_type": "Task",
                },
                actor=actor,
                name="jira",
                webhook_config={"provider_key": JIRA_SECRET, "items": []},
            )
            servicenow = await core.integrations.create(
                account,
                provider_config={
                    "type": "ticketing_servicenow",
                    "url": f"{twins}/servicenow",
                    "credential": {"type": "basic", "username": "admin", "secret": "admin"},
                    "default_project": "incident",
                },
                actor=actor,
                name="servicenow",
            )
            create = core.outbound.endpoints.create
            await create(
                account,
                url=sink + JIRA_PATH,
                filters=[],
                actor=actor,
                name="of-jira",
                integration_id=jira.integration.id,
            )
            for scope, path, filters in (
                (account, ACCOUNT_PATH, ["Ticket*"]),
                (account, DEAD, ["Ticket*"]),
                (ops, OPS_PATH, ["incident.*"]),
            ):
                await create(scope, url=sink + path, filters=filters, actor=actor, name=f"of{path[1:]}")
            made = await core.tokens.create(
                tx, SYSTEM, permission_set="administrator", ttl="24h", name="bench"
            )
            assert made.primary.access.secret is not None  # noqa: S101  # shown once, which is now
            return Scene(
                _vendor("jira", jira),
                _vendor("servicenow", servicenow),
                made.primary.access.secret.reveal(),
            )

        return await core.database.transaction(unit)


def _vendor(name: str, saved: Saved) -> Vendor:
    assert saved.token is not None  # noqa: S101  # it was created a moment ago
    secret = saved.token.primary.access.secret
    assert secret is not None  # noqa: S101  # shown once, which is now
    return Vendor(name, saved.integration.id, secret.reveal(), saved.integration.hook_token.reveal())
