"""The chat port: what chatops asks of a chat platform, and what a person does there, in words no platform owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from callout.ports.inbound import InboundRequest, Reply, Verdict
from callout.ports.provider import ConnectionReport, Effect
from callout.ports.values import Person


class Tone(StrEnum):
    """The colour family of a card."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    GOOD = "good"
    NEUTRAL = "neutral"


class ButtonStyle(StrEnum):
    """How a button presents itself."""

    DEFAULT = "default"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Button:
    """A button: `action` is what comes back when it is pressed, with `value`; or a link when `url` is set."""

    action: str
    label: str
    value: str = ""
    style: ButtonStyle = ButtonStyle.DEFAULT
    url: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A short labelled value on a card. `value` is plain text of users: renderers must not interpret it."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a card: Markdown, with buttons of its own below it."""

    text: str
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A message with structure. `title`, `text` and `facts` hold users' words (`text` is Markdown): renderers escape them.

    `sections` stand after text and facts, before the card's own buttons; `mentions` are platform user ids to be notified on purpose.
    """

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()
    buttons: tuple[Button, ...] = ()
    tone: Tone = Tone.NEUTRAL
    emoji: str = ""
    footer: str = ""
    link: str = ""
    mentions: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A channel by the platform's own id; `name` as shown; `created_at` by the platform's clock where it tells."""

    id: str
    name: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageRef:
    """A message's identity: where and which; `thread` is the message it answers."""

    channel: str
    id: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command that a person typed. `invocation` is unique per typing; `response` is the platform's answer-later address."""

    name: str
    text: str
    user: Person
    team: str
    channel: ChannelRef
    invocation: str
    response: str = field(default="", repr=False)
    trigger: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Interaction:
    """A press of a button (or a submitted form): `action` and `value` as we gave them."""

    action: str
    value: str
    user: Person
    team: str
    channel: ChannelRef | None
    message: MessageRef | None
    invocation: str
    response: str = field(default="", repr=False)
    trigger: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=dict)


class ChatEventKind(StrEnum):
    """What a platform told us outside commands and interactions."""

    MENTION = "mention"
    MESSAGE = "message"
    UNINSTALLED = "uninstalled"
    CHANNEL_ARCHIVED = "channel_archived"
    CHANNEL_RENAMED = "channel_renamed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """Something that happened on the platform. `id` is the same on every retry."""

    kind: ChatEventKind
    id: str
    team: str
    user: Person | None = None
    channel: ChannelRef | None = None
    message: MessageRef | None = None
    text: str = ""
    occurred_at: datetime | None = None
    vendor_event: str = ""


ChatInput = SlashCommand | Interaction | ChatEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person sees at once: to them alone, or to the whole channel."""

    text: str
    in_channel: bool = False
    card: Card | None = None


class ChatInbound(Protocol):
    """A chat platform's request dialect, for one integration."""

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the raw bytes and their age."""
        ...

    def reply(self, request: InboundRequest) -> Reply | None:
        """Return the platform's own handshakes (challenge, certificate probe), else None."""
        ...

    def parse(self, request: InboundRequest) -> ChatInput | None:
        """Return what the person did, or None when it is nothing for us. Raises ValueError for a malformed body."""
        ...

    def delivery_id(self, request: InboundRequest) -> str:
        """Return what is the same on every retry of this request, or empty."""
        ...

    def render_answer(self, answer: Answer) -> tuple[bytes, str]:
        """Return body and media type of the immediate answer to a command or interaction."""
        ...


class ChatProvider(Protocol):
    """A chat platform. All methods raise ConnectorError and its kinds."""

    effects: Mapping[str, Effect]
    """By method name: what a repeat would do."""

    async def check_connection(self) -> ConnectionReport:
        """Ask the platform who we are. Raises AuthFailedError."""
        ...

    async def post_message(self, channel: str, card: Card, *, key: str, thread: str = "") -> MessageRef:
        """Post `card` (as a reply when `thread` names a message). Raises OutcomeUnknownError when it may have been posted."""
        ...

    async def update_message(self, message: MessageRef, card: Card) -> MessageRef:
        """Replace a message of ours."""
        ...

    async def respond(self, response: str, answer: Answer, *, replace: bool = False) -> None:
        """Answer a command or interaction later, at the address it came with."""
        ...

    async def create_channel(self, name: str, *, private: bool) -> ChannelRef:
        """Create a channel; when the name is taken, a free one like it. `Findable` by its name."""
        ...

    async def find_channel(self, name: str) -> ChannelRef | None:
        """Return the channel of that name that we may post to, or None."""
        ...

    async def invite(self, channel: str, users: Sequence[str]) -> None:
        """Add people to a channel; those already in it are no error."""
        ...

    async def set_topic(self, channel: str, topic: str) -> None:
        """Set a channel's topic (plain text)."""
        ...

    async def archive_channel(self, channel: str) -> None:
        """Archive a channel; one already archived is no error."""
        ...

    async def find_person(self, *, email: str) -> Person | None:
        """Return the active person with that e-mail, or None."""
        ...

    async def get_person(self, user_id: str) -> Person | None:
        """Return a person by the platform's id, with name and e-mail as far as we may see them."""
        ...
