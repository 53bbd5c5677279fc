"""The settings that every chat integration has, whatever its platform; each connector's config adds its own."""

from __future__ import annotations

from string import Formatter
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from callout.ports.chat_rules import Fallback, Route
from callout.ports.values import Severity

DEFAULT_ROUTE: Final = "default"
OPERATORS_ROUTE: Final = "operators"
NAME_FIELDS: Final = frozenset({"number", "title", "severity", "service"})
Invited = Literal[
    "declarer", "commander", "assignee", "roles", "participants", "paged", "team", "service", "groups"
]
"""Who is invited to an incident's channel: holders of roles, who joined, who was called, the members of its team and of the team that
owns its service, and the user groups of those teams."""
Personal = Literal["email", "phone", "card", "iban"]
"""Kinds of personal data that messages can be kept free of."""


class ChatSettings(BaseModel):
    """How one chat integration behaves.

    `channels` maps a severity (`SEV-1`) or `default` to the name or id of the channel that hears of such incidents, and `operators` to the
    one that hears of what concerns Callout itself (by default that of `default`). Incidents of
    a severity listed in `private_severities`, or of a service in `private_services`, get a private channel of their own.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    channels: dict[str, str] = Field(default_factory=dict)
    """Which channel (name or id) hears of incidents: by severity (`SEV-1`) or `default`; `operators` hears of what concerns Callout
    itself."""
    command: str = Field(default="/im", pattern=r"^/[a-z0-9_-]{1,31}$")
    """The name of the command, as it is registered with the app."""
    default_role: Literal["admin", "manager", "responder", "viewer", "none"] = "responder"
    """The role of a chat user whom no member of ours is linked to; `none` turns them away."""
    guest_role: Literal["admin", "manager", "responder", "viewer", "none"] = "none"
    """The role of guests of the workspace, and of people of other organizations in shared channels, whom no member of ours is linked
    to; `none` turns them away."""
    incident_channels: bool = True
    """Each incident gets a channel of its own."""
    channel_name: str = "inc-{number}-{title}"
    """How that channel is called; `{number}` must be in it, `{title}`, `{severity}` and `{service}` may."""
    private_severities: tuple[str, ...] = ()
    """Incidents of these severities get a private channel."""
    private_services: tuple[str, ...] = ()
    """Incidents of these services get a private channel."""
    rename_on_title: bool = False
    """Rename an incident's channel when its title changes, unless a person renamed it."""
    invite: tuple[Invited, ...] = ("declarer", "commander", "assignee", "roles", "participants", "paged")
    """Who is invited to the channel of an incident."""
    invite_groups: tuple[str, ...] = ()
    """User groups of the platform whose people are invited to every incident's channel."""
    bookmarks: bool = True
    """The incident and its tickets stand as links at the head of its channel."""
    archive_on_close: bool = False
    """The channel of an incident is archived once it is closed."""
    archive_after_days: int = Field(default=0, ge=0, le=3650)
    """With `archive_on_close`: so many days after the incident was closed."""
    routes: tuple[Route, ...] = Field(default=(), max_length=200)
    """Who hears of what; where no rule holds, `channels` does."""
    routing: Literal["first", "all"] = "first"
    """Whether only the first rule that holds counts, or all that do."""
    fallback: Fallback | None = None
    """Where important news goes when the place that it is meant for fails."""
    batch_seconds: int = Field(default=30, ge=0, le=3600)
    """Changes of tags, description, service and team within so many seconds become one message; 0: each at once."""
    redact_secrets: bool = True
    """Passwords, tokens and keys are taken out of what is said in chat."""
    redact_personal: tuple[Personal, ...] = ()
    """Personal data of these kinds is taken out of what is said in chat, too."""
    take_files: Literal["all", "asked", "none"] = "all"
    """Which files of people become files of the incident: all that are shared in its own channel, those of messages that somebody puts
    on the timeline, or none."""
    file_audience: Literal["responders", "internal"] = "responders"
    """For whom the files are that come from chat."""
    show_files: bool = True
    """Whether files of an incident that came from elsewhere are shown in its own channel."""
    app: str = ""
    """The id of the integration whose app this workspace installed: requests come in at its address."""
    user_rate: int = Field(default=30, ge=0, le=10_000)
    """Commands, buttons and mentions that one person is answered in a minute; 0: any number."""
    workspace_rate: int = Field(default=600, ge=0, le=1_000_000)
    """The same of all people of the workspace together."""
    team: str = ""
    """The platform's own id of the workspace; where it is set, requests of any other are turned away."""

    @field_validator("channels")
    @classmethod
    def _routes(cls, value: dict[str, str]) -> dict[str, str]:
        routes: dict[str, str] = {}
        for severity, channel in value.items():
            name = severity if severity in {DEFAULT_ROUTE, OPERATORS_ROUTE} else str(Severity.parse(severity))
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
