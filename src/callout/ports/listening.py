"""Chat platforms that send through a connection which we open: no address of ours needs to be reachable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from callout.ports.chat import Answer, ChatInput

Receive: TypeAlias = Callable[[ChatInput], Awaitable[Answer]]
"""Carries out what a person did and returns what they see at once. What it raised was not carried out: it is not acknowledged."""


class ChatConnection(Protocol):
    """One open connection."""

    leaving: asyncio.Event
    """Set when the platform asks for another connection, while this one goes on for a while."""

    async def serve(self, receive: Receive) -> str:
        """Hand over what comes and acknowledge what was carried out, until the connection is over; return why it is, in words."""
        ...


class ChatListener(Protocol):
    """Opens connections of one chat integration."""

    async def connect(self) -> ChatConnection:
        """Open a connection. Raises ConnectorError and its kinds."""
        ...
