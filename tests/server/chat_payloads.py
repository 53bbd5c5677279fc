"""Payloads for the doors of chat: shapes as Slack sends them, and what a seeded hand makes of them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

Json = dict[str, Any]
FORM = "application/x-www-form-urlencoded"
TEAM = {"id": "T01ACC", "domain": "acme"}
ACTIONS = (
    "incident.acknowledge",
    "incident.mitigate",
    "incident.resolve",
    "incident.close",
    "incident.reopen",
    "incident.nonsense",
    "menu.severity",
    "menu.more",
    "form.declare",
    "form.resolve",
    "form.note",
    "form.task",
    "form.conflict",
    "form.timeline",
    "conflict.ours",
    "conflict.theirs",
    "conflict.value",
    "sync.ours",
    "link",
    "declare",
    "add_to_timeline",
)
COMMANDS = (
    "declare sev1 checkout is down",
    "declare",
    "ack {}",
    "mitigate {}",
    "resolve {}",
    "close {}",
    "reopen {}",
    "status {}",
    "list --severity sev1",
    "escalate {}",
    "assign {} <@U0BOB>",
    "assign {} me",
    "note {} the cache is cold",
    "join {}",
    "leave {}",
    "severity {} 2",
    "title {} other words",
    "role {} commander <@U0ANN>",
    "task {} add look at it --due 2030-01-31",
    "task {} done 1",
    "link {} OPS-1",
    "sync {}",
    "why {} severity",
    "page {} bob",
    "help declare",
    "login AAAAA-BBBBB",
)
EVENTS = (
    "app_mention",
    "message",
    "app_home_opened",
    "channel_archive",
    "channel_rename",
    "channel_deleted",
    "user_change",
    "app_uninstalled",
    "tokens_revoked",
    "reaction_added",
)
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfffy",
    "\u202e\u200b",
    "💥" * 300,
    "x" * 20_000,
    "<@U0ANN>" * 50,
    "*_`~" * 200,
    "[" * 500,
    "> " * 300,
    "&lt;&amp;amp;",
    "'; DROP TABLE incident; --",
    "\r\n\t\x1b[31m",
    "INC-99999999999999999999",
    "INC-0",
    "-1",
    "../../etc/passwd",
    "٣",
    "NaN",
    "🏴\u200d☠",
)
ODD: tuple[Any, ...] = (None, True, False, 0, -1, 2**63, 2**70, 1.5, 1e308, [], {}, [[]], {"id": {}}, *TEXTS)


@dataclass(slots=True)
class Payload:
    """One request. `forged` tells that it carries a form's token that was not made for it."""

    body: bytes
    media: str = FORM
    forged: bool = False


@dataclass(slots=True)
class Hand:
    """Makes payloads. `incidents` are ids and keys that may be named, also of another account; `tokens` are forms' tokens."""

    seed: int
    incidents: list[str]
    tokens: list[str]
    rng: random.Random = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311  # the same payloads each time

    def payload(self) -> Payload:
        """Return the next payload."""
        self.count += 1
        roll = self.rng.random()
        if roll < 0.05:
            return Payload(self._noise(), self.rng.choice((FORM, "application/json", "text/plain", "")))
        if roll < 0.35:
            return self._as_form(self.command())
        if roll < 0.8:
            shape, forged = self.interaction()
            return Payload(urlencode({"payload": self._json(shape)}).encode(), forged=forged)
        return Payload(self._json(self.event()).encode(), "application/json")

    def envelope(self) -> str:
        """Return a frame as it could come through a socket."""
        self.count += 1
        kind = self.rng.choice(("slash_commands", "interactive", "events_api", "hello", "disconnect"))
        shape: Json = {
            "slash_commands": self.command,
            "interactive": lambda: self.interaction()[0],
            "events_api": self.event,
        }.get(kind, dict)()
        frame: Json = {
            "envelope_id": f"e{self.count}",
            "type": kind,
            "accepts_response_payload": True,
            "payload": shape,
        }
        if kind == "disconnect":
            # Only `warning` and `refresh_requested` leave the connection open.
            frame = {"type": kind, "reason": self.rng.choice(("warning", "refresh_requested"))}
        elif self.rng.random() < 0.2:
            frame = self._mutated(frame)
            if frame.get("type") == "disconnect":
                frame["type"] = "hello"
        return self._json(frame)

    # ------------------------------------------------------------------------------------------------ shapes

    def command(self) -> Json:
        text = self._maybe_odd(self.rng.choice(COMMANDS).format(self._key()))
        shape: Json = {
            "team_id": "T01ACC",
            "team_domain": "acme",
            "channel_id": self.rng.choice(("C0INCIDENTS", "C9", "D1")),
            "channel_name": "incidents",
            "user_id": self._user(),
            "user_name": "ann",
            "command": "/im",
            "text": text,
            "response_url": "https://hooks.slack.com/commands/T01ACC/1/x",
            "trigger_id": f"{self.seed}.{self.count}",
            "api_app_id": "A01",
        }
        return self._sometimes_mutated(shape)

    def interaction(self) -> tuple[Json, bool]:
        kind = self.rng.choice(
            ("block_actions", "block_actions", "view_submission", "shortcut", "message_action", "view_closed")
        )
        user = self._user()
        shape: Json = {
            "type": kind,
            "api_app_id": "A01",
            "team": dict(TEAM),
            "user": {"id": user, "username": "ann", "team_id": "T01ACC"},
            "trigger_id": f"{self.seed}.{self.count}",
        }
        forged = False
        where: Json = {
            "channel": {"id": "C1", "name": "inc-1"},
            "message": {"ts": "171.1", "text": "the graph is red", "user": "U0BOB"},
            "response_url": "https://hooks.slack.com/actions/T01ACC/1/x",
        }
        if kind == "block_actions":
            shape |= {**where, "container": {"type": "message", "message_ts": "171.1", "channel_id": "C1"}}
            shape["actions"] = [self._action()]
        elif kind in {"view_submission", "view_closed"}:
            shape["view"], forged = self._view()
        else:
            shape["callback_id"] = self.rng.choice(("declare", "add_to_timeline", "nonsense"))
            shape |= where if kind == "message_action" else {}
        return self._sometimes_mutated(shape), forged

    def event(self) -> Json:
        kind = self.rng.choice(EVENTS)
        text = f"<@U0BOT> {self.rng.choice(COMMANDS).format(self._key())}"
        inner: Json = {
            "type": kind,
            "user": self._user(),
            "text": self._maybe_odd(text),
            "ts": f"171.{self.count}",
            "channel": self.rng.choice(("C1", {"id": "C1", "name": "inc-1-other"})),
            "channel_type": self.rng.choice(("channel", "im")),
            "tab": "home",
        }
        if self.rng.random() < 0.3:
            inner["subtype"] = self.rng.choice(("message_changed", "message_deleted", "bot_message", "me"))
            inner["message"] = {"ts": "171.1", "text": self._maybe_odd("other"), "user": "U0BOB"}
            inner["previous_message"] = dict(inner["message"])
        shape: Json = {
            "type": "event_callback",
            "team_id": "T01ACC",
            "event_id": f"Ev{self.seed}.{self.count}",
            "event_time": self.rng.choice((1_712_345_678, 2**62, -5, "now")),
            "authorizations": [{"team_id": "T01ACC", "user_id": "U0BOT", "is_bot": True}],
            "event": inner,
        }
        return self._sometimes_mutated(shape)

    def _action(self) -> Json:
        value = self._incident()
        name = self.rng.choice(ACTIONS)
        if name.startswith("menu."):
            choice = self.rng.choice(("SEV-1", "SEV-9", "note", "task", "join", "escalate", "people", ""))
            return {
                "type": "static_select",
                "action_id": name,
                "block_id": "b",
                "selected_option": {"value": f"{value}/{choice}"},
            }
        if name.startswith(("conflict.", "sync.", "form.conflict")):
            value = f"{value}/severity/{self.rng.choice(('aaaa', '', '/'))}"
        return {"type": "button", "action_id": name, "block_id": "b", "value": value, "action_ts": "1"}

    def _view(self) -> tuple[Json, bool]:
        token = self.rng.choice(self.tokens)
        if token and self.rng.random() < 0.3:
            place = self.rng.randrange(len(token))
            token = token[:place] + self.rng.choice("Ab0-_.=") + token[place + 1 :] + "x"
        names = ("title", "severity", "service", "description", "note", "text", "audience", "person", "due")
        fields: Json = {
            name: {"value": {"type": "plain_text_input", "value": self._maybe_odd("some words")}}
            for name in (*names, "value", "incident")
            if self.rng.random() < 0.6
        }
        form = self.rng.choice([one for one in ACTIONS if one.startswith("form.")])
        view: Json = {
            "id": f"V{self.count}",
            "callback_id": form,
            "private_metadata": token,
            "state": {"values": fields},
        }
        return view, form != "form.declare"

    # --------------------------------------------------------------------------------------------- mutations

    def _user(self) -> str:
        return self.rng.choice(("U0ANN", "U0BOB", "U0NOBODY", "W1", self._maybe_odd("U0ANN")))

    def _incident(self) -> str:
        return self.rng.choice(self.incidents)

    def _key(self) -> str:
        """Return what people type: mostly a key of theirs."""
        keys = [one for one in self.incidents if one.startswith("INC-")]
        return self.rng.choice(keys) if self.rng.random() < 0.8 else self._incident()

    def _maybe_odd(self, usual: str) -> str:
        return self.rng.choice(TEXTS) if self.rng.random() < 0.15 else usual

    def _sometimes_mutated(self, shape: Json) -> Json:
        for _ in range(self.rng.choice((0, 0, 0, 1, 1, 2, 4))):
            shape = self._mutated(shape)
        return shape

    def _mutated(self, shape: Json) -> Json:
        """Return a copy in which one place is missing, of a wrong type, or holds too much."""
        found = copy.deepcopy(shape)
        places = list(_places(found))
        if not places:
            return found
        holder, key = self.rng.choice(places)
        change: Callable[[], Any] = self.rng.choice(
            (
                lambda: holder.pop(key),
                lambda: holder.__setitem__(key, self.rng.choice(ODD)),
                lambda: holder.__setitem__(key, self.rng.choice(ODD)),
                lambda: holder.__setitem__(key, [holder[key]] * self.rng.choice((1, 20))),
                lambda: holder.__setitem__(key, _deep(self.rng.choice((5, 50, 90)))),
            )
        )
        change()
        return found

    def _noise(self) -> bytes:
        return self.rng.choice(
            (
                self.rng.randbytes(self.rng.randrange(200)),
                b"payload=" + quote_from_bytes(self.rng.randbytes(40)).encode(),
                b"payload=" + b"[" * 60_000,
                b'{"type":' + b'{"a":' * 30_000,
                b"command=%00&user_id=%ff&team_id=x",
                b"&" * 5000,
                "command=/im&text=ä".encode("utf-16"),
                b'{"type": "event_callback", "event": NaN}',
                b'"\\ud800"',
                b"",
            )
        )

    def _as_form(self, shape: Json) -> Payload:
        fields = {str(k): v if isinstance(v, str) else json.dumps(v, default=str) for k, v in shape.items()}
        errors = self.rng.choice(("replace", "surrogatepass"))
        return Payload(urlencode(fields, errors=errors).encode())

    def _json(self, shape: Json) -> str:
        return json.dumps(shape)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:  # walks any JSON
    if isinstance(node, dict):
        for key, value in node.items():
            yield node, key
            yield from _places(value)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield node, place
            yield from _places(value)


def _deep(levels: int) -> Any:  # any JSON
    found: Any = "end"
    for _ in range(levels):
        found = {"a": [found]}
    return found
