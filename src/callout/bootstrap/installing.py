"""Installing a chat app by a person's consent: begun by whoever may connect systems, ended by the vendor's redirect."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.access import PERMISSIONS
from callout.chatops.store import claim_invocation
from callout.kit.ids import new_id, slug
from callout.kit.secrets import SealError
from callout.ports.errors import (
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    OperationNotSupportedError,
)
from callout.ports.values import Actor, ActorKind, Channel, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.ports.installing import Installed, Installer
    from callout.storage import AccountTx, Tx

VALID: Final = timedelta(minutes=15)
"""How long a person has for the consent."""
REDIRECT: Final = "/v1/chat/installed"
_PLACE: Final = ("*", "chat", "install/state")
_OWN: Final = ("credential", "user_credential")
"""What a workspace has for itself; the rest of the settings belong to the app and are shared."""
NEEDED: Final = frozenset({"integration.write", "credential.write"})
_AGAIN: Final = "Begin again: `callout integration install`."


@dataclass(frozen=True, slots=True)
class Consent:
    """Where a person gives their consent, and until when."""

    url: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an installation made: the integration's name, the workspace's, and what is not as it should be."""

    integration: str
    workspace: str
    is_new: bool
    warnings: tuple[str, ...] = ()


class Installing:
    """Begins and ends installations. The state that travels with the person is sealed: it says for whom, for what and until when.

    It is good once, and only while whoever began may still connect systems.
    """

    def __init__(self, core: Core, connections: Connections) -> None:
        self._core = core
        self._connections = connections

    @property
    def redirect(self) -> str:
        """Where the vendor sends people back to."""
        return self._core.settings.address.rstrip("/") + REDIRECT

    async def begin(self, account_id: str, integration_id: str, actor: Actor) -> Consent:
        """Return where to give the consent for an integration's app. Raises OperationNotSupportedError without client id and secret."""
        installer = await self._installer(account_id, integration_id)
        until = self._core.clock.now() + VALID
        state = {
            "id": new_id(),
            "account": account_id,
            "integration": integration_id,
            "actor": [actor.kind.value, actor.id, actor.name],
            "until": until.timestamp(),
        }
        sealed = self._core.keys.seal(json.dumps(state), context=_PLACE)
        return Consent(installer.authorize_url(state=sealed, redirect=self.redirect), until)

    async def finish(self, state: str, code: str) -> Outcome:
        """Exchange the code and keep what it gave, in one commit.

        Raises InvalidRequestError for a strange, old or used state, ForbiddenError when who began may not connect systems any more.
        """
        found = self._opened(state)
        account_id, integration_id = found["account"], found["integration"]
        kind, actor_id, name = found["actor"]
        actor = Actor(ActorKind(kind), actor_id, name)
        await self._core.database.transaction(lambda tx: self._use(tx, found, actor))
        installer = await self._installer(account_id, integration_id)
        given = await installer.exchange(code, redirect=self.redirect)
        outcome = await self._core.database.transaction(
            lambda tx: self._keep(tx.account(account_id), integration_id, given, actor)
        )
        self._connections.forget()
        return outcome

    async def _installer(self, account_id: str, integration_id: str) -> Installer:
        installer = await self._connections.installer(account_id, integration_id)
        if installer is None:
            raise OperationNotSupportedError(
                "the integration has no app that could be installed by consent",
                remediation="Give it the app's client id and secret as client_credential, of the type o_auth_client.",
            )
        return installer

    def _opened(self, state: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = json.loads(self._core.keys.open(state, context=_PLACE).reveal())
        except SealError:
            raise InvalidRequestError("this installation was not begun here", remediation=_AGAIN) from None
        if self._core.clock.now().timestamp() > found["until"]:
            raise InvalidRequestError("the consent took longer than 15 minutes", remediation=_AGAIN)
        return found

    async def _use(self, tx: Tx, found: Mapping[str, Any], actor: Actor) -> None:
        """Use the state up, before anything is asked of the vendor."""
        account, now = tx.account(found["account"]), self._core.clock.now()
        if not await claim_invocation(account, found["integration"], f"install/{found['id']}", now):
            raise InvalidRequestError("this consent was used already", remediation=_AGAIN)
        if not await self._may(tx, actor):
            raise ForbiddenError(
                "whoever began this installation may not connect systems any more",
                remediation="Somebody who may has to begin again.",
            )

    async def _may(self, tx: Tx, actor: Actor) -> bool:
        """Return whether an actor still holds what beginning took; an operator on the server's own machine always does."""
        try:
            if actor.kind is ActorKind.MEMBER:
                member = await self._core.members.get(tx, actor.id)
                held = member.permission_set if member.may_act(self._core.clock.now()) else ""
            elif actor.kind is ActorKind.TOKEN:
                held = (await self._core.tokens.get(tx, actor.id)).permission_set
            else:
                return True
        except NotFoundError:
            return False
        return PERMISSIONS.get(held, frozenset()) >= NEEDED

    async def _keep(self, tx: AccountTx, home_id: str, given: Installed, actor: Actor) -> Outcome:
        """Give the workspace's own integration what the consent gave: the app's home, one of before, or a new one."""
        origin = Origin(Channel.API, actor)
        home = await self._core.integrations.get(tx, home_id)
        one = await self._of_team(tx, home, given.team)
        if one is None:
            name = f"{home.name}-{slug(given.team_name or given.team)}"
            shared = {k: v for k, v in home.provider_config.items() if not k.endswith("credential")}
            config = {**shared, "app": home.id, **given.settings()}
            saved = await self._core.integrations.create(
                tx, provider_config=config, settings=home.settings, name=name, actor=actor, origin=origin
            )
        else:
            kept = {k: v for k, v in one.provider_config.items() if k not in _OWN}
            saved = await self._core.integrations.update(
                tx,
                one.id,
                changes={"provider_config": {**kept, **given.settings()}},
                actor=actor,
                origin=origin,
            )
        return Outcome(
            saved.integration.name,
            given.team_name or given.team,
            one is None,
            (*given.warnings, *saved.warnings),
        )

    async def _of_team(self, tx: AccountTx, home: Integration, team: str) -> Integration | None:
        known = home.provider_config.get("team", "")
        if not known and home.provider_config.get("credential"):
            # Its token may be another workspace's, which nobody would hear from again.
            raise InvalidRequestError(
                f"{home.name} has a token, and does not say of which workspace",
                remediation=f"Give it the workspace's id as `team` ({team} for the one that was just chosen), then begin again.",
            )
        if known in {"", team}:
            return home
        # Of the app's own account alone: what others write into their settings says nothing about this app.
        for one in await self._core.integrations.of_category(tx, home.category):
            if one.provider_config.get("app") == home.id and one.provider_config.get("team") == team:
                return one
        return None
