"""`views.*`: modals opened by a trigger, and the app's home."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import orjson

from callout.sandbox.slack import seed
from callout.sandbox.slack.blocks import VIEW_BLOCKS, BlockChecker, completed
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.forms import elements_of

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.workspace import Workspace

STACK_DEPTH = 3  # from memory
VIEW_BYTES = 250_000  # from memory
_LENGTHS = {"callback_id": 255, "private_metadata": 3000, "external_id": 255}
_TITLES = {"title": 24, "submit": 24, "close": 24}


def checked_view(raw: Any, kind: str) -> dict[str, Any]:
    """Return the parts of a view. Raises SlackError `invalid_arguments` (explained) or `view_too_large`."""
    if not isinstance(raw, dict):
        raise SlackError(
            "invalid_arguments",
            response_metadata={"messages": ["[ERROR] must be an object [json-pointer:/view]"]},
        )
    if len(orjson.dumps(raw)) > VIEW_BYTES:
        raise SlackError("view_too_large")
    messages = _heading_messages(raw, kind)
    checker = BlockChecker()
    checker.check(raw.get("blocks"), VIEW_BLOCKS, "/view/blocks")
    messages += checker.messages
    blocks = raw.get("blocks") if isinstance(raw.get("blocks"), list) else []
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks or [])
    if kind == "modal" and has_input and not raw.get("submit"):
        messages.append("[ERROR] missing required field: submit [json-pointer:/view]")
    if messages:
        raise SlackError("invalid_arguments", response_metadata={"messages": messages})
    return raw


def _heading_messages(raw: dict[str, Any], kind: str) -> list[str]:
    messages: list[str] = []
    if raw.get("type") != kind:
        messages.append(f"[ERROR] unsupported type: {raw.get('type')} [json-pointer:/view/type]")
    if kind == "modal" and not isinstance(raw.get("title"), dict):
        messages.append("[ERROR] missing required field: title [json-pointer:/view]")
    for key, most in _TITLES.items():
        part = raw.get(key)
        if isinstance(part, dict) and len(str(part.get("text", ""))) > most:
            messages.append(
                f"[ERROR] must be less than {most + 1} characters [json-pointer:/view/{key}/text]"
            )
    for key, most in _LENGTHS.items():
        if len(str(raw.get(key) or "")) > most:
            messages.append(f"[ERROR] must be less than {most + 1} characters [json-pointer:/view/{key}]")
    return messages


def view_object(space: Workspace, raw: dict[str, Any], *, view_id: str | None = None) -> dict[str, Any]:
    """Return the stored form of a view, with a fresh hash."""
    view_id = view_id or space.new_id("V")
    return {
        "id": view_id,
        "team_id": space.team.id,
        "type": raw["type"],
        "blocks": [completed(block) for block in raw["blocks"]],
        "private_metadata": raw.get("private_metadata") or "",
        "callback_id": raw.get("callback_id") or "",
        "state": {"values": {}},
        "hash": f"{int(space.clock.now())}.{secrets.token_urlsafe(6)[:8]}",
        "title": raw.get("title"),
        "clear_on_close": bool(raw.get("clear_on_close")),
        "notify_on_close": bool(raw.get("notify_on_close")),
        "close": raw.get("close"),
        "submit": raw.get("submit"),
        "previous_view_id": None,
        "root_view_id": view_id,
        "app_id": seed.APP_ID,
        "external_id": raw.get("external_id") or "",
        "app_installed_team_id": space.team.id,
        "bot_id": space.bot_id,
    }


def open_modal(ctx: Context) -> dict[str, Any]:
    """`views.open`."""
    raw = checked_view(ctx.args.structure("view", "invalid_arguments"), "modal")
    _check_external_id(ctx.space, raw)
    trigger = ctx.space.use_trigger(ctx.args.required("trigger_id"))
    view = view_object(ctx.space, raw)
    # A new modal takes the place of whatever the user had open.
    close_all(ctx.space, trigger.user)
    ctx.space.views[view["id"]] = view
    ctx.space.modal_stacks[trigger.user] = [view["id"]]
    ctx.effect("views.open", view["id"], user=trigger.user, callback_id=view["callback_id"])
    return {"view": view}


def push(ctx: Context) -> dict[str, Any]:
    """`views.push`: on top of the modal the trigger came from, at most three deep."""
    raw = checked_view(ctx.args.structure("view", "invalid_arguments"), "modal")
    _check_external_id(ctx.space, raw)
    trigger = ctx.space.use_trigger(ctx.args.required("trigger_id"))
    stack = ctx.space.modal_stacks.get(trigger.user, [])
    if not stack or trigger.view_id is None:
        raise SlackError("not_found")
    view = push_view(ctx.space, trigger.user, raw)
    ctx.effect("views.push", view["id"], user=trigger.user, callback_id=view["callback_id"])
    return {"view": view}


def push_view(space: Workspace, user: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Put a view on top of a user's stack. Raises SlackError `push_limit_reached`."""
    stack = space.modal_stacks[user]
    if len(stack) >= STACK_DEPTH:
        raise SlackError("push_limit_reached")
    view = view_object(space, raw)
    view["previous_view_id"] = stack[-1]
    view["root_view_id"] = stack[0]
    space.views[view["id"]] = view
    stack.append(view["id"])
    return view


def update(ctx: Context) -> dict[str, Any]:
    """`views.update`: by `view_id` or `external_id`, guarded by `hash` when it is sent."""
    view = _found(ctx)
    raw = checked_view(ctx.args.structure("view", "invalid_arguments"), view["type"])
    _check_hash(ctx, view)
    _check_external_id(ctx.space, raw, own=view["id"])
    updated = replace_view(ctx.space, view, raw)
    ctx.effect("views.update", view["id"], callback_id=updated["callback_id"])
    return {"view": updated}


def replace_view(space: Workspace, view: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """Put new content into a view, keeping its place in the stack."""
    updated = view_object(space, raw, view_id=view["id"])
    # from memory: what was filled in stays where block_id and action_id stay.
    for block, element in elements_of(updated["blocks"]):
        kept = view["state"]["values"].get(block["block_id"], {}).get(element["action_id"])
        if kept is not None and kept["type"] == element["type"]:
            updated["state"]["values"].setdefault(block["block_id"], {})[element["action_id"]] = kept
    updated["previous_view_id"] = view["previous_view_id"]
    updated["root_view_id"] = view["root_view_id"]
    if view["type"] == "home":
        owner = next(user for user, home in space.homes.items() if home["id"] == view["id"])
        space.homes[owner] = updated
    else:
        space.views[view["id"]] = updated
    return updated


def publish(ctx: Context) -> dict[str, Any]:
    """`views.publish`: the app's home of one user."""
    user = ctx.args.text("user_id")
    if not user:
        raise SlackError("missing_profile_id")
    ctx.space.user(user)
    raw = checked_view(ctx.args.structure("view", "invalid_arguments"), "home")
    before = ctx.space.homes.get(user)
    if before is not None:
        _check_hash(ctx, before)
    view = view_object(ctx.space, raw, view_id=before["id"] if before else None)
    ctx.space.homes[user] = view
    ctx.effect("views.publish", view["id"], user=user)
    return {"view": view}


def close_all(space: Workspace, user: str) -> None:
    """Close every modal of a user."""
    for view_id in space.modal_stacks.pop(user, []):
        space.views.pop(view_id, None)


def close_top(space: Workspace, user: str) -> None:
    """Close the modal on top of a user's stack."""
    stack = space.modal_stacks.get(user, [])
    if stack:
        space.views.pop(stack.pop(), None)
    if not stack:
        space.modal_stacks.pop(user, None)


def _found(ctx: Context) -> dict[str, Any]:
    view_id, external_id = ctx.args.text("view_id"), ctx.args.text("external_id")
    for view in (*ctx.space.views.values(), *ctx.space.homes.values()):
        if (view_id and view["id"] == view_id) or (external_id and view["external_id"] == external_id):
            return view
    raise SlackError("not_found")


def _check_hash(ctx: Context, view: dict[str, Any]) -> None:
    sent = ctx.args.text("hash")
    if sent and sent != view["hash"]:
        raise SlackError("hash_conflict")


def _check_external_id(space: Workspace, raw: dict[str, Any], *, own: str | None = None) -> None:
    external_id = raw.get("external_id")
    if external_id and any(
        view["external_id"] == external_id and view["id"] != own for view in space.views.values()
    ):
        raise SlackError("duplicate_external_id")
