"""What an integration looks like on the wire: in requests, and in answers, which hold no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from callout.integrations import Integration
from callout.ports.errors import InvalidRequestError
from callout.server.answers import Shown
from callout.server.api.accounts import AccountOut
from callout.server.api.credentials import CredentialOut
from callout.server.api.tokens import TokenPairOut
from callout.server.listings import names_of
from callout.server.manage import without_nulls
from callout.server.problems import Problem

_OPTIONAL: Final = (
    "integration_point_id",
    "bridge_selector",
    "mappings",
    "additional_mappings",
    "scheduled_operations",
)
# Not `settings`: each feature checks its own, and some say what an integration may be used for, which is an operator's to decide.
WRITABLE: Final = frozenset({"name", "fullname", "provider_config", "webhook_config", "enabled", *_OPTIONAL})
_HIDDEN: Final = frozenset({"provider_config", "webhook_config", "settings", "hook_token", *_OPTIONAL[1:]})
KNOWN: Final = names_of(Integration, without=_HIDDEN)
_SHOWN: Final = tuple(one.name for one in fields(Integration) if one.name in KNOWN)


class AdditionalMapping(BaseModel):
    """A value of the provider to be carried in `custom_fields`."""

    resource: str = Field(max_length=40)
    actions: list[str]
    source: str = Field(max_length=500)
    destination: str = Field(max_length=500)
    data_type: str = Field(max_length=40)
    literal: bool | None = None


class MappingChain(BaseModel):
    """Mappings for operations; kept for programs that set them."""

    mappings: list[str]
    operation_ids: list[str]


class _Optional(BaseModel):
    integration_point_id: str | None = Field(None, max_length=100)
    bridge_selector: dict[str, Any] | None = None
    webhook_config: dict[str, Any] | None = Field(
        None,
        description="`provider_key` that the vendor signs with; `items` of `webhook_url`, `event_filter`, `integrator_key`.",
    )
    mappings: list[MappingChain] | None = None
    additional_mappings: list[AdditionalMapping] | None = None
    scheduled_operations: list[dict[str, Any]] | None = None

    def more(self) -> dict[str, Any]:
        """Return the optional fields by name, as JSON. Raises InvalidRequestError."""
        if self.integration_point_id is not None:
            raise InvalidRequestError(
                "there is no such integration point",
                remediation="Leave it out: integration points are not built in this version.",
                fields={"/integration_point_id": "no such integration point"},
            )
        dumped = self.model_dump(exclude_none=True, include=set(_OPTIONAL))
        return {name: dumped.get(name) for name in _OPTIONAL}


class IntegrationBody(_Optional):
    """A new integration."""

    provider_config: dict[str, Any] = Field(
        description="`type` and what that provider needs (GET /v1/capabilities/providers/TYPE); `credential` may hold the secrets "
        "themselves, which are taken out and stored encrypted."
    )
    name: str | None = Field(None, max_length=255)
    fullname: str | None = None


class IntegrationReplacement(_Optional):
    """An integration as it was read, with changes; refused when somebody changed it since `updated_at`."""

    provider_config: dict[str, Any]
    name: str = Field(max_length=255)
    fullname: str
    enabled: bool | None = Field(
        None, description="Ours: whether it takes part at all; left as it is when absent."
    )
    updated_at: datetime

    def changes(self) -> dict[str, Any]:
        """Return the new values by field."""
        values: dict[str, Any] = {
            "name": self.name,
            "fullname": self.fullname,
            "provider_config": self.provider_config,
            "webhook_config": self.webhook_config,
            **self.more(),
        }
        return values | without_nulls({"enabled": self.enabled})


class TrialBody(BaseModel):
    """An integration to be tried out; nothing of it is stored."""

    integration: IntegrationBody
    credentials: list[dict[str, Any]] | None = Field(
        None,
        description="What `#/0`, `#/1` … stand for in the place of a credential's id.",
        json_schema_extra={"writeOnly": True},
    )


class IntegrationOut(BaseModel):
    """An integration; its credentials are references, keys of its webhooks are not shown."""

    id: str
    name: str
    fullname: str
    created_at: datetime
    updated_at: datetime
    refresh_token_id: str
    account_id: str
    category: str
    provider_type: str
    provider_fullname: str
    provider_config: dict[str, Any]
    enabled: bool
    settings: dict[str, Any]
    account: AccountOut | None = None
    integration_point_id: str | None = None
    bridge_selector: dict[str, Any] | None = None
    webhook_config: dict[str, Any] | None = None
    mappings: list[MappingChain] | None = None
    additional_mappings: list[AdditionalMapping] | None = None
    scheduled_operations: list[dict[str, Any]] | None = None


class Messages(BaseModel):
    """What is not as it should be, though the call succeeded."""

    problems: list[Problem] | None = None


class CreatedResult(BaseModel):
    """The integration, and the secrets of its token: this once."""

    integration: IntegrationOut
    token: TokenPairOut
    credentials_created: list[CredentialOut] | None = None


class CreatedIntegration(BaseModel):
    """A new integration."""

    result: CreatedResult
    messages: Messages | None = None


class OneIntegration(BaseModel):
    """An integration."""

    result: IntegrationOut


class ChangedIntegration(BaseModel):
    """An integration that was changed."""

    result: IntegrationOut
    credentials_created: list[CredentialOut] | None = None
    messages: Messages | None = None


class ManyIntegrations(BaseModel):
    """Integrations."""

    result: list[IntegrationOut]
    total: int | None = None


class Verified(BaseModel):
    """The provider lets us in; what else was found is in `messages`."""

    messages: Messages | None = None


def integration_out(one: Integration, *, new_keys: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return an integration as the API shows it; the keys of receivers at the addresses `new_keys` this once."""
    return without_nulls(
        {
            **{name: getattr(one, name) for name in _SHOWN},
            "provider_config": _config_out(one.provider_config),
            "webhook_config": _webhooks_out(one.webhook_config, new_keys),
            "settings": dict(one.settings),
            **{name: getattr(one, name) for name in _OPTIONAL},
        }
    )


def unused(more: Mapping[str, Any]) -> list[str]:
    """Return in words which of the optional fields that were given are kept without an effect."""
    return [
        f"/{name} is kept, but this version does not act on it"
        for name in _OPTIONAL
        if more.get(name) not in (None, [], {})
    ]


def _config_out(config: Mapping[str, Any]) -> dict[str, Any]:
    mappings = config.get("custom_field_mappings")
    if not isinstance(mappings, list):
        return dict(config)
    shown = []
    for item in mappings:
        path = item.get("provider_field_path") or item.get("project_field_path") or ""
        # Both spellings are in use: who reads either finds it.
        named = {"project_id": "*", **item, "provider_field_path": path, "project_field_path": path}
        shown.append(without_nulls(named))
    return {**config, "custom_field_mappings": shown}


def _webhooks_out(config: Mapping[str, Any] | None, new_keys: frozenset[str]) -> dict[str, Any] | None:
    if config is None:
        return None
    shown: dict[str, Any] = {k: v for k, v in config.items() if k not in {"provider_key", "items"}}
    shown["items"] = [
        {
            name: Shown(value) if name == "integrator_key" else value
            for name, value in item.items()
            if name != "integrator_key" or item["webhook_url"] in new_keys
        }
        for item in config.get("items") or ()
    ]
    return shown


def keys_made(given: Mapping[str, Any] | None, before: Integration | None) -> frozenset[str]:
    """Return the addresses whose key we had to make: nobody else could tell it to their owner."""
    known = {} if before is None else dict(before.webhook_config or {})
    had = {item["webhook_url"] for item in known.get("items") or ()}
    items = (given or {}).get("items") or ()
    return frozenset(
        item["webhook_url"]
        for item in items
        if item.get("integrator_key") is None and item["webhook_url"] not in had
    )
