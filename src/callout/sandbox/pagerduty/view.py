"""The directory of an account as JSON: references, users, services, policies, schedules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import oncall
from callout.sandbox.pagerduty.model import (
    Alert,
    EscalationPolicy,
    Incident,
    Integration,
    LogEntry,
    Priority,
    Schedule,
    Service,
    Tag,
    Team,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Agent, Json, JsonObject
    from callout.sandbox.pagerduty.oncall import OnCall, Shift

# Path below the API, path below the web site, type.
_PLACES: dict[type, tuple[str, str, str]] = {
    User: ("users", "users", "user"),
    Team: ("teams", "teams", "team"),
    Priority: ("priorities", "", "priority"),
    Schedule: ("schedules", "schedules", "schedule"),
    EscalationPolicy: ("escalation_policies", "escalation_policies", "escalation_policy"),
    Service: ("services", "service-directory", "service"),
    Incident: ("incidents", "incidents", "incident"),
    Tag: ("tags", "", "tag"),
}
REFERABLE = (*_PLACES, Integration, Alert, LogEntry)


@dataclass(frozen=True, slots=True)
class View:
    """How one caller sees the account.

    Args:
        base: absolute URL of the API, for links.
        zone: the zone times are written in.
    """

    account: Account
    base: str
    zone: tzinfo = UTC

    def stamp(self, moment: datetime | None) -> str | None:
        """A time as PagerDuty writes it: `Z` for UTC, else an offset."""
        if moment is None:
            return None
        if self.zone is UTC:
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        return moment.astimezone(self.zone).isoformat(timespec="seconds")

    def place(self, thing: Json) -> tuple[str, str | None, str]:
        """Where a thing is in the API, where on the web site, and its type."""
        if isinstance(thing, Integration):
            path = f"services/{thing.service.id}/integrations/{thing.id}"
            kind = "events_api_v2_inbound_integration"
            return f"{self.base}/{path}", f"{self.base}/app/{path}", kind
        if isinstance(thing, Alert):
            path = f"incidents/{thing.incident.id}/alerts/{thing.id}"
            return f"{self.base}/{path}", f"{self.base}/app/alerts/{thing.id}", "alert"
        if isinstance(thing, LogEntry):
            path = f"log_entries/{thing.id}"
            inside = f"incidents/{thing.incident.id}/{path}"
            return f"{self.base}/{path}", f"{self.base}/app/{inside}", f"{thing.type}_log_entry"
        path, page, kind = _PLACES[type(thing)]
        return f"{self.base}/{path}/{thing.id}", f"{self.base}/app/{page}/{thing.id}" if page else None, kind

    def summary(self, thing: Json) -> str:
        """A thing in a few words."""
        if isinstance(thing, Incident):
            return f"[#{thing.number}] {thing.title}"
        if isinstance(thing, Alert | LogEntry):
            return thing.summary
        return str(thing.label if isinstance(thing, Tag) else thing.name)

    def reference(self, thing: Json) -> JsonObject | None:
        """A reference, None for nothing."""
        if thing is None:
            return None
        api, page, kind = self.place(thing)
        return {
            "id": thing.id,
            "type": f"{kind}_reference",
            "summary": self.summary(thing),
            "self": api,
            "html_url": page,
        }

    def agent(self, who: Agent | None, *, whole: bool = False) -> JsonObject | None:
        """Who did something; an integration is then called by the general name of its kind."""
        shown = self.expand(who, whole)
        if shown is not None and isinstance(who, Integration):
            shown["type"] = "integration" if whole else "integration_reference"
        return shown

    def head(self, thing: Json) -> JsonObject:
        """What every whole object begins with."""
        api, page, kind = self.place(thing)
        return {"id": thing.id, "type": kind, "summary": self.summary(thing), "self": api, "html_url": page}

    def expand(self, thing: Json, wanted: bool) -> JsonObject | None:  # noqa: FBT001 - `include[]` names it
        """The whole object when it was asked for, else a reference."""
        return self.whole(thing) if wanted and thing is not None else self.reference(thing)

    def whole(self, thing: Json, include: Collection[str] = ()) -> JsonObject:
        """A thing of the directory as its own endpoint shows it."""
        if isinstance(thing, Service):
            return self.service(thing, include)
        if isinstance(thing, EscalationPolicy):
            return self.policy(thing, include)
        if isinstance(thing, User):
            return self.user(thing, include)
        if isinstance(thing, Schedule):
            return self.schedule(thing)
        return self._small(thing)

    def _small(self, thing: Json) -> JsonObject:
        head = self.head(thing)
        if isinstance(thing, Integration):
            return {
                **head,
                "name": thing.name,
                "service": self.reference(thing.service),
                "created_at": self.stamp(thing.created_at),
                "integration_key": thing.key,
            }
        if isinstance(thing, Team):
            return {**head, "name": thing.name, "description": thing.description, "default_role": "manager"}
        if isinstance(thing, Priority):
            # from memory: color and order, which the specification does not list.
            return {
                **head,
                "name": thing.name,
                "description": thing.description,
                "color": thing.color,
                "order": thing.order,
            }
        return {**head, "label": thing.label}

    def user(self, user: User, include: Collection[str] = ()) -> JsonObject:
        """A user."""
        methods = self.contact_methods(user)
        short = [{**method, "type": method["type"] + "_reference"} for method in methods]
        return {
            **self.head(user),
            "name": user.name,
            "email": user.email,
            "time_zone": user.time_zone,
            "color": "purple",
            "role": user.role,
            "avatar_url": f"{self.base}/app/avatars/{user.id}.png",
            "description": None,
            "invitation_sent": False,
            "job_title": user.job_title,
            "teams": [self.expand(team, "teams" in include) for team in user.teams],
            "contact_methods": methods if "contact_methods" in include else short,
            "notification_rules": [],
        }

    def contact_methods(self, user: User) -> list[JsonObject]:
        """The one contact method everybody has: the mail address."""
        ident = "C" + user.id[1:]
        return [
            {
                "id": ident,
                "type": "email_contact_method",
                "summary": "Default",
                "self": f"{self.base}/users/{user.id}/contact_methods/{ident}",
                "html_url": None,
                "label": "Default",
                "address": user.email,
                "send_short_email": False,
                "enabled": True,
            }
        ]

    def service(self, service: Service, include: Collection[str] = ()) -> JsonObject:
        """A service."""
        return {
            **self.head(service),
            "name": service.name,
            "description": service.description,
            "created_at": self.stamp(service.created_at),
            "updated_at": self.stamp(service.created_at),
            "status": self.service_status(service),
            "auto_resolve_timeout": service.auto_resolve_timeout,
            "acknowledgement_timeout": service.acknowledgement_timeout,
            "last_incident_timestamp": self.stamp(service.last_incident_at),
            "teams": [self.expand(team, "teams" in include) for team in service.teams],
            "escalation_policy": self.expand(service.escalation_policy, "escalation_policies" in include),
            "incident_urgency_rule": {"type": "constant", "urgency": service.urgency},
            "support_hours": None,
            "scheduled_actions": [],
            "addons": [],
            "alert_creation": service.alert_creation,
            "integrations": [self.expand(one, "integrations" in include) for one in service.integrations],
        }

    def service_status(self, service: Service) -> str:
        """`critical` with triggered incidents, `warning` with acknowledged ones, unless it is switched off."""
        if service.status != "active":
            return service.status
        states = {incident.status for incident in self.account.open_incidents(service)}
        return "critical" if "triggered" in states else "warning" if states else "active"

    def policy(self, policy: EscalationPolicy, include: Collection[str] = ()) -> JsonObject:
        """An escalation policy."""
        services = [one for one in self.account.services.values() if one.escalation_policy is policy]
        return {
            **self.head(policy),
            "name": policy.name,
            "description": policy.description,
            "num_loops": policy.num_loops,
            "on_call_handoff_notifications": "if_has_services",
            "escalation_rules": [
                {
                    "id": rule.id,
                    "escalation_delay_in_minutes": rule.delay_minutes,
                    "targets": [self.expand(target, "targets" in include) for target in rule.targets],
                }
                for rule in policy.rules
            ],
            "services": [self.expand(one, "services" in include) for one in services],
            "teams": [self.expand(team, "teams" in include) for team in policy.teams],
        }

    def schedule(self, schedule: Schedule, entries: list[Shift] | None = None) -> JsonObject:
        """A schedule; with its layer when `entries` are given."""
        policies = [
            policy
            for policy in self.account.policies.values()
            if any(schedule in rule.targets for rule in policy.rules)
        ]
        shown = {
            **self.head(schedule),
            "name": schedule.name,
            "time_zone": schedule.time_zone,
            "description": schedule.description,
            "users": [self.reference(user) for user in schedule.users],
            "escalation_policies": [self.reference(policy) for policy in policies],
            "teams": [],
        }
        if entries is not None:
            shown["schedule_layers"] = [self._layer(schedule)]
            shown["final_schedule"] = {
                "name": "Final Schedule",
                "rendered_schedule_entries": [self._entry(shift) for shift in entries],
                "rendered_coverage_percentage": 100.0,
            }
        return shown

    def _layer(self, schedule: Schedule) -> JsonObject:
        return {
            "id": "L" + schedule.id[1:],
            "name": "Layer 1",
            "start": self.stamp(schedule.start),
            "end": None,
            "rotation_virtual_start": self.stamp(schedule.start),
            "rotation_turn_length_seconds": schedule.turn_seconds,
            "users": [{"user": self.reference(user)} for user in schedule.users],
            "restrictions": [],
        }

    def _entry(self, shift: Shift) -> JsonObject:
        return {
            "start": self.stamp(shift.start),
            "end": self.stamp(shift.end),
            "user": self.reference(shift.user),
        }

    def on_call(self, call: OnCall, include: Collection[str] = ()) -> JsonObject:
        """An on-call."""
        return {
            "escalation_policy": self.expand(call.policy, "escalation_policies" in include),
            "escalation_level": call.level,
            "schedule": self.expand(call.schedule, "schedules" in include),
            "user": self.expand(call.user, "users" in include),
            "start": self.stamp(call.start),
            "end": self.stamp(call.end),
        }

    def entries(self, schedule: Schedule, since: datetime, until: datetime) -> list[Shift]:
        """The shifts of a schedule in a range."""
        return oncall.shifts(schedule, since, until)
