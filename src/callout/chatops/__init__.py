"""ChatOps: commands, buttons, cards and notifications, whatever the chat platform.

A command is answered from one commit of ours; everything that the platform must do afterwards (channels, cards, replies) is
a job. Imports no connector: platforms are reached through `ports.chat` alone.
"""

from __future__ import annotations

from callout.chatops.context import ChatContext, Pause, Workspace
from callout.chatops.dispatch import Dispatcher
from callout.chatops.facade import (
    ChatOpsError,
    Manager,
    Notification,
    Provider,
    ProviderFactory,
    Registry,
)
from callout.chatops.jobs import CONSUMERS, consumers
from callout.chatops.notifications import HANDLERS, on_event
from callout.ports.chat import Answer, ChatEvent, Interaction, SlashCommand
from callout.ports.chat_rules import NotificationType
from callout.ports.chat_settings import ChatSettings

__all__ = [
    "CONSUMERS",
    "HANDLERS",
    "Answer",
    "ChatContext",
    "ChatEvent",
    "ChatOpsError",
    "ChatSettings",
    "Dispatcher",
    "Interaction",
    "Manager",
    "Notification",
    "NotificationType",
    "Pause",
    "Provider",
    "ProviderFactory",
    "Registry",
    "SlashCommand",
    "Workspace",
    "consumers",
    "on_event",
]
