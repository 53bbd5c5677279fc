"""What the acts of people share: who acts where, and how the app's answer is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import seed
from callout.sandbox.slack.handles import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.core.webhooks import Attempt
    from callout.sandbox.slack.outgoing import Outgoing
    from callout.sandbox.slack.records import Channel, Message, User
    from callout.sandbox.slack.workspace import Workspace

Act = dict[str, Any]


def person(space: Workspace, act: Act, key: str = "user") -> User:
    """Return the acting user, named by ID, name or e-mail. Raises ActError."""
    wanted = str(act.get(key) or "")
    for user in space.users.values():
        if wanted and wanted in {user.id, user.name, user.email}:
            return user
    raise ActError(f"no user {wanted!r}")


def place(space: Workspace, act: Act) -> Channel:
    """Return the channel of an act, named by ID or name. Raises ActError."""
    wanted = str(act.get("channel") or "").removeprefix("#")
    channel = space.channels.get(wanted) or space.channel_named(wanted)
    if channel is None:
        raise ActError(f"no channel {wanted!r}")
    return channel


def answer_of(attempts: list[Attempt]) -> dict[str, Any]:
    """Return what the app answered, as the act reports it."""
    first = attempts[0]
    answer: dict[str, Any] = {
        "status": first.status,
        "body": first.response_body,
        "reason": first.reason,
        "elapsed_ms": first.elapsed_ms,
    }
    if len(attempts) > 1:
        answer["repeats"] = [{"status": a.status, "body": a.response_body} for a in attempts[1:]]
    return answer


def json_answer(attempt: Attempt) -> dict[str, Any] | None:
    """Return the JSON object the app answered with, or None for anything else."""
    try:
        value = orjson.loads(attempt.response_body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def shown_name(channel: Channel) -> str:
    """Return the name of a channel as payloads tell it to apps."""
    hidden = {"private": "privategroup", "im": "directmessage"}
    return hidden.get(channel.kind, channel.name)


class Acts:
    """A family of acts in one team; subclasses give their acts by name."""

    def __init__(self, space: Workspace, outgoing: Outgoing, ledger: Ledger, base_url: str) -> None:
        self._space = space
        self._outgoing = outgoing
        self._ledger = ledger
        self._base_url = base_url

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        raise NotImplementedError

    def _note(self, kind: str, user: User, target: str, *, effect: bool = True, **summary: Any) -> None:
        self._ledger.record(f"user.{kind}", actor=user.id, target=target, effect=effect, summary=summary)

    def _check_able(self, user: User) -> None:
        """Let a person use the app. Raises ActError when they are deactivated or it is not in their team."""
        if user.deleted:
            raise ActError(f"{user.name} is deactivated")
        if not self._space.installed:
            raise ActError(f"the app is not installed in {self._space.team.name}")

    def _who(self, user: User) -> dict[str, Any]:
        self._check_able(user)
        team = self._space.team
        return {
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": team.id},
            "api_app_id": seed.APP_ID,
            "token": seed.VERIFICATION_TOKEN,
            "team": {"id": team.id, "domain": team.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _seen_message(self, channel: Channel, user: User, act: Act) -> Message:
        ts = str(act.get("ts"))
        message = channel.messages.get(ts) or channel.ephemerals.get(ts)
        if message is None or message.visible_to not in {None, user.id}:
            raise ActError(f"{user.name} sees no message {ts} in {channel.name}")
        return message

    def _stack(self, user: User) -> list[str]:
        return list(self._space.modal_stacks.get(user.id, []))

    def _view(self, user: User, act: Act) -> dict[str, Any]:
        """Return the modal on top, or the home of the user when `view_id` names it. Raises ActError."""
        stack, wanted = self._stack(user), act.get("view_id")
        home = self._space.homes.get(user.id)
        if home is not None and wanted == home["id"]:
            return home
        if not stack or (wanted and stack[-1] != wanted):
            raise ActError(f"{user.name} does not have view {wanted or ''} on top")
        return self._space.views[stack[-1]]

    async def _send(self, payload: dict[str, Any], act: Act) -> dict[str, Any]:
        attempts = await self._outgoing.interaction(payload, repeat=int(act.get("repeat") or 1))
        if not attempts[0].ok:
            # The little warning sign beside what was pressed.
            user, channel = payload["user"]["id"], payload.get("channel", {}).get("id")
            self._space.screen.append(Shown(user, channel, "action_failed", str(attempts[0].reason)))
        return answer_of(attempts)
