"""All services of access and integrations over one database, with two providers that exist only here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from callout.integrations import Credentials, Health, Integrations, OAuthTokens, Pauses
from callout.kit.secrets import KeyRing, Secret
from callout.ports.manifest import Manifest
from callout.ports.values import Actor, ActorKind
from tests.access.services import Access

if TYPE_CHECKING:
    from callout.integrations import Integration, Saved
    from callout.kit.clock import ManualClock
    from callout.storage import Database


class TrackerConfig(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    url: str
    default_project: str = ""
    limits: dict[str, int] = {}


class ChatConfig(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    channel: str = "general"


def _build(config: object, tools: object) -> object:
    return (config, tools)


MANIFESTS = {
    "ticketing_tracker": Manifest(
        provider="ticketing_tracker",
        title="Tracker",
        category="ticketing",
        config=TrackerConfig,
        build=_build,
        credential_kinds=("basic", "o_auth_client", "token"),
    ),
    "chat_room": Manifest(
        provider="chat_room", title="Room", category="chat", config=ChatConfig, build=_build
    ),
}
TRACKER: dict[str, Any] = {
    "type": "ticketing_tracker",
    "url": "https://tracker.example.com",
    "credential": {"type": "basic", "username": "ann@example.com", "secret": "canary-basic-1"},
}


class Hub(Access):
    """As Access; `red` and `blue` are two accounts."""

    ann = Actor(ActorKind.MEMBER, "m-1", "Ann")
    red = ""
    blue = ""

    def __init__(self, database: Database, clock: ManualClock, keys: KeyRing | None = None) -> None:
        super().__init__(database, clock)
        self.use(keys or KeyRing.generate())

    def use(self, keys: KeyRing) -> None:
        """Go on with another key ring, as a restarted process would."""
        self.keys = keys
        self.credentials = Credentials(self.clock, self.audit, self.version, keys)
        self.integrations = Integrations(
            self.clock,
            self.audit,
            self.version,
            tokens=self.tokens,
            credentials=self.credentials,
            keys=keys,
            manifests=MANIFESTS,
        )
        self.health = Health(self.clock)
        self.pauses = Pauses(self.clock, self.audit, self.version)

    def oauth(self, integration_id: str) -> OAuthTokens:
        return OAuthTokens(
            self.database, self.keys, self.clock, account_id=self.red, integration_id=integration_id
        )

    async def create(self, provider_config: object = TRACKER, **options: Any) -> Saved:
        return await self(
            lambda tx: self.integrations.create(
                tx.account(self.red), provider_config=provider_config, actor=self.ann, **options
            )
        )

    async def get(self, key: str) -> Integration:
        return await self(lambda tx: self.integrations.get(tx.account(self.red), key))

    async def update(self, key: str, changes: dict[str, Any], **options: Any) -> Saved:
        return await self(
            lambda tx: self.integrations.update(
                tx.account(self.red), key, changes=changes, actor=self.ann, **options
            )
        )


def access_secret(saved: Saved) -> Secret:
    """The access half of the token that came with a new integration."""
    assert saved.token is not None
    secret = saved.token.primary.access.secret
    assert secret is not None
    return secret
