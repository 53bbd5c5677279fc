"""The settings that every chat integration has, whatever its platform; each connector's config adds its own."""

from __future__ import annotations

from string import Formatter
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from callout.ports.values import Severity

DEFAULT_ROUTE: Final = "default"
NAME_FIELDS: Final = frozenset({"number", "title", "severity", "service"})


class ChatSettings(BaseModel):
    """How one chat integration behaves.

    `channels` maps a severity (`SEV-1`) or `default` to the name or id of the channel that hears of such incidents. Incidents of
    a severity listed in `private_severities`, or of a service in `private_services`, get a private channel of their own.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    channels: dict[str, str] = Field(default_factory=dict)
    command: str = Field(default="/im", pattern=r"^/[a-z0-9_-]{1,31}$")
    default_role: Literal["admin", "manager", "responder", "viewer", "none"] = "responder"
    """The role of a chat user whom no member of ours is linked to; `none` turns them away."""
    incident_channels: bool = True
    channel_name: str = "inc-{number}-{title}"
    private_severities: tuple[str, ...] = ()
    private_services: tuple[str, ...] = ()
    archive_on_close: bool = False
    team: str = ""
    """The platform's own id of the workspace; where it is set, requests of any other are turned away."""

    @field_validator("channels")
    @classmethod
    def _routes(cls, value: dict[str, str]) -> dict[str, str]:
        routes: dict[str, str] = {}
        for severity, channel in value.items():
            name = severity if severity == DEFAULT_ROUTE else str(Severity.parse(severity))
            if not channel.strip():
                raise ValueError(f"the channel for {severity} is empty")
            routes[name] = channel.strip()
        return routes

    @field_validator("private_severities")
    @classmethod
    def _severities(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Severity.parse(text)) for text in value)

    @field_validator("channel_name")
    @classmethod
    def _template(cls, value: str) -> str:
        if "{number}" not in value:
            raise ValueError("channel_name must contain {number}, so that no two incidents share a channel")
        try:
            fields = {
                name for _, name, spec, how in Formatter().parse(value) if name is not None or spec or how
            }
        except ValueError as error:
            raise ValueError(f"channel_name: {error}") from error
        if not fields <= NAME_FIELDS:
            raise ValueError(
                "channel_name may use {number}, {title}, {severity} and {service}, and nothing else"
            )
        return value
