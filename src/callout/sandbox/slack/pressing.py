"""Acts on what the app drew: pressing buttons, picking options, asking an external menu for its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack.acting import Act, Acts, answer_of, json_answer, person, place, shown_name
from callout.sandbox.slack.blocks import checked_options
from callout.sandbox.slack.forms import Chooser, elements_of, initial
from callout.sandbox.slack.handles import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.slack.records import Channel, Message, User

MIN_QUERY_LENGTH = 3
_STATE_KEYS = ("type", "selected", "value", "rich_text_value", "files")


class Pressing(Acts):
    """Acts in messages, modals and the app's home."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {"press_button": self.press, "choose": self.press, "suggest": self.suggest}

    async def press(self, act: Act) -> dict[str, Any]:
        """Press or choose `action_id` in a message (`channel`, `ts`), or in a modal or home (`view_id`)."""
        user = person(self._space, act)
        if act.get("view_id"):
            return await self._press_in_view(user, act)
        channel = place(self._space, act)
        message = self._seen_message(channel, user, act)
        blocks = _blocks_of(message)
        action = self._action(blocks, act, message.ts)
        trigger = self._space.new_trigger(user.id)
        url = self._space.new_response_url(
            "actions", user.id, channel.id, source_ts=message.ts, thread_ts=message.thread_ts
        )
        payload: dict[str, Any] = {
            "type": "block_actions",
            **self._who(user),
            **self._where(channel, message),
            "trigger_id": trigger.id,
            "state": {"values": self._message_state(blocks, action)},
            "response_url": f"{self._base_url}{url.path}",
            "actions": [action],
        }
        answer = await self._send(payload, act)
        return {**answer, "trigger_id": trigger.id, "response_url": payload["response_url"], "action": action}

    async def suggest(self, act: Act) -> dict[str, Any]:
        """Type `value` into an external menu `action_id`; answers with the `options` the person is shown."""
        user = person(self._space, act)
        payload: dict[str, Any] = {"type": "block_suggestion", **self._who(user)}
        if act.get("view_id") or not act.get("ts"):
            view = self._view(user, act)
            blocks, where = view["blocks"], view["id"]
            payload |= {"container": {"type": "view", "view_id": where}, "view": view}
        else:
            channel = place(self._space, act)
            message = self._seen_message(channel, user, act)
            blocks, where = _blocks_of(message), message.ts
            payload |= self._where(channel, message)
        block, element = self._found(blocks, act)
        if not element["type"].endswith("external_select"):
            raise ActError(f"{element['action_id']} is no external menu")
        typed = str(act.get("value") or "")
        if len(typed) < int(element.get("min_query_length", MIN_QUERY_LENGTH)):
            raise ActError("Slack does not ask yet: too few characters")
        payload |= {"block_id": block["block_id"], "action_id": element["action_id"], "value": typed}
        (attempt,) = await self._outgoing.interaction(payload)
        options, problem = checked_options(json_answer(attempt)) if attempt.ok else ([], attempt.reason)
        self._space.suggestions[where, element["action_id"]] = options
        if problem:
            self._space.screen.append(Shown(user.id, None, "options_failed", problem))
        return {**answer_of([attempt]), "options": options, "problem": problem}

    async def _press_in_view(self, user: User, act: Act) -> dict[str, Any]:
        view = self._view(user, act)
        action = self._action(view["blocks"], act, view["id"])
        trigger = self._space.new_trigger(user.id, view_id=view["id"])
        block_id, action_id = action["block_id"], action["action_id"]
        if action["type"] not in {"button", "overflow"}:
            state = {key: value for key, value in action.items() if key.startswith(_STATE_KEYS)}
            view["state"]["values"].setdefault(block_id, {})[action_id] = state
        payload = {
            "type": "block_actions",
            **self._who(user),
            "container": {"type": "view", "view_id": view["id"]},
            "trigger_id": trigger.id,
            "view": view,
            "actions": [action],
        }
        return {**await self._send(payload, act), "trigger_id": trigger.id, "action": action}

    def _where(self, channel: Channel, message: Message) -> dict[str, Any]:
        container: dict[str, Any] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": message.visible_to is not None,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        where = {"container": container, "channel": {"id": channel.id, "name": shown_name(channel)}}
        if message.visible_to is None:
            where["message"] = message.as_json(with_metadata=True)
        return where

    def _found(self, blocks: list[dict[str, Any]], act: Act) -> tuple[dict[str, Any], dict[str, Any]]:
        wanted, block_id = act.get("action_id"), act.get("block_id")
        for block, element in elements_of(blocks):
            if element.get("action_id") == wanted and (not block_id or block["block_id"] == block_id):
                return block, element
        raise ActError(f"nothing with action_id {wanted!r} there")

    def _action(self, blocks: list[dict[str, Any]], act: Act, where: str) -> dict[str, Any]:
        block, element = self._found(blocks, act)
        action: dict[str, Any] = {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
            "action_ts": self._space.new_ts(),
        }
        if element["type"] == "button":
            action["text"] = element["text"]
            return action | {key: element[key] for key in ("value", "style", "url") if key in element}
        if element.get("placeholder"):
            action["placeholder"] = element["placeholder"]
        return action | Chooser(self._space, where).chosen(element, act.get("value"))

    def _message_state(self, blocks: list[dict[str, Any]], action: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for block, element in elements_of(blocks):
            if element["type"] not in {"button", "overflow"}:
                state.setdefault(block["block_id"], {})[element["action_id"]] = initial(element)
        if action["action_id"] in state.get(action["block_id"], {}):
            state[action["block_id"]][action["action_id"]] = {
                key: value for key, value in action.items() if key.startswith(_STATE_KEYS)
            }
        return state


def _blocks_of(message: Message) -> list[dict[str, Any]]:
    return [*message.blocks, *(b for a in message.attachments for b in a.get("blocks", []))]
