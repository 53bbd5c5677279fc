"""The chat port: what chatops asks of a chat platform, and what a person does there, in words no platform owns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from callout.ports.chat_files import SharedFile
from callout.ports.chat_forms import Form, Menu
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
    menus: tuple[Menu, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A message with structure. `title`, `text` and `facts` hold users' words (`text` is Markdown): renderers escape them.

    `sections` stand after text and facts, before the card's own buttons and menus; `mentions` are platform user ids to be notified on
    purpose.
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
    menus: tuple[Menu, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A channel by the platform's own id; `name` as shown; `created_at` by the platform's clock where it tells."""

    id: str
    name: str = ""
    created_at: datetime | None = None
    archived: bool = False
    member: bool = True
    """Whether we are in it, as far as the platform tells."""
    external: bool = False
    """Whether people of another organization read it."""


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group of people by the platform's own id. `handle` is how it is mentioned, without the sign before it.

    `members` are the platform's ids of its active people; None where the platform did not tell. In texts of people a connector writes
    its mention as `<@&id|handle>`, as it writes a person's as `<@id|name>`, whatever the platform's own mark-up.
    """

    id: str
    handle: str = ""
    name: str = ""
    members: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A link at the head of a channel: `name` is ours and never changes, `title` and `url` are shown."""

    name: str
    title: str
    url: str


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


class InteractionKind(StrEnum):
    """What a person did with what we show."""

    PRESSED = "pressed"
    SUBMITTED = "submitted"
    SHORTCUT = "shortcut"
    """Chosen from the platform's own menu; `action` is the shortcut's name."""
    MESSAGE_ACTION = "message_action"
    """The same, about a message."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """Something pressed, chosen or submitted: `action` as we gave it, `value` what we gave with it (a form's token), or the choice.

    A menu's `value` is the chosen option's. `values` are what a form was filled in with. `text`, `author` and `files` are those of the
    message that an action on a message is about.
    """

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
    kind: InteractionKind = InteractionKind.PRESSED
    text: str = ""
    author: Person | None = None
    files: tuple[SharedFile, ...] = ()


class ChatEventKind(StrEnum):
    """What a platform told us outside commands and interactions."""

    MENTION = "mention"
    MESSAGE = "message"
    UNINSTALLED = "uninstalled"
    MESSAGE_CHANGED = "message_changed"
    MESSAGE_DELETED = "message_deleted"
    HOME_OPENED = "home_opened"
    CHANNEL_ARCHIVED = "channel_archived"
    CHANNEL_UNARCHIVED = "channel_unarchived"
    CHANNEL_RENAMED = "channel_renamed"
    CHANNEL_GONE = "channel_gone"
    """Deleted, or the app was taken out of it."""
    PERSON_CHANGED = "person_changed"
    FILE_DELETED = "file_deleted"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ChatEvent:
    """Something that happened on the platform. `id` is the same on every retry.

    `message` is the one it is about; `text` its new words, `files` what it carries (or what was deleted), `direct` whether it was said
    to the app alone. `bot_ids` are the platform's ids of ourselves, as mentions in `text` name us.
    """

    kind: ChatEventKind
    id: str
    team: str
    user: Person | None = None
    channel: ChannelRef | None = None
    message: MessageRef | None = None
    text: str = ""
    occurred_at: datetime | None = None
    vendor_event: str = ""
    direct: bool = False
    bot_ids: frozenset[str] = frozenset()
    files: tuple[SharedFile, ...] = ()


ChatInput = SlashCommand | Interaction | ChatEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person sees at once: to them alone, or to the whole channel.

    `form` is opened for them. As the answer to a submitted form, `errors` stand at its fields and keep it open.
    """

    text: str
    in_channel: bool = False
    card: Card | None = None
    form: Form | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to show."""
        return not self.text and self.card is None and self.form is None and not self.errors


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

    def render_answer(self, answer: Answer, given: ChatInput) -> tuple[bytes, str]:
        """Return body and media type of the immediate answer to what a person did; an empty body where the platform reads none."""
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

    async def open_form(self, trigger: str, form: Form) -> None:
        """Open `form` for the person whose act carried `trigger`, which is good for seconds and once.

        Raises RejectedError when it came too late.
        """
        ...

    async def publish_home(self, user: str, home: Card) -> None:
        """Show `home` on the page that the app has for a person; platforms without one do nothing."""
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


class ChannelKeeping(Protocol):
    """What a platform may do beside: what it lacks is answered with OperationNotSupportedError, and the incident goes on without."""

    async def read_channel(self, channel: str) -> ChannelRef | None:
        """Return a channel by its id, archived or not; None when it is gone, or hidden from us."""
        ...

    async def unarchive_channel(self, channel: str) -> None:
        """Open an archived channel again, with us in it; one that is open is no error."""
        ...

    async def rename_channel(self, channel: str, name: str) -> ChannelRef:
        """Rename a channel; when the name is taken, to a free one like it."""
        ...

    async def keep_bookmarks(
        self, channel: str, wanted: Sequence[Bookmark], known: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Bring the channel's bookmarks that are ours in line with `wanted`; others stay.

        `known` says what the platform called ours when they were last seen, by our name; the answer does so again. One that a lost
        answer left behind is known by its address.
        """
        ...

    async def group_members(self, group: str) -> Sequence[str]:
        """Return the user ids of a group, by its handle, name or id. Raises RecordNotFoundError."""
        ...

    async def read_group(self, group: str) -> GroupRef:
        """Return a group, by its handle, name or id. Raises RecordNotFoundError."""
        ...

    async def open_direct(self, user: str) -> ChannelRef:
        """Return the direct conversation with a person. Raises RejectedError for one who is deactivated."""
        ...

    async def delete_message(self, message: MessageRef) -> None:
        """Delete a message of ours; one that is gone is no error."""
        ...


class FullChat(ChatProvider, ChannelKeeping, Protocol):
    """A chat platform as ChatOps calls it."""
