"""An integration, as the rest of Callout sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from callout.access import RefreshToken
from callout.integrations.credentials import CredentialRecord
from callout.kit.secrets import Secret


@dataclass(frozen=True, slots=True)
class Integration:
    """One configured instance of a provider, in the contract's fields.

    `provider_config` holds references in the place of credentials; keys in `webhook_config` are Secrets.
    `settings` is ours: an object per feature (`sync`, `chat`), each checked by its feature. `hook_token`
    admits the vendor's webhooks and nothing else.
    """

    id: str
    account_id: str
    name: str
    fullname: str
    category: str
    provider_type: str
    provider_fullname: str
    provider_config: Mapping[str, Any]
    webhook_config: Mapping[str, Any] | None
    refresh_token_id: str
    enabled: bool
    settings: Mapping[str, Any]
    hook_token: Secret
    created_at: datetime
    updated_at: datetime
    integration_point_id: str | None = None
    bridge_selector: str | None = None
    mappings: Sequence[Any] | None = None
    additional_mappings: Sequence[Any] | None = None
    scheduled_operations: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Which integration belongs to whom, and of which provider it is: all that can be told of thousands at once."""

    id: str
    account_id: str
    provider_type: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The outcome of creating or changing an integration. `token` is there after creation, with its secrets."""

    integration: Integration
    credentials_created: tuple[CredentialRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    token: RefreshToken | None = field(default=None)
