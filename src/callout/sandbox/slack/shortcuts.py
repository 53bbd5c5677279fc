"""Acts outside what the app drew: shortcuts, message actions, the app's home, and a look at the screen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack.acting import Act, Acts, person, place, shown_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TABS = ("home", "messages", "about")


class Shortcuts(Acts):
    """Acts that start something with the app."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "global_shortcut": self.global_shortcut,
            "message_action": self.message_action,
            "open_home": self.open_home,
            "sees": self.sees,
        }

    async def global_shortcut(self, act: Act) -> dict[str, Any]:
        """Run the shortcut `callback_id` from the shortcuts menu."""
        user = person(self._space, act)
        trigger = self._space.new_trigger(user.id)
        payload = {
            "type": "shortcut",
            **self._who(user),
            "callback_id": _callback(act),
            "trigger_id": trigger.id,
            "action_ts": self._space.new_ts(),
        }
        return {**await self._send(payload, act), "trigger_id": trigger.id}

    async def message_action(self, act: Act) -> dict[str, Any]:
        """Run the message shortcut `callback_id` on a message (`channel`, `ts`)."""
        user, channel = person(self._space, act), place(self._space, act)
        message = self._seen_message(channel, user, act)
        if message.visible_to is not None:
            raise ActError("an ephemeral message has no shortcuts")
        trigger = self._space.new_trigger(user.id)
        url = self._space.new_response_url("app", user.id, channel.id)
        payload = {
            "type": "message_action",
            **self._who(user),
            "callback_id": _callback(act),
            "trigger_id": trigger.id,
            "response_url": f"{self._base_url}{url.path}",
            "message_ts": message.ts,
            "message": message.as_json(with_metadata=True),
            "channel": {"id": channel.id, "name": shown_name(channel)},
            "action_ts": self._space.new_ts(),
        }
        answer = await self._send(payload, act)
        return {**answer, "trigger_id": trigger.id, "response_url": payload["response_url"]}

    async def open_home(self, act: Act) -> dict[str, Any]:
        """Open the app's `tab` `home` (default) or `messages`; the app hears `app_home_opened`."""
        user = person(self._space, act)
        tab = str(act.get("tab") or "home")
        if tab not in TABS:
            raise ActError(f"tab is one of {', '.join(TABS)}")
        channel = self._space.direct_channel([self._space.bot_user_id, user.id])
        view = self._space.homes.get(user.id) if tab == "home" else None
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": channel.id,
            "tab": tab,
            "event_ts": self._space.new_ts(),
        }
        if view is not None:
            event["view"] = view
        event_id = self._outgoing.event(self._space, event) if self._space.installed else None
        return {"channel": channel.id, "view": view, "event_id": event_id}

    async def sees(self, act: Act) -> dict[str, Any]:
        """Look at the screen: what the app showed to `user` alone, open modals, the home; and a `channel`.

        With `views` only at modals and the home: of a screen that was never cleared the rest is long.
        """
        user = person(self._space, act)
        stack = self._stack(user)
        seen: dict[str, Any] = {
            "modal": self._space.views[stack[-1]] if stack else None,
            "open_views": stack,
            "home": self._space.homes.get(user.id),
        }
        if act.get("views"):
            return seen
        seen["screen"] = [asdict(shown) for shown in self._space.screen if shown.user == user.id]
        if act.get("channel"):
            channel = place(self._space, act)
            if channel.kind != "public" and user.id not in channel.members:
                raise ActError(f"{user.name} is not in {channel.name}")
            seen |= {
                "channel": channel.as_json(user.id, num_members=True),
                "messages": [message.as_json() for message in channel.messages.values()],
                "ephemerals": [m.as_json() for m in channel.ephemerals.values() if m.visible_to == user.id],
            }
        return seen


def _callback(act: Act) -> str:
    if not act.get("callback_id"):
        raise ActError("which callback_id?")
    return str(act["callback_id"])
