"""Acts on what the app drew: pressing buttons, picking options, submitting and closing modals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import seed, views
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.people import Act, answer_of, json_answer, person, place
from callout.sandbox.slack.workspace import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.core.webhooks import Attempt
    from callout.sandbox.slack.outgoing import Outgoing
    from callout.sandbox.slack.records import Channel, Message, User
    from callout.sandbox.slack.workspace import Workspace

# Where each kind of element keeps the person's choice.
_CHOICE_KEYS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_ONE_OPTION = {"static_select", "external_select", "radio_buttons", "overflow"}
_MANY_OPTIONS = {"multi_static_select", "multi_external_select", "checkboxes"}
_INITIAL_KEYS = {
    "value": "initial_value",
    "selected_user": "initial_user",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_channel": "initial_channel",
    "selected_conversation": "initial_conversation",
    "selected_users": "initial_users",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
}


def elements_of(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (block, element) for everything interactive in a list of blocks."""
    for block in blocks:
        if block.get("type") in {"actions", "context_actions"}:
            for element in block.get("elements", []):
                yield block, element
        for key in ("accessory", "element"):
            if isinstance(block.get(key), dict) and "action_id" in block[key]:
                yield block, block[key]


def chosen(element: dict[str, Any], value: Any) -> dict[str, Any]:
    """Return the state of an element after a person chose `value`. Raises ActError for no such option."""
    kind = element["type"]
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": None if value is None else _option(element, value)}
    if kind in _MANY_OPTIONS:
        return {"type": kind, "selected_options": [_option(element, item) for item in value or []]}
    return {"type": kind, _CHOICE_KEYS.get(kind, "value"): value}


def _option(element: dict[str, Any], value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    groups = [
        element.get("options") or [],
        *(g.get("options", []) for g in element.get("option_groups") or []),
    ]
    for option in (option for group in groups for option in group):
        if option.get("value") == str(value):
            return dict(option)
    if element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": str(value), "emoji": True}, "value": str(value)}
    raise ActError(f"{element['action_id']} has no option {value!r}")


def initial(element: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an element nobody touched."""
    kind = element["type"]
    key = (
        "selected_option"
        if kind in _ONE_OPTION
        else "selected_options"
        if kind in _MANY_OPTIONS
        else _CHOICE_KEYS.get(kind, "value")
    )
    empty: Any = [] if key.endswith("s") and key != "selected_date_times" else None
    return {"type": kind, key: element.get(_INITIAL_KEYS.get(key, ""), empty)}


class Pressing:
    """Acts in messages and modals."""

    def __init__(self, space: Workspace, outgoing: Outgoing, ledger: Ledger, base_url: str) -> None:
        self._space = space
        self._outgoing = outgoing
        self._ledger = ledger
        self._base_url = base_url

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "press_button": self.press,
            "choose": self.press,
            "submit_view": self.submit_view,
            "close_view": self.close_view,
        }

    async def press(self, act: Act) -> dict[str, Any]:
        """Press a button or choose in a menu, of a message (`channel`, `ts`) or of a modal (`view_id`)."""
        user = person(self._space, act)
        if act.get("view_id"):
            return await self._press_in_view(user, act)
        channel = place(self._space, act)
        message = self._visible_message(channel, user, act)
        blocks = [*message.blocks, *(b for a in message.attachments for b in a.get("blocks", []))]
        action = self._action(blocks, act)
        trigger = self._space.new_trigger(user.id)
        url = self._space.new_response_url(
            "actions", user.id, channel.id, source_ts=message.ts, thread_ts=message.thread_ts
        )
        container: dict[str, Any] = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": message.visible_to is not None,
        }
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        payload: dict[str, Any] = {
            "type": "block_actions",
            **self._who(user),
            "container": container,
            "trigger_id": trigger.id,
            "channel": {"id": channel.id, "name": _shown_name(channel)},
            "state": {"values": self._message_state(blocks, action)},
            "response_url": f"{self._base_url}{url.path}",
            "actions": [action],
        }
        if message.visible_to is None:
            payload["message"] = message.as_json(with_metadata=True)
        answer = await self._send(payload, act)
        return {**answer, "trigger_id": trigger.id, "response_url": payload["response_url"], "action": action}

    def _visible_message(self, channel: Channel, user: User, act: Act) -> Message:
        ts = str(act.get("ts"))
        message = channel.messages.get(ts) or channel.ephemerals.get(ts)
        if message is None or message.visible_to not in {None, user.id}:
            raise ActError(f"{user.name} sees no message {ts} in {channel.name}")
        return message

    async def _press_in_view(self, user: User, act: Act) -> dict[str, Any]:
        view = self._view(user, act)
        action = self._action(view["blocks"], act)
        trigger = self._space.new_trigger(user.id, view_id=view["id"])
        block_id, action_id = action["block_id"], action["action_id"]
        if action["type"] != "button":
            state = {
                key: value for key, value in action.items() if key.startswith(("type", "selected", "value"))
            }
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

    async def submit_view(self, act: Act) -> dict[str, Any]:
        """Fill in `values` (`{block_id: value}` or `{block_id: {action_id: value}}`) and submit a modal."""
        user = person(self._space, act)
        view = self._view(user, act)
        view["state"] = {"values": self._filled(view, act.get("values") or {})}
        trigger = self._space.new_trigger(user.id, view_id=view["id"])
        payload = {
            "type": "view_submission",
            **self._who(user),
            "trigger_id": trigger.id,
            "view": view,
            "response_urls": [],
        }
        attempts = await self._outgoing.interaction(payload, repeat=int(act.get("repeat") or 1))
        outcome = self._after_submit(user, view, attempts[0])
        self._ledger.record("user.submit_view", actor=user.id, target=view["id"], effect=False)
        return {**answer_of(attempts), "trigger_id": trigger.id, **outcome}

    def _after_submit(self, user: User, view: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
        if not attempt.ok:
            text = "We had some trouble connecting. Try again?"
            self._space.screen.append(Shown(user.id, None, "view_error", text))
            return {"outcome": "view_error", "open_views": self._stack(user)}
        body = json_answer(attempt) or {}
        action = body.get("response_action")
        if action is None:
            views.close_top(self._space, user.id)
        elif action == "clear":
            views.close_all(self._space, user.id)
        elif action == "errors":
            return self._form_errors(user, view, body.get("errors"))
        elif action in {"update", "push"}:
            try:
                raw = views.checked_view(body.get("view"), "modal")
            except SlackError as error:
                return {"outcome": "view_error", "problem": error.extra, "open_views": self._stack(user)}
            if action == "update":
                views.replace_view(self._space, view, raw)
            else:
                views.push_view(self._space, user.id, raw)
        else:
            return {"outcome": "view_error", "problem": f"unknown response_action {action!r}"}
        return {"outcome": action or "closed", "open_views": self._stack(user)}

    def _form_errors(self, user: User, view: dict[str, Any], errors: Any) -> dict[str, Any]:
        inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
        if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
            # Slack shows its own trouble line when an error names no input block.
            return {"outcome": "view_error", "problem": f"errors name no input block: {errors!r}"}
        self._space.screen.append(Shown(user.id, None, "form_errors", "; ".join(errors.values())))
        return {"outcome": "errors", "errors": errors, "open_views": self._stack(user)}

    async def close_view(self, act: Act) -> dict[str, Any]:
        """Close a modal; the app hears of it only when it asked with `notify_on_close`."""
        user = person(self._space, act)
        view = self._view(user, act)
        clear = bool(act.get("clear")) or view["clear_on_close"]
        (views.close_all if clear else views.close_top)(self._space, user.id)
        if not view["notify_on_close"]:
            return {"outcome": "closed", "open_views": self._stack(user)}
        payload = {
            "type": "view_closed",
            **self._who(user),
            "trigger_id": self._space.new_trigger(user.id).id,
            "view": view,
            "is_cleared": clear,
        }
        return {**await self._send(payload, act), "outcome": "closed", "open_views": self._stack(user)}

    def _filled(self, view: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, dict[str, Any]] = {}
        known: set[str] = set()
        for block, element in elements_of(view["blocks"]):
            if element["type"] == "button":
                continue
            block_id, action_id = block["block_id"], element["action_id"]
            known.add(block_id)
            before = view["state"]["values"].get(block_id, {}).get(action_id) or initial(element)
            sent = values.get(block_id)
            if isinstance(sent, dict) and action_id in sent:
                sent = sent[action_id]
            now = before if sent is None else chosen(element, sent)
            if block["type"] == "input" and not block.get("optional") and _is_empty(now):
                raise ActError(f"Slack does not submit: {block_id} is required")
            state.setdefault(block_id, {})[action_id] = now
        if set(values) - known:
            raise ActError(f"the view has no inputs {sorted(set(values) - known)}")
        return state

    def _view(self, user: User, act: Act) -> dict[str, Any]:
        stack = self._stack(user)
        wanted = act.get("view_id")
        if not stack or (wanted and stack[-1] != wanted):
            raise ActError(f"{user.name} does not have view {wanted or ''} on top")
        return self._space.views[stack[-1]]

    def _stack(self, user: User) -> list[str]:
        return list(self._space.modal_stacks.get(user.id, []))

    def _action(self, blocks: list[dict[str, Any]], act: Act) -> dict[str, Any]:
        wanted, block_id = act.get("action_id"), act.get("block_id")
        for block, element in elements_of(blocks):
            if element.get("action_id") != wanted or (block_id and block["block_id"] != block_id):
                continue
            action: dict[str, Any] = {
                "action_id": element["action_id"],
                "block_id": block["block_id"],
                "type": element["type"],
                "action_ts": self._space.new_ts(),
            }
            if element["type"] == "button":
                action["text"] = element["text"]
                action |= {key: element[key] for key in ("value", "style", "url") if key in element}
                return action
            if element.get("placeholder"):
                action["placeholder"] = element["placeholder"]
            return action | chosen(element, act.get("value"))
        raise ActError(f"nothing with action_id {wanted!r} there")

    def _message_state(self, blocks: list[dict[str, Any]], action: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, Any] = {}
        for block, element in elements_of(blocks):
            if element["type"] not in {"button", "overflow"}:
                state.setdefault(block["block_id"], {})[element["action_id"]] = initial(element)
        if action["block_id"] in state and action["action_id"] in state[action["block_id"]]:
            keys = ("type", "selected", "value")
            state[action["block_id"]][action["action_id"]] = {
                key: value for key, value in action.items() if key.startswith(keys)
            }
        return state

    def _who(self, user: User) -> dict[str, Any]:
        return {
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": seed.TEAM_ID},
            "api_app_id": seed.APP_ID,
            "token": seed.VERIFICATION_TOKEN,
            "team": {"id": seed.TEAM_ID, "domain": seed.TEAM_DOMAIN},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    async def _send(self, payload: dict[str, Any], act: Act) -> dict[str, Any]:
        attempts = await self._outgoing.interaction(payload, repeat=int(act.get("repeat") or 1))
        if not attempts[0].ok:
            # The little warning sign beside the button.
            user, channel = payload["user"]["id"], payload.get("channel", {}).get("id")
            self._space.screen.append(Shown(user, channel, "action_failed", str(attempts[0].reason)))
        return answer_of(attempts)


def _is_empty(state: dict[str, Any]) -> bool:
    return not any(value for key, value in state.items() if key != "type")


def _shown_name(channel: Channel) -> str:
    return {"private": "privategroup", "im": "directmessage"}.get(channel.kind, channel.name)
