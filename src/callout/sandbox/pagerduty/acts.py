"""What people do on PagerDuty's own pages, on the twin's control path. Each act sends the real webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.core.twin import ActError
from callout.sandbox.pagerduty import incidents, parts, reading, states
from callout.sandbox.pagerduty.errors import PagerDutyError
from callout.sandbox.pagerduty.history import WEBSITE
from callout.sandbox.pagerduty.incident_view import incident_json, note_json
from callout.sandbox.pagerduty.seed import ANN, CHECKOUT
from callout.sandbox.pagerduty.subscriptions import new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.incidents import Change
    from callout.sandbox.pagerduty.model import Incident, Json, JsonObject, User
    from callout.sandbox.pagerduty.subscriptions import Hooks, Subscription
    from callout.sandbox.pagerduty.view import View


class Acts:
    """The acts of one account; `as` names the person by mail or id, Ann unless given."""

    def __init__(self, account: Account, hooks: Hooks, view: View) -> None:
        self._account = account
        self._hooks = hooks
        self._view = view

    def perform(self, action: str, body: JsonObject) -> JsonObject:
        """Carry out one act and return the incident (or subscription) as it is afterwards.

        Raises:
            ActError: unknown act, a missing field, or a refusal by PagerDuty.
        """
        act = self._acts().get(action)
        if act is None:
            raise ActError(f"pagerduty has no act {action!r}; there are: {', '.join(sorted(self._acts()))}")
        self._account.tick()
        try:
            return act(body, self._person(body.get("as", ANN)))
        except PagerDutyError as error:
            raise ActError(str(error)) from error
        except KeyError as error:
            raise ActError(f"{action} needs {error}") from error

    def _acts(self) -> Mapping[str, Callable[[JsonObject, User], JsonObject]]:
        return {
            "trigger": self.trigger,
            "acknowledge": lambda body, who: self._change(body, who, {"status": "acknowledged"}),
            "unacknowledge": lambda body, who: self._change(body, who, {"status": "triggered"}),
            "resolve": self.resolve,
            "reopen": self.reopen,
            "note": self.note,
            "reassign": lambda body, who: self._change(body, who, {"assignments": self._people(body["to"])}),
            "escalate": lambda body, who: self._change(body, who, {"escalation_level": int(body["level"])}),
            "delegate": self.delegate,
            "set_priority": self.set_priority,
            "set_urgency": lambda body, who: self._change(
                body, who, {"urgency": reading.urgency(body["urgency"])}
            ),
            "edit_title": lambda body, who: self._change(
                body, who, {"title": reading.text(body["title"], "Title")}
            ),
            "move_to_service": self.move_to_service,
            "merge": self.merge,
            "snooze": self.snooze,
            "status_update": self.status_update,
            "add_responder": self.add_responder,
            "responder_reply": self.responder_reply,
            "rotate_secret": self.rotate_secret,
            "end_rotation": self.end_rotation,
        }

    def _person(self, name: Json) -> User:
        for user in self._account.users.values():
            if name in {user.id, user.email}:
                return user
        raise ActError(f"nobody is called {name!r}")

    def _people(self, names: Json) -> list[User]:
        return [self._person(name) for name in (names if isinstance(names, list) else [names])]

    def _incident(self, body: JsonObject) -> Incident:
        return self._account.incident(str(body["incident"]))

    def _shown(self, incident: Incident, **made: Json) -> JsonObject:
        return {"id": incident.id, "incident": incident_json(incident, self._view), **made}

    def _change(self, body: JsonObject, who: User, asked: Change) -> JsonObject:
        incident = self._incident(body)
        incidents.change(self._account, incident, asked, who)
        return self._shown(incident)

    def trigger(self, body: JsonObject, who: User) -> JsonObject:
        """`{title, service?, urgency?, priority?, details?, incident_key?}`: service by id, priority by name."""
        account = self._account
        draft: incidents.Draft = {
            "title": reading.text(body["title"], "Title"),
            "service": account.find(account.services, body.get("service", CHECKOUT)),
            "details": body.get("details"),
            "priority": reading.priority(account, body.get("priority")),
        }
        if "urgency" in body:
            draft["urgency"] = reading.urgency(body["urgency"])
        if "incident_key" in body:
            draft["incident_key"] = reading.text(body["incident_key"], "Incident key")
        return self._shown(
            incidents.trigger(account, who, draft, channel={**WEBSITE, "summary": draft["title"]})
        )

    def resolve(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, resolution?}`."""
        asked: Change = {"status": "resolved"}
        if body.get("resolution"):
            asked["resolution"] = str(body["resolution"])
        return self._change(body, who, asked)

    def reopen(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident}`, which is resolved."""
        if self._incident(body).open:
            raise ActError("the incident is open")
        return self._change(body, who, {"status": "triggered"})

    def note(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, content}`."""
        incident = self._incident(body)
        made = parts.add_note(self._account, incident, who, str(body["content"]))
        return self._shown(incident, note=note_json(made, self._view))

    def set_priority(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, priority}`: a name such as `P1`, null for none."""
        return self._change(body, who, {"priority": reading.priority(self._account, body["priority"])})

    def delegate(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, policy}`: an escalation policy by id."""
        policy = self._account.find(self._account.policies, body["policy"])
        return self._change(body, who, {"escalation_policy": policy})

    def move_to_service(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, service}`."""
        service = self._account.find(self._account.services, body["service"])
        return self._change(body, who, {"service": service})

    def merge(self, body: JsonObject, who: User) -> JsonObject:
        """`{into, incidents}`."""
        target = self._incident({"incident": body["into"]})
        sources = [self._incident({"incident": one}) for one in body["incidents"]]
        incidents.merge(self._account, target, sources, who)
        return self._shown(target)

    def snooze(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, seconds}`."""
        incident = self._incident(body)
        states.snooze(self._account, incident, int(body["seconds"]), who)
        return self._shown(incident)

    def status_update(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, message}`."""
        incident = self._incident(body)
        ident = parts.publish_status(self._account, incident, who, str(body["message"]))
        return self._shown(incident, status_update=ident)

    def add_responder(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, user, message?}`."""
        incident = self._incident(body)
        target = self._person(body["user"])
        parts.request_responders(self._account, incident, who, str(body.get("message", "")), [target])
        return self._shown(incident)

    def responder_reply(self, body: JsonObject, who: User) -> JsonObject:
        """`{incident, state}`: `as` says `joined` or `declined`."""
        incident = self._incident(body)
        if body["state"] not in {"joined", "declined"}:
            raise ActError("state must be joined or declined")
        asked = [responder for responder in incident.responders if responder.user is who]
        if not asked:
            raise ActError(f"{who.name} was not asked")
        parts.reply_to_request(self._account, incident, asked[-1], body["state"])
        return self._shown(incident)

    def _subscription(self, body: JsonObject) -> Subscription:
        return self._account.find(self._hooks.subscriptions, body["subscription"])

    def rotate_secret(self, body: JsonObject, who: User) -> JsonObject:
        """`{subscription, secret?}`: from now on both the new and the old secret sign; returns the new one."""
        subscription = self._subscription(body)
        secret = str(body.get("secret") or new_secret())
        subscription.secrets = [secret, subscription.secrets[0]]
        self._account.record("subscription.rotate", who, subscription.id, {"secrets": 2})
        return {"id": subscription.id, "secret": secret}

    def end_rotation(self, body: JsonObject, who: User) -> JsonObject:
        """`{subscription}`: only the newest secret signs."""
        subscription = self._subscription(body)
        del subscription.secrets[1:]
        self._account.record("subscription.rotate", who, subscription.id, {"secrets": 1})
        return {"id": subscription.id}
