"""Acts on modals: filling in and submitting them, closing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import views
from callout.sandbox.slack.acting import Act, Acts, answer_of, json_answer, person
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.forms import Chooser, elements_of, initial, is_empty
from callout.sandbox.slack.handles import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.core.webhooks import Attempt
    from callout.sandbox.slack.records import User

_WITHOUT_STATE = {"button", "overflow", "workflow_button", "icon_button", "feedback_buttons"}


class Modals(Acts):
    """Acts on the modal on top of a person's stack."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {"submit_view": self.submit_view, "close_view": self.close_view}

    async def submit_view(self, act: Act) -> dict[str, Any]:
        """Fill in `values` (`{block_id: value}` or `{block_id: {action_id: value}}`) and submit a modal."""
        user = person(self._space, act)
        view = self._view(user, act)
        if view["type"] != "modal":
            raise ActError("the home is not submitted")
        view["state"] = {"values": self._filled(view, act.get("values") or {})}
        trigger = self._space.new_trigger(user.id, view_id=view["id"])
        payload = {
            "type": "view_submission",
            **self._who(user),
            "trigger_id": trigger.id,
            "view": view,
            "response_urls": self._response_urls(user, view),
        }
        attempts = await self._outgoing.interaction(payload, repeat=int(act.get("repeat") or 1))
        outcome = self._after_submit(user, view, attempts[0])
        self._note("submit_view", user, view["id"], effect=False)
        return {**answer_of(attempts), "trigger_id": trigger.id, **outcome}

    async def close_view(self, act: Act) -> dict[str, Any]:
        """Close a modal, or all with `clear`; the app hears of it only when it asked with `notify_on_close`."""
        user = person(self._space, act)
        view = self._view(user, act)
        clear = bool(act.get("clear")) or view["clear_on_close"]
        (views.close_all if clear else views.close_top)(self._space, user.id)
        if not view["notify_on_close"]:
            return {"outcome": "closed", "open_views": self._stack(user)}
        payload = {"type": "view_closed", **self._who(user), "view": view, "is_cleared": clear}
        return {**await self._send(payload, act), "outcome": "closed", "open_views": self._stack(user)}

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
                if action == "update":
                    views.replace_view(self._space, view, raw)
                else:
                    views.push_view(self._space, user.id, raw)
            except SlackError as error:
                problem = {"error": error.code, **error.extra}
                return {"outcome": "view_error", "problem": problem, "open_views": self._stack(user)}
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

    def _filled(self, view: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        state: dict[str, dict[str, Any]] = {}
        known: set[str] = set()
        chooser = Chooser(self._space, view["id"])
        for block, element in elements_of(view["blocks"]):
            if element["type"] in _WITHOUT_STATE:
                continue
            block_id, action_id = block["block_id"], element["action_id"]
            known.add(block_id)
            before = view["state"]["values"].get(block_id, {}).get(action_id) or initial(element)
            sent = values.get(block_id)
            if isinstance(sent, dict) and action_id in sent:
                sent = sent[action_id]
            now = before if sent is None else chooser.chosen(element, sent)
            if block["type"] == "input" and not block.get("optional") and is_empty(now):
                raise ActError(f"Slack does not submit: {block_id} is required")
            state.setdefault(block_id, {})[action_id] = now
        if set(values) - known:
            raise ActError(f"the view has no inputs {sorted(set(values) - known)}")
        return state

    def _response_urls(self, user: User, view: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for block, element in elements_of(view["blocks"]):
            state = view["state"]["values"].get(block["block_id"], {}).get(element["action_id"], {})
            channel = state.get("selected_conversation") or state.get("selected_channel")
            if element.get("response_url_enabled") and channel:
                url = self._space.new_response_url("app", user.id, channel)
                found.append(
                    {
                        "block_id": block["block_id"],
                        "action_id": element["action_id"],
                        "channel_id": channel,
                        "response_url": f"{self._base_url}{url.path}",
                    }
                )
        return found
