"""IDs, time stamps and the short-lived handles of a workspace: triggers and response URLs."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.slack.seed import TeamSeed

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 30 * 60
RESPONSE_URL_USES = 5
HANDLE_LIMIT = 20_000


@dataclass(slots=True)
class Trigger:
    """A `trigger_id`: good for one view within three seconds."""

    id: str
    user: str
    created: float
    used: bool = False
    view_id: str | None = None


@dataclass(slots=True)
class ResponseUrl:
    """A `response_url`: five uses within thirty minutes; `source_ts` is the message it came from."""

    path: str
    user: str
    channel: str
    created: float
    source_ts: str | None = None
    thread_ts: str | None = None
    uses: int = 0


@dataclass(slots=True)
class Shown:
    """Something a user saw on the screen that is not a stored channel message."""

    user: str
    channel: str | None
    kind: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)


class Handles:
    """Gives out what a team names things by, and what apps may use for a short while."""

    def __init__(self, clock: SandboxClock, team: TeamSeed) -> None:
        self.clock = clock
        self.team = team
        self._last_micros = 0
        self._serial = itertools.count(1)
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.screen: list[Shown] = []

    def new_ts(self) -> str:
        """Return a fresh message timestamp: unique and rising, as text with six decimals."""
        micros = max(int(self.clock.now() * 1_000_000), self._last_micros + 1)
        self._last_micros = micros
        return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """Return an ID in Slack's form: a letter and ten capitals or digits."""
        return f"{prefix}{next(self._serial):03d}{secrets.token_hex(4).upper()}"

    def new_trigger(self, user: str, *, view_id: str | None = None) -> Trigger:
        """Return a fresh trigger for a user; `view_id` is the open view it came from."""
        serial = next(self._serial)
        trigger = Trigger(
            f"{serial}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}", user, self.clock.now()
        )
        trigger.view_id = view_id
        self.triggers[trigger.id] = trigger
        _forget_oldest(self.triggers)
        return trigger

    def use_trigger(self, trigger_id: str) -> Trigger:
        """Spend a trigger. Raises SlackError `invalid_`, `exchanged_` or `expired_trigger_id`."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.clock.now() - trigger.created > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def new_response_url(
        self,
        kind: str,
        user: str,
        channel: str,
        *,
        source_ts: str | None = None,
        thread_ts: str | None = None,
    ) -> ResponseUrl:
        """Return a response URL of `kind` `commands` or `actions`; `path` is below the twin's mount."""
        path = f"/{kind}/{self.team.id}/{secrets.randbelow(10**12)}/{secrets.token_urlsafe(18)}"
        url = ResponseUrl(path, user, channel, self.clock.now(), source_ts=source_ts, thread_ts=thread_ts)
        self.response_urls[path] = url
        _forget_oldest(self.response_urls)
        return url


def _forget_oldest(handles: dict[str, Any]) -> None:
    if len(handles) > HANDLE_LIMIT:
        del handles[next(iter(handles))]
