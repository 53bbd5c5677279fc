"""The seed of a fresh account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.model import (
    CustomField,
    EscalationPolicy,
    EscalationRule,
    IncidentType,
    Integration,
    Priority,
    Schedule,
    Service,
    Tag,
    Team,
    User,
)

if TYPE_CHECKING:
    from callout.sandbox.pagerduty.account import Account

API_KEY = "pd-key-0000000000000"
READ_ONLY_KEY = "pd-readonly-00000000"
USER_KEY = "pd-user-key-00000000"
ADMIN, ANN, CAROL = "PUSRADM", "PUSRANN", "PUSRCAR"
CHECKOUT, BATCH = "PSVC001", "PSVC002"
CHECKOUT_ROUTING_KEY = "c4ec0000000000000000000000000001"
BATCH_ROUTING_KEY = "ba7c0000000000000000000000000002"
POLICY, SCHEDULE, TEAM = "PEP0001", "PSCHED1", "PTEAM01"
BORN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
WEEK_SECONDS = 7 * 24 * 3600

ABILITIES = (
    "sso",
    "teams",
    "urgencies",
    "advanced_reports",
    "read_only_users",
    "service_support_hours",
    "service_urgencies",
    "coordinated_responding",
    "incident_types",
    "incident_custom_fields",
)
"""The account's abilities."""
MISSING_ABILITIES = ("preview_incident_alert_split", "live_call_routing")
"""Abilities PagerDuty knows and this account lacks: asking for one answers 402."""

_PRIORITIES = (
    ("PPRIO01", "P1", "Critical issue that warrants public notification", "a8171c"),
    ("PPRIO02", "P2", "Critical system issue actively impacting many customers", "eb6016"),
    ("PPRIO03", "P3", "Stability or minor customer-impacting issue", "f9b406"),
    ("PPRIO04", "P4", "Minor issue that needs action", "555555"),
    ("PPRIO05", "P5", "Cosmetic issue", "555555"),
)


def plant(account: Account) -> None:
    """Fill an empty account."""
    account.abilities = ABILITIES
    team = Team(TEAM, "Engineering", "Who runs it")
    account.teams = {team.id: team}
    admin = User(
        ADMIN, "Alex Admin", "admin@example.com", "Europe/Berlin", "owner", "Head of operations", [team]
    )
    ann = User(ANN, "Ann Onduty", "ann@example.com", "America/New_York", "user", "Engineer", [team])
    carol = User(CAROL, "Carol Quiet", "carol@example.com", "Asia/Kolkata", "limited_user", "Engineer")
    account.users = {user.id: user for user in (admin, ann, carol)}
    for order, (ident, name, description, color) in enumerate(_PRIORITIES):
        account.priorities[ident] = Priority(ident, name, description, color, 1 << (30 - 4 * order))
    schedule = Schedule(
        SCHEDULE, "Primary", "Europe/Berlin", [ann, carol], BORN, WEEK_SECONDS, "Weekly, Ann first"
    )
    account.schedules = {schedule.id: schedule}
    policy = EscalationPolicy(
        POLICY,
        "Default",
        [EscalationRule("PRULE01", 30, [schedule]), EscalationRule("PRULE02", 30, [admin])],
        "First the rotation, then the head of operations",
        num_loops=1,
        teams=[team],
    )
    account.policies = {policy.id: policy}
    for ident, name, key, urgency in (
        (CHECKOUT, "Checkout", CHECKOUT_ROUTING_KEY, "high"),
        (BATCH, "Nightly batch", BATCH_ROUTING_KEY, "severity_based"),
    ):
        service = Service(ident, name, policy, BORN, f"{name} in production", urgency=urgency, teams=[team])
        service.integrations = [Integration("PINT" + ident[-3:], "Events API v2", service, key, BORN)]
        account.services[ident] = service
    base = IncidentType("PTYPE01", "incident_default", "Base Incident")
    major = IncidentType("PTYPE02", "major_incident", "Major Incident", base.id)
    account.incident_types = {kind.id: kind for kind in (base, major)}
    environment = CustomField(
        "PFIELD1",
        "environment",
        "Environment",
        field_type="single_value_fixed",
        options=("production", "staging"),
    )
    ticket = CustomField("PFIELD2", "ticket_url", "Ticket", data_type="url")
    account.custom_fields = {field.id: field for field in (environment, ticket)}
    tag = Tag("PTAG001", "emea", {("users", ADMIN)})
    account.tags = {tag.id: tag}
    account.audit = [
        {
            "id": f"PAUDIT{number}",
            "execution_time": f"{BORN:%Y-%m-%dT%H:%M:%S}.000Z",
            "action": "create",
            "method": {"type": "browser", "description": None, "truncated_token": None},
            "actors": [{"id": ADMIN, "type": "user_reference", "summary": admin.name}],
            "root_resource": {
                "id": ident,
                "type": "service_reference",
                "summary": account.services[ident].name,
            },
            "details": None,
        }
        for number, ident in enumerate(account.services, start=1)
    ]
